"""Owns the tags and filters that pages are made of: ``{% load lifecycle %}``.

Must not know which page uses them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django import forms, template
from django.db import models
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.durations import in_words
from fsm_lifecycle.presentation.marks import glyph, icon
from fsm_lifecycle.presentation.people import Who, who_did

register = template.Library()


@register.simple_tag
def lifecycle_badge(state: Any, *, of: Any = None, large: bool = False) -> SafeString:
    """A state's badge. ``state`` is a ``State`` or ``Badge``, or a stored value with the model in ``of``.

    A record stands for its own state.
    """
    shown = _badge(state, of)
    return SafeString("") if shown is None else _drawn(shown, large)


@lru_cache(maxsize=1024)
def _drawn(shown: Badge, large: bool) -> SafeString:
    return format_html(
        '<span class="lifecycle-state t-{}{}">{}<span>{}</span></span>',
        shown.tone,
        " is-large" if large else "",
        glyph(shown.tone),
        shown.label,
    )


@register.simple_tag
def lifecycle_move(source: Any, target: Any, *, of: Any = None, large: bool = False) -> SafeString:
    """From one state to another; either may be missing."""
    return _moved(_badge(source, of), _badge(target, of), large)


@lru_cache(maxsize=1024)
def _moved(source: Badge | None, target: Badge | None, large: bool) -> SafeString:
    parts = [_drawn(state, large) for state in (source, target) if state is not None]
    between = format_html('{}<span class="visually-hidden">to</span>', icon("arrow"))
    return format_html(
        '<span class="lc-move">{}</span>',
        format_html_join("", "{}{}", ((between if place else "", part) for place, part in enumerate(parts))),
    )


@register.simple_tag
def lifecycle_target(state: Any, *, of: Any = None) -> SafeString:
    """The target state inside an event's button: glyph and word without a badge."""
    shown = _badge(state, of)
    if shown is None:
        return SafeString("")
    return format_html('<span class="lc-target t-{}">{}{}</span>', shown.tone, glyph(shown.tone), shown.label)


@register.simple_tag
def lifecycle_glyph(tone: str) -> SafeString:
    """The drawing of a tone."""
    return glyph(tone)


@register.simple_tag
def lifecycle_icon(name: str, extra: str = "") -> SafeString:
    """An icon of ``presentation.marks``."""
    return icon(name, extra)


@register.simple_tag
def lifecycle_actor(who: Any) -> SafeString:
    """An actor with an icon and, for screen readers, the kind in words. ``who``: a ``Who`` or a log entry."""
    return _named(who_did(who) if isinstance(who, TransitionLog) else who)


@lru_cache(maxsize=1024)
def _named(shown: Who) -> SafeString:
    return format_html(
        '<span class="lc-actor">{}<span><span class="visually-hidden">{}: </span>{}</span></span>',
        icon(shown.kind),
        shown.word,
        shown.label,
    )


@register.filter
def lifecycle_ago(when: datetime | timedelta | None) -> str:
    """How long ago that was, or how long it is, in words: ``3 days``."""
    if when is None:
        return "–"
    return in_words(when if isinstance(when, timedelta) else timezone.now() - when)


@register.filter
def lifecycle_hash(value: str | None) -> str:
    """The first 8 characters of a hash."""
    return (value or "–")[:8]


@register.inclusion_tag("fsm_lifecycle/parts/timeline.html")
def lifecycle_timeline(items: Any) -> dict[str, Any]:
    """The history of a record, newest first: items of ``presentation.timeline``."""
    return {"items": items}


@register.inclusion_tag("fsm_lifecycle/parts/events.html")
def lifecycle_events(panel: Any) -> dict[str, Any]:
    """What can be done with a record and what cannot: a ``presentation.panel.Panel``."""
    return {"panel": panel}


@register.inclusion_tag("fsm_lifecycle/parts/outlook.html")
def lifecycle_outlook(outlook: Any) -> dict[str, Any]:
    """What an event will do: a ``presentation.outlook.Outlook``."""
    return {"outlook": outlook}


@register.inclusion_tag("fsm_lifecycle/parts/form.html")
def lifecycle_form(form: forms.BaseForm) -> dict[str, Any]:
    """The fields of a form, each with its label, help and errors. No ``<form>`` around them."""
    return {"form": form}


def _badge(state: Any, of: Any) -> Badge | None:
    if state is None or state == "":
        return None
    if isinstance(state, Badge):
        return state
    if isinstance(state, models.Model):
        binding = type(state)._lifecycle  # type: ignore[attr-defined]
        return badge(binding.table, getattr(state, binding.state_name))
    if of is not None:
        return badge(of._lifecycle.table, state)
    if hasattr(state, "tone"):
        return Badge(state.value, str(state.label), state.tone)
    return Badge(str(state), str(state), "active", known=False)
