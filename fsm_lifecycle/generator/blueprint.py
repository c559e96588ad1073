"""The blueprint of a new app: everything that was asked for, read and found to fit together.

Must not know how files are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fsm_lifecycle.definition.defect import shown
from fsm_lifecycle.generator import clashes, fields, names, place, table
from fsm_lifecycle.generator.fields import NewField
from fsm_lifecycle.generator.problems import Refused
from fsm_lifecycle.generator.table import NewTable

#: What the model has when no fields were named.
DEFAULT_FIELDS = ("title:string",)
#: Room for the longest permission that Django makes of it.
LONGEST = 50


@dataclass(frozen=True)
class Blueprint:
    """One app with one model."""

    label: str
    """The app's name as it was given."""
    module: str
    """Its dotted name."""
    folder: Path
    fields: tuple[NewField, ...]
    table: NewTable
    flags: frozenset[str] = frozenset()
    """What else was asked for: the names of ``extras``."""

    @cached_property
    def singular(self) -> str:
        """``leave_request``."""
        return names.of_the_last(self.label, names.singular)

    @cached_property
    def plural(self) -> str:
        """``leave_requests``: the given name where it is a plural already."""
        return self.label if self.label != self.singular else names.of_the_last(self.label, names.plural)

    @property
    def model(self) -> str:
        """``LeaveRequest``."""
        return names.camel(self.singular)

    @property
    def one(self) -> str:
        """``leave request``, as Django derives it from the model."""
        return names.spoken(self.singular)

    @property
    def many(self) -> str:
        """``leave requests``."""
        return names.spoken(self.plural)

    @property
    def route(self) -> str:
        """``leave-requests/``."""
        return f"{self.plural.replace('_', '-')}/"

    @property
    def text_field(self) -> NewField | None:
        """The field that names a record."""
        return next((f for f in self.fields if f.kind is not None and f.kind.field == "CharField"), None)


def draw(
    label: str,
    *,
    into: Path,
    field_texts: Sequence[str],
    states: str | None,
    events: Sequence[str],
    roles: str,
    force: bool,
    flags: frozenset[str] = frozenset(),
) -> Blueprint:
    """Read everything. Raises ``Refused`` with every problem that can be told at once."""
    problems: list[str] = []
    if fault := names.fault_of(label, longest=LONGEST):
        raise Refused([f"App {shown(label)} {fault}."])
    module = place.module_of(label, into, problems)
    model = names.camel(names.of_the_last(label, names.singular))
    parts = [part.strip() for text in field_texts or DEFAULT_FIELDS for part in text.split(",")]
    found = fields.read([part for part in parts if part], f"{label}.{model}", problems)
    lifecycle = table.read(states, events, roles, problems)
    blueprint = Blueprint(label, module, into / label, tuple(found), lifecycle, flags)
    problems += clashes.of_app(blueprint, force=force)
    problems += clashes.of_model(blueprint)
    if problems:
        raise Refused(list(dict.fromkeys(problems)))
    return blueprint
