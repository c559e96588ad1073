"""Owns what a role means in words, and what an access event says. Must not know where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Model

from fsm_lifecycle.access.codenames import VERBS, codes_of, family, role_codename
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.definition import Role
from fsm_lifecycle.presentation.people import full_names

#: Full names by the key of a user, as text.
Names = Mapping[str, str]

_VERBS = {"add": "create", "view": "read", "change": "change", "delete": "delete"}


def means(model: type[Model], role: Role) -> str:
    """What a role allows: its description, then rights and events."""
    meaning = codes_of(model).meanings[role_codename(role)]
    number, of = len(meaning.events), len(codes_of(model).table.events)
    may = [_VERBS[verb] for flag, verb in VERBS.items() if flag in meaning.crud]
    parts = [f"{listed(may)} {model._meta.verbose_name_plural}"] if may else []
    if number:
        parts.append("fire every event" if number == of else f"fire {number} of {of} events")
    text = f"May {', and '.join(parts)}." if parts else "Gives nothing by itself."
    description = str(role.description).strip()
    return f"{description} {text}" if description else text


def listed(words: list[str]) -> str:
    """``create, read and change``."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence."""

    text: str
    name: bool = False
    """Whether it names somebody."""


@dataclass(frozen=True, slots=True)
class Told:
    """An access event as people read it."""

    event: AccessEvent
    parts: list[Part]
    notes: list[str]
    """What stands under the sentence, beside the time: the reason, by which road."""

    @property
    def recorded_at(self) -> datetime:
        return self.event.recorded_at


def told(events: Iterable[AccessEvent], using: str) -> list[Told]:
    """What access events say, with the full names that people have today: one statement for all."""
    events = list(events)
    names = names_in(events, using)
    return [Told(event, list(_sentence(event, names)), list(_notes(event, names))) for event in events]


def names_in(events: Iterable[AccessEvent], using: str) -> Names:
    """The full names of everybody whom access events name."""
    keys: set[str] = set()
    for event in events:
        if event.actor_kind in ("user", "agent"):
            keys.add(event.actor_id)
        if event.holder_kind == "user":
            keys.update((event.holder_id, event.delegate_id))
    return full_names(keys - {""}, using)


def by_whom(event: AccessEvent, names: Names) -> str:
    """Who made a change, for the middle of a sentence."""
    if event.actor_kind == "system":
        return f"System, {event.actor_id}"
    if event.actor_kind == "unknown":
        return event.actor_label or "somebody unknown"
    return _person(event.actor_label, event.actor_id, names)


def _person(label: str, key: str, names: Names) -> str:
    """A person by the full name of today. Whose name was erased stays without one."""
    return names.get(key, label) if label else f"user {key}"


def _sentence(event: AccessEvent, names: Names) -> Iterator[Part]:
    who = (
        "Somebody unknown"
        if event.actor_kind == "unknown" and not event.actor_label
        else by_whom(event, names)
    )
    actor = Part(f"System: {event.actor_id}" if event.actor_kind == "system" else who, name=True)
    if event.holder_kind == "user":
        holder = Part(_person(event.holder_label, event.holder_id, names), name=True)
    else:
        holder = Part(event.holder_label or f"group {event.holder_id}", name=True)
    delegate = Part(_person(event.delegate_label, event.delegate_id, names), name=True)
    what = f"{_what(event)}{_on(event)}"
    if event.action == "delegated":
        yield from (actor, Part(" let "), delegate, Part(" act for "), holder, Part(_as(event)))
    elif event.action == "undelegated":
        yield from (Part("End of "), delegate, Part(" acting for "), holder, Part(_as(event)))
    elif event.group_label and not event.role and not event.permission:
        verb, way = ("added", "to") if event.action == "granted" else ("took", "from")
        if event.action == "expired":
            yield from (Part("The membership of "), holder, Part(f" in the group {event.group_label} ended"))
        else:
            yield from (actor, Part(f" {verb} "), holder, Part(f" {way} the group {event.group_label}"))
    elif event.action == "expired":
        yield from (Part(f"Grant of {what} to "), holder, Part(" ended"))
    elif event.road == "default":
        yield from (holder, Part(f" has {what} as its creator"))
    elif event.action == "granted":
        yield from (actor, Part(f" granted {what} to "), holder)
    else:
        yield from (actor, Part(f" revoked {what} from "), holder)


def _notes(event: AccessEvent, names: Names) -> Iterator[str]:
    if event.action == "expired":
        yield "its time was over"
    elif event.action == "undelegated":
        yield f"by {by_whom(event, names)}"
    if event.reason:
        yield f"“{event.reason}”"
    own = (
        f"{event.model_label}:{event.role}"  # the group that was made for the role: nobody has to know of it
    )
    if event.role and event.group_label not in ("", own) and event.holder_kind == "user":
        yield f"through the group {event.group_label}"
    road = {
        "permission": "as a permission",
        "object": "by guardian",
        "deletion": "with what was deleted",
        "reconcile": "found afterwards",
    }.get(event.road)
    if road:
        yield road


def _what(event: AccessEvent) -> str:
    if event.role:
        return role_label(event.model_label, event.role)
    if event.permission:
        return f"the permission {event.permission}"
    return "everything"


def _on(event: AccessEvent) -> str:
    if not event.model_label:
        return ""
    model = _model(event.model_label)
    if event.object_pk:
        kind = str(model._meta.verbose_name) if model else event.model_label
        return f" on {kind} {event.object_pk}"
    return f" on all {model._meta.verbose_name_plural}" if model else f" on all of {event.model_label}"


def _as(event: AccessEvent) -> str:
    return f" as {role_label(event.model_label, event.role)}" if event.role else " in all roles"


def role_label(model_label: str, role: str) -> str:
    """A role as people know it; of any lifecycle where none is named."""
    model = _model(model_label) if model_label else None
    of = family(model) if model else [m for m in apps.get_models() if hasattr(m, "_lifecycle")]
    for member in of:
        found = codes_of(member).table.roles.get(role)
        if found is not None:
            return str(found.label)
    return role


def _model(label: str) -> Any:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return None
    return model if hasattr(model, "_lifecycle") else None
