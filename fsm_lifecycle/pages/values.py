"""The values of a record as people read them: never an empty cell, numbers told from words.

Must not know HTML.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.formats import date_format, localize, time_format
from django.utils.text import capfirst
from django.utils.timezone import is_aware, localtime

NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value."""

    label: str
    text: str
    number: bool = False
    url: str = ""
    """Where the value is an address: where it leads."""


def heading(model: type[Any], name: str) -> tuple[str, bool]:
    """What a column is called, and whether it holds numbers."""
    field = _field(model, name)
    if field is None:
        attribute = getattr(model, name, None)
        words = getattr(attribute, "short_description", None) or name.replace("_", " ")
        return str(capfirst(str(words))), False
    return str(capfirst(field.verbose_name)), _is_number(field)


def cell(record: Any, name: str) -> Cell:
    """The value of a field, a property or a method without arguments."""
    label, number = heading(type(record), name)
    field = _field(type(record), name)
    value = getattr(record, name)
    if field is None and callable(value):
        value = value()
    if field is not None and field.choices and value not in (None, ""):
        value = dict(field.flatchoices).get(value, value)
    url = (
        str(value)
        if isinstance(field, models.URLField) and str(value).startswith(("http://", "https://"))
        else ""
    )
    return Cell(label, text(value), number, url)


def text(value: Any) -> str:
    """A value in words."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, datetime):
        return date_format(localtime(value) if is_aware(value) else value, "j M Y, H:i")
    if isinstance(value, date):
        return date_format(value, "j M Y")
    if isinstance(value, time):
        return time_format(value, "H:i")
    if isinstance(value, AbstractBaseUser) and hasattr(value, "get_full_name"):
        return str(value.get_full_name() or value)
    return str(localize(value))


def _field(model: type[Any], name: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _is_number(field: Any) -> bool:
    numbers = (models.IntegerField, models.DecimalField, models.FloatField)
    return isinstance(field, numbers) and field.remote_field is None and not field.choices
