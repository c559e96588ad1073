"""Owns which values a surface may show: those of fields that it has opened, and no others.

A field that a page does not show stays hidden in snapshots, arguments and metadata as well. Must not know the surface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

    def shows_field(self, name: str) -> bool:
        """Whether what a snapshot keeps of a field may be shown.

        Not what was kept of a field that is gone, nor of a child's, which says itself what it opens.
        """
        field = self.field(name)
        return field is not None and field.name in self.fields

    def shows(self, name: str) -> bool:
        """Whether an argument, or a value of the metadata, may be shown under this name.

        It goes by the field of that name; where neither the model nor a child of it has one, it hides nothing.
        """
        return self.shows_field(name) or not _is_field(self.model, name)

    def inside(self, value: Any) -> Any:
        """An argument, or a value of the metadata, without what lies deeper under names that hide it."""
        if isinstance(value, Mapping):
            return {key: self.inside(one) for key, one in value.items() if self.shows(str(key))}
        if isinstance(value, list | tuple):
            return [self.inside(one) for one in value]
        return value

    def field(self, name: str) -> Field[Any, Any] | None:
        """The model's concrete field of a name, also by its column (``owner_id``)."""
        return _field(self.model, name)

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


def _field(model: type[Model], name: str) -> Field[Any, Any] | None:
    for field in model._meta.concrete_fields:
        if name in (field.name, field.attname):
            return field
    return None


def _is_field(model: type[Model], name: str) -> bool:
    """Whether the model has a field of this name, or a child with a table of its own, whose entries are the model's."""
    return _field(model, name) is not None or any(_is_field(child, name) for child in model.__subclasses__())
