"""Processes that redact at once: each field goes once, every chain stays whole, nobody waits for ever."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from fsm_lifecycle import System
from fsm_lifecycle.access.person import Person
from fsm_lifecycle.models import TransitionLog
from tests.concurrency import redacting
from tests.concurrency.racers import COUNT, Racers
from tests.concurrency.wholeness import faults
from tests.testapp.models import Light

RECORDS = 30
PREPARE = System("prepare")


def lights(**more: Any) -> list[int]:
    """The keys of lights that were switched on, each with metadata."""
    keys = [light.pk for light in Light.objects.bulk_create(Light() for _ in range(RECORDS))]
    done = Light.objects.filter(pk__in=keys).fire(
        "switch_on", **{"actor": PREPARE, "metadata": {"n": 1}, **more}
    )
    assert done.failed == 0
    return keys


def transitions() -> list[int]:
    return list(TransitionLog.objects.filter(kind="transition").order_by("pk").values_list("pk", flat=True))


def redactions() -> list[TransitionLog]:
    return list(TransitionLog.objects.filter(kind="redaction"))


def gone(name: str) -> int:
    return sum(e.fields[name].redacted for e in TransitionLog.objects.filter(kind="transition"))


def test_the_same_fields_are_redacted_once(racers: Racers) -> None:
    lights()
    made = racers.race(redacting.redact_each, transitions(), [["actor", "metadata"]])
    assert sum(made) == RECORDS == len(redactions()) == gone("actor") == gone("metadata")
    assert faults() == []


def test_other_fields_of_one_entry_are_each_redacted_once(racers: Racers) -> None:
    lights()
    made = racers.race(redacting.redact_each, transitions(), [["actor"], ["metadata"], ["metadata", "actor"]])
    named = sorted((e.arguments["entry"], name) for e in redactions() for name in e.arguments["fields"])
    assert len(named) == len(set(named)) == 2 * RECORDS
    assert sum(made) == len(redactions())
    assert gone("actor") == gone("metadata") == RECORDS
    assert faults() == []


def test_the_logs_of_deleted_records_go_on_one_at_a_time(racers: Racers) -> None:
    lights()
    Light.objects.all().delete()
    made = racers.race(redacting.redact_each, transitions(), [["actor"], ["metadata"]])
    assert sum(made) == 2 * RECORDS == len(redactions())
    assert {(e.from_state, e.to_state) for e in redactions()} == {(None, None)}
    assert faults() == []


def test_redacting_and_firing_keep_out_of_each_others_way(racers: Racers) -> None:
    keys = lights()
    results = racers.race(redacting.redact_or_fire, Light, keys, ["blink", "blink"])
    assert sum(redacted for redacted, _ in results) == len(redactions())
    assert sum(fired for _, fired in results) + RECORDS == len(transitions())
    assert faults() == []


def test_one_person_is_forgotten_once_whoever_asks(racers: Racers) -> None:
    user = User.objects.create_user("zyxanna")
    try:
        lights(actor=user)
        lights(metadata={"by": "zyxanna"})
        found = racers.race(redacting.erase_person, Person(str(user.pk), ("zyxanna",)))
    finally:
        user.delete()
    assert len(found) == COUNT
    assert max(found) == 2 * RECORDS == len(redactions())
    assert not any("zyxanna" in body for body in TransitionLog.objects.values_list("body", flat=True))
    assert faults() == []
