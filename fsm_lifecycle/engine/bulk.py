"""Firing on many records: the same decision for each, a few statements for a thousand.

Must not know how one record is fired with effects; it hands such events to ``fire``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import DatabaseError, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django_fsm.signals import post_transition, pre_transition

from fsm_lifecycle.access.actors import identify
from fsm_lifecycle.access.current import required_actor
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine import snapshots, statements
from fsm_lifecycle.engine.arguments import clean, recordable
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding, Plan, binding_of
from fsm_lifecycle.engine.causes import Link, current_cause
from fsm_lifecycle.engine.decide import judge, unknown_event
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.engine.effects import run_after_commit
from fsm_lifecycle.engine.errors import error_for
from fsm_lifecycle.engine.families import children_with_own_table
from fsm_lifecycle.engine.firing import Firing
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.engine.transactions import is_busy, writing
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import chain, definitions
from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.ledger.entry import key_text, milliseconds

logger = logging.getLogger("fsm_lifecycle")

NOT_ATTEMPTED: Final = Denial(
    "not_attempted", "Not done, because another record of the same request was refused."
)
EFFECT_FAILED: Final = Denial(
    "effect_failed", "An effect of the event failed, so this record stayed as it was."
)
GONE: Final = Denial("stale_state", "The record is no longer in the database.")
BUSY: Final = Denial("stale_state", "Another transaction held the record or the database. Try again.")


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of one record."""

    pk: Any
    ok: bool
    from_state: str | None
    to_state: str | None
    """Where it is now; the same as ``from_state`` when refused."""
    denials: tuple[Denial, ...] = ()


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of all of them. ``results`` are in the order of their keys."""

    total: int
    succeeded: int
    failed: int
    results: tuple[RecordResult, ...] = field(repr=False, default=())
    batch: str = ""
    """The id that the metadata of every entry of this call carries."""


def fire_many(
    rows: models.QuerySet[Any],
    event: Event | str,
    *,
    actor: Any,
    arguments: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    all_or_nothing: bool,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> BulkResult:
    """See ``LifecycleQuerySet.fire``."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: give a whole number from 1.")
    binding = binding_of(rows.model)
    who = required_actor(actor)
    plan = binding.plan(event)
    if plan is None:
        probe = rows.model()
        raise error_for(binding, probe, unknown_event(binding, probe, event))
    rows._for_write = True  # type: ignore[attr-defined]
    work = _Work(binding, plan, who, rows.db, arguments, metadata)
    keys = sorted_keys(rows, binding)
    outer = writing(rows.db, savepoint=True) if all_or_nothing else nullcontext()
    results: list[RecordResult] = []
    with collecting():
        try:
            with outer:
                for start in range(0, len(keys), batch_size):
                    results += work.batch(keys[start : start + batch_size])
                    if progress is not None:
                        progress(len(results), len(keys))
                if all_or_nothing and not all(r.ok for r in results):
                    raise _Undo
        except _Undo:
            results = [_undone(result) for result in results]
    succeeded = sum(r.ok for r in results)
    refused = sum(not r.ok and r.denials != (NOT_ATTEMPTED,) for r in results)
    return BulkResult(len(results), succeeded, refused, tuple(results), work.batch_id)


def sorted_keys(rows: models.QuerySet[Any], binding: Binding) -> list[Any]:
    """The keys of the records that the queryset means now, in an order that all writers share."""
    name = binding.key_attname
    unsliced = not rows.query.is_sliced
    keys = rows.order_by(name) if unsliced else rows
    found = list(dict.fromkeys(keys.values_list(name, flat=True)))
    return found if unsliced else sorted(found)


class _Undo(Exception):
    """Leaves the transaction of ``all_or_nothing``."""


def _undone(result: RecordResult) -> RecordResult:
    if not result.ok:
        return result
    return replace(result, ok=False, to_state=result.from_state, denials=(NOT_ATTEMPTED,))


