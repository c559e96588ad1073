"""Owns what was typed for an event when it could not be done: how it reads, and how it comes back.

Must not know HTML, nor which page it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.http import QueryDict

from fsm_lifecycle.access import who_can
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.presentation.asking import Ask

#: Names that the page itself sends.
OWN: Final = ("csrfmiddlewaretoken", "expected_sequence", "review")
#: So many people are named who could do it.
NAMED: Final = 3


def typed(ask: Ask, data: QueryDict) -> Iterator[tuple[str, str]]:
    """What was typed, by the labels of the form; of a choice, its label."""
    for field in ask.form(data).visible_fields():
        value = field.value()
        if value not in (None, "", []):
            labels = _labels(getattr(field.field, "choices", ()))
            parts = value if isinstance(value, list | tuple) else [value]
            yield str(field.label), ", ".join(labels.get(str(part), str(part)) for part in parts if part)


def _labels(choices: Any) -> dict[str, str]:
    """The label of each value of a choice, those in groups as well."""
    found: dict[str, str] = {}
    for value, label in choices or ():
        found.update(_labels(label) if isinstance(label, list | tuple) else {str(value): str(label)})
    return found


def kept(data: QueryDict) -> list[tuple[str, str]]:
    """What goes into hidden inputs, so that it need not be typed again."""
    return [(name, value) for name, values in data.lists() for value in values if name not in OWN]


def who_could(ask: Ask, decision: Decision, user: Any) -> list[str]:
    """Who could do it instead, where roles are what is missing and the user may know of the others."""
    if not {denial.code for denial in decision.denials} & {"access_denied", "four_eyes"}:
        return []
    if not (user.has_perm("auth.view_user") or user.has_perm("fsm_lifecycle.grant_roles")):
        return []
    others = who_can(ask.event, on=ask.record).exclude(pk=user.pk).order_by("pk")[:NAMED]
    return [other.get_full_name() or str(other) for other in others]
