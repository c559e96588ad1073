"""Owns cutting a list into pages by key: where a page ends is where the next begins, whatever changes in between.

A cursor holds the order and the last row's value and key; it says nothing that its reader has not seen. Must not know
what is listed.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import DecimalValidator
from django.db.models import Q, QuerySet
from rest_framework.utils.urls import replace_query_param

from fsm_lifecycle.api.problem import unreadable
from fsm_lifecycle.presentation.keys import readable

PAGE: Final = 50
MOST: Final = 200
#: So many bytes of the last row's value go into a cursor; a longer value is looked up by the row's key.
_CARRIED: Final = 500
_LONGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class Order:
    """By which field, and which way. The key decides between equals."""

    name: str
    """As clients call it, with a minus for the other way round."""
    field: Any

    @property
    def descending(self) -> bool:
        """Whether the highest comes first."""
        return self.name.startswith("-")

    @property
    def by_key(self) -> bool:
        """Whether the field is the key itself."""
        return bool(self.field.primary_key)

    def applied(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows in this order."""
        sign = "-" if self.descending else ""
        names = ["pk"] if self.by_key else [self.field.attname, "pk"]
        return rows.order_by(*(f"{sign}{name}" for name in names))

    def beyond(self, value: Any, key: Any) -> Q:
        """What comes after a row. Written so that an index of the field serves it."""
        step = "lt" if self.descending else "gt"
        later = Q(**{f"pk__{step}": key})
        if self.by_key:
            return later
        name = self.field.attname
        return Q(**{f"{name}__{step}e": value}) & (Q(**{f"{name}__{step}": value}) | later)

    def cursor(self, row: Any) -> str:
        """Where a page ends: this row was its last."""
        value = None if self.by_key else self.field.value_to_string(row)
        if value is not None and (len(value.encode()) > _CARRIED or _holds_oddities(value)):
            value = None
        text = json.dumps([self.name, value, str(row.pk)], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def after(self, cursor: str, rows: QuerySet[Any]) -> Q:
        """The condition that a cursor stands for, or a ``Problem``."""
        wrong = unreadable("cursor", "Take it from the answer before, and keep the ordering.")
        if len(cursor) > _LONGEST:
            raise wrong
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            parts = json.loads(base64.urlsafe_b64decode(padded).decode())
        except (ValueError, binascii.Error, RecursionError):
            raise wrong from None
        if not (isinstance(parts, list) and len(parts) == 3 and parts[0] == self.name):
            raise wrong
        _, value, key = parts
        keys = readable(rows, [key]) if isinstance(key, str) else []
        if not keys or _holds_oddities(f"{key}{value}"):
            raise wrong
        if self.by_key:
            return self.beyond(None, keys[0])
        found = self._kept(rows, keys[0]) if value is None else self._value(value)
        if found is None:
            raise wrong
        return self.beyond(found, keys[0])

    def _kept(self, rows: QuerySet[Any], key: Any) -> Any:
        """The value of a row that is still among these."""
        return rows.filter(pk=key).values_list(self.field.attname, flat=True).order_by().first()

    def _value(self, text: Any) -> Any:
        """A value as the database compares it; ``None`` for none. What a validator thinks of it is not asked."""
        if not isinstance(text, str):
            return None
        try:
            value = self.field.to_python(text)
            if isinstance(value, Decimal):  # one of more digits cannot be compared
                DecimalValidator(self.field.max_digits, self.field.decimal_places)(value)
        except (ValidationError, ValueError, OverflowError):
            return None
        return value


def _holds_oddities(text: str) -> bool:
    """Whether a text holds what no database takes."""
    return any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def page(rows: QuerySet[Any], order: Order, cursor: str | None, size: int) -> tuple[list[Any], str | None]:
    """One page of rows, and the cursor of the next; ``None`` at the end."""
    if cursor is not None:
        rows = rows.filter(order.after(cursor, rows))
    found = list(order.applied(rows)[: size + 1])
    shown = found[:size]
    return shown, order.cursor(shown[-1]) if len(found) > size else None


def next_address(request: Any, name: str, value: Any) -> str | None:
    """The address of the next page; ``None`` at the end."""
    if value is None:
        return None
    return str(replace_query_param(request.build_absolute_uri(), name, value))
