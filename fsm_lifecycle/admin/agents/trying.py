"""Owns the form of the tester: an input for each argument of a tool, and the arguments that come of what was typed.

It corrects nothing: what is no number goes to the tool as it was typed, and the tool says no. Must not call a tool.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from fsm_lifecycle.agents.dispatching import LARGEST

PREFIX: Final = "a-"
RAW: Final = "raw"
_LINE: Final = 255


class TryingForm(forms.Form):
    """The arguments of one tool."""

    def __init__(self, schema: Mapping[str, Any], states: Sequence[str], data: Any = None) -> None:
        super().__init__(data, prefix=None, auto_id="try_%s")
        self.schema = schema
        for name, one in schema["properties"].items():
            choices = states if name == "expected_state" and states else one.get("enum")
            self.fields[f"{PREFIX}{name}"] = _field(name, one, choices, name in schema.get("required", []))
        self.fields[RAW] = forms.CharField(
            label="All arguments as JSON, instead",
            required=False,
            max_length=LARGEST,
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        )

    @property
    def own(self) -> list[forms.BoundField]:
        """The fields of the tool's own arguments."""
        return [self[name] for name in self.fields if name != RAW]

    def arguments(self) -> dict[str, Any]:
        """What the tool is called with. Raises ``ValueError`` where the JSON cannot be read."""
        raw = str(self.data.get(RAW, "")).strip()
        if raw:
            try:
                read = json.loads(raw[: LARGEST + 1])
            except (ValueError, RecursionError):
                raise ValueError("This is no JSON.") from None
            if not isinstance(read, dict):
                raise ValueError("Give a JSON object: {…}.")
            return read
        found = {}
        for name, one in self.schema["properties"].items():
            text = str(self.data.get(f"{PREFIX}{name}", ""))
            if text.strip():
                found[name] = _read(text.replace("\r\n", "\n"), one)
        return found


def _field(name: str, one: Mapping[str, Any], choices: Any, required: bool) -> forms.Field:
    label = f"{name} (required)" if required else name
    words = str(one.get("description", ""))
    if choices:
        offered = [("", "–"), *((_text(value), _text(value) or "empty") for value in choices if value != "")]
        return forms.ChoiceField(label=label, choices=offered, required=False, help_text=words)
    kinds = _kinds(one)
    if kinds == {"boolean"}:
        return forms.ChoiceField(
            label=label, choices=[("", "–"), ("true", "yes"), ("false", "no")], required=False
        )
    if not kinds or kinds & {"object", "array"}:
        return forms.CharField(
            label=f"{label}, as JSON",
            required=False,
            help_text=words,
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        )
    plain = kinds == {"string"} and not one.get("format") and one.get("maxLength", _LINE + 1) > _LINE
    long = plain and name not in ("id", "cursor", "expected_state")
    widget: forms.Widget = forms.Textarea(attrs={"rows": 2}) if long else forms.TextInput()
    widget.attrs["autocomplete"] = "off"
    return forms.CharField(label=label, required=False, help_text=words, widget=widget)


def _kinds(one: Mapping[str, Any]) -> set[str]:
    kinds = one.get("type", [])
    return set(kinds if isinstance(kinds, list) else [kinds]) - {"null"}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read(text: str, one: Mapping[str, Any]) -> Any:
    """What was typed as what the schema asks for, or as it is."""
    kinds = _kinds(one)
    if "enum" in one:
        return next((value for value in one["enum"] if _text(value) == text), text)
    if "string" in kinds:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
