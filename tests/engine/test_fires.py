"""``fires``: an effect that fires an event on another record."""

import logging
from typing import Any

import pytest

from fsm_lifecycle import InvalidTransition, fires
from fsm_lifecycle.models import RefusedAttempt
from tests.acting import ACTOR, memory_of
from tests.testapp.models import Contract, Order

pytestmark = pytest.mark.django_db


def test_the_other_record_is_fired_by_the_same_actor_with_this_firing_as_its_cause(user: Any) -> None:
    contract = Contract.objects.create()
    order = Order.objects.create(contract=contract)
    entry = order.fire("place", actor=user)
    contract.refresh_from_db()
    assert contract.state == "active"
    other = contract.log.get(event="activate")
    assert (other.cause, other.actor_kind, other.actor_id) == (entry.entry_hash, "user", str(user.pk))
    assert list(other.causes()) == [entry]


def test_none_means_there_is_nothing_to_fire() -> None:
    order = Order.objects.create()
    assert order.fire("place", actor=ACTOR).to_state == "placed"


def test_with_rollback_the_refusal_of_the_other_undoes_this_firing_too() -> None:
    contract = Contract.objects.create()
    contract.fire("activate", actor=ACTOR)
    order = Order.objects.create(contract=contract)
    before, others = memory_of(order), memory_of(contract)
    with pytest.raises(InvalidTransition):
        order.fire("place", actor=ACTOR)
    assert memory_of(order) == before
    assert memory_of(contract) == others
    assert Order.objects.get(pk=order.pk).state == "open"
    assert order.log.count() == 1


def test_with_log_this_firing_stands_and_the_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    contract = Contract.objects.create()
    order = Order.objects.create(contract=contract)
    order.fire("place", actor=ACTOR)
    Contract.objects.get(pk=contract.pk).fire("end", actor=ACTOR)
    with caplog.at_level(logging.WARNING, "fsm_lifecycle"):
        assert order.fire("finish", actor=ACTOR).to_state == "done"
    assert "end" in caplog.text
    assert Order.objects.get(pk=order.pk).state == "done"
    assert contract.log.count() == 3


def test_with_log_the_other_record_is_fired_when_it_can_be() -> None:
    contract = Contract.objects.create()
    order = Order.objects.create(contract=contract)
    order.fire("place", actor=ACTOR)
    order.fire("finish", actor=ACTOR)
    assert Contract.objects.get(pk=contract.pk).state == "ended"


def test_the_related_record_that_was_loaded_before_is_not_stale() -> None:
    contract = Contract.objects.create()
    order = Order.objects.select_related("contract").get(pk=Order.objects.create(contract=contract).pk)
    order.fire("place", actor=ACTOR)
    order.fire("finish", actor=ACTOR)
    assert Contract.objects.get(pk=contract.pk).state == "ended"


def test_the_refusal_of_the_other_is_on_record_though_everything_rolled_back() -> None:
    contract = Contract.objects.create()
    contract.fire("activate", actor=ACTOR)
    order = Order.objects.create(contract=contract)
    with pytest.raises(InvalidTransition):
        order.fire("place", actor=ACTOR)
    refused = RefusedAttempt.objects.get(model_label="testapp.contract")
    assert (refused.event, refused.code, refused.object_pk) == ("activate", "wrong_state", str(contract.pk))


def test_the_connection_is_declared_so_that_diagrams_can_show_it() -> None:
    (effect,) = Order.lifecycle.events["finish"].effects
    assert effect.connection is not None
    assert (effect.connection.event, effect.connection.model, effect.connection.on_failure) == (
        "end",
        "testapp.Contract",
        "log",
    )
    assert "testapp.Contract" in effect.label
    assert Order.lifecycle.events["place"].effects[0].connection.on_failure == "rollback"  # type: ignore[union-attr]


def test_what_cannot_be_fired_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="rollback, log or retry"):
        fires(lambda order: order.contract, "activate", on_failure="ignore")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        fires("contract", "activate")  # type: ignore[arg-type]


def test_the_order_and_its_contract_are_consistent_in_bulk() -> None:
    contracts = [Contract.objects.create() for _ in range(3)]
    contracts[1].fire("activate", actor=ACTOR)
    orders = [Order.objects.create(contract=contract) for contract in contracts]
    result = Order.objects.all().fire("place", actor=ACTOR)
    assert (result.succeeded, result.failed) == (2, 1)
    assert [r.ok for r in result.results] == [True, False, True]
    assert result.results[1].denials[0].code == "effect_failed"
    assert [Order.objects.get(pk=o.pk).state for o in orders] == ["placed", "open", "placed"]
