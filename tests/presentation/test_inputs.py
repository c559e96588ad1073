"""Inputs that a browser helps with, where the field reads what a browser sends."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms

from fsm_lifecycle.presentation.inputs import help_the_browser

pytestmark = [pytest.mark.once, pytest.mark.pure]


class Dates(forms.Form):
    day = forms.DateField()
    german = forms.DateField(input_formats=["%d.%m.%Y"])
    moment = forms.DateTimeField()
    hour = forms.TimeField()
    words = forms.CharField(widget=forms.Textarea)
    many_words = forms.CharField(widget=forms.Textarea(attrs={"rows": 20}))


def test_dates_times_and_texts_get_the_browsers_own_inputs() -> None:
    form = Dates()
    help_the_browser(form)
    drawn: dict[str, Any] = {name: str(form[name]) for name in form.fields}
    assert 'type="date"' in drawn["day"]
    assert 'type="text"' in drawn["german"]
    assert 'type="datetime-local"' in drawn["moment"]
    assert 'type="time"' in drawn["hour"]
    assert 'rows="4"' in drawn["words"]
    assert 'rows="20"' in drawn["many_words"]
    assert "date" not in str(Dates()["german"])


def test_what_a_browser_sends_is_read_and_comes_back() -> None:
    sent = {"day": "2026-01-31", "german": "31.01.2026", "moment": "2026-01-31T09:30", "hour": "09:30"}
    form = Dates({**sent, "words": "x", "many_words": "y"})
    help_the_browser(form)
    assert form.is_valid(), form.errors
    assert 'value="2026-01-31T09:30"' in str(form["moment"])
    again = Dates(initial=form.cleaned_data)
    help_the_browser(again)
    assert 'value="2026-01-31"' in str(again["day"])
    assert 'value="09:30"' in str(again["hour"])
