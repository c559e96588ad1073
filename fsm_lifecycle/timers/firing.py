"""Owns working off the timers that are due: looked at once more under the locks of their records, then fired.

The firing and the end of its timer are one transaction, and the timer is ended under the lease it was taken with: who
is killed leaves both undone, who slept past the lease undoes both. Events without effects inside the transaction fire
together, others one by one.

Must not know who set a timer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, connections
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.access.actors import System
from fsm_lifecycle.definition import Event
from fsm_lifecycle.dispatch import leases, queues
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.engine.bulk import fire_many
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.exceptions import StaleState
from fsm_lifecycle.timers.moments import Facts, deferred, facts, family, fires_at, timed, timed_labels
from fsm_lifecycle.timers.setting import parts, remove
from fsm_lifecycle.timers.timer import Timer
from fsm_lifecycle.transactions import is_busy, writing

logger = logging.getLogger("fsm_lifecycle")

#: Who fires, and what refusals name as their surface.
ACTOR: Final = System("timer")
#: After a refusal, or a failure that is none of the database's.
RETRY: Final = timedelta(hours=1)
#: After another transaction was in the way.
SOON: Final = timedelta(seconds=10)
#: So many are claimed together.
BATCH: Final = 100


class _LeaseLost(Exception):
    """A timer was changed, or taken by another worker, before the firing was written."""


def ready(using: str) -> QuerySet[Timer]:
    """Timers that have not fired, of models that this version of the code knows."""
    return Timer.objects.using(using).filter(fired=False, model_label__in=list(timed_labels()))


def work_on(using: str, timers: Sequence[Timer], stopped: Callable[[], bool] = bool) -> None:
    """Fire what is due among these, and set the others right."""
    labels = timed_labels()
    groups: dict[tuple[str, str], list[Timer]] = {}
    for timer in timers:
        groups.setdefault((timer.model_label, timer.event), []).append(timer)
    left: list[Timer] = []
    for (label, name), group in groups.items():
        owner = labels.get(label)
        if owner is None:
            continue  # the periodic look removes it
        for part in [group] if _together(owner, name) else [[timer] for timer in group]:
            if stopped():
                left += part
            else:
                _work(using, owner, part)
    leases.give_back(left)


def _together(owner: Binding, name: str) -> bool:
    """Whether firings of the event can share a transaction: none of them runs code that takes its time."""
    plan = owner.plan(name)
    return plan is not None and not plan.inside and len(family(owner)) == 1


def _work(using: str, owner: Binding, timers: list[Timer]) -> None:
    try:
        # Refusals are written when this transaction has ended.
        with collecting("timer"), writing(using, savepoint=True):
            _Batch(using, owner, timers).run()
    except _LeaseLost:
        _one_by_one(using, owner, timers)
    except (DatabaseError, StaleState) as error:
        if connections[using].needs_rollback or not (isinstance(error, StaleState) or is_busy(error)):
            raise
        if len(timers) > 1:
            _one_by_one(using, owner, timers)
        else:
            _wait(using, timers, timezone.now() + SOON)
    except Exception:
        if len(timers) > 1:
            _one_by_one(using, owner, timers)
            return
        logger.exception("The timer %s failed; it is tried again in an hour.", timers[0])
        _wait(using, timers, timezone.now() + RETRY)


def _one_by_one(using: str, owner: Binding, timers: Sequence[Timer]) -> None:
    if len(timers) > 1:
        for timer in timers:
            _work(using, owner, [timer])


def _wait(using: str, timers: Sequence[Timer], until: datetime) -> None:
    _held(using, timers).update(lease_until=None, holder="", due_at=until)


def _held(using: str, timers: Sequence[Timer]) -> QuerySet[Timer]:
    """Those of the timers that are still held as they were claimed. One claim has one holder."""
    rows: QuerySet[Timer] = QuerySet(Timer, using=using)
    return rows.filter(pk__in=[t.pk for t in timers], holder__in={t.holder for t in timers} - {""})


class _Batch:
    """Timers of one event of one model, in one transaction."""

    def __init__(self, using: str, owner: Binding, timers: list[Timer]) -> None:
        self.using, self.owner, self.timers = using, owner, timers
        self.now = timezone.now()

    def run(self) -> None:
        records = facts(self.using, self.owner, [t.object_pk for t in self.timers], lock=True)
        # Whoever moves a timer holds the lock of its record, or has seen what is committed there.
        still = set(_held(self.using, self.timers).values_list("pk", flat=True))
        due: list[tuple[Timer, Facts, Event]] = []
        for timer in self.timers:
            if timer.pk in still:
                found = self._due(timer, records.get(timer.object_pk))
                due += [] if found is None else [found]
        by_binding: dict[Binding, list[tuple[Timer, Facts, Event]]] = {}
        for one in due:
            by_binding.setdefault(one[1].binding, []).append(one)
        for binding, group in by_binding.items():
            self._fire(binding, group)

    def _due(self, timer: Timer, record: Facts | None) -> tuple[Timer, Facts, Event] | None:
        """The timer with its record and event, if it fires now; else it is set right."""
        event = (
            None
            if record is None
            else next((e for e in timed(record.binding) if e.name == timer.event), None)
        )
        moment = None if record is None or event is None else fires_at(event, record)
        if record is None or event is None or moment is None:
            self._end([timer])
            return None
        until = deferred(event, moment)
        if until <= self.now:
            until = deferred(event, self.now)
        if until > self.now:
            self._change([timer], due_at=until, fires_at=moment, sequence=record.sequence)
            return None
        timer.fires_at = moment
        return timer, record, event

    def _fire(self, binding: Binding, group: list[tuple[Timer, Facts, Event]]) -> None:
        event = group[0][2]
        timers = {record.key: timer for timer, record, _ in group}
        rows: QuerySet[Any] = QuerySet(binding.model, using=self.using)
        done = fire_many(
            rows.filter(**{f"{binding.key_attname}__in": list(timers)}),
            event.name,
            actor=ACTOR,
            arguments=None,
            metadata=None,
            all_or_nothing=False,
            batch_size=len(timers),
            progress=None,
        )
        fired = [timers[result.pk] for result in done.results if result.ok]
        stay = {timers[r.pk].pk for r in done.results if r.ok and str(r.to_state) in event.sources}
        self._end([timer for timer in fired if timer.pk not in stay])
        self._stayed(event, [timer for timer in fired if timer.pk in stay])
        in_the_way = [timers[r.pk] for r in done.results if not r.ok and r.denials[0].code == "stale_state"]
        self._change(in_the_way, due_at=self.now + SOON)
        waiting = {timer.pk for timer in (*fired, *in_the_way)}
        refused = [timer for timer in timers.values() if timer.pk not in waiting]
        self._change(refused, due_at=deferred(event, self.now + RETRY), refused_at=self.now)

    def _stayed(self, event: Event, timers: list[Timer]) -> None:
        """Of records that are in a source state after the firing, too: once for each time, not without end."""
        records = facts(self.using, self.owner, [timer.object_pk for timer in timers])
        same: list[Timer] = []
        other: list[Timer] = []
        for timer in timers:
            record = records.get(timer.object_pk)
            again = record is not None and fires_at(event, record) == timer.fires_at
            (same if again else other).append(timer)
        self._end(other)  # the log tells that a new one is to be set
        for timer in same:
            self._change([timer], fired=True, fires_at=timer.fires_at, refused_at=None)

    def _end(self, timers: list[Timer]) -> None:
        if remove(connections[self.using], timers) != len(timers):
            raise _LeaseLost

    def _change(self, timers: list[Timer], **values: Any) -> None:
        for part in parts(connections[self.using], timers):
            if _held(self.using, part).update(lease_until=None, holder="", **values) != len(part):
                raise _LeaseLost


QUEUE = queues.register(
    queues.Queue(
        name="timers",
        label="Timers",
        model=Timer,
        ready=ready,
        work=work_on,
        width=2,
        batch=BATCH,
        at_exit=True,
    )
)
