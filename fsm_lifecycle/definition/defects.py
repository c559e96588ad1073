"""The defects of a definition that the table alone shows, each found by one named function.

Every function yields a ``Defect`` for each finding, whose message lists what is wrong and whose hint says how
to mend it. Must not know the model, nor Django's check framework.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from fsm_lifecycle.definition.api_fields import api_fields
from fsm_lifecycle.definition.branch import Branch
from fsm_lifecycle.definition.defect import Defect, listed, nearest, shown
from fsm_lifecycle.definition.effects import Effect
from fsm_lifecycle.definition.event import Event
from fsm_lifecycle.definition.graph import reachable
from fsm_lifecycle.definition.guards import Guard
from fsm_lifecycle.definition.retention import Retention
from fsm_lifecycle.definition.state import MAX_VALUE_LENGTH, State
from fsm_lifecycle.definition.table import OPTIONS, Table
from fsm_lifecycle.definition.timed_defects import timed_events

#: Names of form fields that the surfaces use for themselves.
RESERVED_ARGUMENTS: Final = ("id", "actor", "expected_state", "expected_sequence")

_is_tool_name: Final = re.compile(r"[a-z][a-z0-9_]*").fullmatch

#: Beyond it, the day from which records may go could not be told.
LONGEST_RETENTION: Final = timedelta(days=365_000)


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
            f"Write initial=True on one state. They are {listed(table.states)}.",
        )
    elif len(initial) > 1:
        yield Defect(
            "E003",
            f"More than one state is initial: {listed(initial)}.",
            "A new record begins in one state. Keep initial=True on one and take it off the others.",
        )


def state_values(table: Table) -> Iterator[Defect]:
    counts = Counter(s.value for s in table.declared_states)
    for value, count in counts.items():
        if count > 1:
            owners = [s.name for s in table.declared_states if s.value == value]
            yield Defect(
                "E004",
                f"The value {shown(value)} belongs to more than one state: {listed(owners)}.",
                "Give each its own value.",
            )
        if wrong := _unfit(value):
            yield Defect(
                "E005",
                f"The state value {shown(value)} {wrong}.",
                f"Use 1 to {MAX_VALUE_LENGTH} printable characters, without blanks at either end.",
            )


def _unfit(value: str) -> str:
    if not value:
        return "is empty"
    if len(value) > MAX_VALUE_LENGTH:
        return f"has {len(value)} characters, and {MAX_VALUE_LENGTH} is the most"
    if not value.isprintable():
        return "holds a character that cannot be printed"
    return "has blanks at its ends" if value != value.strip() else ""


def known_states(table: Table) -> Iterator[Defect]:
    hint = f"Its states are {listed(table.states)}."
    for event in table.events.values():
        for id_, verb, states in (
            ("E006", "starts from", event.sources),
            ("E007", "leads to", event.targets),
        ):
            unknown = [s for s in states if isinstance(s, str) and s not in table.states]
            if unknown:
                yield Defect(
                    id_,
                    f"Event {shown(event.name)} {verb} {listed(unknown)}, which the lifecycle does not have.",
                    hint + nearest(unknown[0], table.states),
                )


def terminal_states_are_final(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        left = [s for s in event.sources if isinstance(s, State) and s.terminal]
        if left and not event.compensating:
            yield Defect(
                "E008",
                f"Event {shown(event.name)} leaves {listed(left)}, and a terminal state is final.",
                "If the event undoes what was done (a refund, a reopening), declare it compensating=True; otherwise "
                "take the state out of its sources.",
            )


def every_state_is_reachable(table: Table) -> Iterator[Defect]:
    if not any(s.initial for s in table.declared_states):
        return
    seen = reachable(table.edges, table.initial) | {table.initial}
    lost = [value for value in table.states if value not in seen]
    if lost:
        yield Defect(
            "E009",
            f"No sequence of events leads from {shown(table.initial)} to {listed(lost)}.",
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
            f"Records stay in {listed(stuck)} for ever: no event leaves.",
            "Add an event that leaves it, or declare it terminal=True.",
            "warning",
        )


def guards_and_effects(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        branch: list[Guard] = [case for case, _ in event.to.cases] if isinstance(event.to, Branch) else []
        parts: list[Guard | Effect] = [*event.guards, *branch, *event.effects]
        for part in parts:
            if part.fault:
                yield Defect("E011", f"Event {shown(event.name)}: {part.fault}.", part.remedy)
        # A guard of the event may be one of the branch as well: they are told apart by where they stand.
        names = [*Counter(g.name for g in event.guards).items(), *Counter(g.name for g in branch).items()]
        twice = [name for name, count in names if count > 1]
        if twice:
            yield Defect(
                "E012",
                f"Event {shown(event.name)} has more than one guard called {listed(twice)}.",
                "List it once, or name the functions differently, so that a denial and the log can tell them apart.",
            )


def argument_forms(table: Table) -> Iterator[Defect]:
    for event in table.events.values():
        yield from _argument_form(event)


def _argument_form(event: Event) -> Iterator[Defect]:
    form: Any = event.arguments
    fields = getattr(form, "base_fields", None)
    if form is not None and (fields is None or not isinstance(form, type)):
        if fields is not None:
            name = type(form).__name__
            wrong, hint = f"arguments={name}(...) is a form, not its class", f"Write arguments={name}."
        else:
            name = getattr(form, "__name__", repr(form))
            wrong, hint = f"arguments={name} is not a form class", "Pass a subclass of django.forms.Form."
        yield Defect("E013", f"Event {shown(event.name)}: {wrong}.", hint)
        return
    known = list(fields or {})
    taken = [name for name in RESERVED_ARGUMENTS if name in known]
    if taken:
        yield Defect(
            "E014",
            f"Event {shown(event.name)}: its form has a field {listed(taken)}, a name that fire() and the pages use "
            f"themselves.",
            f"Rename the field. Reserved are {listed(RESERVED_ARGUMENTS)}.",
        )
    missing = [name for name in event.stores if name not in known]
    if missing:
        yield Defect(
            "E015",
            f"Event {shown(event.name)} stores {listed(missing)}, which its form does not have.",
            "Add the field to the form given as arguments=, or leave it out of stores."
            + nearest(missing[0], known),
        )
    if "created_by" in event.stores:
        yield Defect(
            "E016",
            f"Event {shown(event.name)} stores “created_by”, so a client could say who made the record.",
            "Take “created_by” out of stores. It is set when the record is created.",
        )


def roles(table: Table) -> Iterator[Defect]:
    defaults = [r.value for r in table.declared_roles if r.default]
    if len(defaults) > 1:
        yield Defect(
            "E017",
            f"More than one role is the default: {listed(defaults)}.",
            "Keep default=True on one and take it off the others.",
        )
    for role in table.declared_roles:
        unknown = [str(e) for e in role.may if not _names_event(table, e)]
        if unknown:
            yield Defect(
                "E018",
                f"Role {shown(role.value)} may fire {listed(unknown)}, which the lifecycle does not have.",
                f"Its events are {listed(table.events)}." + nearest(unknown[0], table.events),
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
                f"Event {shown(event.name)} has not_by={listed(unknown)}, which the lifecycle does not have.",
                f"Its events are {listed(table.events)}." + nearest(unknown[0], table.events),
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
            f"States, events and roles are made with State(...), Event(...) and Role(...); beside them stand "
            f"{listed(OPTIONS)}. Begin a private name with an underscore."
            + nearest(table.unknown_members[0], OPTIONS),
            "warning",
        )
    label = table.options.get("label")
    if label is not None and not (isinstance(label, str) and label):
        yield Defect(
            "E024",
            f"Lifecycle.label is {label!r}, which is not a text. It names the log of the model.",
            'Write label = "app.model", or leave it out; call an event or state something else.',
        )
    plural = table.options.get("tool_plural")
    if plural is not None and not (isinstance(plural, str) and _is_tool_name(plural)):
        yield Defect(
            "E070",
            f"Lifecycle.tool_plural is {plural!r}, and agents' tools cannot be called that.",
            'Write it as tools are called: tool_plural = "invoices". Small letters, digits and underscores.',
        )
    if "snapshot" in table.options and table.snapshot is None:
        yield Defect(
            "E022",
            f"snapshot = {table.options['snapshot']!r} is not a snapshot policy.",
            'Write snapshot = Snapshot.terminal("amount"), or every, every_nth, interval, manual.',
        )


def retention(table: Table) -> Iterator[Defect]:
    policy = table.options.get("retention")
    if policy is None:
        return
    example = "Write retention = Retention(after=timedelta(days=3650), states=[...])."
    if not isinstance(policy, Retention):
        yield Defect("E025", f"retention = {policy!r} is not a Retention.", example)
        return
    after: Any = policy.after
    if not isinstance(after, timedelta):
        yield Defect("E025", f"The retention is after={after!r}, which is not a timedelta.", example)
    elif not timedelta(0) < after <= LONGEST_RETENTION:
        yield Defect(
            "E025",
            f"The retention is after={after}. It has to be more than none, and at most a thousand years.",
            "Give the time that the law or your promise asks for. To keep records for ever, leave the retention out.",
        )
    if not policy.states:
        yield Defect("E025", "The retention names no state, so no record would ever go.", example)
    unknown = [s for s in policy.states if not isinstance(s, str) or s not in table.states]
    if unknown:
        yield Defect(
            "E025",
            f"The retention names {listed(map(str, unknown))}, which the lifecycle does not have.",
            f"Its states are {listed(table.states)}." + nearest(str(unknown[0]), table.states),
        )
    still_open = [s for s in policy.states if s not in unknown and not table.states[s].terminal]
    if still_open:
        yield Defect(
            "W026",
            f"The retention names {listed(still_open)}, in which a record is still at work: it would be purged "
            f"unfinished.",
            "Name terminal states alone, or silence this check where that is meant.",
            "warning",
        )


FINDERS: Final[tuple[Callable[[Table], Iterator[Defect]], ...]] = (
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
    retention,
    timed_events,
    api_fields,
)


def defects_of(table: Table) -> Iterator[Defect]:
    """Everything that is wrong with a table."""
    for find in FINDERS:
        yield from find(table)
