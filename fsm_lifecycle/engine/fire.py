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

from django.db import DatabaseError, IntegrityError, connections, router
from django.utils import timezone
from django_fsm.signals import post_transition, pre_transition

from fsm_lifecycle.access.actors import Identity, identify
from fsm_lifecycle.access.current import required_actor
from fsm_lifecycle.access.policy import denial_reason
from fsm_lifecycle.definition import Event, State
from fsm_lifecycle.engine import idempotency, snapshots, statements, unsaved
from fsm_lifecycle.engine.arguments import clean, recordable
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding, Plan
from fsm_lifecycle.engine.causes import Link, current_cause
from fsm_lifecycle.engine.decide import judge, unknown_event
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.engine.effects import run_after_commit, run_inside
from fsm_lifecycle.engine.errors import error_for
from fsm_lifecycle.engine.families import refuse_child_of_another_table
from fsm_lifecycle.engine.firing import Firing
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.engine.transactions import is_busy, writing
from fsm_lifecycle.exceptions import StaleState, UnsavedChanges
from fsm_lifecycle.ledger import chain, definitions
from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.ledger.entry import FIRST_MOMENT, LAST_MOMENT, TransitionLog, key_text, milliseconds
from fsm_lifecycle.ledger.hashing import new_salt

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
    who = required_actor(actor)
    using = record._state.db or router.db_for_write(binding.model, instance=record)
    _refuse_unsaved(binding, record)
    _load_link(binding, record)
    plan = binding.plan(event)
    if plan is None:
        decision = unknown_event(binding, record, event)
        refuse(record, event, who, decision, using)
        raise error_for(binding, record, decision)
    attempt = Attempt(binding, plan, record, who, using)
    attempt.expected_state, attempt.expected_sequence = expected_state, expected_sequence
    attempt.take(arguments, metadata, observations, idempotency_key, occurred_at)
    attempt.forced_snapshot = snapshot
    return attempt.run()


def _refuse_unsaved(binding: Binding, record: Any) -> None:
    if record._state.adding or binding.key_of(record) is None:
        raise UnsavedChanges(
            f"This {binding.model._meta.verbose_name} has not been saved yet. Save it, then fire."
        )
    fields = unsaved.edited(record, binding)
    if fields:
        raise UnsavedChanges(
            f"{binding.describe(record)} has unsaved changes in {', '.join(fields)}. Save them, or take them back "
            f"with refresh_from_db(), then fire.",
            fields,
        )


def _load_link(binding: Binding, record: Any) -> None:
    """Read state, sequence and head together where one of them was deferred."""
    values = record.__dict__
    if not (binding.state_name in values and SEQUENCE in values and HEAD in values):
        record.refresh_from_db(fields=[binding.state_name, SINCE, SEQUENCE, HEAD])


