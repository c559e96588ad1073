"""Owns which agents there are: those declared in the apps' ``agents.py``, and one for every other lifecycle.

Must not know what they do.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from django.utils.module_loading import autodiscover_modules

from fsm_lifecycle import registry as tables
from fsm_lifecycle.access.codenames import concrete
from fsm_lifecycle.agents.budget import narrowest
from fsm_lifecycle.agents.declaring import LifecycleAgent
from fsm_lifecycle.agents.profile import Profile, key_of, models_of, names_of, profile

#: The key of the agent that has the tools of every lifecycle, each by its own agent's rules.
ALL: Final = "all"

_declared: list[type[LifecycleAgent]] = []
_lock = threading.RLock()
_discovered = False
_discovering = False


def register(agent: type[LifecycleAgent]) -> None:
    """Make an agent known. The same class declared again, as when a module is loaded anew, takes its own place."""
    with _lock:
        name = (agent.__module__, agent.__qualname__)
        _declared[:] = [one for one in _declared if (one.__module__, one.__qualname__) != name]
        _declared.append(agent)
        _forget()


def unregister(agent: type[LifecycleAgent]) -> None:
    """Forget an agent."""
    with _lock:
        _declared[:] = [one for one in _declared if one is not agent]
        _forget()


def discover() -> None:
    """Import ``agents.py`` of every app, once."""
    global _discovered, _discovering
    if _discovered:
        return
    # Who asks meanwhile waits: with half of the agents, a lifecycle would be left to one without a list of its own.
    with _lock:
        if _discovered or _discovering:  # a module that is being imported asks
            return
        _discovering = True
        try:
            autodiscover_modules("agents")
            _discovered = True
        finally:
            _discovering = False


def declared() -> list[type[LifecycleAgent]]:
    """Every declared agent, in the order of the apps."""
    discover()
    return list(_declared)


def profiles() -> list[Profile]:
    """Every agent there is: the declared ones, and the one of each lifecycle without."""
    found = [of(agent) for agent in declared()]
    covered = {label for one in found for label in one.lifecycles}
    return found + [of_model(m) for m in tables.lifecycles() if m._meta.label_lower not in covered]


def get(key: str) -> Profile:
    """The agent of a key, a class's name or a lifecycle's label. Raises ``LookupError`` naming those there are."""
    if key == ALL:
        return everything()
    # The newest first: of two with one key, the one declared last counts.
    for agent in reversed(declared()):
        if key_of(agent) == key:
            return of(agent)
    for agent in reversed(declared()):
        if key in names_of(agent):
            return of(agent)
    try:
        return of_model(tables.get(key))
    except LookupError:
        known = ", ".join(one.key for one in profiles()) or "none yet"
        raise LookupError(f"There is no agent {key!r}. The agents are: {known}.") from None


def of(agent: type[LifecycleAgent]) -> Profile:
    """What a declared agent comes to."""
    declaration: Any = agent
    found: Profile = _profile(declaration)
    return found


def of_model(model: Any) -> Profile:
    """The agent of a lifecycle: the first that is declared for it, else one with nothing but the table."""
    wanted = concrete(model)
    for agent in declared():
        if any(concrete(one) is wanted for one in models_of(agent)):
            return of(agent)
    return of(_default(wanted))


def _forget() -> None:
    _profile.cache_clear()
    everything.cache_clear()


@lru_cache(maxsize=256)
def _profile(agent: Any) -> Profile:
    return profile(agent)


@lru_cache(maxsize=256)
def _default(model: Any) -> type[LifecycleAgent]:
    class Default(LifecycleAgent, register=False):
        lifecycle = model
        key = model._meta.label_lower
        label = f"{model._meta.verbose_name} agent".capitalize()

    return Default


@lru_cache(maxsize=1)
def everything() -> Profile:
    """The agent with the tools of every lifecycle: each by the rules of the lifecycle's own agent."""
    parts = {model: of_model(model) for model in tables.lifecycles()}
    scopes = [part.scope_of(model._meta.label_lower) for model, part in parts.items()]
    whole = list({part.key: part for part in parts.values()}.values())
    often = Counter(own.name for part in whole for own in part.own_tools)
    tools = {}
    owners = {}
    for part in whole:
        for own in part.own_tools:
            # Of two agents' tools with one name, each says whose it is.
            name = own.name if often[own.name] == 1 else f"{part.key}_{own.name}".replace(".", "_")
            if part.owner is not None:
                tools[name] = replace(own, name=name)
                owners[name] = part.owner
    return Profile(
        key=ALL,
        label="Agent of every lifecycle",
        model="",
        instructions="\n\n".join(dict.fromkeys(p.instructions for p in parts.values() if p.instructions)),
        budget=narrowest(part.budget for part in whole),
        scopes=tuple(one for one in scopes if one is not None),
        own_tools=tuple(tools.values()),
        owners=owners,
    )
