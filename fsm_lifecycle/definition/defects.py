"""The defects of a definition that the table alone shows, each found by one named function.

Every function yields a ``Defect`` for each finding, whose message lists what is wrong and whose hint says how
to mend it. Must not know the model, nor Django's check framework.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fsm_lifecycle.definition.branch import Branch
from fsm_lifecycle.definition.effects import Effect
from fsm_lifecycle.definition.event import Event
from fsm_lifecycle.definition.graph import reachable
from fsm_lifecycle.definition.guards import Guard
from fsm_lifecycle.definition.state import MAX_VALUE_LENGTH, State
from fsm_lifecycle.definition.table import Table

#: Names of form fields that the surfaces use for themselves.
RESERVED_ARGUMENTS = ("id", "actor", "expected_state", "expected_sequence")


@dataclass(frozen=True, slots=True)
class Defect:
    """One finding. ``id`` is the system check's, without the app label."""

    id: str
    message: str
    hint: str
    level: Literal["error", "warning"] = "error"


def listed(names: Any) -> str:
    """``"a", "b"``: names as messages show them."""
    return ", ".join(f"“{name}”" for name in names)


def initial_states(table: Table) -> Iterator[Defect]:
    initial = [s for s in table.declared_states if s.initial]
    if not table.declared_states:
        yield Defect(
            "E001", "The lifecycle has no states.", 'Declare them, one with State("...", initial=True).'
        )
    elif not initial:
        yield Defect(
            "E002",
            "No state is initial, so a new record has nowhere to begin.",
            f"Give one of {listed(table.states)} initial=True.",
        )
    elif len(initial) > 1:
        yield Defect("E003", f"{listed(initial)} are all initial.", "Leave initial=True on one of them.")


def state_values(table: Table) -> Iterator[Defect]:
    counts = Counter(s.value for s in table.declared_states)
    twice = [value for value, count in counts.items() if count > 1]
    if twice:
        yield Defect(
            "E004", f"The value {listed(twice)} belongs to more than one state.", "Give each its own value."
        )
    for value in counts:
        if not value or len(value) > MAX_VALUE_LENGTH or value != value.strip() or not value.isprintable():
            yield Defect(
                "E005",
                f"The state value “{value}” cannot be stored safely.",
                f"Use 1 to {MAX_VALUE_LENGTH} printable characters, without blanks at either end.",
            )


def known_states(table: Table) -> Iterator[Defect]:
    known = set(table.states)
    for event in table.events.values():
        sources = [s for s in event.sources if isinstance(s, str) and s not in known]
        targets = [t for t in event.targets if t not in known]
        if sources:
            yield Defect(
                "E006",
                f"Event “{event.name}” starts from {listed(sources)}, which the lifecycle does not have.",
                f"Its states are {listed(known)}.",
            )
        if targets:
            yield Defect(
                "E007",
                f"Event “{event.name}” leads to {listed(targets)}, which the lifecycle does not have.",
                f"Its states are {listed(known)}.",
            )


