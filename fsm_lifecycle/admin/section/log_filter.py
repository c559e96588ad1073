"""Owns the filter of the log: its fields, what each leaves of the entries, and the chips that say so.

Every input of a stranger ends in an error beside its field. Must not know which entries may be seen.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format

from fsm_lifecycle.access.stores import user_text
from fsm_lifecycle.admin.section.moment_field import MomentField
from fsm_lifecycle.admin.section.record_field import RecordField, of_record
from fsm_lifecycle.engine.visible_log import owners
from fsm_lifecycle.ledger.entry import KINDS as ENTRY_KINDS
from fsm_lifecycle.ledger.entry import TransitionLog, TransitionLogQuerySet
from fsm_lifecycle.ledger.reading import unindexed
from fsm_lifecycle.presentation.timeline import KINDS as KIND_LABELS

ACTOR_KINDS: Final = {"user": "Person", "agent": "Agent", "system": "System", "unknown": "Unknown"}
_PLURALS: Final = {"user": "People", "agent": "Agents", "system": "System", "unknown": "Unknown actors"}

#: So many people at most may be meant by one name.
_NAMESAKES: Final = 20
_SHORTEST_HASH: Final = 8
_NOT_LISTED: Final = "There is no such one. Choose from the list."

_is_hash = re.compile(r"[0-9a-f]{8,64}", re.ASCII).fullmatch


class LogFilter(forms.Form):
    """The filter of the log. ``narrow`` is asked once it is valid."""

    model = forms.ChoiceField(label="Lifecycle", required=False)
    record = RecordField()
    event = forms.ChoiceField(label="Event", required=False)
    actor = forms.CharField(label="Who", required=False, max_length=255)
    kind = forms.ChoiceField(
        label="Kind of actor",
        required=False,
        choices=[("", "Any kind"), *ACTOR_KINDS.items()],
        error_messages={"invalid_choice": _NOT_LISTED},
    )
    since = MomentField(label="From")
    until = MomentField(label="To", end=True)
    cause = forms.CharField(label="Cause", required=False, max_length=64)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.models = {model._lifecycle.label: model for model in owners()}
        chosen = self.models.get(data.get("model", ""))
        self._events = _events([chosen] if chosen else list(self.models.values()))
        self._choices("model", [("", "Any lifecycle"), *((k, name_of(m)) for k, m in self.models.items())])
        self._choices("event", [("", "Any event"), *self._events.items()])
        for name, hint in (
            ("record", "ID"),
            ("actor", "Name or user name"),
            ("since", "1 Nov 2026"),
            ("until", "now"),
            ("cause", "Entry hash"),
        ):
            self.fields[name].widget.attrs["placeholder"] = hint
        self.caused_by: TransitionLog | None = None
        self._actor: Q | None = None

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
        field.error_messages["invalid_choice"] = _NOT_LISTED

    # --- reading what was typed -----------------------------------------------------------------------------

    def clean_actor(self) -> str:
        text = str(self.cleaned_data["actor"])
        if text:
            users = [user_text(user) for user in _called(text)[: _NAMESAKES + 1]]
            if len(users) > _NAMESAKES:
                raise forms.ValidationError(
                    f"More than {_NAMESAKES} people are called that. Write more of it."
                )
            known = Q(actor_kind__in=["user", "agent"], actor_id__in=[*users, text])
            self._actor = Q(actor_id__in=[*users, text]) & (known | Q(actor_kind="system", actor_id=text))
        return text

    def clean_cause(self) -> str:
        text = str(self.cleaned_data["cause"]).lower()
        if not text:
            return ""
        if not _is_hash(text):
            raise forms.ValidationError(
                f"An entry's hash has the digits 0 to 9 and a to f. Write at least {_SHORTEST_HASH} of them."
            )
        found = TransitionLog.objects.filter(entry_hash__gte=text, entry_hash__lt=f"{text}g").order_by(
            "entry_hash"
        )
        entries = list(found[:2])
        if len(entries) != 1:
            raise forms.ValidationError(
                "More than one entry begins like this. Write more of the hash."
                if entries
                else "No entry has this hash."
            )
        self.caused_by = entries[0]
        return text

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = found.get("since"), found.get("until")
        if since and until and since >= until:
            self.add_error("until", "This comes before the beginning. Write a later time.")
        return found

    # --- what it leaves -------------------------------------------------------------------------------------

    @property
    def only_times(self) -> bool:
        """Whether nothing but the time is filtered, so that the order in time is all a page needs."""
        return not any(value for name, value in self.cleaned_data.items() if name not in ("since", "until"))

    @property
    def by_record(self) -> bool:
        """Whether it is about one record, whose entries have an index of their own."""
        return bool(self.cleaned_data["record"])

    @property
    def counted_under(self) -> dict[str, str]:
        """What of it the daily rollup counts under, as its columns."""
        found = self.cleaned_data
        kind, _, event = found["event"].partition(":")
        columns = {"model_label": found["model"], "kind": kind, "event": event, "actor_kind": found["kind"]}
        return {name: value for name, value in columns.items() if value}

    def in_time(self, entries: TransitionLogQuerySet) -> TransitionLogQuerySet:
        """What is left by the times alone."""
        found = self.cleaned_data
        if found["since"]:
            entries = entries.filter(recorded_at__gte=found["since"])
        if found["until"]:
            entries = entries.filter(recorded_at__lt=found["until"])
        if self.caused_by is not None:
            # An effect is recorded after its cause.
            entries = entries.filter(recorded_at__gte=self.caused_by.recorded_at)
        return entries

    def narrow(self, entries: TransitionLogQuerySet) -> TransitionLogQuerySet:
        """What is left of the entries."""
        found = self.cleaned_data
        entries = self.in_time(entries)
        if found["record"]:
            labels = [found["model"]] if found["model"] else list(self.models)
            entries = entries.filter(**of_record(found["record"]), model_label__in=labels)
        elif found["model"]:
            entries = entries.filter(unindexed(Q(model_label=found["model"])))
        if found["event"]:
            kind, _, event = found["event"].partition(":")
            entries = entries.filter(kind="transition", event=event) if event else entries.filter(kind=kind)
        if self._actor is not None:
            entries = entries.filter(self._actor)
        if found["kind"]:
            entries = entries.filter(actor_kind=found["kind"])
        if self.caused_by is not None:
            entries = entries.filter(cause=self.caused_by.entry_hash)
        return entries

    # --- saying so ------------------------------------------------------------------------------------------

    def chips(self) -> list[tuple[str, str]]:
        """What is filtered, in words, each with the query that removes it."""
        words = {
            "model": lambda value: name_of(self.models[value]),
            "record": lambda value: f"record {value}",
            "event": lambda value: self._events[value],
            "kind": lambda value: _PLURALS[value],
            "since": lambda value: f"since {_shown(value)}",
            "until": lambda value: f"until {_shown(value, last=True)}",
            "cause": lambda value: f"caused by {value[:8]}",
        }
        return [
            (words[name](value) if name in words else str(value), self.query(without=(name,)))
            for name, value in self.cleaned_data.items()
            if value
        ]

    def query(self, *, without: tuple[str, ...] = (), **more: str) -> str:
        """The filter as a query string, without some of its fields and with something more."""
        kept = QueryDict(mutable=True)
        for name in self.fields:
            if name not in without and self.data.get(name):
                kept[name] = self.data[name]
        for name, value in more.items():
            kept[name] = value
        return f"?{kept.urlencode()}"

    def in_words(self) -> str:
        """What was looked for, as a sentence without an end: ``Reopen on an invoice by Ada``."""
        found = self.cleaned_data
        parts = [self._events[found["event"]] if found["event"] else "Any event"]
        if found["model"]:
            parts.append(f"on {name_of(self.models[found['model']]).lower()} {found['record']}".rstrip())
        elif found["record"]:
            parts.append(f"on a record {found['record']}")
        if found["actor"]:
            parts.append(f"by “{found['actor']}”")
        if found["since"]:
            parts.append(f"from {_shown(found['since'])}")
        if found["until"]:
            parts.append(f"to {_shown(found['until'], last=True)}")
        return " ".join(parts)


def name_of(model: Any) -> str:
    """What a lifecycle is called: its model's name."""
    name = str(model._meta.verbose_name)
    return f"{name[:1].upper()}{name[1:]}"


