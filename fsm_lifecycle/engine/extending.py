"""The end of one record's chain, held so that entries can be added to it outside a firing.

The state stays. Must not know why entries are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from fsm_lifecycle.access.actors import Identity
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.engine import recording, statements
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding
from fsm_lifecycle.engine.families import most_specific
from fsm_lifecycle.exceptions import StaleState
from fsm_lifecycle.ledger import chain
from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.registry import lifecycles


class ChainEnd:
    """Where one record's chain ends, locked until the transaction does. Raises ``StaleState`` where there is none.

    The log decides what the end is. The record's row moves along where it names that end; where it does not, because
    it was edited or restored without its log, it is left for ``verify`` to tell of.
    """

    def __init__(self, connection: BaseDatabaseWrapper, model_label: str, object_pk: str) -> None:
        self.connection = connection
        self.model_label = model_label
        self.object_pk = object_pk
        found = _locked_row(connection, model_label, object_pk)
        if found is None and connection.features.has_select_for_update:
            # Without a row to lock, the first entry is what everybody locks who would add another.
            self._entry("id", "ORDER BY sequence LIMIT 1 FOR UPDATE")
        last = self._entry("to_state, sequence, entry_hash, definition", "ORDER BY sequence DESC LIMIT 1")
        if last is None:
            raise StaleState(f"{self.name} has no log. Nothing was done.")
        self.state: str | None
        self.sequence: int
        self.head: str
        self.definition: str
        # The definition is that of the table the record was last judged by: it has the state, and is on record.
        self.state, self.sequence, self.head, self.definition = last
        self.binding: Binding | None
        self.row: Any
        self.binding, self.row = found or (None, None)
        """The record as the database holds it; ``None`` when it is gone, or has no part in the log."""

    @property
    def name(self) -> str:
        """The record as messages name it."""
        return f"{self.model_label}:{self.object_pk}"

    def _entry(self, columns: str, which: str) -> Any:
        table = self.connection.ops.quote_name(TransitionLog._meta.db_table)
        where = "model_label = %s AND object_pk = %s"
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {columns} FROM {table} WHERE {where} {which}",  # noqa: S608 - constants
                [self.model_label, self.object_pk],
            )
            return cursor.fetchone()

    @property
    def linked(self) -> bool:
        """Whether the record's row names this end."""
        if self.row is None:
            return False
        values = self.row.__dict__
        return bool(values[SEQUENCE] == self.sequence and values[HEAD] == self.head)

    def append(
        self,
        kind: str,
        who: Identity,
        fields: Mapping[str, Any],
        *,
        now: datetime | None = None,
        gone: bool = False,
    ) -> TransitionLog:
        """Add an entry that leaves the state as it is, or with ``gone`` ends it, and let the row name it.

        Raises ``Unrecordable`` for a value without canonical form, ``StaleState`` when somebody else was faster.
        """
        body, body_hash = make_body({"actor": who.body, **who.parts, **fields})
        entry = chain.compose(
            model_label=self.model_label,
            object_pk=self.object_pk,
            sequence=self.sequence + 1,
            prev_hash=self.head,
            kind=kind,
            from_state=self.state,
            to_state=None if gone else self.state,
            actor_kind=who.kind,
            actor_id=who.id,
            recorded_at=now or milliseconds(timezone.now()),
            definition=self.definition,
            body=body,
            body_hash=body_hash,
        )
        made = self._insert(entry)
        if self.linked and not gone:
            self._link(made)
        self.sequence, self.head, self.state = made.sequence, made.entry_hash, made.to_state
        return made

    def _insert(self, entry: dict[str, Any]) -> TransitionLog:
        try:
            return recording.record(self.connection, entry)
        except IntegrityError as error:
            raise StaleState(
                f"{self.name} got entry {entry['sequence']} from somebody else meanwhile. Nothing was done. Try again."
            ) from error

    def _link(self, entry: TransitionLog) -> None:
        binding, connection, values = self.binding, self.connection, self.row.__dict__
        assert binding is not None
        # The time is not asked for: it stays where the state does.
        since = connection.ops.adapt_datetimefield_value(entry.recorded_at)
        key = binding.pk.get_db_prep_value(binding.key_of(self.row), connection)
        state = values[binding.state_name]
        with connection.cursor() as cursor:
            cursor.execute(
                statements.update_sql(binding, connection),
                [state, since, state, entry.sequence, entry.entry_hash, key, self.sequence, self.head, state],
            )
            if cursor.rowcount != 1:
                raise StaleState(
                    f"{self.name} was changed by somebody else meanwhile. Nothing was done. Try again."
                )
        values.update({SEQUENCE: entry.sequence, HEAD: entry.entry_hash})


def _locked_row(
    connection: BaseDatabaseWrapper, model_label: str, object_pk: str
) -> tuple[Binding, Any] | None:
    """The record's own row, locked, and the binding it follows; ``None`` when there is none that the log tells of."""
    binding = _owner_of(model_label)
    if binding is None or not router.allow_migrate_model(connection.alias, binding.owner):
        return None
    try:
        key = binding.pk.to_python(object_pk)
    except ValidationError:  # the key was of another type when the entry was made
        return None
    binding = most_specific(binding, connection, key)
    row = statements.locked(binding, connection, key)
    return None if row is None or getattr(row, SEQUENCE) == 0 else (binding, row)


def _owner_of(label: str) -> Binding | None:
    """The binding of the model whose table holds the records of a label; ``None`` when there is none any more."""
    for model in lifecycles():
        binding: Binding = model._lifecycle
        if binding.owner is model and binding.label == label:
            return binding
    return None
