"""The fields of a new model: read from ``name:type``, and written as code.

Must not know the lifecycle beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings

from fsm_lifecycle.definition.defect import nearest, shown
from fsm_lifecycle.generator import names
from fsm_lifecycle.generator.kinds import KINDS, LISTED, REFERENCES, Kind

#: PostgreSQL's longest name of a column, without what ``_id`` takes.
LONGEST = 60


@dataclass(frozen=True, slots=True)
class NewField:
    """One field. ``to`` is the label of the model that it references, and empty for a plain value."""

    name: str
    kind: Kind | None
    optional: bool
    to: str = ""

    @property
    def is_user(self) -> bool:
        """Whether it references the project's users."""
        return self.to.lower() == settings.AUTH_USER_MODEL.lower()

    @property
    def column(self) -> str:
        """The attribute that holds the stored value."""
        return f"{self.name}_id" if self.to else self.name

    @property
    def called(self) -> str:
        """As people read it."""
        return names.spoken(self.name)


def read(given: Sequence[str], own_label: str, problems: list[str]) -> list[NewField]:
    """The fields asked for. What is wrong with them is added to ``problems``."""
    found = [field for text in given if (field := _read_one(text, own_label, problems)) is not None]
    for name, count in Counter(field.name for field in found).items():
        if count > 1:
            problems.append(f"Field {shown(name)} is there {count} times. Give each field once.")
    columns = Counter(field.column for field in found)
    for field in found:
        if not field.to and columns[field.name] > 1 and any(f.to and f.column == field.name for f in found):
            problems.append(
                f"Field {shown(field.name)} is what the reference {shown(field.name[:-3])} is stored as. Rename one."
            )
    return found


def _read_one(text: str, own_label: str, problems: list[str]) -> NewField | None:
    name, colon, rest = text.partition(":")
    before = len(problems)
    if fault := names.fault_of(name, longest=LONGEST):
        problems.append(f"Field {shown(name)} {fault}.")
    if not colon or not rest:
        problems.append(f"Field {shown(name)} has no type. Write {name or 'name'}:TYPE, one of {LISTED}.")
        return None
    optional = rest.endswith("?")
    rest = rest.removesuffix("?")
    kind, colon, target = rest.partition(":")
    if kind == REFERENCES:
        to = _target(name, target, own_label, optional, problems)
        return None if len(problems) > before else NewField(name, None, optional, to)
    if colon or kind not in KINDS:
        problems.append(
            f"Field {shown(name)} has the type {shown(rest)}, which there is not. The types are {LISTED}; a ? behind "
            f"one makes the field optional.{nearest(kind, list(KINDS))}"
        )
        return None
    return None if len(problems) > before else NewField(name, KINDS[kind], optional)


def _target(name: str, target: str, own_label: str, optional: bool, problems: list[str]) -> str:
    """The label of the referenced model; empty for the new model itself, as ``self``."""
    if target.lower() == own_label.lower():
        if not optional:
            problems.append(
                f"Field {shown(name)} references its own model, so the first record could never be made. Write "
                f"{name}:{REFERENCES}:{target}?"
            )
        return "self"
    try:
        model: Any = apps.get_model(target)
    except (LookupError, ValueError):
        known = [m._meta.label for m in apps.get_models()]
        near = nearest(target, known)
        same_app = [label for label in known if label.split(".")[0] == target.split(".")[0]]
        own_app = target.split(".")[0]
        theirs = f" The models of {own_app} are {', '.join(same_app)}." if same_app else ""
        problems.append(
            f"Field {shown(name)} references {shown(target)}, which is no model of this project. Write "
            f"{REFERENCES}:app.Model, for example {REFERENCES}:{settings.AUTH_USER_MODEL}.{theirs}{near}"
        )
        return ""
    if model._meta.proxy or model._meta.swapped:
        real = model._meta.swapped or model._meta.concrete_model._meta.label
        problems.append(
            f"Field {shown(name)} references {shown(target)}, which stands for {real}. Write {REFERENCES}:{real}."
        )
        return ""
    label: str = model._meta.label
    return label
