"""Owns what an agent comes to, once its declaration is read against the tables: what it may ask for and read.

Must not know who uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db.models import Model

from fsm_lifecycle import conf
from fsm_lifecycle.access.actors import Mandate
from fsm_lifecycle.access.codenames import concrete
from fsm_lifecycle.agents import naming
from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.declaring import LifecycleAgent, snake
from fsm_lifecycle.agents.own_tool import OwnTool, is_tool, own_tool
from fsm_lifecycle.agents.risk import MODES, NEVER, Risk, default_mode, risks
from fsm_lifecycle.agents.signatures import Undescribable
from fsm_lifecycle.definition import Event, Table
from fsm_lifecycle.definition.member import in_words
from fsm_lifecycle.engine.binding import Binding


@dataclass(frozen=True)
class Scope:
    """What an agent may do to the records of one lifecycle."""

    model: type[Model]
    events: tuple[str, ...]
    """The events it may ask for, in declared order."""
    fields: tuple[str, ...]
    """The model's fields it may read."""
    shows_label: bool
    """Whether it may read the record's own text."""
    approval: Mapping[str, str]
    """By event: ``never``, ``always`` or ``four_eyes``."""
    arguments: frozenset[str] = frozenset()
    """The arguments of past events that it may read beside those of its fields."""

    @property
    def binding(self) -> Binding:
        found: Binding = self.model._lifecycle  # type: ignore[attr-defined]
        return found

    @property
    def table(self) -> Table:
        return self.binding.table

    @property
    def label(self) -> str:
        """``billing.invoice``: the concrete model's."""
        return concrete(self.model)._meta.label_lower

    @property
    def unguarded(self) -> dict[str, tuple[Risk, ...]]:
        """The risky events that the agent may fire without a person all the same, with why they are risky."""
        found = {name: risks(self.table, self.table.events[name]) for name in self.events}
        return {name: why for name, why in found.items() if why and self.approval[name] == NEVER}

    @property
    def mandate(self) -> Mandate:
        """The same for the engine."""
        needed = {event: mode for event, mode in self.approval.items() if mode != NEVER}
        return Mandate(frozenset(self.events), needed)


@dataclass(frozen=True)
class Profile:
    """One agent, ready for use."""

    key: str
    label: str
    model: str
    """The language model as declared; empty for that of the settings."""
    instructions: str
    budget: Budget
    scopes: tuple[Scope, ...]
    own_tools: tuple[OwnTool, ...] = ()
    owner: LifecycleAgent | None = None
    """The declared agent, whose methods its own tools are."""
    examples: tuple[str, ...] = ()
    owners: Mapping[str, LifecycleAgent] = field(default_factory=dict)
    """For an agent made of several: whose method each own tool is."""

    @property
    def language_model(self) -> str:
        """The language model it talks to."""
        return self.model or conf.agent_model()

    @cached_property
    def mandates(self) -> Mapping[str, Mandate]:
        """By model: what it may ask for."""
        return {scope.label: scope.mandate for scope in self.scopes}

    @cached_property
    def names(self) -> naming.Names:
        """What its tools are called."""
        return naming.names([scope.model for scope in self.scopes], [one.name for one in self.own_tools])

    @property
    def tools(self) -> list[str]:
        """The names of the tools that it may call at all: an event's where the event is in its list."""
        meant = self.names.meant.items()
        return sorted(n for n, m in meant if m.kind != "fire" or m.event in self.scopes[m.place].events)

    @property
    def lifecycles(self) -> list[str]:
        """The labels of its lifecycles."""
        return [scope.label for scope in self.scopes]

    def scope_of(self, label: str) -> Scope | None:
        """The scope of a model by its label."""
        return next((scope for scope in self.scopes if scope.label == label), None)

    def owner_of(self, own: OwnTool) -> LifecycleAgent | None:
        """Whose method an own tool is."""
        return self.owners.get(own.name, self.owner)