class Attempt:
    """One call of ``fire()``: what was asked for, and how it is carried out."""

    def __init__(self, binding: Binding, plan: Plan, record: Any, actor: Any, using: str) -> None:
        self.binding = binding
        self.plan = plan
        self.record = record
        self.actor = actor
        self.using = using
        self.key = binding.key_of(record)
        self.object_pk = key_text(self.key)
        values = record.__dict__
        self.before: tuple[str, int, str] = (values[binding.state_name], values[SEQUENCE], values[HEAD])
        self.cause = current_cause(binding.label, self.object_pk, plan.name)
        self.expected_state: str | None = None
        self.expected_sequence: int | None = None
        self.forced_snapshot: bool | None = None
        self.effects_began = False

    # What was asked for

    def take(
        self,
        arguments: Mapping[str, Any] | None,
        metadata: Mapping[str, Any] | None,
        observations: Mapping[str, Any] | None,
        idempotency_key: str | None,
        occurred_at: datetime | None,
    ) -> None:
        """Clean the arguments and see that everything given can be recorded, before anything is written."""
        self.cleaned, self.errors = clean(self.plan, arguments) if arguments or self.plan.form else ({}, {})
        self.kept = recordable(self.cleaned) if self.cleaned else {}
        self.metadata = dict(metadata) if metadata else {}
        self.idempotency_key = idempotency_key
        self.parts: dict[str, Any] = {}
        self.salts: dict[str, str] = {}
        self.identity: Identity = identify(self.actor)
        if self.identity.kind != "unknown":
            self.parts["actor"] = self.identity.body
        if self.kept:
            self.parts["arguments"] = self.kept
        if self.metadata:
            self.parts["metadata"] = self.metadata
        if observations:
            self.parts["observations"] = dict(observations)
        if idempotency_key is not None:
            self.parts["idempotency_key"] = idempotency_key
            if self.kept:
                self.salts["arguments"] = new_salt()
            if not isinstance(idempotency_key, str) or not 0 < len(idempotency_key) <= idempotency.MAX_LENGTH:
                self.errors["idempotency_key"] = [f"Use a text of 1 to {idempotency.MAX_LENGTH} characters."]
        self.occurred_at = self._moment(occurred_at)
        try:
            self.body = make_body(self.parts, self.salts)
        except Unrecordable as error:
            self.errors[error.place] = [str(error)]

    def _moment(self, occurred_at: datetime | None) -> datetime | None:
        if occurred_at is None:
            return None
        if not isinstance(occurred_at, datetime) or timezone.is_naive(occurred_at):
            self.errors["occurred_at"] = ["Give an aware datetime, for example django.utils.timezone.now()."]
            return None
        moment = milliseconds(occurred_at)
        if not FIRST_MOMENT <= moment <= LAST_MOMENT:
            self.errors["occurred_at"] = [
                f"Give a time between {FIRST_MOMENT:%Y-%m-%d} and {LAST_MOMENT:%Y-%m-%d}."
            ]
        return moment

    # How it is carried out

    def run(self) -> TransitionLog:
        """Carry it out, again where another transaction was in the way."""
        if self.idempotency_key is not None and (entry := self._earlier()) is not None:
            return entry
        nested = connections[self.using].in_atomic_block
        with collecting() if self.plan.inside else nullcontext():
            for tries_left in reversed(range(TRIES)):
                try:
                    return self._once()
                except DatabaseError as error:
                    if not is_busy(error):
                        raise
                    if nested or self.effects_began or not tries_left:
                        raise StaleState(
                            f"{self.binding.describe(self.record)}: “{self.plan.event.label}” was not done, because "
                            f"another transaction held the record or the database. Load it again and try again."
                        ) from error
                    time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - spreads contenders, no secret
        raise AssertionError("unreachable")  # pragma: no cover

    def _earlier(self) -> TransitionLog | None:
        if self.errors or denial_reason(self.binding.table, self.actor):
            return None
        assert self.idempotency_key is not None
        return idempotency.earlier(
            self.binding,
            connections[self.using],
            self.object_pk,
            self.idempotency_key,
            self.plan.name,
            self.kept,
        )

    def _once(self) -> TransitionLog:
        record, plan = self.record, self.plan
        listened = pre_transition.has_listeners(type(record)) or post_transition.has_listeners(type(record))
        by_lock = plan.needs_row or bool(self.forced_snapshot) or listened
        memory = _Memory(record)
        try:
            entry, decision = self._locked(listened) if by_lock else self._compare_and_set()
        except BaseException:
            memory.restore(record)
            raise
        if entry is not None:
            return entry
        if decision.denials[0].code == "stale_state" and self.idempotency_key is not None:
            # Another request with this key may have won while this one was under way.
            if (repeated := self._earlier()) is not None:
                return repeated
        refuse(record, plan.event, self.actor, decision, self.using)
        raise error_for(self.binding, record, decision)

    def _judge(self, row: Any, stale: str = "") -> Decision:
        return judge(
            self.binding,
            self.plan,
            row,
            actor=self.actor,
            cleaned=self.cleaned,
            errors=self.errors,
            expected_state=self.expected_state,
            expected_sequence=self.expected_sequence,
            stale=stale,
            metadata=self.metadata,
            cause=self.cause,
            occurred_at=self.occurred_at,
        )

    def _compare_and_set(self) -> tuple[TransitionLog | None, Decision]:
        """No rule depends on the row but its state: write if state, sequence and head are still as read."""
        decision = self._judge(self.record, self._never_logged())
        if not decision.allowed:
            return None, self._confirmed(decision)
        assert decision.target is not None
        now = milliseconds(timezone.now())
        row = self._compose(decision, now, self.body)
        with writing(self.using, savepoint=False) as connection:
            refuse_child_of_another_table(self.binding, connection, self.key)
            definitions.ensure(connection, self.binding.label, self.binding.table)
            moved = self._move(connection, decision, row, now)
            if moved:
                entry = self._insert(connection, row)
        if not moved:
            return None, self._confirmed(decision)
        self._update_memory(decision.target, now, row)
        return entry, decision

    def _confirmed(self, decision: Decision) -> Decision:
        """A refusal that rests on the caller's copy, held against the database: stale comes first."""
        link = statements.link_of(self.binding, connections[self.using], self.key)
        stale = self._stale(link)
        if not stale and decision.allowed:
            # It was in the way a moment ago and is as it was now: somebody moved it there and back.
            stale = f"{self.binding.describe(self.record)} was being changed by somebody else. Load it again."
        return self._judge(self.record, stale) if stale else decision

    def _never_logged(self) -> str:
        if self.before[1] == 0:
            return (
                f"{self.binding.describe(self.record)} has no log yet, because it was not made through its "
                f"lifecycle. Run: manage.py lifecycle_adopt {self.binding.model._meta.label_lower}"
            )
        return ""

    def _stale(self, link: tuple[str, int, str] | None) -> str:
        """Why the caller's copy is not what the database holds; empty when it is."""
        if link is None:
            return f"{self.binding.describe(self.record)} is no longer in the database."
        if link == self.before:
            return self._never_logged()
        return (
            f"{self.binding.describe(self.record)} has changed since it was loaded: it is "
            f"{self.binding.state_label(link[0])} now (entry {link[1]}); this copy says "
            f"{self.binding.state_label(self.before[0])} (entry {self.before[1]}). Load it again before you decide."
        )

    def _locked(self, listened: bool) -> tuple[TransitionLog | None, Decision]:
        """Rules depend on the row: read it under its lock, decide, write, run effects."""
        plan, record, binding = self.plan, self.record, self.binding
        with writing(self.using, savepoint=listened or bool(plan.inside)) as connection:
            refuse_child_of_another_table(binding, connection, self.key)
            definitions.ensure(connection, binding.label, binding.table)
            row = statements.locked(binding, connection, self.key)
            values = row.__dict__ if row is not None else {}
            link = None if row is None else (values[binding.state_name], values[SEQUENCE], values[HEAD])
            decision = self._judge(record if row is None else row, self._stale(link))
            if not decision.allowed:
                return None, decision
            target = decision.target
            assert target is not None
            now = milliseconds(timezone.now())
            body = self._body(connection, decision, row, now)
            if isinstance(body, Unrecordable):
                self.errors[body.place] = [str(body)]
                return None, self._judge(row)
            entry_row = self._compose(decision, now, body)
            if plan.inside or plan.after or listened:
                self._refresh_memory(values)
            if listened:
                self._signal(pre_transition, target)
            if not self._move(connection, decision, entry_row, now):
                return None, self._judge(row, self._stale(None))
            entry = self._insert(connection, entry_row)
            self._update_memory(target, now, entry_row)
            self._run_effects(entry, target)
            if listened:
                self._signal(post_transition, target)
                self._refuse_edits("a receiver of post_transition")
        return entry, decision

    def _body(
        self, connection: Any, decision: Decision, row: Any, now: datetime
    ) -> tuple[str, str] | Unrecordable:
        extra: dict[str, Any] = {}
        target = decision.target
        assert target is not None
        if decision.branch is not None:
            extra["branch"] = decision.branch
        reason = snapshots.reason_for(
            self.plan,
            connection,
            binding=self.binding,
            object_pk=self.object_pk,
            target=target,
            now=now,
            forced=self.forced_snapshot,
        )
        if reason is not None:
            extra["snapshot"] = snapshots.values_of(
                self.binding, row, state=target.value, since=now, stored=self._stored()
            )
            extra["snapshot_reason"] = reason
        if not extra:
            return self.body
        try:
            return make_body({**self.parts, **extra}, self.salts)
        except Unrecordable as error:
            return error

    def _stored(self) -> dict[str, Any]:
        return {f.name: self.cleaned.get(f.name) for f in self.plan.stores}

    def _compose(self, decision: Decision, now: datetime, body: tuple[str, str]) -> dict[str, Any]:
        digest = None
        if self.idempotency_key is not None:
            digest = idempotency.digest(self.plan.name, self.salts.get("arguments", ""), self.kept)
        return chain.compose(
            model_label=self.binding.label,
            object_pk=self.object_pk,
            sequence=self.before[1] + 1,
            prev_hash=self.before[2],
            kind="transition",
            event=self.plan.name,
            from_state=self.before[0],
            to_state=str(decision.target),
            compensating=self.plan.event.compensating,
            actor_kind=self.identity.kind,
            actor_id=self.identity.id,
            recorded_at=now,
            occurred_at=self.occurred_at,
            cause=self.cause,
            definition=self.binding.fingerprint,
            body=body[0],
            body_hash=body[1],
            idempotency_key=self.idempotency_key,
            idempotency_digest=digest,
        )

    def _move(self, connection: Any, decision: Decision, row: dict[str, Any], now: datetime) -> bool:
        return statements.move(
            self.binding,
            connection,
            self.plan,
            key=self.key,
            before=self.before,
            after=(row["to_state"], now, row["sequence"], row["entry_hash"]),
            arguments=self.cleaned,
        )

    def _insert(self, connection: Any, row: dict[str, Any]) -> TransitionLog:
        try:
            return chain.insert(connection, row)
        except IntegrityError as error:
            raise StaleState(
                f"{self.binding.describe(self.record)} is behind its own log: entry {row['sequence']} exists already. "
                f"The record was restored or edited without its log. Nothing was done."
            ) from error

    # The caller's copy

    def _refresh_memory(self, values: Mapping[str, Any]) -> None:
        """The caller's instance as the locked row is, so that effects see no stale field or relation."""
        record = self.record
        record.__dict__.update({name: v for name, v in values.items() if name in self.binding.attnames})
        unsaved.remember_all(record, self.binding)
        record._state.fields_cache.clear()

    def _update_memory(self, target: State, now: datetime, row: dict[str, Any]) -> None:
        record = self.record
        record.__dict__.update(
            {
                self.binding.state_name: target.value,
                SINCE: now,
                SEQUENCE: row["sequence"],
                HEAD: row["entry_hash"],
            }
        )
        if self.plan.stores:
            for field in self.plan.stores:
                setattr(record, field.name, self.cleaned.get(field.name))
            unsaved.remember(record, self.binding, [f.attname for f in self.plan.stores])

    def _run_effects(self, entry: TransitionLog, target: State) -> None:
        plan = self.plan
        if not (plan.inside or plan.after):
            return
        self.effects_began = True
        link = Link(entry.entry_hash, self.binding.label, self.object_pk, plan.name)
        firing = Firing(
            record=self.record,
            event=plan.event,
            source=plan.states[self.before[0]],
            target=target,
            actor=self.actor,
            arguments=self.cleaned,
            metadata=self.metadata,
            cause=self.cause,
            sequence=entry.sequence,
            occurred_at=self.occurred_at,
        )
        if plan.inside:
            run_inside(plan.inside, self.record, firing, link)
            self._refuse_edits(f"an effect of “{plan.event.label}”")
        run_after_commit(plan.after, self.record, firing, link, self.using)

    def _refuse_edits(self, culprit: str) -> None:
        fields = unsaved.edited(self.record, self.binding)
        if fields:
            raise UnsavedChanges(
                f"{self.binding.describe(self.record)}: {culprit} left {', '.join(fields)} changed but not saved, so "
                f"everything was rolled back. Save them in the effect: record.save(update_fields=[...]).",
                fields,
            )

    def _signal(self, signal: Any, target: State) -> None:
        signal.send(
            sender=type(self.record),
            instance=self.record,
            name=self.plan.name,
            field=self.binding.field,
            source=self.before[0],
            target=target.value,
            method_args=(),
            method_kwargs=dict(self.cleaned),
        )


class _Memory:
    """What the record in memory was, for the case that firing it fails."""

    __slots__ = ("fields_cache", "loaded", "values")

    def __init__(self, record: Any) -> None:
        self.values = record.__dict__.copy()
        self.loaded = getattr(record._state, "lifecycle_loaded", None)
        self.fields_cache = dict(record._state.fields_cache)

    def restore(self, record: Any) -> None:
        record.__dict__.clear()
        record.__dict__.update(self.values)
        if self.loaded is not None:
            record._state.lifecycle_loaded = self.loaded
        record._state.fields_cache = self.fields_cache
