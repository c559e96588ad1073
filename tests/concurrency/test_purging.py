"""Purges at once, against holds, deletions and firings, and killed: a record is whole or gone, never held and gone."""

from __future__ import annotations

import random
import signal
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.engine.retention import purge_eligible
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.models import HoldRelease, LegalHold, TransitionLog
from tests.concurrency import elsewhere, purging
from tests.concurrency.racers import CONTEXT, PATIENCE, Racers
from tests.concurrency.test_isolation import LEVELS, isolated
from tests.concurrency.wholeness import faults
from tests.testapp.models import Light

RECORDS = 25
PREPARE = System("prepare")
KILLS, AT_ONCE = 24, 4


def old(event: str = "smash", count: int = RECORDS) -> list[Any]:
    """The keys of lights whose retention is over, each with something to redact."""
    keys = [light.pk for light in Light.objects.bulk_create(Light() for _ in range(count))]
    lights = Light.objects.filter(pk__in=keys)
    assert lights.fire(event, actor=PREPARE, metadata={"n": 1}).failed == 0
    lights.update(state_since=timezone.now() - timedelta(days=400))
    return keys


def ends() -> Counter[str]:
    """How the records that are gone ended."""
    return Counter(
        TransitionLog.objects.filter(kind__in=["purged", "deleted"]).values_list("kind", flat=True)
    )


def assert_never_held_and_gone(results: list[purging.Outcomes], keys: list[Any]) -> None:
    """Whoever was told that a record is held can rely on it, and so can who was told that it is gone."""
    there = set(Light.objects.values_list("pk", flat=True))
    held = {int(hold.object_pk) for hold in LegalHold.objects.all()}
    assert held <= there
    for key in keys:
        told = {result[key] for result in results}
        assert ("held" in told) == (key in held), told
        assert (key in there) == told.isdisjoint({"purged", "deleted"}), told
    assert faults() == []


def test_two_purges_at_once_purge_each_record_once(racers: Racers) -> None:
    old()
    counts = racers.race(purging.purge_all)
    assert sum(count["purged"] for count in counts) == RECORDS == ends()["purged"]
    assert set().union(*counts) <= {"purged", "stale_state"}
    assert not Light.objects.exists()
    assert not any("prepare" in body for body in TransitionLog.objects.values_list("body", flat=True))
    assert faults() == []
    assert list(verify("default", deep=True)) == []


@pytest.mark.parametrize("ways", [["purge", "hold"], ["delete", "hold"], ["purge", "delete", "hold"]])
def test_a_hold_or_the_end_comes_first(racers: Racers, ways: list[str]) -> None:
    keys = old()
    results = racers.race(purging.each_its_own, keys, ways)
    assert_never_held_and_gone(results, keys)
    told = Counter(code for result in results for code in result.values())
    assert set(told) <= {"purged", "deleted", "held", "legal_hold", "stale_state"}
    # Nothing was left undone: each record is held, or gone.
    assert Light.objects.count() == LegalHold.objects.values("object_pk").distinct().count()
    assert ends().total() == RECORDS - Light.objects.count()


def test_a_hold_is_released_once(racers: Racers) -> None:
    holds = [
        LegalHold.place(light, "dispute", PREPARE).pk for light in Light.objects.filter(pk__in=old(count=12))
    ]
    assert sum(racers.race(purging.release_each, holds)) == len(holds) == HoldRelease.objects.count()
    assert not LegalHold.objects.active().exists()


def test_a_purge_or_a_firing_comes_first(racers: Racers) -> None:
    keys = old("switch_on")
    results = racers.race(purging.each_its_own, keys, ["purge", "fire"])
    there = set(Light.objects.filter(state="off").values_list("pk", flat=True))
    for key in keys:
        told = Counter(result[key] for result in results)
        assert told["purged"] + told["fired"] == 1, told
        assert (key in there) == (told["fired"] == 1)
    assert faults() == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one level, and one writer at a time")
@pytest.mark.parametrize(
    ("task", "level"),
    [
        (purging.each_inside, "read committed"),
        *((task, level) for task in (purging.each_its_own, purging.each_inside) for level in LEVELS),
    ],
)
def test_older_snapshots_do_not_overlook_a_hold(racers: Racers, task: Any, level: str) -> None:
    keys = old(count=12)
    results = racers.race(elsewhere.within, isolated(level), task, keys, ["purge", "hold", "delete", "hold"])
    assert_never_held_and_gone(results, keys)


def test_killed_in_the_middle_each_record_is_whole_or_gone(database: str) -> None:
    old()
    most = child(database, None)[1].recv()
    kinds: set[tuple[str, ...]] = set()
    for _ in range(KILLS // AT_ONCE):
        old(count=2)
        killed = [child(database, random.randint(1, most)) for _ in range(AT_ONCE)]
        for process, _ in killed:
            process.join(PATIENCE)
            assert process.exitcode in (0, -signal.SIGKILL)
        # What was being done is undone as a whole: redacted means purged.
        for light in Light.objects.all():
            kinds.add(tuple(entry.kind for entry in light.log))
    assert kinds == {("created", "transition")}
    assert faults() == []
    left = Light.objects.count()
    assert left > 0
    assert purge_eligible(Light, by=PREPARE).done == left
    assert set(ends()) == {"purged"}
    assert list(verify("default", deep=True)) == []


def child(database: str, points: int | None) -> tuple[Any, Any]:
    """A process that purges, and what it says."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=purging.purge_until_killed, args=(database, theirs, points), daemon=True)
    process.start()
    theirs.close()
    assert ours.recv() == "begins"
    return process, ours
