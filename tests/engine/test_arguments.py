"""Arguments: declared once as a form, used by guards, effects, log and columns."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fsm_lifecycle import GuardFailed, InvalidArguments
from tests.acting import ACTOR, memory_of
from tests.testapp.gates import Gate
from tests.testapp.models import Invoice, Light

pytestmark = pytest.mark.django_db


def sent_invoice() -> Invoice:
    invoice = Invoice.objects.create(amount=5, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    return invoice


def test_cleaned_data_is_what_effects_and_the_log_see(seen: list[Any]) -> None:
    gate, partner = Gate.objects.create(), Gate.objects.create()
    entry = gate.fire("carry", actor=ACTOR, arguments={"load": "7", "partner": str(partner.pk)})
    firing = seen[-1][4]
    assert firing.arguments == {"load": 7, "note": "", "partner": partner, "details": None}
    kept = gate.log.get(pk=entry.pk).arguments
    assert kept["load"] == 7
    assert kept["note"] == ""
    assert kept["partner"].model == "testapp.gate"
    assert kept["partner"].pk == str(partner.pk)


def test_stored_arguments_are_in_the_row_and_in_memory() -> None:
    invoice = sent_invoice()
    invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"})
    assert invoice.paid_on == date(2026, 11, 20)
    assert Invoice.objects.get(pk=invoice.pk).paid_on == date(2026, 11, 20)


def test_stored_arguments_may_be_records() -> None:
    gate, partner = Gate.objects.create(), Gate.objects.create()
    gate.fire("carry", actor=ACTOR, arguments={"load": 1, "partner": partner.pk})
    assert gate.partner == partner
    assert gate.partner_id == partner.pk
    assert Gate.objects.get(pk=gate.pk).partner == partner


def test_effects_see_stored_arguments_on_the_record(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    gate.fire("carry", actor=ACTOR, arguments={"load": 9})
    assert seen[-1][1] is gate
    assert gate.load == 9


def test_stored_arguments_do_not_count_as_unsaved() -> None:
    gate = Gate.objects.create()
    gate.fire("carry", actor=ACTOR, arguments={"load": 9})
    gate.fire("close", actor=ACTOR)
    assert Gate.objects.get(pk=gate.pk).load == 9


def test_stored_arguments_go_into_the_same_update() -> None:
    from tests.acting import statements

    invoice = sent_invoice()
    with statements() as sent:
        invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"})
    (update,) = [sql for sql in sent if sql.startswith("UPDATE")]
    assert "paid_on" in update
    assert "state" in update


def test_arguments_that_the_form_refuses_raise_with_its_errors() -> None:
    invoice = sent_invoice()
    before = memory_of(invoice)
    with pytest.raises(InvalidArguments) as caught:
        invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "soon", "note": "x" * 50})
    assert set(caught.value.errors) == {"paid_on", "note"}
    assert caught.value.code == "invalid_arguments"
    assert memory_of(invoice) == before
    assert invoice.log.count() == 2


def test_missing_arguments_are_refused() -> None:
    with pytest.raises(InvalidArguments) as caught:
        sent_invoice().fire("pay", actor=ACTOR)
    assert list(caught.value.errors) == ["paid_on"]


def test_errors_of_the_form_as_a_whole_belong_to_no_field() -> None:
    with pytest.raises(InvalidArguments, match="as a whole") as caught:
        Gate.objects.create().fire("carry", actor=ACTOR, arguments={"load": 1, "note": "whole"})
    assert caught.value.errors == {"": ["The form as a whole is wrong."]}


def test_a_misspelt_argument_is_never_ignored() -> None:
    with pytest.raises(InvalidArguments) as caught:
        sent_invoice().fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20", "nota": "x"})
    assert list(caught.value.errors) == ["nota"]


def test_arguments_for_an_event_that_takes_none_are_refused() -> None:
    light: Any = Light.objects.create()
    with pytest.raises(InvalidArguments, match="takes no arguments"):
        light.fire("switch_on", actor=ACTOR, arguments={"bright": True})
    with pytest.raises(InvalidArguments):
        light.switch_on(actor=ACTOR, bright=True)
    assert light.state == "off"


def test_an_argument_that_cannot_be_recorded_is_refused_naming_its_place(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    with pytest.raises(InvalidArguments) as caught:
        gate.fire("carry", actor=ACTOR, arguments={"load": 1, "details": '{"a": [1, NaN]}'})
    assert list(caught.value.errors) == ["arguments.details.a[1]"]
    assert seen == []
    assert gate.log.count() == 1


def test_observations_that_cannot_be_recorded_are_refused_naming_their_place() -> None:
    with pytest.raises(InvalidArguments) as caught:
        Light.objects.create().fire("switch_on", actor=ACTOR, observations={"set": {1}})
    assert list(caught.value.errors) == ["observations.set"]


def test_the_callers_dict_is_left_alone() -> None:
    given = {"load": "7"}
    metadata = {"a": 1}
    Gate.objects.create().fire("carry", actor=ACTOR, arguments=given, metadata=metadata)
    assert (given, metadata) == ({"load": "7"}, {"a": 1})


def test_an_event_without_arguments_records_none() -> None:
    entry = Light.objects.create().fire("switch_on", actor=ACTOR)
    assert entry.arguments == {}
    assert set(entry.fields) == {"actor"}


def test_values_from_python_are_taken_as_well_as_those_from_a_browser() -> None:
    moment = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    for given in (
        {
            "when": moment,
            "sure": True,
            "span": timedelta(hours=2),
            "price": Decimal("1.50"),
            "details": {"a": 1},
        },
        {
            "when_0": "2026-11-20",
            "when_1": "09:30",
            "sure": "on",
            "span": "02:00:00",
            "price": "1.50",
            "details": '{"a": 1}',
        },
    ):
        gate = Gate.objects.create()
        kept = gate.fire("book", actor=ACTOR, arguments={**given, "who": [gate.pk]}).arguments
        who = kept.pop("who")
        assert kept == {
            "when": moment,
            "sure": True,
            "span": timedelta(hours=2),
            "price": Decimal("1.50"),
            "details": {"a": 1},
        }
        assert [ref.pk for ref in gate.log.last().arguments["who"]] == [str(gate.pk)]  # type: ignore[union-attr]
        assert len(who) == 1


def test_a_guard_or_an_effect_cannot_change_the_arguments(seen: list[Any]) -> None:
    gate = Gate.objects.create()
    with pytest.raises(GuardFailed) as caught:
        gate.fire("cheat", actor=ACTOR, arguments={"load": 1})
    assert caught.value.code == "guard_error"
    gate.fire("carry", actor=ACTOR, arguments={"load": 1}, metadata={"a": 1})
    firing = seen[-1][4]
    for mapping in (firing.arguments, firing.metadata):
        with pytest.raises(TypeError):
            mapping["load"] = 99
    assert firing.arguments["load"] == 1


@pytest.mark.parametrize("name", ["arguments", "metadata", "observations"])
@pytest.mark.parametrize("value", [[1], "text", 3])
def test_what_is_no_mapping_is_refused(name: str, value: Any) -> None:
    gate = Gate.objects.create()
    options: dict[str, Any] = {"arguments": {"load": 1}, name: value}
    with pytest.raises(InvalidArguments) as caught:
        gate.fire("carry", actor=ACTOR, **options)
    assert name in caught.value.errors
    assert gate.log.count() == 1
