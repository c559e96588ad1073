"""The daily rollup is what counting the sealed log would give, without counting it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import models
from django.db.models import Count as CountOf
from django.db.models.functions import TruncDate

from fsm_lifecycle import System
from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.hashing import entry_hash
from fsm_lifecycle.ledger.rollup import Count, counts, state_counts
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import DailyCount, TransitionLog
from tests.testapp.models import Invoice, Light

ACTOR = System("test")

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> None:
    """Two models, several kinds of entries, on three days; all sealed but one."""
    made = Light.objects.bulk_create(Light() for _ in range(6))
    Light.objects.filter(pk__in=[one.pk for one in made[:4]]).fire("switch_on", actor=ACTOR)
    made[0].delete()
    invoice = Invoice.objects.create(amount=10, client_name="Ada")
    invoice.fire("send_invoice", actor=ACTOR)
    seal()
    for days in (1, 2):
        add_a_day_later(days)
    seal(batch_size=1)
    Light.objects.create()


def add_a_day_later(days: int) -> None:
    """One more entry, recorded so many days after now."""
    light = Light.objects.filter(state="on").latest("pk")
    entry = light.fire("blink", actor=ACTOR)
    row = {name: getattr(entry, name) for name in vars(entry) if not name.startswith("_") and name != "id"}
    row |= {
        "object_pk": f"of day {days}",
        "sequence": 1,
        "recorded_at": datetime(2026, 1, 1, 23, 59, 59, 999000, tzinfo=UTC) + timedelta(days=days),
    }
    row["entry_hash"] = entry_hash(hashed_values(row))
    models.Model.save_base(TransitionLog(**row), force_insert=True)


@pytest.mark.usefixtures("log")
def test_the_rollup_is_the_sealed_log_grouped() -> None:
    sealed = TransitionLog.objects.exclude(pk=TransitionLog.objects.latest("pk").pk)
    names = ("model_label", "kind", "event", "from_state", "to_state", "actor_kind")
    grouped = {
        (row[-2], *(value or "" for value in row[:-2])): row[-1]
        for row in sealed.annotate(day=TruncDate("recorded_at", tzinfo=UTC))
        .values_list(*names, "day")
        .annotate(number=CountOf("pk"))
    }
    rolled = {row[:-1]: row[-1] for row in DailyCount.objects.values_list("day", *names, "entries")}
    assert rolled == grouped
    assert {row[0] for row in rolled} > {date(2026, 1, 2), date(2026, 1, 3)}


@pytest.mark.usefixtures("log")
def test_counts_of_all_days_of_some_and_of_none() -> None:
    everything = counts()
    assert sum(one.entries for one in everything) == TransitionLog.objects.count() - 1
    assert Count("testapp.light", "created", "", "", "off", "unknown", 6) in everything
    one_day = counts("default", date(2026, 1, 2), date(2026, 1, 2))
    assert one_day == [Count("testapp.light", "transition", "blink", "on", "on", "system", 1)]
    assert sum(one.entries for one in counts(until=date(2026, 1, 3))) == 2
    assert counts(until=date(2026, 1, 1)) == []


@pytest.mark.usefixtures("log")
def test_states_are_counted_up_to_a_leaf() -> None:
    found = state_counts()
    assert found.leaves == TransitionLog.objects.count() - 1
    assert found.records == {
        ("testapp.invoice", "sent"): 1,
        ("testapp.light", "off"): 2,
        ("testapp.light", "on"): 3,
    }
    seal()
    lights = Counter(Light.objects.values_list("state", flat=True))
    assert {
        state: number for (label, state), number in state_counts().records.items() if label == "testapp.light"
    } == lights


def test_an_empty_rollup_counts_nothing() -> None:
    assert counts() == []
    assert (state_counts().leaves, state_counts().records) == (0, {})


def test_states_that_differ_in_case_or_a_blank_are_not_one() -> None:
    for event in ("x", "X", "x "):
        DailyCount.objects.create(
            day=date(2026, 1, 1),
            model_label="a.b",
            kind="transition",
            event=event,
            actor_kind="user",
            entries=1,
        )
    assert [one.event for one in counts()] == sorted(["x", "X", "x "])
