"""Adopting rows that exist without a log: made before the model had a lifecycle, or loaded without theirs.

Must not know who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine import beginnings, statements
from fsm_lifecycle.engine.adoption import adopting
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding
from fsm_lifecycle.engine.families import by_family
from fsm_lifecycle.exceptions import DirectStateChange
from fsm_lifecycle.ledger import chain
from fsm_lifecycle.transactions import writing

BATCH = 500


def adopt_rows(
    binding: Binding,
    using: str,
    reason: str,
    *,
    progress: Callable[[int, int], Any] | None = None,
) -> int:
    """Give every row at sequence 0 an ``adopted`` entry; return how many there were.

    One transaction for each batch, so that it can be interrupted and run again. Raises ``DirectStateChange``
    for a row in a state that the lifecycle does not have, before anything of its batch is written.
    """
    waiting: models.QuerySet[Any] = (
        models.QuerySet(binding.owner, using=using).filter(**{SEQUENCE: 0}).order_by("pk")
    )
    # Without row locks the transaction has the whole file.
    locked = waiting.select_for_update() if connections[using].features.has_select_for_update else waiting
    total = waiting.count()
    done = 0
    while True:
        with writing(using, savepoint=False) as connection, adopting(reason):
            rows = list(locked[:BATCH])
            if not rows:
                return done
            _begin(binding, connection, rows)
        done += len(rows)
        if progress is not None:
            progress(done, max(total, done))


def adopt_loaded(binding: Binding, using: str, keys: Sequence[Any], reason: str) -> int:
    """After ``loaddata``: adopt the loaded rows that came without a log; return how many.

    A row whose log came along, or was there already, must agree with its last entry. Raises
    ``DirectStateChange`` naming the rows that do not: their fixture would move them without a firing.
    """
    adopted = 0
    for start in range(0, len(keys), BATCH):
        part = keys[start : start + BATCH]
        with writing(using, savepoint=False) as connection, adopting(reason):
            last = chain.last_entries(connection, binding.label, part)
            rows: models.QuerySet[Any] = (
                models.QuerySet(binding.owner, using=using).filter(pk__in=part).order_by("pk")
            )
            without: list[Any] = []
            wrong: list[str] = []
            relinked: list[tuple[Any, tuple[int, str]]] = []
            for row in rows:
                entry = last.get(key_text(row.pk))
                if entry is None or entry[2] is None:
                    without.append(row)
                elif (getattr(row, SEQUENCE), getattr(row, HEAD)) == (0, "") and entry[2] == getattr(
                    row, binding.state_name
                ):
                    relinked.append((row.pk, entry[:2]))  # the fixture has no link, and moves nothing
                elif entry != (getattr(row, SEQUENCE), getattr(row, HEAD), getattr(row, binding.state_name)):
                    wrong.append(f"{row.pk} ({getattr(row, binding.state_name)}, its log says {entry[2]})")
            if wrong:
                raise DirectStateChange(
                    f"The fixture would move {binding.model.__name__} {', '.join(wrong[:10])} without firing an event. "
                    f"Load the records together with their log, or leave them out. Nothing was loaded."
                )
            statements.relink(binding, connection, relinked)
            statements.unlink(binding, connection, [row.pk for row in without])
            _begin(binding, connection, without)
            adopted += len(without)
    return adopted


def _begin(binding: Binding, connection: BaseDatabaseWrapper, rows: Sequence[Any]) -> None:
    for family, members in by_family(binding, connection, rows).items():
        refuse_unknown_states(family, members)
        beginnings.begin(family, connection, members, new=False)


def refuse_unknown_states(binding: Binding, rows: Sequence[Any]) -> None:
    """Raise for rows in a state that the lifecycle does not have."""
    states = binding.table.states
    wrong = [
        f"{row.pk} ({getattr(row, binding.state_name)})"
        for row in rows
        if getattr(row, binding.state_name) not in states
    ]
    if wrong:
        raise DirectStateChange(
            f"{binding.model.__name__} {', '.join(wrong[:10])}: the lifecycle has no such state. Its states are "
            f"{', '.join(states)}. Add the missing ones, or mend the rows first."
        )
