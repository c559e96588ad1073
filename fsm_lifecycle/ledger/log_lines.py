"""Owns reading an exported log line by line, taking nothing on trust but that memory is finite.

Every line is an object of a known type, written byte for byte as ``log_file`` writes it, with values of the right
types and lengths. Must not know how lines hang together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO, Final

from django.db import models

from fsm_lifecycle.ledger.archive import ArchivedEntry
from fsm_lifecycle.ledger.chain import COLUMNS
from fsm_lifecycle.ledger.chain import VERSION as ENTRY_VERSION
from fsm_lifecycle.ledger.entry import FIRST_MOMENT, KINDS, LAST_MOMENT
from fsm_lifecycle.ledger.log_file import FORMAT, KEYS, MAX_LINE, VERSION, moment, written
from fsm_lifecycle.ledger.recordable import MAX_INTEGER

ACTOR_KINDS: Final = ("user", "agent", "system", "unknown")

_is_hash = re.compile("[0-9a-f]{64}").fullmatch
_find_unstorable = re.compile("[\x00\ud800-\udfff]").search


class Unreadable(ValueError):
    """Nothing that follows can be understood. The text names the line."""


class Newer(Unreadable):
    """What a newer version of the package has written, so that this one cannot judge it."""


class Misformed(ValueError):
    """A line that no export has. Reading can go on behind it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that was read."""

    number: int
    """From 1."""
    kind: str
    """``header entry checkpoint definition trailer``; empty for a line that is none of them."""
    row: dict[str, Any]
    """Its values, times as datetimes."""
    data: bytes
    """Its bytes, newline included."""
    fault: str = ""
    """What is wrong with it, for a line that no export has."""


def lines(file: BinaryIO) -> Iterator[Line]:
    """Every line of a file. Raises ``Unreadable``; in memory is one line at a time."""
    number = 0
    while data := file.readline(MAX_LINE + 1):
        number += 1
        if len(data) > MAX_LINE:
            raise Unreadable(f"Line {number:,} has more than {MAX_LINE:,} bytes.")
        if not data.endswith(b"\n"):
            yield Line(number, "", {}, data, "The file ends in the middle of this line.")
            return
        row = _object(number, data)
        kind = row.get("type")
        _refuse_newer(number, row)
        try:
            if not isinstance(kind, str) or kind not in KEYS:
                raise Misformed("It is of no type that an export has")
            if tuple(row) != KEYS[kind] or written(row) != data:
                raise Misformed("It is not written as lifecycle_export writes it")
            values = _CHECKS[kind](row)
        except UnicodeEncodeError:
            yield Line(number, "", {}, data, "It contains half of a character.")
        except Misformed as error:
            yield Line(number, "", {}, data, f"{error}.")
        else:
            yield Line(number, kind, values, data)


def _refuse_newer(number: int, row: dict[str, Any]) -> None:
    known = {"header": VERSION, "entry": ENTRY_VERSION}.get(str(row.get("type")))
    version = row.get("v")
    if known is not None and type(version) is int and version > known:
        raise Newer(
            f"Line {number:,} is of version {version}, so a newer version of fsm_lifecycle has written it. This one "
            f"knows version {known}: read the file with a newer one."
        )


def _object(number: int, data: bytes) -> dict[str, Any]:
    try:
        row = json.loads(data.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(f"Line {number:,} is not UTF-8 (at byte {error.start:,}).") from None
    except RecursionError:
        raise Unreadable(f"Line {number:,} nests too deep.") from None
    except ValueError as error:
        raise Unreadable(f"Line {number:,} is not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise Unreadable(f"Line {number:,} is no JSON object.")
    return row


# --- what each type of line must hold -----------------------------------------------------------------------


def _header(row: dict[str, Any]) -> dict[str, Any]:
    if row["format"] != FORMAT:
        raise Misformed("Its format is another")
    if row["v"] != VERSION:
        raise Misformed(f"Its version is {row['v']!s:.20}, and this package reads {VERSION}")
    since = row["since"]
    if since is not None and not isinstance(since, dict):
        raise Misformed("since is neither null nor an object")
    _text("origin", row["origin"], 255)
    if not row["origin"]:
        raise Misformed("origin is empty")
    _number("first_leaf", row["first_leaf"], 0)
    _number("tree_size", row["tree_size"], 0)
    return {**row, "exported_at": _moment("exported_at", row["exported_at"])}


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    for name, check in _columns().items():
        value = row[name]
        if value is not None or name not in _NULLABLE:
            check(name, value)
    if row["leaf_index"] is not None:
        _number("leaf_index", row["leaf_index"], 0)
    if row["v"] != ENTRY_VERSION or type(row["v"]) is not int:
        raise Misformed(f"v is not {ENTRY_VERSION}, the only version of entries that this package knows")
    if row["kind"] not in KINDS:
        raise Misformed("kind is none that there is")
    if row["actor_kind"] not in ACTOR_KINDS:
        raise Misformed("actor_kind is none that there is")
    if (row["event"] is not None) != (row["kind"] == "transition"):
        raise Misformed("An entry names an event when it is a transition, and only then")
    occurred = row["occurred_at"]
    return {
        **row,
        "recorded_at": _moment("recorded_at", row["recorded_at"]),
        "occurred_at": None if occurred is None else _moment("occurred_at", occurred),
    }


def _checkpoint(row: dict[str, Any]) -> dict[str, Any]:
    _number("tree_size", row["tree_size"], 1)
    _hash("root_hash", row["root_hash"])
    _text("note", row["note"], None)
    return {**row, "created_at": _moment("created_at", row["created_at"])}


def _definition(row: dict[str, Any]) -> dict[str, Any]:
    _text("model_label", row["model_label"], 100)
    _hash("fingerprint", row["fingerprint"])
    _text("json", row["json"], None)
    return {**row, "first_seen": _moment("first_seen", row["first_seen"])}


def _trailer(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("entries", "sealed", "checkpoints", "definitions"):
        _number(name, row[name], 0)
    _hash("sha256", row["sha256"])
    return row


_CHECKS: Final[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "header": _header,
    "entry": _entry,
    "checkpoint": _checkpoint,
    "definition": _definition,
    "trailer": _trailer,
}


@cache
def _columns() -> dict[str, Callable[[str, Any], None]]:
    """How each column of an entry is checked, times, ``v`` and the leaf index apart."""
    checks: dict[str, Callable[[str, Any], None]] = {
        "sequence": lambda name, value: _number(name, value, 1),
        "compensating": _flag,
        "body": lambda name, value: _text(name, value, None),
    }
    hashes = ("cause", "definition", "body_hash", "prev_hash", "entry_hash", "idempotency_digest")
    checks.update(dict.fromkeys(hashes, _hash))
    for name in COLUMNS:
        field: models.Field[Any, Any] = ArchivedEntry._meta.get_field(name)  # type: ignore[assignment]
        if name not in checks and isinstance(field, models.CharField):
            checks[name] = _limited(field.max_length)
    return checks


_NULLABLE: Final = frozenset(
    {"event", "from_state", "to_state", "cause", "occurred_at", "idempotency_key", "idempotency_digest"}
)


def _limited(limit: int | None) -> Callable[[str, Any], None]:
    return lambda name, value: _text(name, value, limit)


def _text(name: str, value: Any, limit: int | None) -> None:
    if not isinstance(value, str):
        raise Misformed(f"{name} is no text")
    if limit is not None and len(value) > limit:
        raise Misformed(f"{name} has more than {limit} characters")
    if _find_unstorable(value):
        raise Misformed(f"{name} contains a character that no database stores")


def _hash(name: str, value: Any) -> None:
    if not isinstance(value, str) or not _is_hash(value):
        raise Misformed(f"{name} is not 64 lower-case hexadecimal characters")


def _number(name: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_INTEGER:
        raise Misformed(f"{name} is no whole number from {least} to {MAX_INTEGER}")


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise Misformed(f"{name} is neither true nor false")


def _moment(name: str, value: Any) -> Any:
    try:
        found = moment(value)
    except ValueError:
        raise Misformed(f"{name} is no time in UTC with six decimals") from None
    if not FIRST_MOMENT <= found <= LAST_MOMENT:
        raise Misformed(f"{name} lies beyond the times that an entry can hold")
    return found
