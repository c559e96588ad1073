"""Owns that every record has the timers it should have: from the log as it grows, and from time to time from all of it.

The first sets a timer soon after the commit that made it needed. The second finds what the log does not tell: an event
that was given ``after=`` since, rows that were restored, fields changed by ``update()``, models that are gone.

Must not know what becomes of a timer that is due.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.dispatch import kinds, routines
from fsm_lifecycle.dispatch.enqueuing import enqueue_many
from fsm_lifecycle.dispatch.kinds import Kind
from fsm_lifecycle.dispatch.routines import Routine
from fsm_lifecycle.dispatch.work import Work
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.ledger import following
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.log_cursor import LogCursor
from fsm_lifecycle.timers import setting
from fsm_lifecycle.timers.moments import facts, family, timed, timed_labels
from fsm_lifecycle.timers.timer import Timer
from fsm_lifecycle.transactions import writing

#: What the follower of the log, its work and its routine are called.
NAME: Final = "timers"
#: Batches of entries in one run: the rest is for the next.
BATCHES: Final = 40
#: Records looked at together by the periodic look.
PAGE: Final = 500


# --- from the log -------------------------------------------------------------------------------------------


def follow(using: str) -> int:
    """Set the timers that new entries ask for; how many entries there were."""
    if not timed_labels():
        return 0
    if not LogCursor.objects.using(using).filter(name=NAME).exists():
        # Whatever is in the log already is found by looking at all records.
        following.begin(using, NAME)
        return reconcile(using)
    count = 0
    for _ in range(BATCHES):
        found = following.follow(using, NAME, _set)
        count += found
        if not found:
            break
    return count


def _set(connection: BaseDatabaseWrapper, entries: Sequence[TransitionLog]) -> None:
    labels = timed_labels()
    keys: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.model_label in labels:
            keys.setdefault(entry.model_label, {})[entry.object_pk] = None
    for label, found in keys.items():
        _, again = setting.follow(connection, label, labels[label], list(found))
        later(connection.alias, label, again)


def later(using: str, label: str, keys: Sequence[str]) -> None:
    """Have these records looked at soon after the commit, each in a transaction of its own."""
    now = timezone.now()
    enqueue_many(
        (
            WorkItem(kind=NAME, payload={"model": label, "record": key}, due_at=now, created_at=now)
            for key in keys
        ),
        using=using,
    )


def look_again(work: Work) -> None:
    """Set the timers of one record."""
    label = work.payload["model"]
    owner = timed_labels().get(label)
    if owner is None:
        return
    with writing(work.using, savepoint=True) as connection:
        setting.saved(connection, label, owner, work.payload["record"], alone=True)


# --- from the records ---------------------------------------------------------------------------------------


def reconcile(using: str) -> int:
    """Make every timer what its record wants, and set those that are missing; how many were wrong or missing."""
    labels = timed_labels()
    if labels:
        following.begin(using, NAME)  # first: what commits while this looks is followed
    gone = Timer.objects.using(using).exclude(model_label__in=list(labels))
    count = gone.delete()[0] if gone.exists() else 0
    for label, owner in labels.items():
        for keys in _timed_keys(using, label):
            count += _mend(using, label, owner, keys)
        for binding in family(owner):
            for keys in _waiting_keys(using, binding):
                count += _mend(using, label, owner, keys)
    return count


def _mend(using: str, label: str, owner: Binding, keys: list[str]) -> int:
    """Look first: it is rare that something is to be done."""
    timers = setting.of_records(using, label, keys)
    found = setting.compare(label, facts(using, owner, keys).items(), timers).keys
    if not found:
        return 0
    with writing(using, savepoint=True) as connection:
        changed, again = setting.follow(connection, label, owner, sorted(found))
        later(using, label, again)
    return changed


def _timed_keys(using: str, label: str) -> Iterator[list[str]]:
    rows = Timer.objects.using(using).filter(model_label=label).order_by("pk")
    last = 0
    while page := list(rows.filter(pk__gt=last).values_list("pk", "object_pk")[:PAGE]):
        last = page[-1][0]
        yield list(dict.fromkeys(key for _, key in page))


def _waiting_keys(using: str, binding: Binding) -> Iterator[list[str]]:
    sources = {str(source) for event in timed(binding) for source in event.sources}
    name = binding.key_attname
    rows: QuerySet[Any] = QuerySet(binding.model, using=using)
    rows = rows.filter(**{f"{binding.state_name}__in": sorted(sources)}).order_by(name)
    page: list[Any] = list(rows.values_list(name, flat=True)[:PAGE]) if sources else []
    while page:
        yield [key_text(key) for key in page]
        page = list(rows.filter(**{f"{name}__gt": page[-1]}).values_list(name, flat=True)[:PAGE])


routines.register(Routine(name=NAME, label="Timers", run=follow, every=15.0, on_commit=True))
routines.register(
    Routine(name="timers_reconcile", label="Timers, all of them", run=reconcile, every=900.0, paced=True)
)
kinds.register(Kind(name=NAME, label="Look at a record's timers again", run=look_again))
