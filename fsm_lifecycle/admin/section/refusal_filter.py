"""Owns the filter of the refusals: its fields, what each leaves, and the chips that say so.

Every input of a stranger ends in an error beside its field. Must not know which refusals may be seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst

from fsm_lifecycle.access import stores
from fsm_lifecycle.admin.section.moment_field import MomentField
from fsm_lifecycle.admin.section.record_field import RecordField, of_record
from fsm_lifecycle.admin.section.search import matches_user
from fsm_lifecycle.engine.visible_log import owners

#: What each code is called.
CODES: Final = {
    "access_denied": "Role missing",
    "four_eyes": "Same person again",
    "approval_required": "Needs approval",
    "wrong_state": "Not from this state",
    "terminal_state": "Final state",
    "stale_state": "Had changed meanwhile",
    "invalid_arguments": "Arguments refused",
    "guard_failed": "Guard said no",
    "guard_error": "Guard broke",
    "unknown_event": "No such event",
}
#: Through what somebody asked, in words for the middle of a sentence.
SURFACES: Final = {
    "code": "code",
    "admin": "the admin",
    "pages": "the pages",
    "api": "the REST API",
    "agent": "an agent",
    "approval": "an approval",
    "chat": "a chat",
    "mcp": "MCP",
    "command": "a command",
    "tester": "the tester of tools",
}
_NAMESAKES: Final = 20


class RefusalFilter(forms.Form):
    """The filter of the refusals. ``narrow`` is asked once it is valid."""

    model = forms.ChoiceField(label="Lifecycle", required=False)
    record = RecordField()
    event = forms.ChoiceField(label="Event", required=False)
    code = forms.ChoiceField(label="Why", required=False, choices=[("", "Any reason"), *CODES.items()])
    actor = forms.CharField(label="Who", required=False, max_length=150)
    surface = forms.ChoiceField(
        label="Through",
        required=False,
        choices=[
            ("", "Any surface"),
            *((name, capfirst(words)) for name, words in SURFACES.items()),
        ],
    )
    since = MomentField(label="From")
    until = MomentField(label="To", end=True)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.models: dict[str, Any] = {model._lifecycle.label: model for model in owners()}
        chosen = self.models.get(data.get("model", ""))
        self._events = _events([chosen] if chosen else list(self.models.values()))
        self._choices("model", [("", "Any lifecycle"), *((k, _called(m)) for k, m in self.models.items())])
        self._choices("event", [("", "Any event"), *self._events.items()])
        for name, hint in (
            ("record", "ID"),
            ("actor", "Name or user name"),
            ("since", "1 Nov 2026"),
            ("until", "now"),
        ):
            self.fields[name].widget.attrs["placeholder"] = hint
        self._actor: Q | None = None

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean_actor(self) -> str:
        text = str(self.cleaned_data["actor"])
        if text:
            user: Any = get_user_model()
            found = stores.all_of(user, router.db_for_read(user)).filter(matches_user(text)).order_by("pk")
            people = [stores.user_text(one) for one in found[: _NAMESAKES + 1]]
            if len(people) > _NAMESAKES:
                raise forms.ValidationError(
                    f"More than {_NAMESAKES} people are called that. Write more of it."
                )
            self._actor = Q(actor_kind__in=["user", "agent"], actor_id__in=[*people, text])
            self._actor |= Q(actor_kind="system", actor_id=text) | Q(actor_label=text)
        return text

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = found.get("since"), found.get("until")
        if since and until and since >= until:
            self.add_error("until", "This comes before the beginning. Write a later time.")
        return found

    def narrow(self, refusals: QuerySet[Any]) -> QuerySet[Any]:
        """What is left of the refusals."""
        found = self.cleaned_data
        for name, column in (
            ("model", "model_label"),
            ("event", "event"),
            ("code", "code"),
            ("surface", "surface"),
            ("since", "recorded_at__gte"),
            ("until", "recorded_at__lt"),
        ):
            if found[name]:
                refusals = refusals.filter(**{column: found[name]})
        if found["record"]:
            refusals = refusals.filter(**of_record(found["record"]))
        return refusals if self._actor is None else refusals.filter(self._actor)

    def chips(self) -> list[tuple[str, str]]:
        """What is filtered, in words, each with the query that removes it."""
        words: dict[str, Any] = {
            "model": lambda value: _called(self.models[value]),
            "record": lambda value: f"record {value}",
            "event": lambda value: self._events[value],
            "code": CODES.get,
            "surface": lambda value: f"through {SURFACES[value]}",
            "since": lambda value: f"since {_shown(value)}",
            "until": lambda value: f"until {_shown(value, last=True)}",
        }
        return [
            (str(words[name](value) if name in words else value), self.query(without=(name,)))
            for name, value in self.cleaned_data.items()
            if value
        ]

    def query(self, *, without: tuple[str, ...] = ()) -> str:
        """The filter as a query string, without some of its fields."""
        kept = QueryDict(mutable=True)
        for name in self.fields:
            if name not in without and self.data.get(name):
                kept[name] = self.data[name]
        return f"?{kept.urlencode()}"


def _called(model: Any) -> str:
    name = str(model._meta.verbose_name)
    return f"{name[:1].upper()}{name[1:]}"


def _events(models: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for model in models:
        for name, event in model._lifecycle.table.events.items():
            found.setdefault(name, str(event.label))
    return dict(sorted(found.items(), key=lambda one: one[1].lower()))


def _shown(moment: datetime, *, last: bool = False) -> str:
    local = timezone.localtime(moment)
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return date_format(local - timedelta(days=1) if last else local, "j M Y")
    return date_format(local, "j M Y, H:i")
