"""System checks of declared agents. Must not mend anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error

from fsm_lifecycle.agents import naming, registry
from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.declaring import LifecycleAgent
from fsm_lifecycle.agents.own_tool import is_tool, own_tool
from fsm_lifecycle.agents.profile import arguments_of, key_of, means, models_of
from fsm_lifecycle.agents.risk import MODES
from fsm_lifecycle.agents.signatures import Undescribable
from fsm_lifecycle.definition.defect import Defect, listed, nearest, shown


def check_agents(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every declared agent of the given apps, or of all."""
    labels = None if app_configs is None else {config.label for config in app_configs}
    found: list[CheckMessage] = []
    declared = registry.declared()
    keys = Counter(map(key_of, declared))
    for agent in declared:
        home = apps.get_containing_app_config(agent.__module__)
        if labels is not None and home is not None and home.label not in labels:
            continue
        defects = list(agent_defects(agent))
        if keys[key_of(agent)] > 1:
            defects.append(
                Defect(
                    "E075",
                    f"More than one agent has the key {shown(key_of(agent))}.",
                    'Give one of them its own: key = "billing.collector". Runs and tokens name it by that.',
                )
            )
        found += [
            Error(f"{agent.__name__}: {d.message}", hint=d.hint, obj=agent, id=f"fsm_lifecycle.{d.id}")
            for d in defects
        ]
    return found


def agent_defects(agent: type[LifecycleAgent]) -> Iterator[Defect]:
    """Everything that is wrong with one declaration."""
    declared = agent.lifecycle
    named = declared if isinstance(declared, list | tuple | set | frozenset) else [declared]
    models = models_of(agent)
    if len(models) < len(list(named)) or not models:
        yield Defect(
            "E071",
            f"lifecycle = {declared!r} names what has no lifecycle.",
            "Name a model derived from LifecycleModel, its label as text, or a list of them.",
        )
    if not models:
        return
    yield from _events(agent, models)
    yield from _fields(agent, models)
    yield from _approval(agent)
    yield from _budget(agent)
    yield from _tools(agent, models)


def _events(agent: type[LifecycleAgent], models: list[Any]) -> Iterator[Defect]:
    known = list(dict.fromkeys(name for model in models for name in model._lifecycle.table.events))
    hint = f"The events are {listed(known)}."
    declared: list[tuple[str, Any]] = []
    if agent.events is not None:
        if isinstance(agent.events, str):
            yield Defect("E072", f"events = {agent.events!r} is a text.", "Write a list: events = [...].")
        else:
            declared += [("events", one) for one in agent.events]
    if isinstance(agent.approval, Mapping):
        declared += [("approval", one) for one in agent.approval]
    for where, one in declared:
        if not any(
            means(one, m._lifecycle.table, name) for m in models for name in m._lifecycle.table.events
        ):
            name = str(getattr(one, "name", one))
            yield Defect(
                "E072",
                f"{where} names {shown(name)}, which is none of its events.",
                hint + nearest(name, known),
            )


def _fields(agent: type[LifecycleAgent], models: list[Any]) -> Iterator[Defect]:
    if agent.fields is None:
        return
    if isinstance(agent.fields, str):
        yield Defect("E073", f"fields = {agent.fields!r} is a text.", "Write a list: fields = [...].")
        return
    known = list(dict.fromkeys(f.name for model in models for f in model._meta.concrete_fields))
    asked = [name for model in models for name in arguments_of(model._lifecycle.table)]
    unknown = [name for name in agent.fields if name != "label" and name not in known and name not in asked]
    if unknown:
        yield Defect(
            "E073",
            f"fields names {listed(map(str, unknown))}, which its models do not have.",
            f"The fields are {listed(known)}; “label” is the record's own text."
            + nearest(str(unknown[0]), known),
        )


def _approval(agent: type[LifecycleAgent]) -> Iterator[Defect]:
    declared: Any = agent.approval
    if not isinstance(declared, Mapping):
        yield Defect(
            "E074", f"approval = {agent.approval!r} is no dict.", 'Write approval = {"cancel": "always"}.'
        )
        return
    wrong = [
        f"{getattr(event, 'name', event)}: {mode!r}"
        for event, mode in agent.approval.items()
        if mode not in MODES
    ]
    if wrong:
        yield Defect(
            "E074", f"approval says {', '.join(wrong)}.", f"Choose one of {listed(MODES)} for each event."
        )


def _budget(agent: type[LifecycleAgent]) -> Iterator[Defect]:
    from fsm_lifecycle import conf
    from fsm_lifecycle.agents.prices import price_of

    declared: Any = agent.budget
    if not isinstance(declared, Budget):
        yield Defect("E078", f"budget = {agent.budget!r} is no Budget.", "Write budget = Budget(turns=20).")
        return
    model = agent.model or conf.agent_model()
    if declared.cost is not None and price_of(model) is None:
        yield Defect(
            "E079",
            f"The budget limits the cost, and AGENT_PRICES has no price for {shown(model)}.",
            f'Add FSM_LIFECYCLE["AGENT_PRICES"] = {{"{model}": {{"input": 3, "output": 15}}}} with the dollars per '
            f"million tokens, or leave cost out of the budget.",
        )


def _tools(agent: type[LifecycleAgent], models: list[Any]) -> Iterator[Defect]:
    given = naming.names(models).meant
    for name in dir(agent):
        function = getattr(agent, name, None)
        if not is_tool(function):
            continue
        try:
            own_tool(name, function)  # type: ignore[arg-type]
        except Undescribable as error:
            yield Defect(
                "E076",
                f"The tool {shown(name)} cannot be described to a model: {error}.",
                "Write def name(self, run, days: int = 0) -> list[dict], with a docstring.",
            )
        if naming.fit(name) in given:
            yield Defect(
                "E077",
                f"The tool {shown(name)} is called like one that the table gives.",
                "Give the method another name.",
            )