def models_of(agent: type[LifecycleAgent]) -> list[Any]:
    """The models an agent names; what is none is left out (a check names it)."""
    declared = agent.lifecycle
    listed = declared if isinstance(declared, list | tuple | set | frozenset) else [declared]
    found = []
    for one in listed:
        model = one
        if isinstance(one, str):
            try:
                model = apps.get_model(one)
            except (LookupError, ValueError):
                continue
        if isinstance(model, type) and isinstance(getattr(model, "_lifecycle", None), Binding):
            found.append(model)
    return list(dict.fromkeys(found))


def key_of(agent: type[LifecycleAgent]) -> str:
    """How an agent is called: ``billing.invoice_agent``."""
    if agent.key:
        return agent.key
    models = models_of(agent)
    app = models[0]._meta.app_label if models else agent.__module__.partition(".")[0]
    return f"{app}.{snake(agent.__name__)}"


def names_of(agent: type[LifecycleAgent]) -> tuple[str, ...]:
    """What else it may be called by: ``billing.InvoiceAgent``, ``shop.agents.InvoiceAgent``, ``InvoiceAgent``."""
    app, name = key_of(agent).partition(".")[0], agent.__name__
    return (f"{app}.{name}", f"{agent.__module__}.{agent.__qualname__}", name)


def events_of(names: Iterable[Any] | None, table: Table) -> tuple[str, ...]:
    """Those of the table's events that are meant, in declared order; all without names."""
    if names is None:
        return tuple(table.events)
    return tuple(name for name in table.events if any(means(one, table, name) for one in names))


def means(declared: Any, table: Table, name: str) -> bool:
    """Whether an event, as an agent's declaration gives it, is the table's event of this name."""
    if isinstance(declared, Event):
        return declared.name == name and declared.owner in table.family
    return bool(declared == name)


def scope(agent: type[LifecycleAgent], model: Any) -> Scope:
    """What an agent may do to the records of one of its models."""
    table: Table = model._lifecycle.table
    events = events_of(agent.events, table)
    approval = {name: default_mode(table, event) for name, event in table.events.items()}
    wanted_approval: Any = agent.approval
    if not isinstance(wanted_approval, Mapping):  # an error of its own, too
        wanted_approval = dict.fromkeys(approval, "always")
    for declared, mode in wanted_approval.items():
        for name in table.events:
            if means(declared, table, name):
                # What is no mode is an error of its own; until it is mended, a person approves.
                approval[name] = mode if mode in MODES else "always"
    own = [f.name for f in model._meta.concrete_fields]
    wanted = () if agent.fields is None else tuple(agent.fields)
    return Scope(
        model=model,
        events=events,
        fields=tuple(name for name in own if name in wanted),
        shows_label=agent.fields is None or "label" in wanted,
        approval=approval,
        arguments=frozenset(name for name in arguments_of(table) if name in wanted),
    )


def arguments_of(table: Table) -> frozenset[str]:
    """The names of all arguments that the table's events take."""
    forms = [event.arguments for event in table.events.values()]
    return frozenset(name for form in forms for name in getattr(form, "base_fields", ()))


def profile(agent: type[LifecycleAgent]) -> Profile:
    """What a declared agent comes to. What is wrong with it is left out; checks name it."""
    tools = []
    budget: Any = agent.budget
    for name in dict.fromkeys(n for klass in reversed(agent.__mro__) for n in vars(klass)):
        function = getattr(agent, name, None)
        if is_tool(function):
            try:
                tools.append(own_tool(name, function))  # type: ignore[arg-type]
            except Undescribable:
                continue
    return Profile(
        key=key_of(agent),
        label=agent.label or in_words(snake(agent.__name__)),
        model=agent.model,
        instructions=agent.instructions,
        budget=budget if isinstance(budget, Budget) else Budget(),
        scopes=tuple(scope(agent, model) for model in models_of(agent)),
        own_tools=tuple(tools),
        owner=agent(),
        examples=tuple(agent.examples),
    )