def _events(models: list[Any]) -> dict[str, str]:
    """What can be chosen: events by ``transition:name``, and other kinds of entries."""
    found: dict[str, str] = {}
    for model in models:
        for name, event in model._lifecycle.table.events.items():
            found.setdefault(f"transition:{name}", str(event.label))
    ordered = dict(sorted(found.items(), key=lambda one: one[1].lower()))
    return ordered | {kind: KIND_LABELS[kind] for kind in ENTRY_KINDS if kind in KIND_LABELS}


def _called(text: str) -> Any:
    """The users of a name or user name."""
    user: Any = get_user_model()
    names = {field.name for field in user._meta.concrete_fields}
    columns = [name for name in (user.USERNAME_FIELD, "first_name", "last_name") if name in names]
    every = Q()
    for word in text.split():
        any_of = Q()
        for column in columns:
            any_of |= Q(**{f"{column}__icontains": word})
        every &= any_of
    return user._default_manager.filter(every).order_by("pk")


def _shown(moment: datetime, *, last: bool = False) -> str:
    """A moment as a chip says it; ``last``: one that is no more included, so that a day's end names the day."""
    local = timezone.localtime(moment)
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return date_format(local - timedelta(days=1) if last else local, "j M Y")
    return date_format(local, "j M Y, H:i")