def terminal_states_are_final(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        left = [s for s in event.sources if isinstance(s, State) and s.terminal]
        if left and not event.compensating:
            yield Defect(
                "E008",
                f"Event “{event.name}” leaves {listed(left)}, which is terminal.",
                "A terminal state is final. If the event undoes what was done (a refund, a reopening), declare it "
                "compensating=True; otherwise take the state out of its sources.",
            )


def every_state_is_reachable(table: Table) -> Iterator[Defect]:
    if not any(s.initial for s in table.declared_states):
        return
    seen = reachable(table._edges, table.initial) | {table.initial}
    lost = [value for value in table.states if value not in seen]
    if lost:
        yield Defect(
            "E009",
            f"No sequence of events leads from “{table.initial}” to {listed(lost)}.",
            "Add an event that leads there, or remove the state.",
        )


def every_open_state_has_a_way_out(table: Table) -> Iterator[Defect]:
    stuck = [
        s
        for s in table.states.values()
        if not s.terminal and not any(row.source == s and row.target != s for row in table.transitions)
    ]
    if stuck:
        yield Defect(
            "W010",
            f"{listed(stuck)} has no way out but is not terminal.",
            "Add an event that leaves it, or declare it terminal=True.",
            "warning",
        )


def guards_and_effects(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        branch: list[Guard] = [case for case, _ in event.to.cases] if isinstance(event.to, Branch) else []
        parts: list[Guard | Effect] = [*event.guards, *branch, *event.effects]
        for part in parts:
            if part.fault:
                yield Defect("E011", f"Event “{event.name}”: {part.fault}.", "Pass a module-level function.")
        names = Counter(g.name for g in event.guards)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            yield Defect(
                "E012",
                f"Event “{event.name}” has more than one guard called {listed(twice)}.",
                "Name each guard function differently, so that a denial and the log can tell them apart.",
            )


def argument_forms(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        form = event.arguments
        fields = getattr(form, "base_fields", None)
        if form is not None and (fields is None or not isinstance(form, type)):
            yield Defect(
                "E013",
                f"Event “{event.name}”: arguments={form!r} is not a Form class.",
                "Pass a subclass of django.forms.Form.",
            )
            continue
        taken = [name for name in RESERVED_ARGUMENTS if name in (fields or {})]
        if taken:
            yield Defect(
                "E014",
                f"Event “{event.name}”: its form has a field {listed(taken)}, a name that is used for other things.",
                f"Rename the field. Reserved are {listed(RESERVED_ARGUMENTS)}.",
            )
        missing = [name for name in event.stores if name not in (fields or {})]
        if missing:
            yield Defect(
                "E015",
                f"Event “{event.name}” stores {listed(missing)}, which its form does not have.",
                "Add the field to the form given as arguments=, or leave it out of stores.",
            )
        if "created_by" in event.stores:
            yield Defect(
                "E016",
                f"Event “{event.name}” stores “created_by”, so a client could say who made the record.",
                "Take “created_by” out of stores.",
            )


def roles(table: Table) -> Iterator[Defect]:
    defaults = [r.value for r in table.declared_roles if r.default]
    if len(defaults) > 1:
        yield Defect(
            "E017", f"{listed(defaults)} are all default roles.", "Leave default=True on one of them."
        )
    for role in table.declared_roles:
        unknown = [str(e) for e in role.may if not _names_event(table, e)]
        if unknown:
            yield Defect(
                "E018",
                f"Role “{role.value}” may fire {listed(unknown)}, which the lifecycle does not have.",
                f"Its events are {listed(table.events)}.",
            )
    twice = [value for value, count in Counter(r.value for r in table.declared_roles).items() if count > 1]
    if twice:
        yield Defect("E019", f"More than one role is called {listed(twice)}.", "Give each its own value.")


def separated_duties(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        unknown = [str(e) for e in event.not_by if not _names_event(table, e)]
        if unknown:
            yield Defect(
                "E020",
                f"Event “{event.name}” has not_by={listed(unknown)}, which the lifecycle does not have.",
                f"Its events are {listed(table.events)}.",
            )


def _names_event(table: Table, event: Event | str) -> bool:
    if isinstance(event, Event):
        return event.name in table.events and event.owner in table.family
    return event in table.events


def options(table: Table) -> Iterator[Defect]:
    if table.unknown_members:
        yield Defect(
            "W021",
            f"The nested Lifecycle class has {listed(table.unknown_members)}, which nothing reads.",
            "States, events and roles are made with State(...), Event(...) and Role(...); beside them stand "
            "label, snapshot, retention, api_fields and tool_plural. Begin a private name with an underscore.",
            "warning",
        )
    if "snapshot" in table.options and table.snapshot is None:
        yield Defect(
            "E022",
            f"snapshot = {table.options['snapshot']!r} is not a snapshot policy.",
            'Write snapshot = Snapshot.terminal("amount"), or every, every_nth, interval, manual.',
        )


def parts_to_come(table: Table) -> Iterator[Defect]:
    """Declarations that are understood but that this version does not carry out."""
    found: list[tuple[str, str]] = [(f"Role “{value}”", "roles") for value in table.roles]
    for event in table.events.values():
        if event.not_by:
            found.append((f"Event “{event.name}”: not_by=", "separation of duties"))
        if event.after is not None or event.at is not None:
            found.append((f"Event “{event.name}”: after= or at=", "timers"))
    for event, effect in table.effects():
        if effect.retry or (effect.connection and effect.connection.on_failure == "retry"):
            found.append((f"Event “{event.name}”, effect “{effect.name}”: retry", "durable work"))
    for option, part in (
        ("retention", "retention"),
        ("api_fields", "the REST API"),
        ("tool_plural", "agents"),
    ):
        if option in table.options:
            found.append((f"{option} =", part))
    for what, part in found:
        yield Defect(
            "E023",
            f"{what} cannot be carried out: {part} is not part of this version.",
            "Remove the declaration, or use a version that has this part.",
        )


FINDERS = (
    initial_states,
    state_values,
    known_states,
    terminal_states_are_final,
    every_state_is_reachable,
    every_open_state_has_a_way_out,
    guards_and_effects,
    argument_forms,
    roles,
    separated_duties,
    options,
    parts_to_come,
)


def defects_of(table: Table) -> Iterator[Defect]:
    """Everything that is wrong with a table."""
    for find in FINDERS:
        yield from find(table)
