"""Owns the recorded log: reads the CSV into cases, and says which event each activity is.

Must not know the database. See `data/README.md` for the source and its citation.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sample_project.helpdesk.convert import CSV_PATH

EVENT_OF = {
    "Insert ticket": "insert",
    "Assign seriousness": "assign_seriousness",
    "Take in charge ticket": "take_in_charge",
    "Wait": "wait",
    "Require upgrade": "require_upgrade",
    "Schedule intervention": "schedule_intervention",
    "Create SW anomaly": "create_anomaly",
    "Resolve SW anomaly": "resolve_anomaly",
    "Resolve ticket": "resolve",
    "RESOLVED": "mark_fixed",
    "VERIFIED": "mark_verified",
    "INVALID": "mark_invalid",
    "DUPLICATE": "mark_duplicate",
    "Closed": "close",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """One event as it happened."""

    name: str
    """The event of the ticket's lifecycle."""
    person: int
    at: datetime
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of the log."""

    number: int
    fields: dict[str, Any]
    """Values of the ticket's fields, as the first event has them."""
    events: tuple[RecordedEvent, ...]
    """In the order in which they happened; at least one."""


def read_log(path: Path = CSV_PATH) -> Iterator[Case]:
    """The cases of the log, the oldest first."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for number, rows in groupby(csv.DictReader(stream), key=lambda row: row["case"]):
            yield _case(int(number), list(rows))


def _case(number: int, rows: list[dict[str, str]]) -> Case:
    first = rows[0]
    return Case(
        number=number,
        fields={
            "opened_at": datetime.fromisoformat(first["time"]),
            "customer": f"Customer {first['customer']}",
            "product": f"Product {first['product']}",
            "workgroup": f"Workgroup {first['workgroup']}",
            "service_level": int(first["service_level"]),
            "service_type": int(first["service_type"]),
            "responsible_section": int(first["responsible_section"]),
            "support_section": int(first["support_section"]),
        },
        events=tuple(_event(row) for row in rows),
    )


def _event(row: dict[str, str]) -> RecordedEvent:
    name = EVENT_OF[row["activity"]]
    return RecordedEvent(
        name=name,
        person=int(row["person"]),
        at=datetime.fromisoformat(row["time"]),
        arguments={"seriousness": row["seriousness"]} if name == "assign_seriousness" else {},
    )
