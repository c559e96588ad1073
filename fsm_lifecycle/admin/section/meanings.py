"""Owns what a role means in words, and what an access event says. Must not know where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model

from fsm_lifecycle.access.codenames import VERBS, codes_of, family, role_codename
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.definition import Role

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


def told(event: AccessEvent) -> Told:
    """What an access event says."""
    return Told(event, list(_sentence(event)), list(_notes(event)))


def by_whom(event: AccessEvent) -> str:
    """Who made a change, for the middle of a sentence."""
    if event.actor_kind == "system":
        return f"System, {event.actor_id}"
    return event.actor_label or (
        "somebody unknown" if event.actor_kind == "unknown" else f"user {event.actor_id}"
    )


def _sentence(event: AccessEvent) -> Iterator[Part]:
    actor = Part(_capital(by_whom(event).replace("System, ", "System: ")), name=True)
    holder = Part(event.holder_label or f"{event.holder_kind} {event.holder_id}", name=True)
    what = f"{_what(event)}{_on(event)}"
    if event.action == "delegated":
        to = Part(event.delegate_label or f"user {event.delegate_id}", name=True)
        yield from (actor, Part(" let "), to, Part(" act for "), holder, Part(_as(event)))
    elif event.action == "undelegated":
        to = Part(event.delegate_label or f"user {event.delegate_id}", name=True)
        yield from (Part("End of "), to, Part(" acting for "), holder, Part(_as(event)))
    elif event.action == "expired":
        yield from (Part(f"Grant of {what} to "), holder, Part(" ended"))
    elif event.road == "default":
        yield from (holder, Part(f" has {what} as its creator"))
    elif event.action == "granted":
        yield from (actor, Part(f" granted {what} to "), holder)
    else:
        yield from (actor, Part(f" revoked {what} from "), holder)


def _notes(event: AccessEvent) -> Iterator[str]:
    if event.action == "expired":
        yield "its time was over"
    elif event.action == "undelegated":
        yield f"by {by_whom(event)}"
    if event.reason:
        yield f"“{event.reason}”"
    road = {
        "membership": "through a group’s members",
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
    return f"membership of {event.group_label}" if event.group_label else "everything"


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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
