"""The report: counts and medians of a period, of two, and whether the ledger is whole."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from fsm_lifecycle import GuardFailed
from fsm_lifecycle.ledger.stays import StayClock, Stays
from fsm_lifecycle.ops import recorded
from fsm_lifecycle.ops.figures import EventCount, RefusalCount, figures
from fsm_lifecycle.ops.period import Period
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.ops.clock import at, it_is
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Light

pytestmark = pytest.mark.django_db(databases=["default", "other"])


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("lifecycle_report", *args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def document(*args: str) -> Any:
    return json.loads(run("--json", *args))


def fired(light: Light, *steps: tuple[str, tuple[int, ...]], by: Any = ACTOR) -> None:
    for event, moment in steps:
        with it_is(*moment):
            light.fire(event, actor=by)


@pytest.fixture
def lights(db: None) -> list[Light]:
    """Two lights: January and February 2026."""
    with it_is(2026, 1, 1, 12):
        first, second = Light.objects.create(), Light.objects.create()
    alice = User.objects.create_user("alice")
    fired(first, ("switch_on", (2026, 1, 2, 12)), ("blink", (2026, 1, 3)), ("switch_off", (2026, 1, 4, 12)))
    fired(second, ("switch_on", (2026, 1, 4, 12)), by=alice)
    fired(first, ("switch_on", (2026, 2, 1, 0)), ("smash", (2026, 2, 10)))
    return [first, second]


# --- counting -----------------------------------------------------------------------------------------------


def test_entries_are_counted_by_event_and_by_kind_of_actor(lights: list[Light]) -> None:
    found = figures("default", Period())
    assert found.events == (
        EventCount("testapp.light", "created", "", 2),
        EventCount("testapp.light", "transition", "blink", 1),
        EventCount("testapp.light", "transition", "smash", 1),
        EventCount("testapp.light", "transition", "switch_off", 1),
        EventCount("testapp.light", "transition", "switch_on", 3),
    )
    assert found.entries == 8
    assert found.actors["user"] == 1
    assert found.actors["agent"] == 0
    assert sum(found.actors.values()) == 8


def test_a_period_begins_with_its_first_moment_and_ends_before_the_next(lights: list[Light]) -> None:
    assert figures("default", Period.named("2026-01")).entries == 6
    assert figures("default", Period.named("2026-02")).entries == 2
    assert figures("default", Period(None, at(2026, 2, 1))).entries == 6
    assert figures("default", Period(at(2026, 2, 1))).entries == 2
    assert figures("default", Period.named("2027")).entries == 0


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_pages_lose_and_repeat_nothing(
    page: int, lights: list[Light], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "PAGE", page)
    heard: list[int] = []
    found = figures("default", Period(), told=heard.append)
    assert found.entries == sum(heard) == 8
    assert figures("default", Period.named("2026-01"), ["testapp.light"]).entries == 6


def test_only_the_models_asked_for(lights: list[Light]) -> None:
    Door.objects.create(code="a")
    assert figures("default", Period(), ["testapp.door"]).entries == 1
    assert {one.model for one in figures("default", Period()).events} == {"testapp.door", "testapp.light"}


def test_refusals_are_counted_by_event_and_reason() -> None:
    gate = Gate.objects.create(mode="false")
    for _ in range(3):
        with pytest.raises(GuardFailed):
            gate.fire("unlock", actor=ACTOR)
    found = figures("default", Period())
    assert found.refusals == (RefusalCount("testapp.gate", "unlock", "guard_failed", 3),)
    assert found.refused == 3
    assert figures("default", Period.named("2020")).refused == 0
    assert figures("default", Period(), ["testapp.light"]).refused == 0


# --- how long records stayed --------------------------------------------------------------------------------


def stays_of(period: Period) -> dict[str, tuple[int, timedelta | None]]:
    return {one.state: (one.ended, one.median) for one in figures("default", period).stays}


def test_a_stay_lasts_from_the_event_that_led_there_to_the_one_that_led_away(lights: list[Light]) -> None:
    # off: 1 day, 3 days; after 4 January 27.5 days. on: 2 days, whatever blinks; then 9 days.
    assert stays_of(Period()) == {
        "off": (3, timedelta(days=3)),
        "on": (2, timedelta(days=5, hours=12)),
    }


def test_a_period_has_the_stays_that_ended_in_it_wherever_they_began(lights: list[Light]) -> None:
    assert stays_of(Period.named("2026-01")) == {"off": (2, timedelta(days=2)), "on": (1, timedelta(days=2))}
    assert stays_of(Period.named("2026-02")) == {
        "off": (1, timedelta(days=27, hours=12)),
        "on": (1, timedelta(days=9)),
    }


def test_a_deletion_ends_a_stay_and_a_new_record_with_that_key_begins_anew() -> None:
    with it_is(2026, 1, 1):
        light = Light.objects.create(pk=5)
    with it_is(2026, 1, 3):
        light.delete()
    with it_is(2026, 1, 20):
        again = Light.objects.create(pk=5)
    fired(again, ("switch_on", (2026, 1, 21)))
    assert stays_of(Period()) == {"off": (2, timedelta(days=1, hours=12))}


def test_what_was_told_later_is_measured_by_when_it_happened() -> None:
    with it_is(2026, 1, 1):
        light = Light.objects.create()
    with it_is(2026, 1, 31):
        light.fire("switch_on", actor=ACTOR, occurred_at=at(2026, 1, 2))
        light.fire("switch_off", actor=ACTOR, occurred_at=at(2026, 1, 5))
    assert stays_of(Period()) == {"off": (1, timedelta(days=1)), "on": (1, timedelta(days=3))}


def test_what_would_end_before_it_began_is_left_out_and_said() -> None:
    with it_is(2026, 1, 10):
        light = Light.objects.create()
        light.fire("switch_on", actor=ACTOR, occurred_at=at(2026, 1, 2))
    assert figures("default", Period()).stays == (Stays("testapp.light", "off", 0, None, 1),)
    assert "1 more could not be measured" in run("--no-verify")


def test_a_stay_whose_beginning_is_not_in_the_log_is_left_out_and_said() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog WHERE sequence = 1")
    assert figures("default", Period()).stays == (Stays("testapp.light", "off", 0, None, 1),)


@pytest.mark.parametrize(
    ("milliseconds", "median"),
    [([5], 5.0), ([9, 1, 5], 5.0), ([1, 2], 1.5), ([4, 1, 3, 2], 2.5), ([7, 7], 7.0)],
)
def test_a_median_is_exact(milliseconds: list[int], median: float) -> None:
    clock = StayClock()
    for length in milliseconds:
        clock.add("m", "s", at(2026, 1, 1), at(2026, 1, 1) + timedelta(milliseconds=length))
    assert clock.figures()[0].median == timedelta(milliseconds=median)


# --- the command --------------------------------------------------------------------------------------------


def test_the_text_has_every_number(lights: list[Light]) -> None:
    text = run("--since", "2026-01", "--until", "2026-01", "--no-verify")
    assert text.startswith("The log of database “default”, 1 Jan 2026 to 31 Jan 2026 (UTC)\n")
    lines = [line.split() for line in text.splitlines()]
    assert ["Entries", "6"] in lines
    assert ["by", "people", "1", "16.7", "%"] in lines
    assert ["by", "agents", "0", "0.0", "%"] in lines
    assert ["testapp.light", "switch_on", "2"] in lines
    assert ["testapp.light", "(created)", "2"] in lines
    assert ["testapp.light", "off", "2", "2", "days"] in lines
    assert "It was not checked." in text


def test_an_empty_log_says_so() -> None:
    text = run("--no-verify")
    for said in ("Nothing was recorded.", "Nothing was refused.", "No record left a state."):
        assert said in text


def test_the_document_has_the_same(lights: list[Light]) -> None:
    found = document("--since", "2026-01", "--until", "2026-01-31", "--no-verify")
    assert found["database"] == "default"
    assert found["verification"] is None
    [period] = found["periods"]
    assert (period["since"], period["until"]) == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert period["entries"] == 6
    assert period["by_actor_kind"]["agent"] == 0
    assert {"model": "testapp.light", "kind": "created", "event": None, "entries": 2} in period["by_event"]
    assert {
        "model": "testapp.light",
        "state": "on",
        "ended": 1,
        "median_seconds": 172_800.0,
        "left_out": 0,
    } in period["stays"]


def test_two_periods_stand_side_by_side(lights: list[Light]) -> None:
    lines = [line.split() for line in run("--compare", "2026-01", "2026-02", "--no-verify").splitlines()]
    assert ["2026-01", "1", "Jan", "2026", "to", "31", "Jan", "2026"] in lines
    assert ["Entries", "6", "2", "−4"] in lines
    assert ["testapp.light", "switch_on", "2", "1", "−1"] in lines
    assert ["testapp.light", "smash", "0", "1", "+1"] in lines
    assert ["testapp.light", "off", "2", "2", "days", "1", "27", "days", "12", "h"] in lines
    found = document("--compare", "2026-01..2026-02", "2026-02", "--no-verify")["periods"]
    assert [period["entries"] for period in found] == [8, 2]


def test_it_says_whether_the_ledger_is_whole() -> None:
    Light.objects.create().fire("switch_on", actor=ACTOR)
    text = run()
    assert "What was checked is whole." in text
    assert "Not checked: " in text
    found = document()["verification"]
    assert found["whole"] is True
    assert found["checked"]["entries"] == 2
    assert found["not_checked"]


def test_a_broken_ledger_is_a_finding(lights: list[Light]) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_transitionlog SET actor_id = 'mallory' WHERE sequence = 2")
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("lifecycle_report", "--json", stdout=out, stderr=io.StringIO())
    assert error.value.returncode == 1
    found = json.loads(out.getvalue())["verification"]
    assert found["whole"] is False
    assert found["found"]["ENTRY_HASH"] == 2


def test_another_database(lights: list[Light]) -> None:
    Light.objects.using("other").create()
    assert document("--database", "other", "--no-verify")["periods"][0]["entries"] == 1


def test_one_model_by_its_name_or_by_what_its_log_is_called(lights: list[Light]) -> None:
    Door.objects.create(code="a")
    for name in ("testapp.Door", "testapp.door"):
        assert document("--model", name, "--no-verify")["periods"][0]["entries"] == 1
    both = document("--model", "testapp.Door", "--model", "testapp.Light", "--no-verify")
    assert both["periods"][0]["entries"] == 9
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE fsm_lifecycle_transitionlog SET model_label = 'gone.model' WHERE object_pk = 'a'"
        )
    assert document("--model", "gone.model", "--no-verify")["periods"][0]["entries"] == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--since", "yesterday"], "2026-01-15T17:30"),
        (["--since", "2026-02", "--until", "2026-01"], "does not come after"),
        (["--compare", "2026-01", "2026-02", "--since", "2026"], "--compare"),
        (["--compare", "2026-01", "soon"], "soon"),
        (["--model", "testapp.nothing"], "testapp.light"),
    ],
)
def test_what_makes_no_sense_is_refused(args: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as error:
        run(*args)
    assert error.value.returncode == 2


@pytest.mark.parametrize(
    "args", [["--nonsense"], ["extra"], ["--compare", "2026-01"], ["--database", "nowhere"]]
)
def test_wrong_arguments_are_refused(args: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*args)
