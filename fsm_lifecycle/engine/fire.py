"""``fire()``: the one way in which a record changes its state.

One transaction: read under a lock (or compare and set), decide once on what the database holds, write the
state and its entry, run effects. Must not evaluate rules itself, nor know which surface asked.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, connections, router
from django.utils import timezone
from django_fsm.signals import post_transition, pre_transition

from fsm_lifecycle.access.current import firing_actor, in_tool_of
from fsm_lifecycle.append_only import key_text, milliseconds
from fsm_lifecycle.definition import Event, State
from fsm_lifecycle.engine import durable, idempotency, memory, recording, statements, transition, unsaved
from fsm_lifecycle.engine.asking import Access, asked_now
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.causes import Link, current_cause
from fsm_lifecycle.engine.decide import unknown_event
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.engine.effects import run_after_commit, run_inside
from fsm_lifecycle.engine.errors import error_for
from fsm_lifecycle.engine.families import foreign_child
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.engine.request import Request
from fsm_lifecycle.exceptions import LifecycleError, StaleState, UnsavedChanges
from fsm_lifecycle.ledger import definitions
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.transactions import (
    busy_is_stale,
    hearing_of_deadlocks,
    is_conflict,
    is_spoilt,
    sparing,
    writing,
)

#: How often a firing that lost to another transaction is begun again before it becomes ``StaleState``.
TRIES: Final = 4


def fire(
    record: Any,
    event: Event | str,
    *,
    actor: Any = None,
    arguments: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    expected_state: str | None = None,
    expected_sequence: int | None = None,
    idempotency_key: str | None = None,
    snapshot: bool | None = None,
    observations: Mapping[str, Any] | None = None,
    occurred_at: datetime | None = None,
) -> TransitionLog:
    """Fire ``event`` on ``record`` and return its log entry. See ``LifecycleModel.fire``."""
    binding: Binding = record._lifecycle
    who = firing_actor(actor)
    using = router.db_for_write(binding.model, instance=record)
    _refuse_unsaved(binding, record)
    with busy_is_stale(f"{binding.describe(record)}: “{getattr(event, 'name', event)}”"):
        known = _load_link(binding, record)
    plan = binding.plan(event)
    if plan is None:
        decision = unknown_event(binding, event, record.__dict__[binding.state_name])
        refuse(record, who, decision, using)
        raise error_for(binding, record, decision)
    request = Request(
        plan,
        who,
        arguments=arguments,
        metadata=metadata,
        observations=observations,
        idempotency_key=idempotency_key,
        occurred_at=occurred_at,
        expected_state=expected_state if expected_state is not None else known,
        expected_sequence=expected_sequence,
        snapshot=snapshot,
    )
    return Attempt(binding, record, request, using).run()


def _refuse_unsaved(binding: Binding, record: Any) -> None:
    if record._state.adding or binding.key_of(record) is None:
        raise UnsavedChanges(
            f"This {binding.model._meta.verbose_name} is not in the database: it was never saved, or it was deleted. "
            f"Save it, then fire."
        )
    fields = unsaved.edited(record, binding)
    if fields:
        raise UnsavedChanges(
            f"{binding.describe(record)} has unsaved changes in {', '.join(fields)}. Save them, or take them back "
            f"with refresh_from_db(), then fire.",
            fields,
        )


def _load_link(binding: Binding, record: Any) -> str | None:
    """Read state, sequence and head together where one of them was deferred; return the state held before."""
    values = record.__dict__
    if binding.state_name in values and SEQUENCE in values and HEAD in values:
        return None
    known: str | None = values.get(binding.state_name)
    try:
        record.refresh_from_db(fields=[binding.state_name, SINCE, SEQUENCE, HEAD])
    except ObjectDoesNotExist:
        raise StaleState(f"{binding.describe(record)} is no longer in the database.") from None
    return known


class Attempt:
    """One request on one record, and how it is carried out."""

    def __init__(self, binding: Binding, record: Any, request: Request, using: str) -> None:
        self.binding = binding
        self.record = record
        self.request = request
        self.plan = request.plan
        self.using = using
        self.key = binding.key_of(record)
        self.object_pk = key_text(self.key)
        values = record.__dict__
        self.before: tuple[str, int, str] = (values[binding.state_name], values[SEQUENCE], values[HEAD])
        self.cause = current_cause(binding.label, self.object_pk, self.plan.name)
        self.listened = pre_transition.has_listeners(type(record)) or post_transition.has_listeners(
            type(record)
        )
        self.effects_began = False
        self.access: Access | None = None

    def run(self) -> TransitionLog:
        """Carry it out, again where another transaction was in the way."""
        nested = connections[self.using].in_atomic_block
        what = f"{self._name}: “{self.plan.event.label}”"
        with busy_is_stale(what), collecting() if self.plan.inside else nullcontext():
            for tries_left in reversed(range(TRIES)):
                try:
                    return self._once()
                except DatabaseError as error:
                    if nested or self.effects_began or not tries_left or not is_conflict(error):
                        raise
                    time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - spreads contenders, no secret
        raise AssertionError("unreachable")  # pragma: no cover

    @property
    def _name(self) -> str:
        return self.binding.describe(self.record)

    def _asked(self) -> Access:
        """Who asks, from the database: once for each try."""
        if self.access is None:
            connection = connections[self.using]
            found = asked_now(self.binding, connection, self.request.actor, self.plan, [self.key])
            self.access = found[self.key]
        return self.access

    def _judge(self, row: Any, **why: Any) -> Decision:
        return self.request.judge(self.binding, row, self._asked(), **why)

    def _earlier(self) -> TransitionLog | None:
        """The entry that the same idempotency key made, for those who may fire the event."""
        key = self.request.idempotency_key
        if key is None or self.request.errors or self._asked().answer(self.plan)[0] is not None:
            return None
        connection = connections[self.using]
        return idempotency.earlier(
            self.binding, connection, self.object_pk, key, self.plan.name, self.request.kept
        )

    def _once(self) -> TransitionLog:
        plan, request = self.plan, self.request
        self.access = None
        if reason := foreign_child(self.binding, connections[self.using], self.key):
            raise self._refused(self._judge(self.record, foreign=reason))
        if (repeated := self._earlier()) is not None:
            return repeated
        if self.request.identity.kind == "agent":
            self.access = (
                None  # asked for the key; nobody may wait for the lock with a right that is taken away
            )
        kept = memory.Memory(self.record)
        try:
            if plan.needs_row or request.snapshot or self.listened:
                entry, decision = self._locked()
            else:
                entry, decision = self._compare_and_set()
        except BaseException:
            kept.restore()
            raise
        if entry is not None:
            return entry
        kept.restore()
        # Another request with this key may have won while this one was under way.
        if decision.denials[0].code == "stale_state" and (repeated := self._earlier()) is not None:
            return repeated
        raise self._refused(decision)

    def _refused(self, decision: Decision) -> LifecycleError:
        refuse(self.record, self.request.actor, decision, self.using)
        return error_for(self.binding, self.record, decision)

    # Two ways to the same end

    def _compare_and_set(self) -> tuple[TransitionLog | None, Decision]:
        """No rule depends on the row but its state: write if state, sequence and head are still as read."""
        decision = self._judge(self.record, stale=self._never_logged(), cause=self.cause)
        if not decision.allowed:
            return None, self._confirmed(decision)
        now = milliseconds(timezone.now())
        row = self._compose(decision, now, self.request.body(decision))
        with writing(self.using, savepoint=False) as connection:
            definitions.ensure(connection, self.binding.label, self.binding.table)
            moved = self._move(connection, row, now)
            if moved:
                entry = self._insert(connection, row)
        if not moved:
            return None, self._confirmed(decision)
        memory.advance(self.record, self.binding, self.request, row, now)
        return entry, decision

    def _locked(self) -> tuple[TransitionLog | None, Decision]:
        """Rules depend on the row: read it under its lock, decide, write, run effects."""
        binding, record, request, plan = self.binding, self.record, self.request, self.plan
        # Code that is not ours may raise after the write, and the caller may catch it and go on.
        with writing(self.using, savepoint=self.listened or bool(plan.inside)) as connection:
            definitions.ensure(connection, binding.label, binding.table)
            row = statements.locked(binding, connection, self.key)
            link = None if row is None else _link(binding, row)
            # A guard's failing query denies, and takes no transaction with it.
            with sparing(connection):
                decision = self._judge(
                    record if row is None else row, stale=self._stale(link), cause=self.cause
                )
            if not decision.allowed:
                return None, decision
            assert decision.target is not None
            now = milliseconds(timezone.now())
            try:
                body = transition.body_of(
                    binding, connection, request, decision, row, object_pk=self.object_pk, now=now
                )
            except Unrecordable as error:
                request.refuse_value(error)
                return None, self._judge(row, cause=self.cause)
            entry_row = self._compose(decision, now, body)
            if plan.inside or plan.after or self.listened:
                memory.refresh(record, binding, row.__dict__)
            if self.listened:
                self._signal(pre_transition, decision.target)
            if not self._move(connection, entry_row, now):
                # Not reached where rows are locked; the lock of a SQLite file covers the rest.
                return None, self._judge(row, stale=self._in_motion(), cause=self.cause)
            entry = self._insert(connection, entry_row)
            memory.advance(record, binding, request, entry_row, now)
            with hearing_of_deadlocks(connection) as deadlocks:
                self._run_effects(entry, decision.target)
                if self.listened:
                    self._signal(post_transition, decision.target)
                    self._refuse_edits("a receiver of post_transition")
            if deadlocks or is_spoilt(connection):
                # What now looks like a commit would be a rollback: an effect met a database error and went on.
                raise StaleState(
                    f"{self._name}: an effect of “{plan.event.label}” met a database error, so everything was "
                    f"rolled back. Load it again and try again."
                )
        return entry, decision

    def _compose(self, decision: Decision, now: datetime, body: tuple[str, str]) -> dict[str, Any]:
        return transition.compose(
            self.binding,
            self.request,
            decision,
            object_pk=self.object_pk,
            before=self.before,
            now=now,
            body=body,
            cause=self.cause,
        )

    def _move(self, connection: Any, row: dict[str, Any], now: datetime) -> bool:
        return statements.move(
            self.binding,
            connection,
            self.plan,
            key=self.key,
            before=self.before,
            after=(row["to_state"], now, row["sequence"], row["entry_hash"]),
            arguments=self.request.cleaned,
        )

    def _insert(self, connection: Any, row: dict[str, Any]) -> TransitionLog:
        try:
            return recording.record(connection, row)
        except IntegrityError as error:
            raise StaleState(
                f"{self._name} is behind its own log: entry {row['sequence']} exists already. The record was "
                f"restored or edited without its log. Nothing was done."
            ) from error

    # Why the caller's copy is not what the database holds

    def _confirmed(self, decision: Decision) -> Decision:
        """A refusal that rests on the caller's copy, held against the database: stale comes first."""
        stale = self._stale(statements.link_of(self.binding, connections[self.using], self.key))
        if not stale and decision.allowed:
            stale = self._in_motion()
        return self._judge(self.record, stale=stale, cause=self.cause) if stale else decision

    def _stale(self, link: tuple[str, int, str] | None) -> str:
        if link is None:
            return "It is no longer in the database."
        if link == self.before:
            return self._never_logged()
        return (
            f"It has changed since it was loaded: it is {self.binding.state_label(link[0])} now (entry "
            f"{link[1]}); this copy says {self.binding.state_label(self.before[0])} (entry {self.before[1]}). Load it "
            f"again before you decide."
        )

    def _never_logged(self) -> str:
        return self.binding.never_logged() if self.before[1] == 0 else ""

    def _in_motion(self) -> str:
        return "It was being changed by somebody else. Load it again before you decide."

    # What follows the write

    def _run_effects(self, entry: TransitionLog, target: State) -> None:
        plan = self.plan
        if plan.durable:
            durable.enqueue(self.binding, plan, [(self.record, entry.entry_hash)], self.using)
        if not (plan.inside or plan.after):
            return
        self.effects_began = True
        link = Link(entry.entry_hash, self.binding.label, self.object_pk, plan.name)
        firing = self.request.firing(
            self.record,
            source=plan.states[self.before[0]],
            target=target,
            cause=self.cause,
            sequence=entry.sequence,
        )
        if plan.inside:
            run_inside(plan.inside, self.record, firing, link)
            self._refuse_edits(f"an effect of “{plan.event.label}”")
        run_after_commit(plan.after, self.record, firing, link, self.using)

    def _refuse_edits(self, culprit: str) -> None:
        if self.record.pk is None:
            return  # the effect deleted the record
        fields = unsaved.edited(self.record, self.binding)
        if fields:
            raise UnsavedChanges(
                f"{self._name}: {culprit} left {', '.join(fields)} changed but not saved, so everything was rolled "
                f"back. Save them there: record.save(update_fields=[...]).",
                fields,
            )

    def _signal(self, signal: Any, target: State) -> None:
        with in_tool_of(None):
            signal.send(
                sender=type(self.record),
                instance=self.record,
                name=self.plan.name,
                field=self.binding.field,
                source=self.before[0],
                target=target.value,
                method_args=(),
                method_kwargs=dict(self.request.cleaned),
            )


def _link(binding: Binding, row: Any) -> tuple[str, int, str]:
    values = row.__dict__
    return values[binding.state_name], values[SEQUENCE], values[HEAD]
