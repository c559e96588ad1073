"""The first and the last entry of a record: created, adopted, deleted.

Must not know how the record's own row is inserted or removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import prefetch_related_objects
from django.utils import timezone

from fsm_lifecycle.access.actors import UNKNOWN, AgentActor, Identity, System, identify, is_user
from fsm_lifecycle.access.belongings import grant_default
from fsm_lifecycle.access.current import actor_meant, current_actor
from fsm_lifecycle.append_only import key_text, milliseconds
from fsm_lifecycle.engine import recording, statements
from fsm_lifecycle.engine.adoption import adoption_reason
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.families import most_specific
from fsm_lifecycle.exceptions import DirectStateChange, InvalidArguments, StaleState
from fsm_lifecycle.ledger import chain, definitions
from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.recordable import Unrecordable, plain
from fsm_lifecycle.transactions import is_busy, writing

_beginning: ContextVar[bool] = ContextVar("fsm_lifecycle_beginning", default=False)
_ended: ContextVar[tuple[str, str] | None] = ContextVar("fsm_lifecycle_ended", default=None)


@contextmanager
def beginning() -> Iterator[None]:
    """Inside, rows may be inserted: their entries are written in the same transaction."""
    token = _beginning.set(True)
    try:
        yield
    finally:
        _beginning.reset(token)


@contextmanager
def ended(label: str, object_pk: str) -> Iterator[None]:
    """Inside, the last entry of this record stands already: removing its row writes none."""
    token = _ended.set((label, object_pk))
    try:
        yield
    finally:
        _ended.reset(token)


def refuse_foreign_insert(model_class: type[Any] | None) -> None:
    """Raise ``DirectStateChange`` when a row would be inserted that gets no entry."""
    # A historical model of a migration has no lifecycle; its rows are for lifecycle_adopt.
    if model_class is not None and hasattr(model_class, "_lifecycle") and not _beginning.get():
        model = model_class.__name__
        raise DirectStateChange(
            f"This {model} would be inserted without a log entry. Create it with {model}(...).save(), "
            f"{model}.objects.create(...) or {model}.objects.bulk_create([...])."
        )


def refuse_wrong_beginning(binding: Binding, record: Any) -> None:
    """Raise ``DirectStateChange`` for a new record that is not in its initial state, unless it is adopted.

    And ``InvalidArguments`` where no entry could name it.
    """
    model = binding.model.__name__
    state = getattr(record, binding.state_name)
    reason = adoption_reason()
    if reason is None and state != binding.table.initial:
        raise DirectStateChange(
            f"A new {model} begins in {binding.state_label(binding.table.initial)}, not in "
            f"{binding.state_label(state)}. Create it there and fire events; for imports and factories use "
            f'adopting("reason"). A copy begins there too: create it from the field values.'
        )
    if reason is not None and state not in binding.table.states:
        known = ", ".join(binding.table.states)
        raise DirectStateChange(f"{model} has no state {state!r} to be adopted in. Its states are: {known}.")
    key = binding.key_of(record)
    if not isinstance(key, str):
        return
    try:
        plain(key)
    except Unrecordable as error:
        why = f"The log cannot name this key: {error.why}. {error.remedy}."
        raise InvalidArguments(f"This {model} was not created. {why}", {binding.pk.name: [why]}) from error


def who_begins(record: Any) -> Identity:
    """Who creates a record: its ``created_by``, else the current actor, else unknown.

    An adoption is the current actor's, else the system's under the reason of ``adopting``.
    """
    reason = adoption_reason()
    actor = None if reason is not None else getattr(record, "created_by", None)
    actor = actor_meant(actor if is_user(actor) else None)
    if actor is None or (is_user(actor) and not actor.is_authenticated):
        return UNKNOWN if reason is None else identify(System(reason))
    return identify(actor)


def begin(
    binding: Binding, connection: BaseDatabaseWrapper, records: Sequence[Any], *, new: bool = True
) -> None:
    """Write the first entries of records whose rows are at sequence 0, and link them.

    A key that was used before continues its chain. ``new``: the rows were just inserted, so their creators get the
    default role.
    """
    if not records:
        return
    definitions.ensure(connection, binding.label, binding.table)
    if len(records) > 1 and any(f.name == "created_by" and f.is_relation for f in binding.model._meta.fields):
        prefetch_related_objects(records, "created_by")
    now = milliseconds(timezone.now())
    earlier = chain.last_entries(connection, binding.label, [binding.key_of(record) for record in records])
    rows = [_first_entry(binding, record, now, earlier) for record in records]
    if len(rows) == 1:
        recording.record(connection, rows[0])
    else:
        recording.record_many(connection, rows)
    links = [
        (binding.key_of(record), row["sequence"], row["entry_hash"])
        for record, row in zip(records, rows, strict=True)
    ]
    statements.set_link(binding, connection, now, links)
    for record, (_, sequence, head) in zip(records, links, strict=True):
        record.__dict__.update({SINCE: now, SEQUENCE: sequence, HEAD: head})
    if new and binding.table.default_role is not None:
        owners = [
            (binding.key_of(record), creator)
            for record in records
            if (creator := _creator(record)) is not None
        ]
        grant_default(binding.model, owners, connection.alias)


def _creator(record: Any) -> Any | None:
    """The user who gets the default role on a new record: its ``created_by``, else the current actor.

    Who adopts a record did not create it.
    """
    creator: Any = getattr(record, "created_by", None)
    if not is_user(creator) and adoption_reason() is None:
        creator = current_actor()
    if isinstance(creator, AgentActor):
        creator = creator.user
    return creator if is_user(creator) and creator.is_authenticated and creator.pk is not None else None


def _first_entry(
    binding: Binding, record: Any, now: Any, earlier: dict[str, tuple[int, str, str | None]]
) -> dict[str, Any]:
    who = who_begins(record)
    object_pk = key_text(binding.key_of(record))
    sequence, previous, _ = earlier.get(object_pk, (0, "", None))
    reason = adoption_reason()
    parts = who.parts
    if reason is not None:
        parts["reason"] = reason
    body, body_hash = make_body(parts)
    return chain.compose(
        model_label=binding.label,
        object_pk=object_pk,
        sequence=sequence + 1,
        prev_hash=previous,
        kind="created" if reason is None else "adopted",
        from_state=None,
        to_state=str(getattr(record, binding.state_name)),
        actor_kind=who.kind,
        actor_id=who.id,
        recorded_at=now,
        definition=binding.fingerprint,
        body=body,
        body_hash=body_hash,
    )


def end(binding: Binding, record: Any, using: str) -> bool:
    """Write the ``deleted`` entry of a record that is about to be removed in the open transaction.

    False when there is no row, or none with a log.
    """
    actor = current_actor()
    who = UNKNOWN if actor is None or (is_user(actor) and not actor.is_authenticated) else identify(actor)
    try:
        with writing(using, savepoint=False) as connection:
            key = binding.key_of(record)
            binding = most_specific(binding, connection, key)
            row = statements.locked(binding, connection, key)
            if row is None or getattr(row, SEQUENCE) == 0:
                return False
            if _ended.get() == (binding.label, key_text(key)):
                return True
            definitions.ensure(connection, binding.label, binding.table)
            body, body_hash = make_body(who.parts)
            recording.record(
                connection,
                chain.compose(
                    model_label=binding.label,
                    object_pk=key_text(key),
                    sequence=getattr(row, SEQUENCE) + 1,
                    prev_hash=getattr(row, HEAD),
                    kind="deleted",
                    from_state=getattr(row, binding.state_name),
                    to_state=None,
                    actor_kind=who.kind,
                    actor_id=who.id,
                    recorded_at=milliseconds(timezone.now()),
                    definition=binding.fingerprint,
                    body=body,
                    body_hash=body_hash,
                ),
            )
            return True
    except DatabaseError as error:
        if not is_busy(error):
            raise
        raise StaleState(
            f"{binding.describe(record)} was not deleted, because another transaction held it. Try again."
        ) from error


def refuse_unlogged_end(binding: Binding, record: Any, using: str) -> None:
    """Raise ``StaleState`` when a row was removed whose log goes on: a new one under a key that was gone."""
    key = binding.key_of(record)
    last = chain.last_entries(connections[using], binding.label, [key]).get(key_text(key))
    if last is not None and last[2] is not None:
        raise StaleState(
            f"{binding.describe(record)} was removed by somebody else, and made anew while you deleted it. Nothing was "
            f"deleted. Load it again before you decide."
        )
