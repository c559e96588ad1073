"""Filters: which entries an endpoint is told of.

``billing.invoice.pay``, ``billing.invoice.*``, ``*.pay`` and ``*`` match events; entries of other kinds have a colon:
``billing.invoice:created``, ``*:deleted``. Must not know endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps

from fsm_lifecycle.ledger.entry import KINDS
from fsm_lifecycle.registry import lifecycles

#: The kinds of entries that are no events.
OTHER_KINDS: Final = tuple(kind for kind in KINDS if kind != "transition")

#: The most characters of a filter, as of the longest type.
LONGEST: Final = 210

_is_filter = re.compile(r"[^\s,:]+(:[a-z*]+)?").fullmatch


def type_of(model_label: str, kind: str, event: str | None) -> str:
    """What messages and filters call an entry: ``billing.invoice.pay``, or ``billing.invoice:created``."""
    return f"{model_label}.{event}" if kind == "transition" else f"{model_label}:{kind}"


def listed(events: Any) -> list[str]:
    """Filters as a list: also one text with commas or blanks between them."""
    if isinstance(events, str):
        return [one for one in re.split(r"[\s,]+", events) if one]
    return [str(one) for one in events] if isinstance(events, Iterable) else []


def matches(filters: Iterable[str], type_: str) -> bool:
    """Whether one of the filters matches a type."""
    return any(_matches(one, type_) for one in filters)


def _matches(filter_: str, type_: str) -> bool:
    # A star stands for anything but a colon, so `*` means every event and no other kind.
    wanted, parts = filter_.split(":"), type_.split(":")
    return len(wanted) == len(parts) and all(map(_fits, wanted, parts))


def _fits(wanted: str, text: str) -> bool:
    """Whether a text is as wanted, where a star stands for anything. Never goes back, however many stars there are."""
    first, *rest = wanted.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    place, end = len(first), len(text) - len(last)
    if place > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:  # the first place where it stands leaves the most for the others
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def defects(filters: Iterable[str]) -> list[str]:
    """What is wrong with filters, in words; those that could never match among them."""
    known = _types()
    found = []
    for one in filters:
        if len(one) > LONGEST:
            found.append(f"“{one[:40]}…” is longer than {LONGEST} characters.")
        elif not _is_filter(one):
            found.append(
                f"“{one}” is no filter. Write billing.invoice.pay, billing.invoice.*, *.pay, * or "
                f"billing.invoice:created."
            )
        elif not any(_matches(one, type_) for type_ in known):
            found.append(f"“{one}” matches nothing. {_near(one)}")
    return found


def _near(text: str) -> str:
    label, colon, _ = text.partition(":")
    if colon:
        return f"After the colon stands one of {', '.join(OTHER_KINDS)}, before it one of {', '.join(_labels())}."
    model = ".".join(label.split(".")[:2])
    events = _events().get(model)
    if events:
        return f"The events of {model} are {', '.join(sorted(events))}."
    return f"The models with a lifecycle are {', '.join(_labels())}."


def _types() -> set[str]:
    types = {f"{label}:{kind}" for label in _labels() for kind in OTHER_KINDS}
    return types | {f"{label}.{event}" for label, events in _events().items() for event in events}


def _labels() -> list[str]:
    return sorted({model._lifecycle.label for model in lifecycles()})


def _events() -> dict[str, set[str]]:
    """The events by label; a label is shared by a model, its children and its proxies."""
    found: dict[str, set[str]] = {}
    for model in apps.get_models():
        if hasattr(model, "_lifecycle"):
            found.setdefault(model._lifecycle.label, set()).update(model._lifecycle.table.events)
    return found
