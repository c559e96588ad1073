"""Owns the page on which chosen fields of one entry are erased: choose, see what goes, confirm.

Must not know how a field is erased.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode

from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.retention import kind_of
from fsm_lifecycle.engine.redacting import redact
from fsm_lifecycle.engine.visible_log import owners, sight
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import redaction
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.people import names_of, who_did
from fsm_lifecycle.presentation.timeline import what_happened

#: What the fields of a body are, for who has to choose.
FIELDS: Final = {
    "actor": "Who fired it, by name",
    "approval": "Who approved it",
    "arguments": "What was given with the event",
    "branch": "Which way was taken",
    "metadata": "What the caller added",
    "observations": "What was observed then",
    "on_behalf_of": "In whose name it was done",
    "reason": "The stated reason",
    "run": "The agent’s run",
    "snapshot": "The values of the record’s fields",
    "snapshot_reason": "Why there is a snapshot",
    "via": "By what way it came in",
}
#: What parts of a field are called where their own name says too little.
_KEYS: Final = {
    "agent": "the agent’s name",
    "id": "the key",
    "label": "the name",
    "superuser": "that it was a superuser",
}
_SHORTEST: Final = 8
_is_hash = re.compile(r"[0-9a-f]{8,64}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Choice:
    """One field of the entry."""

    name: str
    means: str
    holds: str
    """What is in it, without values that the page may have to hide."""
    gone: bool
    stays: str
    """Why it cannot be redacted; empty when it can."""


class RedactForm(forms.Form):
    """Which fields go, and why."""

    fields_chosen = forms.MultipleChoiceField(error_messages={"required": "Choose what is to go."})
    reason = forms.CharField(
        max_length=500,
        error_messages={"required": "The log needs a reason. Say why, without anything personal."},
    )

    def __init__(self, *args: Any, choices: list[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(one.name, one.means) for one in choices if not one.gone and not one.stays]
        self.fields["fields_chosen"].choices = names  # type: ignore[attr-defined]


class RedactEntryPage(Page):
    """Erasing fields of one entry."""

    name = "redact_entry"
    route = "ledger/redact/entry/"
    permission = "fsm_lifecycle.redact_entries"
    title = "Redact an entry"
    under = "ledger"
    template_name = "admin/fsm_lifecycle/section/redact_entry.html"
    form: RedactForm | None = None
    confirming = False

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.asked = request.GET.get("entry", "").strip().lower()
        self.entry: TransitionLog | None = None
        self.choices: list[Choice] = []
        self.error = ""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._load()
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._load()
        if self.entry is None:
            return self.render_to_response(self.get_context_data())
        form = self.form = RedactForm(request.POST, choices=self.choices)
        if form.is_valid() and request.POST.get("do") == "redact":
            try:
                made = redact(
                    self.entry,
                    form.cleaned_data["fields_chosen"],
                    reason=form.cleaned_data["reason"],
                    by=request.user,
                )
            except LifecycleError as error:
                form.add_error(None, str(error))
            else:
                if made is None:
                    messages.info(request, "All of this was redacted already. Nothing was changed.")
                else:
                    number = len(form.cleaned_data["fields_chosen"])
                    messages.success(
                        request,
                        f"{number} field{'' if number == 1 else 's'} of {redaction.name_of(self.entry)} erased for "
                        f"good. Its hash and every proof still hold, and a redaction entry says who did it and why.",
                    )
                return HttpResponseRedirect(f"{request.path}?{urlencode({'entry': self.entry.entry_hash})}")
        self.confirming = form.is_valid()
        return self.render_to_response(self.get_context_data())

    def _load(self) -> None:
        if not self.asked:
            return
        try:
            self.entry = self._found()
            self.choices = _choices(self.entry)
        except (ValidationError, LifecycleError) as error:
            self.entry = None
            self.error = str(error.message) if isinstance(error, ValidationError) else str(error)

    def _found(self) -> TransitionLog:
        if not _is_hash(self.asked):
            raise ValidationError(
                f"An entry’s hash has the digits 0 to 9 and a to f. Write at least {_SHORTEST} of them."
            )
        entries = sight(self.request.user).entries(TransitionLog.objects.all())
        found = list(
            entries.filter(entry_hash__gte=self.asked, entry_hash__lt=f"{self.asked}g").order_by(
                "entry_hash"
            )[:2]
        )
        if len(found) != 1:
            raise ValidationError(
                "More than one entry begins like this. Write more of the hash."
                if found
                else "No entry that you may see has this hash."
            )
        return found[0]

    def _what(self) -> str:
        assert self.entry is not None
        label = self.entry.model_label
        binding = next((m._lifecycle for m in owners() if m._lifecycle.label == label), None)
        return what_happened(binding, self.entry)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or (RedactForm(choices=self.choices) if self.entry is not None else None)
        chosen = set(form["fields_chosen"].value() or []) if form is not None else set()
        return {
            **super().get_context_data(**kwargs),
            "asked": self.asked,
            "error": self.error,
            "entry": self.entry,
            "who": who_did(self.entry, names_of([self.entry])) if self.entry is not None else None,
            "what": self._what() if self.entry is not None else "",
            "record": kind_of(self.entry.model_label) if self.entry is not None else "",
            "choices": self.choices,
            "chosen": chosen,
            "going": [one for one in self.choices if one.name in chosen],
            "left": [one for one in self.choices if not one.gone and not one.stays],
            "form": form,
            "confirming": self.confirming,
            "ledger_url": self.url("ledger"),
        }


def _choices(entry: TransitionLog) -> list[Choice]:
    return [
        Choice(
            name=name,
            means=FIELDS.get(name, name.replace("_", " ")),
            holds="" if field.redacted else _holds(field.value),
            gone=field.redacted,
            stays=redaction.must_stay(entry.kind, name),
        )
        for name, field in sorted(redaction.fields_of(entry).items())
    ]


def _holds(value: Any) -> str:
    """What is in a field: names of what it keeps, and no values, which its model's admin may hide."""
    if isinstance(value, dict):
        return ", ".join(_KEYS.get(key, str(key).replace("_", " ")) for key in value) or "nothing"
    if isinstance(value, list):
        return f"{len(value):,} values"
    return "a text" if isinstance(value, str) else "a value"
