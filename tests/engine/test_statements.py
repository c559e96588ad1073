"""How many statements on data each thing costs."""

from decimal import Decimal

import pytest

from tests.acting import ACTOR, statements
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Expense, Invoice, Light, Parcel, Report

pytestmark = pytest.mark.django_db


def test_a_plain_event_costs_two() -> None:
    light = Light.objects.create()
    for event in ("switch_on", "blink", "switch_off", "smash"):
        with statements() as sent:
            light.fire(event, actor=ACTOR)
        assert [sql.split()[0] for sql in sent] == ["UPDATE", "INSERT"], sent


def test_a_plain_event_costs_two_on_a_record_that_was_just_loaded() -> None:
    Light.objects.create()
    light = Light.objects.get()
    with statements() as sent:
        light.fire("switch_on", actor=ACTOR, metadata={"a": 1}, expected_state="off", expected_sequence=1)
    assert len(sent) == 2


def test_a_plain_event_costs_two_whatever_the_key() -> None:
    door, report = Door.objects.create(code="a"), Report.objects.create(title="r")
    for record, event in ((door, "open_up"), (report, "finish")):
        with statements() as sent:
            record.fire(event, actor=ACTOR)
        assert len(sent) == 2


def test_a_user_costs_no_more_than_a_system(user: object) -> None:
    light = Light.objects.create()
    with statements() as sent:
        light.fire("switch_on", actor=user)
    assert len(sent) == 2


def test_arguments_and_stores_alone_cost_two() -> None:
    from tests.testapp.gates import Meter

    meter = Meter.objects.create()
    with statements() as sent:
        meter.fire("there", actor=ACTOR, snapshot=False)
    assert len(sent) <= 3


def test_a_guard_costs_three() -> None:
    gate = Gate.objects.create()
    with statements() as sent:
        gate.fire("unlock", actor=ACTOR)
    assert [sql.split()[0] for sql in sent] == ["SELECT", "UPDATE", "INSERT"], sent


def test_an_effect_costs_three() -> None:
    gate = Gate.objects.create()
    with statements() as sent:
        gate.fire("swing", actor=ACTOR)
    assert len(sent) == 3, sent
    other = Gate.objects.create()
    with statements() as sent:
        other.fire("announce", actor=ACTOR)
    assert len(sent) == 3, sent


def test_a_snapshot_costs_three() -> None:
    parcel = Parcel.objects.create()
    with statements() as sent:
        parcel.fire("ship", actor=ACTOR)
    assert len(sent) == 3, sent
    light = Light.objects.create()
    with statements() as sent:
        light.fire("switch_on", actor=ACTOR, snapshot=True)
    assert len(sent) == 3, sent


def test_a_branch_costs_three() -> None:
    expense = Expense.objects.create(amount=500)
    with statements() as sent:
        expense.fire("submit", actor=ACTOR)
    assert len(sent) == 3, sent


def test_guard_effect_snapshot_arguments_and_stores_together_cost_three() -> None:
    gate = Gate.objects.create(note="x")
    with statements() as sent:
        gate.fire("carry", actor=ACTOR, arguments={"load": 2}, snapshot=True, observations={"a": 1})
    assert len(sent) == 3, sent
    invoice = Invoice.objects.create(amount=Decimal(1), client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    with statements() as sent:
        invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"})
    assert len(sent) == 3, sent


def test_the_first_firing_of_a_process_is_no_dearer() -> None:
    """The definition was stored by ``migrate``; its look-up is not made again in every transaction."""
    light = Light.objects.create()
    counts = []
    for event in ("switch_on", "switch_off", "switch_on"):
        with statements() as sent:
            light.fire(event, actor=ACTOR)
        counts.append(len(sent))
    assert counts == [2, 2, 2]
