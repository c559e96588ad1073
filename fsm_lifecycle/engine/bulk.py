"""Firing on many records: the same decision for each, a few statements for a thousand.

Must not know how one record is fired with effects; it hands such events to ``fire``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, DataError, IntegrityError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django_fsm.signals import post_transition, pre_transition

from fsm_lifecycle.access.current import firing_actor
from fsm_lifecycle.append_only import key_text, milliseconds
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine import durable, memory, recording, statements
from fsm_lifecycle.engine import transition as transitions
from fsm_lifecycle.engine.asking import Access, asked_now
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding, binding_of
from fsm_lifecycle.engine.causes import Link, current_cause, current_chain
from fsm_lifecycle.engine.decide import unknown_event
from fsm_lifecycle.engine.decision import Decision, Denial
from fsm_lifecycle.engine.effects import run_after_commit
from fsm_lifecycle.engine.families import children_with_own_table
from fsm_lifecycle.engine.refusals import collecting, refuse
from fsm_lifecycle.engine.request import Request, unrecordable
from fsm_lifecycle.exceptions import LifecycleError, StaleState, UnknownEvent
from fsm_lifecycle.ledger import definitions
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.transactions import busy_is_stale, is_busy, sparing, writing

logger = logging.getLogger("fsm_lifecycle")

NOT_ATTEMPTED: Final = Denial(
    "not_attempted", "Not done, because another record of the same request was refused."
)
EFFECT_FAILED: Final = Denial(
    "effect_failed", "An effect of the event failed, so this record stayed as it was."
)
NOT_TAKEN: Final = Denial(
    "effect_failed", "The database refused what the event writes, so this record stayed as it was."
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


class _Undo(Exception):
    """Leaves the transaction of ``all_or_nothing``."""


class _Broken(Exception):
    """Another transaction was in the way, and the database has given up the one that was open."""


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
    who = firing_actor(actor)
    plan = binding.plan(event)
    if plan is None:
        decision = unknown_event(binding, event)
        error = UnknownEvent(decision.denials[0].reason)
        error.decision = decision
        raise error
    rows._for_write = True  # type: ignore[attr-defined]
    batch = uuid.uuid4().hex
    request = Request(plan, who, arguments=arguments, metadata=metadata, batch=batch)
    work = _Work(binding, request, rows.db, arguments)
    results: list[RecordResult] = []
    with (
        busy_is_stale(f"“{plan.event.label}” on many {binding.model._meta.verbose_name_plural}"),
        collecting(),
    ):
        keys = keys_of(rows, binding)
        try:
            with writing(rows.db, savepoint=True) if all_or_nothing else nullcontext():
                for start in range(0, len(keys), batch_size):
                    results += work.batch(keys[start : start + batch_size])
                    if progress is not None:
                        progress(len(results), len(keys))
                if all_or_nothing and not all(r.ok for r in results):
                    raise _Undo
        except _Undo:
            results = [_undone(result) for result in results]
        except _Broken as error:
            if connections[rows.db].needs_rollback:
                raise StaleState(f"{BUSY.reason} The open transaction has to roll back.") from error
            results = [_undone(result) for result in results]
            left = keys[len(results) :]
            results += [RecordResult(key, False, None, None, (BUSY,)) for key in left[:batch_size]]
            results += [RecordResult(key, False, None, None, (NOT_ATTEMPTED,)) for key in left[batch_size:]]
    succeeded = sum(r.ok for r in results)
    refused = sum(not r.ok and r.denials != (NOT_ATTEMPTED,) for r in results)
    return BulkResult(len(results), succeeded, refused, tuple(results), batch)


def keys_of(rows: models.QuerySet[Any], binding: Binding) -> list[Any]:
    """The keys of the records that the queryset means now, in an order that all writers share.

    They are not locked yet: each batch locks its own.
    """
    name = binding.key_attname
    query = rows.query
    # Another order would pick other rows.
    picks = query.is_sliced or query.distinct_fields or query.combinator
    meant = rows.all() if picks else rows.order_by(name)
    meant.query.select_for_update = False
    found = list(dict.fromkeys(meant.values_list(name, flat=True)))
    return sorted(found) if picks else found


def _undone(result: RecordResult) -> RecordResult:
    if not result.ok:
        return result
    return replace(result, ok=False, to_state=result.from_state, denials=(NOT_ATTEMPTED,))


class _Work:
    """What is the same for every record of one call."""

    def __init__(
        self, binding: Binding, request: Request, using: str, arguments: Mapping[str, Any] | None
    ) -> None:
        self.binding, self.request, self.using = binding, request, using
        self.plan = plan = request.plan
        self.arguments = arguments
        self.access: Mapping[Any, Access] = {}
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
            try:
                return self._together(keys)
            except (IntegrityError, DataError):
                if self.one_by_one or connections[self.using].needs_rollback:
                    raise
                # One of them is what the database refuses; the others are not held back by it.
                self.one_by_one = True
                try:
                    return self._together(keys)
                finally:
                    self.one_by_one = False
        except (DatabaseError, _Broken) as error:
            if isinstance(error, DatabaseError) and not is_busy(error):
                raise
            if connections[self.using].needs_rollback:
                raise _Broken from error
            return [RecordResult(key, False, None, None, (BUSY,)) for key in keys]

    def _together(self, keys: Sequence[Any]) -> list[RecordResult]:
        with writing(self.using, savepoint=True) as connection:
            return self._batch(connection, keys)

    def _batch(self, connection: BaseDatabaseWrapper, keys: Sequence[Any]) -> list[RecordResult]:
        definitions.ensure(connection, self.binding.label, self.binding.table)
        rows = self._locked(connection, keys)
        self.access = (
            {}
            if self.one_by_one
            else asked_now(self.binding, connection, self.request.actor, self.plan, list(rows))
        )
        results: dict[Any, RecordResult] = {}
        allowed: list[tuple[Any, dict[str, Any], Decision]] = []
        now = milliseconds(timezone.now())
        for key in keys:
            row = rows.get(key)
            if row is None:
                results[key] = RecordResult(key, False, None, None, (GONE,))
                continue
            if self.one_by_one:
                results[key] = self._alone(row, key)
                continue
            decision = self._judge(row)
            entry = self._entry(connection, row, decision, now) if decision.allowed else decision
            if isinstance(entry, Decision):
                results[key] = self._refused(row, key, entry)
                continue
            allowed.append((row, entry, decision))
            results[key] = RecordResult(key, True, entry["from_state"], entry["to_state"])
        if allowed:
            self._write(connection, allowed, now)
        return [results[key] for key in keys]

    def _locked(self, connection: BaseDatabaseWrapper, keys: Sequence[Any]) -> dict[Any, Any]:
        features = connection.features
        found: dict[Any, Any] = {}
        most = features.max_query_params or len(keys)
        for start in range(0, len(keys), most):
            part: models.QuerySet[Any] = models.QuerySet(self.binding.model, using=self.using).filter(
                **{f"{self.binding.key_attname}__in": keys[start : start + most]}
            )
            part = part.order_by(self.binding.key_attname)
            if features.has_select_for_update:
                part = part.select_for_update(no_key=features.has_select_for_no_key_update)
            found.update((self.binding.key_of(row), row) for row in part)
        return found

    def _judge(self, row: Any) -> Decision:
        stale = self.binding.never_logged() if getattr(row, SEQUENCE) == 0 else ""
        access = self.access[self.binding.key_of(row)]
        with sparing(connections[self.using]):
            return self.request.judge(self.binding, row, access, stale=stale, cause=self._cause(row))

    def _cause(self, row: Any) -> str | None:
        if not current_chain():
            return None
        return current_cause(self.binding.label, key_text(self.binding.key_of(row)), self.plan.name)

    def _refused(self, row: Any, key: Any, decision: Decision) -> RecordResult:
        refuse(row, self.request.actor, decision, self.using)
        state = str(decision.source)
        return RecordResult(key, False, state, state, decision.denials)

    def _alone(self, row: Any, key: Any) -> RecordResult:
        """One record with effects, in a savepoint of its own."""
        state = getattr(row, self.binding.state_name)
        try:
            with transaction.atomic(using=self.using):
                entry = row.fire(
                    self.plan.event,
                    actor=self.request.actor,
                    arguments=self.arguments,
                    metadata=self.request.metadata,
                )
        except LifecycleError as error:
            if connections[self.using].needs_rollback:
                raise _Broken from error
            if error.decision is None or error.record is not row:
                logger.warning("%s on %s: %s", self.plan.name, self.binding.describe(row), error)
                return RecordResult(key, False, state, state, (EFFECT_FAILED,))
            return RecordResult(key, False, state, state, error.decision.denials)
        except Exception as error:
            if connections[self.using].needs_rollback or (
                isinstance(error, DatabaseError) and is_busy(error)
            ):
                raise _Broken from error
            refused = isinstance(error, IntegrityError | DataError)
            what = (
                "The database refused what %s writes on %s." if refused else "An effect of %s failed on %s."
            )
            logger.exception(what, self.plan.name, self.binding.describe(row))
            return RecordResult(key, False, state, state, (NOT_TAKEN if refused else EFFECT_FAILED,))
        return RecordResult(key, True, state, entry.to_state)

    def _entry(
        self, connection: BaseDatabaseWrapper, row: Any, decision: Decision, now: datetime
    ) -> dict[str, Any] | Decision:
        """The log row of one record, or the decision against it where a value cannot be recorded."""
        binding, request = self.binding, self.request
        object_pk = key_text(binding.key_of(row))
        try:
            body = transitions.body_of(
                binding, connection, request, decision, row, object_pk=object_pk, now=now
            )
        except Unrecordable as error:
            return replace(
                decision,
                allowed=False,
                denials=(Denial("invalid_arguments", unrecordable(error), error.place),),
            )
        return transitions.compose(
            binding,
            request,
            decision,
            object_pk=object_pk,
            before=(getattr(row, binding.state_name), getattr(row, SEQUENCE), getattr(row, HEAD)),
            now=now,
            body=body,
            cause=self._cause(row),
        )

    def _write(
        self,
        connection: BaseDatabaseWrapper,
        allowed: Sequence[tuple[Any, dict[str, Any], Decision]],
        now: datetime,
    ) -> None:
        """Write the moves and entries of many records with one statement of each kind."""
        binding, plan = self.binding, self.plan
        moves = [
            (
                binding.key_of(row),
                entry["from_state"],
                entry["to_state"],
                entry["sequence"],
                entry["entry_hash"],
                getattr(row, HEAD),
            )
            for row, entry, _ in allowed
        ]
        statements.move_many(binding, connection, plan, now=now, arguments=self.request.cleaned, moves=moves)
        recording.record_many(connection, [entry for _, entry, _ in allowed])
        if plan.durable:
            entries = [(row, entry["entry_hash"]) for row, entry, _ in allowed]
            durable.enqueue(binding, plan, entries, self.using)
        if not plan.after:
            return
        for row, entry, decision in allowed:
            assert decision.target is not None
            memory.advance(row, binding, self.request, entry, now)
            firing = self.request.firing(
                row,
                source=plan.states[entry["from_state"]],
                target=decision.target,
                cause=entry["cause"],
                sequence=entry["sequence"],
            )
            link = Link(entry["entry_hash"], binding.label, entry["object_pk"], plan.name)
            run_after_commit(plan.after, row, firing, link, self.using)
