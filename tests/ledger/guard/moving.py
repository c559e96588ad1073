"""Owns records put into any state with raw SQL, and raw UPDATEs that try to move them.

What may pass is worked out here from the stored tables' JSON, not from the objects the triggers are computed from.
"""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connection, transaction

from fsm_lifecycle.ledger import protection

HEAD = "ab" * 32
OTHER_HEAD = "cd" * 32


class Row:
    """One record's row, and what stands in it."""

    def __init__(self, record: Any) -> None:
        self.owner = type(record)._lifecycle.owner
        self.state_column = self.owner._lifecycle.field.column
        self.key_column = self.owner._meta.pk.column
        self.key = self.owner._meta.pk.get_db_prep_value(record.pk, connection)
        self.table = connection.ops.quote_name(self.owner._meta.db_table)

    def put(self, state: str, sequence: int, head: str) -> None:
        """Make the row hold this, by the gate through which fixtures go."""
        with protection.gate(connection, "load"):
            assert self.update(state=state, lifecycle_sequence=sequence, lifecycle_head=head) == 1

    def update(self, **values: Any) -> int:
        """Set columns with raw SQL; ``state`` is the column of the state, whatever it is called."""
        quote = connection.ops.quote_name
        columns = [self.state_column if name == "state" else name for name in values]
        sets = ", ".join(f"{quote(column)} = %s" for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {self.table} SET {sets} WHERE {quote(self.key_column)} = %s",
                [*values.values(), self.key],
            )
            return int(cursor.rowcount)

    def held(self) -> tuple[str, int, str]:
        """State, sequence and head."""
        quote = connection.ops.quote_name
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {quote(self.state_column)}, lifecycle_sequence, lifecycle_head FROM {self.table} "
                f"WHERE {quote(self.key_column)} = %s",
                [self.key],
            )
            state, sequence, head = cursor.fetchone()
            return state, sequence, head

    def passes(self, **values: Any) -> bool:
        """Whether an UPDATE passes; it is undone. Any error but a refusal of ours is raised."""
        try:
            with transaction.atomic():
                self.update(**values)
                transaction.set_rollback(True)
        except DatabaseError as error:
            if not protection.is_refusal(error):
                raise
            return False
        return True


def tables_of(owner: Any) -> list[dict[str, Any]]:
    """The tables of every model that keeps its state in the owner's, as they are stored."""
    models = [m for m in apps.get_models() if hasattr(m, "_lifecycle") and m._lifecycle.owner is owner]
    return [json.loads(model._lifecycle.table.json) for model in models]


def states_of(owner: Any) -> list[str]:
    return sorted({state["value"] for table in tables_of(owner) for state in table["states"]})


def edges_of(owner: Any) -> set[tuple[str, str]]:
    return {
        (source, target)
        for table in tables_of(owner)
        for event in table["events"]
        for source in event["sources"]
        for target in event["targets"]
    }
