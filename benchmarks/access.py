"""Roles: the records, the grants, and everything that is asked about them.

Must not know how any of it is measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import fired_with_roles, pages, visible
from benchmarks.grants import populate
from benchmarks.report import Section


def measure(
    aliases: Sequence[str], rounds: int, visible_rounds: int, records: int, rows: int
) -> list[Section]:
    """`rows`: records of each kind of key; `records`: how many are fired on."""
    # What is only read is read once from PostgreSQL: both of its aliases open the same database.
    read = [alias for alias in aliases if alias != "postgres_async"]
    populations = {alias: populate(alias, rows) for alias in read}
    return [
        *visible.measure(read, visible_rounds, populations),
        *pages.measure(read, rounds, populations),
        *fired_with_roles.measure(aliases, rounds, records),
    ]
