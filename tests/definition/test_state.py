"""A state is its stored value: it compares, filters, travels and stays what was declared."""

import copy
import json
import pickle
from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy

from fsm_lifecycle import State
from fsm_lifecycle.definition.state import TONES
from tests.testapp.models import Invoice

draft = State("draft", initial=True)


def test_it_is_its_value() -> None:
    assert draft == "draft"
    assert isinstance(draft, str)
    assert hash(draft) == hash("draft")
    assert {"draft": 1}[draft] == 1
    assert f"{draft}" == "%s" % draft == str(draft) == "draft"  # noqa: UP031 - both ways of formatting
    assert json.dumps({"state": draft}) == '{"state": "draft"}'


def test_its_value_and_its_text_are_plain_strings() -> None:
    assert type(draft.value) is str
    assert type(str(draft)) is str


@pytest.mark.django_db
def test_it_filters_rows() -> None:
    invoice = Invoice.objects.create()
    assert invoice.state == Invoice.Lifecycle.draft
    assert Invoice.objects.filter(state=Invoice.Lifecycle.draft).get() == invoice
    assert Invoice.objects.filter(state__in=[Invoice.Lifecycle.draft, "sent"]).exists()
    assert not Invoice.objects.exclude(state=Invoice.Lifecycle.draft).exists()
    assert list(Invoice.objects.in_state(Invoice.Lifecycle.draft)) == [invoice]


@pytest.mark.django_db
def test_it_can_be_named_when_a_record_is_made() -> None:
    invoice = Invoice.objects.create(state=Invoice.Lifecycle.draft)
    assert type(invoice.state) is str


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_carries_its_value_alone(protocol: int) -> None:
    thawed = pickle.loads(pickle.dumps(draft, protocol))
    assert thawed == draft
    assert type(thawed) is str


def test_copies_are_the_state_itself() -> None:
    assert copy.copy(draft) is draft
    assert copy.deepcopy(draft) is draft
    assert copy.deepcopy({"states": [draft]})["states"][0] is draft


@pytest.mark.parametrize(
    ("flags", "tone"),
    [
        ({}, "active"),
        ({"initial": True}, "new"),
        ({"terminal": True}, "done"),
        ({"initial": True, "terminal": True}, "done"),
        ({"terminal": True, "tone": "stop"}, "stop"),
    ],
)
def test_its_tone_follows_from_its_place_unless_one_is_given(flags: dict[str, Any], tone: str) -> None:
    assert State("x", **flags).tone == tone


@pytest.mark.parametrize("tone", TONES)
def test_every_tone_can_be_given(tone: Any) -> None:
    assert State("x", tone=tone).tone == tone


def test_an_unknown_tone_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"tone 'red' is unknown\. Choose one of new, active, wait"):
        State("x", tone="red")  # type: ignore[arg-type]


def test_it_is_stuck_after_a_week_unless_it_is_terminal() -> None:
    assert State("x").stuck_after == timedelta(days=7)
    assert State("x", initial=True).stuck_after == timedelta(days=7)
    assert State("x", terminal=True).stuck_after is None


def test_the_time_until_it_is_stuck_can_be_set_or_taken_away() -> None:
    assert State("x", stuck_after=timedelta(hours=1)).stuck_after == timedelta(hours=1)
    assert State("x", stuck_after=None).stuck_after is None
    assert State("x", terminal=True, stuck_after=timedelta(days=1)).stuck_after == timedelta(days=1)


def test_a_number_of_days_is_no_time_until_it_is_stuck() -> None:
    with pytest.raises(TypeError, match="stuck_after must be a timedelta or None, not 7"):
        State("x", stuck_after=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, 1, b"draft"])
def test_a_value_that_is_no_string_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        State(value)


@pytest.mark.parametrize("name", ["label", "terminal", "tone", "value", "anything"])
def test_nothing_can_be_assigned(name: str) -> None:
    with pytest.raises(AttributeError, match="is frozen"):
        setattr(draft, name, "x")


def test_nothing_can_be_deleted() -> None:
    with pytest.raises(AttributeError):
        del draft.label
    assert draft.label == "Draft"


@pytest.mark.parametrize(
    ("value", "label"),
    [("draft", "Draft"), ("manager_review", "Manager review"), ("in progress", "In progress"), ("_x_", "X")],
)
def test_its_label_is_its_value_in_words(value: str, label: str) -> None:
    assert State(value).label == label


def test_a_label_that_is_given_stands() -> None:
    assert State("draft", label="Not sent yet").label == "Not sent yet"


def test_a_lazy_label_is_translated_when_it_is_read() -> None:
    yes = State("x", label=gettext_lazy("Yes"))
    with translation.override("de"):
        assert str(yes.label) == "Ja"
    with translation.override("fr"):
        assert str(yes.label) == "Oui"


def test_it_learns_the_attribute_it_is_declared_under() -> None:
    class Lifecycle:
        not_sent_yet = State("draft")

    assert Lifecycle.not_sent_yet.name == "not_sent_yet"
    assert Lifecycle.not_sent_yet == "draft"


def test_a_state_of_a_record_is_the_plain_value_and_the_table_has_the_rest() -> None:
    invoice = Invoice()
    assert type(invoice.state) is str
    assert Invoice.lifecycle.states[invoice.state] is Invoice.Lifecycle.draft
