"""Owns what tools are called: one name for one tool of an agent, at most 64 characters. Must not know what they do."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Meant:
    """What a name stands for."""

    kind: str
    """``list``, ``get``, ``events``, ``history``, ``fire``, ``plan`` or ``own``."""
    place: int = -1
    """Which of the agent's lifecycles."""
    event: str = ""
    own: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one agent's tools."""

    meant: dict[str, Meant]

    def find(self, kind: str, place: int, event: str = "") -> str:
        """The name of a lifecycle's tool."""
        return next(n for n, m in self.meant.items() if (m.kind, m.place, m.event) == (kind, place, event))

    def events(self, place: int) -> dict[str, str]:
        """By event: the name of its tool."""
        return {m.event: name for name, m in self.meant.items() if m.kind == "fire" and m.place == place}


def singular(model: Any) -> str:
    """``invoice``."""
    return str(model._meta.model_name)


def plural(model: Any) -> str:
    """``invoices``, or what the lifecycle says."""
    own = model._lifecycle.table.options.get("tool_plural")
    return own if isinstance(own, str) and own else f"{singular(model)}s"


def names(models: Sequence[Any], own_tools: Sequence[str] = ()) -> Names:
    """The names of the tools of an agent for these lifecycles.

    The app's label goes in front where two lifecycles, or an event and another tool, would have one name.
    """
    ones, manys = Counter(map(singular, models)), Counter(map(plural, models))
    found: dict[str, Meant] = {}
    firing: list[tuple[str, str, Meant]] = []
    for place, model in enumerate(models):
        app = model._meta.app_label
        twin = ones[singular(model)] > 1 or manys[plural(model)] > 1
        one = f"{app}_{singular(model)}" if twin else singular(model)
        many = f"{app}_{plural(model)}" if twin else plural(model)
        for kind, name in (
            ("list", f"list_{many}"),
            ("get", f"get_{one}"),
            ("events", f"available_events_for_{one}"),
            ("history", f"transition_history_for_{one}"),
            ("plan", f"plan_{many}"),
        ):
            _take(found, [name, f"{app}_{name}", f"{app}_{kind}_{name}"], Meant(kind, place))
        for event in model._lifecycle.table.events:
            firing.append((app, f"{event}_{one}", Meant("fire", place, event)))
    clashing = Counter(fit(name) for _, name, _ in firing)
    for app, name, meant in firing:
        wanted = [f"{app}_{name}", f"{app}_fire_{name}"]
        _take(found, wanted if clashing[fit(name)] > 1 else [name, *wanted], meant)
    for name in own_tools:
        if fit(name) not in found:  # a check names those that are
            found[fit(name)] = Meant("own", own=name)
    return Names(found)


def _take(found: dict[str, Meant], wanted: list[str], meant: Meant) -> None:
    for name in (*wanted, *(f"{wanted[-1]}_{number}" for number in range(2, 1000))):
        if fit(name) not in found:
            found[fit(name)] = meant
            return


def fit(name: str) -> str:
    """A name as protocols take it: ASCII letters, digits, underscores; shortened with a hash where it is too long."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if plain == name and len(name) <= LONGEST:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain[: LONGEST - 9]}_{mark}"