class _Work:
    """What is the same for every record of one call."""

    def __init__(
        self,
        binding: Binding,
        plan: Plan,
        actor: Any,
        using: str,
        arguments: Mapping[str, Any] | None,
        metadata: Mapping[str, Any] | None,
    ) -> None:
        self.binding, self.plan, self.actor, self.using = binding, plan, actor, using
        self.arguments = dict(arguments or {})
        self.batch_id = uuid.uuid4().hex
        self.metadata = {**(metadata or {}), "batch": self.batch_id}
        self.identity = identify(actor)
        self.cleaned, self.errors = clean(plan, arguments)
        self.parts: dict[str, Any] = {"metadata": self.metadata}
        if self.identity.kind != "unknown":
            self.parts["actor"] = self.identity.body
        if self.cleaned:
            self.parts["arguments"] = recordable(self.cleaned)
        try:
            make_body(self.parts)
        except Unrecordable as error:
            self.errors[error.place] = [str(error)]
        policy = plan.snapshot
        listened = pre_transition.has_listeners(binding.model) or post_transition.has_listeners(binding.model)
        # What may fail for one record, or must ask the log about it, is done for each one by itself.
        self.one_by_one = bool(
            plan.inside
            or listened
            or (policy is not None and policy.reason in ("nth", "interval"))
            or children_with_own_table(binding)
        )

    def batch(self, keys: Sequence[Any]) -> list[RecordResult]:
        """Decide and move one batch in one transaction."""
        try:
            with writing(self.using, savepoint=True) as connection:
                return self._batch(connection, keys)
        except DatabaseError as error:
            if not is_busy(error):
                raise
            return [RecordResult(key, False, None, None, (BUSY,)) for key in keys]

    def _batch(self, connection: BaseDatabaseWrapper, keys: Sequence[Any]) -> list[RecordResult]:
        definitions.ensure(connection, self.binding.label, self.binding.table)
        rows = self._locked(connection, keys)
        results: dict[Any, RecordResult] = {}
        allowed: list[tuple[Any, Decision]] = []
        for key in keys:
            row = rows.get(key)
            if row is None:
                results[key] = RecordResult(key, False, None, None, (GONE,))
                continue
            decision = self._judge(row)
            if not decision.allowed:
                results[key] = self._refused(row, key, decision)
            elif self.one_by_one:
                results[key] = self._alone(row, key)
            else:
                allowed.append((row, decision))
        if allowed:
            for row, result in zip((r for r, _ in allowed), self._together(connection, allowed), strict=True):
                results[self.binding.key_of(row)] = result
        return [results[key] for key in keys]

    def _locked(self, connection: BaseDatabaseWrapper, keys: Sequence[Any]) -> dict[Any, Any]:
        features = connection.features
        found: dict[Any, Any] = {}
        most = features.max_query_params or len(keys)
        for start in range(0, len(keys), most):
            part = models.QuerySet(self.binding.model, using=self.using).filter(
                **{f"{self.binding.key_attname}__in": keys[start : start + most]}
            )
            part = part.order_by(self.binding.key_attname)
            if features.has_select_for_update:
                part = part.select_for_update(no_key=features.has_select_for_no_key_update)
            found.update((self.binding.key_of(row), row) for row in part)
        return found

    def _judge(self, row: Any) -> Decision:
        binding = self.binding
        stale = ""
        if getattr(row, SEQUENCE) == 0:
            stale = (
                f"{binding.describe(row)} has no log yet, because it was not made through its lifecycle. Run: "
                f"manage.py lifecycle_adopt {binding.model._meta.label_lower}"
            )
        return judge(
            binding,
            self.plan,
            row,
            actor=self.actor,
            cleaned=self.cleaned,
            errors=self.errors,
            stale=stale,
            metadata=self.metadata,
        )

    def _refused(self, row: Any, key: Any, decision: Decision) -> RecordResult:
        refuse(row, self.plan.event, self.actor, decision, self.using)
        state = str(decision.source)
        return RecordResult(key, False, state, state, decision.denials)

    def _alone(self, row: Any, key: Any) -> RecordResult:
        """One record with effects, in a savepoint of its own."""
        state = getattr(row, self.binding.state_name)
        try:
            with transaction.atomic(using=self.using):
                entry = row.fire(
                    self.plan.event, actor=self.actor, arguments=self.arguments, metadata=self.metadata
                )
        except LifecycleError as error:
            denials = error.decision.denials if error.decision is not None else (EFFECT_FAILED,)
            return RecordResult(key, False, state, state, denials)
        except Exception as error:
            if isinstance(error, DatabaseError) and is_busy(error):
                raise
            logger.exception("An effect of %s failed on %s.", self.plan.name, self.binding.describe(row))
            return RecordResult(key, False, state, state, (EFFECT_FAILED,))
        return RecordResult(key, True, state, entry.to_state)

    def _together(
        self, connection: BaseDatabaseWrapper, allowed: Sequence[tuple[Any, Decision]]
    ) -> list[RecordResult]:
        """Write the moves and entries of many records with one statement of each kind."""
        now = milliseconds(timezone.now())
        entries = [self._entry(connection, row, decision, now) for row, decision in allowed]
        statements.move_many(
            self.binding,
            connection,
            self.plan,
            now=now,
            arguments=self.cleaned,
            moves=[
                (
                    self.binding.key_of(row),
                    e["from_state"],
                    e["to_state"],
                    e["sequence"],
                    e["entry_hash"],
                    getattr(row, HEAD),
                )
                for (row, _), e in zip(allowed, entries, strict=True)
            ],
        )
        chain.insert_many(connection, entries)
        if self.plan.after:
            for (row, decision), entry in zip(allowed, entries, strict=True):
                self._effects_after_commit(row, decision, entry, now)
        return [
            RecordResult(self.binding.key_of(row), True, e["from_state"], e["to_state"])
            for (row, _), e in zip(allowed, entries, strict=True)
        ]

    def _entry(
        self, connection: BaseDatabaseWrapper, row: Any, decision: Decision, now: Any
    ) -> dict[str, Any]:
        binding, plan, target = self.binding, self.plan, decision.target
        assert target is not None
        object_pk = key_text(binding.key_of(row))
        parts = self.parts
        if decision.branch is not None:
            parts = {**parts, "branch": decision.branch}
        reason = snapshots.reason_for(
            plan, connection, binding=binding, object_pk=object_pk, target=target, now=now, forced=None
        )
        if reason is not None:
            stored = {f.name: self.cleaned.get(f.name) for f in plan.stores}
            kept = snapshots.values_of(binding, row, state=target.value, since=now, stored=stored)
            parts = {**parts, "snapshot": kept, "snapshot_reason": reason}
        body, body_hash = make_body(parts)
        return chain.compose(
            model_label=binding.label,
            object_pk=object_pk,
            sequence=getattr(row, SEQUENCE) + 1,
            prev_hash=getattr(row, HEAD),
            kind="transition",
            event=plan.name,
            from_state=getattr(row, binding.state_name),
            to_state=target.value,
            compensating=plan.event.compensating,
            actor_kind=self.identity.kind,
            actor_id=self.identity.id,
            recorded_at=now,
            cause=current_cause(binding.label, object_pk, plan.name),
            definition=binding.fingerprint,
            body=body,
            body_hash=body_hash,
        )

    def _effects_after_commit(self, row: Any, decision: Decision, entry: dict[str, Any], now: Any) -> None:
        binding, plan = self.binding, self.plan
        row.__dict__.update(
            {
                binding.state_name: entry["to_state"],
                "state_since": now,
                SEQUENCE: entry["sequence"],
                HEAD: entry["entry_hash"],
            }
        )
        for stored in plan.stores:
            setattr(row, stored.name, self.cleaned.get(stored.name))
        firing = Firing(
            record=row,
            event=plan.event,
            source=plan.states[entry["from_state"]],
            target=decision.target,
            actor=self.actor,
            arguments=self.cleaned,
            metadata=self.metadata,
            cause=entry["cause"],
            sequence=entry["sequence"],
            occurred_at=None,
        )
        link = Link(entry["entry_hash"], binding.label, entry["object_pk"], plan.name)
        run_after_commit(plan.after, row, firing, link, self.using)
