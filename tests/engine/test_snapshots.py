"""Field values that an entry keeps: when, which, and why."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.acting import ACTOR
from tests.testapp.gates import Gate, Meter, Sketch, Weighing
from tests.testapp.models import Invoice, Light, Parcel, Sampled

pytestmark = pytest.mark.django_db


def test_every_keeps_one_at_each_transition() -> None:
    parcel = Parcel.objects.create(weight=2.5)
    for event in ("ship", "deliver"):
        entry = parcel.fire(event, actor=ACTOR)
        assert entry.snapshot_reason == "every"
        assert entry.snapshot is not None
        assert entry.snapshot["weight"] == 2.5
        assert entry.snapshot["state"] == entry.to_state


def test_no_fields_means_all_concrete_fields_but_the_key() -> None:
    kept = Parcel.objects.create().fire("ship", actor=ACTOR).snapshot
    assert kept is not None
    names = {f.name for f in Parcel._meta.concrete_fields} - {"id"}
    # The head is the hash of this very entry, so it cannot be part of it.
    assert set(kept) == names - {"lifecycle_head"}
    assert kept["lifecycle_sequence"] == 2


def test_state_since_in_a_snapshot_is_what_the_update_leaves() -> None:
    parcel = Parcel.objects.create()
    entry = parcel.fire("ship", actor=ACTOR)
    assert entry.snapshot is not None
    assert entry.snapshot["state_since"] == parcel.state_since == entry.recorded_at


def test_terminal_keeps_one_when_a_terminal_state_is_entered() -> None:
    invoice = Invoice.objects.create(amount=Decimal("12.50"), client_name="Ann")
    assert invoice.fire("send_invoice", actor=ACTOR).snapshot is None
    entry = invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"})
    assert entry.snapshot_reason == "terminal"
    assert entry.snapshot == {
        "amount": Decimal("12.50"),
        "client_name": "Ann",
        "paid_on": date(2026, 11, 20),
    }


def test_every_nth_keeps_one_at_each_third_transition_of_a_record() -> None:
    sampled, other = Sampled.objects.create(value=7), Sampled.objects.create()
    reasons = []
    for _ in range(3):
        for event in ("there", "back"):
            reasons.append(sampled.fire(event, actor=ACTOR).snapshot_reason)
            other.fire(event, actor=ACTOR)
    assert reasons == [None, None, "nth", None, None, "nth"]


def test_interval_keeps_one_when_the_last_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    meter, start = Meter.objects.create(value=3), timezone.now()
    clock = {"now": start}
    monkeypatch.setattr(timezone, "now", lambda: clock["now"])
    reasons = []
    for minutes in (0, 30, 59, 60, 61, 120, 180):
        clock["now"] = start + timedelta(minutes=minutes)
        event = "there" if meter.state == "a" else "back"
        entry = meter.fire(event, actor=ACTOR)
        reasons.append(entry.snapshot_reason)
        assert entry.snapshot in (None, {"value": 3})
    assert reasons == ["interval", None, None, "interval", None, "interval", "interval"]


def test_manual_keeps_one_only_where_somebody_asks() -> None:
    sketch = Sketch.objects.create(value=5)
    assert sketch.fire("there", actor=ACTOR).snapshot is None
    entry = sketch.fire("back", actor=ACTOR, snapshot=True)
    assert (entry.snapshot, entry.snapshot_reason) == ({"value": 5}, "manual")


def test_a_snapshot_can_be_forced_where_no_policy_is() -> None:
    light = Light.objects.create(name="hall")
    entry = light.fire("switch_on", actor=ACTOR, snapshot=True)
    assert entry.snapshot_reason == "manual"
    assert entry.snapshot is not None
    assert (entry.snapshot["name"], entry.snapshot["state"]) == ("hall", "on")


def test_a_snapshot_can_be_skipped() -> None:
    entry = Parcel.objects.create().fire("ship", actor=ACTOR, snapshot=False)
    assert (entry.snapshot, entry.snapshot_reason) == (None, None)


def test_observations_are_kept_with_it() -> None:
    parcel = Parcel.objects.create()
    entry = parcel.fire("ship", actor=ACTOR, observations={"temperature": Decimal("4.5")})
    assert parcel.log.get(pk=entry.pk).observations == {"temperature": Decimal("4.5")}


def test_a_snapshot_shows_the_row_and_not_the_callers_stale_copy() -> None:
    light = Light.objects.create(name="old")
    Light.objects.filter(pk=light.pk).update(name="new")
    entry = light.fire("switch_on", actor=ACTOR, snapshot=True)
    assert entry.snapshot is not None
    assert entry.snapshot["name"] == "new"


def test_a_snapshot_is_taken_before_effects() -> None:
    gate = Gate.objects.create(mode="save")
    entry = gate.fire("swing", actor=ACTOR, snapshot=True)
    assert entry.snapshot is not None
    assert entry.snapshot["note"] == ""
    assert entry.snapshot["state"] == "open"
    assert gate.note == "by effect"


def test_stored_arguments_are_in_the_snapshot(seen: list[Any]) -> None:
    gate, partner = Gate.objects.create(), Gate.objects.create()
    entry = gate.fire("carry", actor=ACTOR, arguments={"load": 8, "partner": partner.pk}, snapshot=True)
    kept = gate.log.get(pk=entry.pk).snapshot
    assert kept is not None
    assert kept["load"] == 8
    plain = gate.fire("close", actor=ACTOR, snapshot=True).snapshot
    assert plain is not None
    assert kept["partner"] == plain["partner"]


def test_the_snapshots_of_a_record_can_be_listed() -> None:
    light = Light.objects.create()
    assert light.last_snapshot is None
    first = light.fire("switch_on", actor=ACTOR, snapshot=True)
    light.fire("blink", actor=ACTOR)
    last = light.fire("switch_off", actor=ACTOR, snapshot=True)
    light.fire("switch_on", actor=ACTOR)
    assert list(light.snapshots) == [first, last]
    assert light.last_snapshot == last


def test_many_records_keep_each_its_own() -> None:
    for weight in (1.0, 2.0):
        Parcel.objects.create(weight=weight)
    Parcel.objects.all().fire("ship", actor=ACTOR)
    kept = {p.weight: p.last_snapshot.snapshot for p in Parcel.objects.all()}  # type: ignore[union-attr]
    assert {weight: s["weight"] for weight, s in kept.items() if s} == {1.0: 1.0, 2.0: 2.0}


def test_many_records_are_counted_each_for_itself() -> None:
    records = [Sampled.objects.create(value=n) for n in range(2)]
    records[0].fire("there", actor=ACTOR)
    records[0].fire("back", actor=ACTOR)
    Sampled.objects.all().fire("there", actor=ACTOR)
    assert [r.log.last().snapshot_reason for r in records] == ["nth", None]  # type: ignore[union-attr]


# --- what the database makes of it ------------------------------------------------------------------------------------


def held(weighing: Any) -> dict[str, Any]:
    """The row as the database holds it, without what no snapshot keeps."""
    fresh = Weighing.objects.get(pk=weighing.pk)
    names = {f.name for f in Weighing._meta.concrete_fields} - {"id", "lifecycle_head"}
    return {name: getattr(fresh, name) for name in names}


WEIGHTS = ["1.005", "1.015", "2.50", "3", "1E+2", "-0.004"]


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_snapshot_is_what_the_database_holds(weight: str) -> None:
    weighing: Any = Weighing.objects.create(weight=Decimal("0.125"))
    for event in ("weigh", "correct"):
        entry = weighing.fire(event, actor=ACTOR, arguments={"weight": weight, "label": 7})
        assert entry.snapshot == held(weighing)
        assert entry.snapshot["label"] == "7"
    entry = weighing.fire("reset", actor=ACTOR)
    assert entry.snapshot == held(weighing)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_snapshots_of_many_are_what_the_database_holds(weight: str) -> None:
    weighings = [Weighing.objects.create(weight=Decimal(n)) for n in range(3)]
    result = Weighing.objects.fire("weigh", actor=ACTOR, arguments={"weight": weight})
    assert result.succeeded == 3
    for weighing in weighings:
        entry = weighing.log.last()
        assert entry is not None
        assert entry.snapshot == held(weighing)


def test_a_field_that_the_database_works_out_is_fresh_after_a_firing() -> None:
    weighing: Any = Weighing.objects.create()
    assert (weighing.doubled, weighing.is_done) == (0, 0)
    weighing.fire("weigh", actor=ACTOR, arguments={"weight": "1.50"})
    assert (weighing.doubled, weighing.is_done) == (3, 1)
    weighing.fire("reset", actor=ACTOR, snapshot=False)
    assert weighing.is_done == 0


def test_a_firing_whose_snapshot_was_tried_counts_once() -> None:
    weighing: Any = Weighing.objects.create()
    entry = weighing.fire("weigh", actor=ACTOR, arguments={"weight": "1.005"})
    assert (entry.sequence, weighing.lifecycle_sequence, weighing.log.count()) == (2, 2, 2)
    weighing.refresh_from_db()
    assert (weighing.lifecycle_sequence, weighing.lifecycle_head) == (2, entry.entry_hash)
