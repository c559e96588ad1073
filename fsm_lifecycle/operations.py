"""The migration operation that moves records out of states their table no longer has.

Works on historical models, as migrations do. Must not know the rules of the table in the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps as current_apps
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation
from django.utils import timezone

from fsm_lifecycle.append_only import key_text, milliseconds
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE
from fsm_lifecycle.fields import StateField
from fsm_lifecycle.ledger import chain, definitions
from fsm_lifecycle.ledger.body import make_body
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.protection import gate

BATCH = 1000


class RemapState(Operation):
    """Move every record of ``model`` from each state that ``mapping`` names to the one it maps to.

    Each gets a ``remapped`` entry, whose actor is the system with ``reason``. Rows without a log are moved without
    one. All states change at once, in one transaction, so ``{"a": "b", "b": "a"}`` swaps. Going backwards moves the
    records whose last entry this operation wrote; what has been fired since stays. Needs the migration
    ``("fsm_lifecycle", "0004_protection")`` or a later one among its dependencies.
    """

    reversible = True
    reduces_to_sql = False

    def __init__(
        self, model: str, mapping: Mapping[str, str], *, reason: str = "remapped by a migration"
    ) -> None:
        if not mapping or not all(isinstance(k, str) and isinstance(v, str) for k, v in mapping.items()):
            raise ValueError(
                f"RemapState({model!r}, {mapping!r}): give a mapping of stored values, "
                f'{{"old": "new"}}, one pair at least.'
            )
        if model.count(".") != 1:
            raise ValueError(f'RemapState({model!r}): name the model as "app_label.Model".')
        self.model = model
        self.mapping = {str(old): str(new) for old, new in mapping.items() if old != new}
        self.reason = reason

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model, self.mapping], {"reason": self.reason}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models stay as they are."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._remap(_Historical(self.model, from_state.apps, schema_editor.connection), backwards=False)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._remap(_Historical(self.model, from_state.apps, schema_editor.connection), backwards=True)

    def describe(self) -> str:
        pairs = ", ".join(f"{old} → {new}" for old, new in self.mapping.items())
        return f"Remap states of {self.model}: {pairs}"

    @property
    def migration_name_fragment(self) -> str:
        return f"remap_{self.model.rpartition('.')[2].lower()}"

    def _remap(self, historical: _Historical, *, backwards: bool) -> None:
        connection = historical.connection
        if not self.allow_migrate_model(connection.alias, historical.owner):
            return
        values = sorted(set(self.mapping.values()) if backwards else self.mapping)
        with transaction.atomic(using=connection.alias), gate(connection, "remap"):
            for rows in historical.batches(values):
                came_from = historical.remapped_from(rows) if backwards else {}
                moves = [
                    (row, self._back(row, came_from) if backwards else self.mapping[row[1]]) for row in rows
                ]
                historical.move([(row, new) for row, new in moves if new is not None], self.reason)

    def _back(self, row: _Row, came_from: Mapping[str, str | None]) -> str | None:
        """Where a row was before this operation moved it; ``None`` where it did not, or has been fired since."""
        _, state, sequence, head = row
        if sequence:
            before = came_from.get(head)
            return before if before is not None and self.mapping.get(before) == state else None
        origins = [old for old, new in self.mapping.items() if new == state]
        return origins[0] if len(origins) == 1 else None


_Row = tuple[Any, str, int, str]


class _Historical:
    """The table of a model as the migration knows it."""

    def __init__(self, label: str, apps: Any, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        model = apps.get_model(label)
        field = next((f for f in model._meta.concrete_fields if isinstance(f, StateField)), None)
        if field is None:
            raise ValueError(
                f"RemapState({label!r}): the model has no lifecycle at this point of its migrations."
            )
        self.state: Any = field
        self.owner: Any = field.model
        self.pk: Any = self.owner._meta.pk
        # The name of the log and the table in force stand in the code, where the model is still there.
        binding: Any = None
        try:
            binding = getattr(current_apps.get_model(self.owner._meta.label), "_lifecycle", None)
        except LookupError:
            binding = None
        self.label: str = self.owner._meta.label_lower if binding is None else binding.label
        self.table = None if binding is None else binding.table

    def batches(self, states: list[str]) -> Iterator[list[_Row]]:
        """Key, state, sequence and head of the rows in these states, locked, each once."""
        rows = self.owner._base_manager.using(self.connection.alias).filter(
            **{f"{self.state.name}__in": states}
        )
        if self.connection.features.has_select_for_update:
            rows = rows.select_for_update()
        rows = rows.order_by("pk").values_list("pk", self.state.name, SEQUENCE, HEAD)
        found: list[_Row] = list(rows[:BATCH])
        while found:
            yield found
            found = list(rows.filter(pk__gt=found[-1][0])[:BATCH])

    def remapped_from(self, rows: list[_Row]) -> dict[str, str | None]:
        """By head, where the rows came from whose last entry is ``remapped``."""
        log = TransitionLog.objects.using(self.connection.alias).filter(kind="remapped")
        heads = [row[3] for row in rows]
        found: dict[str, str | None] = {}
        for start in range(0, len(heads), 500):
            part = log.filter(entry_hash__in=heads[start : start + 500])
            found.update(part.values_list("entry_hash", "from_state"))
        return found

    def move(self, moves: list[tuple[_Row, str]], reason: str) -> None:
        """Write the entries of the rows that have a log, and every row's new state."""
        now = milliseconds(timezone.now())
        logged = [(row, new) for row, new in moves if row[2]]
        entries = {row[0]: entry for (row, _), entry in self._entries(logged, reason, now)}
        chain.insert_many(self.connection, list(entries.values()))
        quote = self.connection.ops.quote_name
        columns = [quote(self.owner._meta.get_field(n).column) for n in (SINCE, SEQUENCE, HEAD)]
        assigned = ", ".join(f"{column} = %s" for column in (quote(self.state.column), *columns))
        sql = f"UPDATE {quote(self.owner._meta.db_table)} SET {assigned} WHERE {quote(self.pk.column)} = %s"  # noqa: S608
        since = self.connection.ops.adapt_datetimefield_value(now)
        parameters = []
        for (key, _, sequence, head), new in moves:
            entry = entries.get(key, {"sequence": sequence, "entry_hash": head})
            key = self.pk.get_db_prep_value(key, self.connection)
            parameters.append([new, since, entry["sequence"], entry["entry_hash"], key])
        if parameters:
            with self.connection.cursor() as cursor:
                cursor.executemany(sql, parameters)

    def _entries(
        self, moves: list[tuple[_Row, str]], reason: str, now: Any
    ) -> Iterator[tuple[tuple[_Row, str], dict[str, Any]]]:
        if self.table is not None and moves:
            definitions.ensure(self.connection, self.label, self.table)
        for row, new in moves:
            key, state, sequence, head = row
            body, body_hash = make_body({"actor": {"label": reason}, "reason": reason})
            yield (
                (row, new),
                chain.compose(
                    model_label=self.label,
                    object_pk=key_text(key),
                    sequence=sequence + 1,
                    prev_hash=head,
                    kind="remapped",
                    from_state=state,
                    to_state=new,
                    actor_kind="system",
                    actor_id=reason,
                    recorded_at=now,
                    definition=self._definition(head),
                    body=body,
                    body_hash=body_hash,
                ),
            )

    def _definition(self, head: str) -> str:
        """The table in force, or the one of the entry before where the model is gone from the code."""
        if self.table is not None:
            return str(self.table.fingerprint)
        log = TransitionLog.objects.using(self.connection.alias)
        return str(log.filter(entry_hash=head).values_list("definition", flat=True).get())
