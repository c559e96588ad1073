"""Owns which values a surface may show: those of fields that it has opened, and no others.

A field that a page does not show stays hidden in snapshots, arguments and metadata as well. Must not know the surface.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Field, Model
from django.utils.text import capfirst


@dataclass(frozen=True, slots=True)
class Opened:
    """What one surface shows of one model's records."""

    model: type[Model]
    fields: frozenset[str]

    @classmethod
    def of(cls, model: type[Model], names: Iterable[Any]) -> Opened:
        """Opened are the model's concrete fields among these names."""
        wanted = {name for name in names if isinstance(name, str)}
        own = {field.name for field in model._meta.concrete_fields}
        return cls(model, frozenset(own & wanted))

    @classmethod
    def nothing(cls, model: type[Model]) -> Opened:
        """No field is opened."""
        return cls(model, frozenset())

    def shows(self, name: str) -> bool:
        """Whether a value kept under this name may be shown.

        What a snapshot keeps of a field goes by the field. What an argument or a key of the metadata is called goes by
        the field of that name; where the model has none, it hides nothing.
        """
        field = self.field(name)
        return field is None or field.name in self.fields

    def field(self, name: str) -> Field[Any, Any] | None:
        """The model's concrete field of a name, also by its column (``owner_id``)."""
        for field in self.model._meta.concrete_fields:
            if name in (field.name, field.attname):
                return field
        return None

    def label(self, name: str) -> str:
        """What people call it: the field's name in words, else the name itself."""
        field = self.field(name)
        words = str(field.verbose_name) if field is not None else name.replace("_", " ")
        return str(capfirst(words))

    def text(self, name: str, value: Any) -> str:
        """A recorded value as people read it."""
        if value is None or value == "":
            return "none"
        if isinstance(value, bool):
            return "yes" if value else "no"
        field = self.field(name)
        choices = dict(field.flatchoices) if field is not None and field.choices else {}
        if not isinstance(value, list | dict) and value in choices:
            return str(choices[value])
        if isinstance(value, list):
            return ", ".join(self.text("", one) for one in value) or "none"
        if isinstance(value, dict):
            inner = (f"{key}: {self.text('', one)}" for key, one in value.items())
            return "; ".join(inner) or "none"
        return str(value)
