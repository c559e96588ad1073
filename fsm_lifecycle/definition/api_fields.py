"""Owns which fields a lifecycle opens to programs outside: ``api_fields``, for the REST API and webhooks.

Must not know the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fsm_lifecycle.definition.defect import Defect, listed, shown
from fsm_lifecycle.definition.table import Table

#: Who made a record. Set by the server, whatever a client sends.
PROVENANCE: Final = "created_by"

#: What of a record is shown without being opened.
SHOWN_ANYWAY: Final = ("id", "label", "state", "sequence", "available_events")


def opened_names(table: Table) -> tuple[str, ...]:
    """The names of the fields that are opened."""
    names: Any = table.options.get("api_fields")
    return tuple(dict.fromkeys(names)) if _is_list(names) else ()


def _is_list(names: object) -> bool:
    return isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)


def api_fields(table: Table) -> Iterator[Defect]:
    """``api_fields`` that are no list of names, or would hide what every record shows."""
    if "api_fields" not in table.options:
        return
    names = table.options["api_fields"]
    if not _is_list(names):
        yield Defect(
            "E094",
            f"api_fields = {names!r} is no list of names.",
            'Write api_fields = ["amount", "due_on"].',
        )
        return
    taken = [name for name in opened_names(table) if name in ("sequence", "available_events")]
    if taken:
        yield Defect(
            "E095",
            f"api_fields has {listed(taken)}, which is what the API calls something else of every record.",
            f"Rename the field, or serve it by a serializer of your own under another name than {shown(taken[0])}.",
        )
