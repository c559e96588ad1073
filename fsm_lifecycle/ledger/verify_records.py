"""Owns the check of records: each row against the end of its log, and rows that have none.

Must not know how the log was judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import Finding, record_name, shown
from fsm_lifecycle.ledger.scanning import scan
from fsm_lifecycle.ledger.verify_scope import Scope
from fsm_lifecycle.registry import lifecycles, lives_in

#: So many records are looked up together.
_AT_ONCE: Final = 500

_is_decimal = re.compile("0|-?[1-9][0-9]{0,18}", re.ASCII).fullmatch


class Tail(NamedTuple):
    """What a record's entries led to."""

    model_label: Any
    object_pk: Any
    state: Any
    """``None`` after a deletion."""
    sequence: int
    head: Any


class Row(NamedTuple):
    """What a record's own row says, whatever it holds."""

    key: Any
    state: Any
    sequence: Any
    head: Any


class Host:
    """The table that holds the records of one label."""

    def __init__(self, scope: Scope, owner: type[models.Model]) -> None:
        binding: Any = owner._lifecycle  # type: ignore[attr-defined]
        self._scope = scope
        self.label: str = binding.label
        quote = scope.connection.ops.quote_name
        named = [owner._meta.get_field(name) for name in ("lifecycle_sequence", "lifecycle_head")]
        self._key = quote(binding.key_column)
        columns = [quote(str(f.column)) for f in (binding.field, *named)]
        self._select = f"SELECT {', '.join([self._key, *columns])} FROM {scope.table(owner)}"  # noqa: S608
        self._field: Any = binding.pk
        while self._field.remote_field is not None:
            self._field = self._field.target_field

    def rows(self, texts: Sequence[Any]) -> dict[Any, Row]:
        """The rows of these keys, by key as text."""
        stored = {text: key for text in texts if (key := self._stored(text)) is not None}
        if not stored:
            return {}
        # Drivers may return a key as another type than they take: MariaDB's a UUID as text.
        names = {str(key): text for text, key in stored.items()}
        places = ", ".join(["%s"] * len(stored))
        sql = f"{self._select} WHERE {self._key} IN ({places})"
        found = (Row(*row) for row in self._scope.rows(sql, list(stored.values())))
        return {names[str(row.key)]: row for row in found if str(row.key) in names}

    def all(self) -> Iterator[Row]:
        """Every row."""
        for row in scan(self._scope.connection, self._select, [self._key]):
            yield Row(*row)

    def text(self, key: Any) -> str | None:
        """A stored key as entries name it; ``None`` for what is no key of this model."""
        try:
            text = key_text(self._field.to_python(key))
            text.encode()
            return text
        except (ValueError, TypeError, ArithmeticError, ValidationError):
            return None

    def unlogged(self, rows: Iterator[Row]) -> Iterator[Finding]:
        """Those of these rows of which no entry tells."""
        while page := list(islice(rows, _AT_ONCE)):
            self._scope.checked["rows"] += len(page)
            texts = [self.text(row.key) for row in page]
            logged = self._logged([text for text in texts if text is not None])
            for row, text in zip(page, texts, strict=True):
                if text is None or text not in logged:
                    name = record_name(self.label, row.key if text is None else text)
                    found = f"none, and {_link(row.sequence, row.head)}"
                    yield Finding("HEAD_MISMATCH", name, None, "a log", found)

    def _logged(self, texts: list[str]) -> set[Any]:
        """Those of these keys that have entries."""
        if not texts:
            return set()
        sql = (
            f"SELECT DISTINCT object_pk FROM {self._scope.table(TransitionLog)} WHERE model_label = %s "  # noqa: S608
            f"AND object_pk IN ({', '.join(['%s'] * len(texts))})"
        )
        return {found for (found,) in self._scope.rows(sql, [self.label, *texts])}

    def _stored(self, text: Any) -> Any:
        """A key as the driver takes it; ``None`` when no row can have it."""
        if not isinstance(text, str):
            return None
        connection, value = self._scope.connection, text
        try:
            if isinstance(self._field, models.IntegerField):
                low, high = connection.ops.integer_field_range(self._field.get_internal_type())
                number = int(text) if _is_decimal(text) else None
                if number is None or not (low or -(2**63)) <= number <= (high or 2**63 - 1):
                    return None
                return number
            if isinstance(self._field, models.UUIDField):
                if str(UUID(text)) != text:
                    return None
                return self._field.get_db_prep_value(UUID(text), connection)
            value.encode()
        except ValueError:
            return None
        return value


class Records:
    """The records of every label, each held against the end of its log, many at a time."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.hosts: dict[str, Host] = {}
        connection = scope.connection
        there = set(connection.introspection.table_names())
        for model in lifecycles():
            owner = model._lifecycle.owner
            if owner._meta.db_table in there and lives_in(owner, connection.alias):
                self.hosts.setdefault(model._lifecycle.label, Host(scope, owner))
        self._waiting: list[Tail] = []

    def compare(self, tail: Tail) -> Iterator[Finding]:
        """Remember where a record's log ends."""
        self._scope.checked["records"] += 1
        if self._waiting and (
            self._waiting[0].model_label != tail.model_label or len(self._waiting) >= _AT_ONCE
        ):
            yield from self.flush()
        self._waiting.append(tail)

    def flush(self) -> Iterator[Finding]:
        """Look up what is remembered; all of one label."""
        if not self._waiting:
            return
        label = self._waiting[0].model_label
        host = self.hosts.get(label) if isinstance(label, str) else None
        if host is None:
            self._scope.leave_out(
                f"Records of {shown(label)}: no model of that name has a table in this database, so their logs were "
                "held against nothing."
            )
        else:
            rows = host.rows([tail.object_pk for tail in self._waiting])
            for tail in self._waiting:
                yield from compared(tail, rows.get(tail.object_pk))
        self._waiting.clear()

    def unlogged(self) -> Iterator[Finding]:
        """The rows of which no entry tells: all, or that of the only record that is looked at."""
        if self._scope.record is not None:
            label, object_pk = self._scope.record
            host = self.hosts.get(label)
            if host is not None:
                yield from host.unlogged(iter(host.rows([object_pk]).values()))
            return
        for host in self.hosts.values():
            yield from host.unlogged(host.all())


def compared(tail: Tail, row: Row | None) -> Iterator[Finding]:
    """What differs between a record's row and the end of its log."""
    name = record_name(tail.model_label, tail.object_pk)
    if row is None:
        if tail.state is not None:
            yield Finding(
                "RECORD_MISSING", name, tail.sequence, f"a record in the state {shown(tail.state)}", "none"
            )
        return
    if tail.state is None:
        yield Finding(
            "STATE_DIVERGED",
            name,
            tail.sequence,
            "no record: its log ends with its deletion",
            f"one in the state {shown(row.state)}",
        )
        return
    if (row.sequence, row.head) != (tail.sequence, tail.head):
        expected = f"a record that points to {_link(tail.sequence, tail.head)}"
        yield Finding(
            "HEAD_MISMATCH",
            name,
            tail.sequence,
            expected,
            f"one that points to {_link(row.sequence, row.head)}",
        )
    if row.state != tail.state:
        yield Finding(
            "STATE_DIVERGED",
            name,
            tail.sequence,
            f"the state {shown(tail.state)}",
            f"the state {shown(row.state)}",
        )


def _link(sequence: object, head: object) -> str:
    return f"entry {shown(str(sequence))} with the hash {shown(head) or 'that is empty'}"
