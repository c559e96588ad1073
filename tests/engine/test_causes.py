"""Which firing led to which, and when a chain of them is a loop."""

from typing import Any

import pytest
from django.test import override_settings

from fsm_lifecycle import CauseLoop
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR, memory_of
from tests.testapp.gates import Gate
from tests.testapp.models import Bell, Contract, Order

pytestmark = pytest.mark.django_db


def bells(count: int, *, ring: bool = False) -> list[Bell]:
    """Bells that ring each other, the first the second and so on."""
    chain: list[Bell] = []
    for _ in range(count):
        chain.append(Bell.objects.create(next_bell=chain[-1] if chain else None))
    chain.reverse()
    if ring:
        chain[-1].next_bell = chain[0]
        chain[-1].save()
    return chain


def test_a_firing_inside_an_effect_records_its_cause() -> None:
    first, second, third = bells(3)
    entry = first.fire("ring", actor=ACTOR)
    last = third.log.get(event="ring")
    middle = second.log.get(event="ring")
    assert entry.cause is None
    assert middle.cause == entry.entry_hash
    assert last.cause == middle.entry_hash
    assert list(last.causes()) == [middle, entry]
    assert list(entry.causes()) == []


def test_the_cause_is_part_of_what_is_hashed() -> None:
    from fsm_lifecycle.ledger.chain import hashed_values
    from fsm_lifecycle.ledger.hashing import entry_hash

    first, second = bells(2)
    first.fire("ring", actor=ACTOR)
    entry = second.log.get(event="ring")
    assert hashed_values(entry.__dict__)["cause"] == entry.cause is not None
    assert entry_hash(hashed_values(entry.__dict__)) == entry.entry_hash


def test_guards_and_effects_are_told_the_cause(seen: list[Any]) -> None:
    first, second = bells(2)
    first.fire("ring", actor=ACTOR)
    order = Order.objects.create(contract=Contract.objects.create())
    entry = order.fire("place", actor=ACTOR)
    assert order.contract is not None
    assert order.contract.log.last().cause == entry.entry_hash  # type: ignore[union-attr]
    assert second.log.count() == 2


def test_sixteen_links_are_allowed_and_the_next_one_raises() -> None:
    allowed = bells(17)
    allowed[0].fire("ring", actor=ACTOR)
    assert len(list(allowed[-1].log.get(event="ring").causes())) == 16

    too_long = bells(18)
    before = memory_of(too_long[0])
    with pytest.raises(CauseLoop) as caught:
        too_long[0].fire("ring", actor=ACTOR)
    assert caught.value.code == "cause_loop"
    assert memory_of(too_long[0]) == before
    assert {b.state for b in Bell.objects.filter(pk__in=[b.pk for b in too_long])} == {"silent"}


def test_the_limit_is_a_setting_and_read_when_it_is_needed() -> None:
    chain = bells(4)
    with override_settings(FSM_LIFECYCLE={"MAX_CAUSE_DEPTH": 2}):
        with pytest.raises(CauseLoop, match="MAX_CAUSE_DEPTH"):
            chain[0].fire("ring", actor=ACTOR)
        bells(3)[0].fire("ring", actor=ACTOR)
    assert chain[0].fire("ring", actor=ACTOR)


def test_the_same_event_on_the_same_record_twice_in_one_chain_is_a_loop() -> None:
    first, second = bells(2, ring=True)
    with pytest.raises(CauseLoop) as caught:
        first.fire("ring", actor=ACTOR)
    message = str(caught.value)
    for bell in (first, second):
        assert f"testapp.bell:{bell.pk} ring" in message
    assert TransitionLog.objects.by_event("ring").count() == 0
    assert Bell.objects.filter(state="ringing").count() == 0


def test_an_event_that_fires_itself_is_a_loop() -> None:
    gate = Gate.objects.create()
    gate.fire("swing", actor=ACTOR)
    gate.mode = "again"
    gate.save()
    with pytest.raises(CauseLoop, match="pass_by"):
        gate.fire("pass_by", actor=ACTOR)
    assert gate.log.count() == 2


def test_a_chain_ends_with_its_firing() -> None:
    first, second = bells(2)
    first.fire("ring", actor=ACTOR)
    assert second.log.count() == 2
    Bell.objects.get(pk=second.pk).fire("ring", actor=ACTOR)
    assert second.log.last().cause is None  # type: ignore[union-attr]
    with pytest.raises(RuntimeError):
        Gate.objects.create().fire("break_open", actor=ACTOR)
    assert first.fire("hush", actor=ACTOR).cause is None


def test_a_chain_goes_on_in_bulk() -> None:
    first = bells(3)[0]
    result = Bell.objects.filter(pk=first.pk).fire("ring", actor=ACTOR)
    assert result.succeeded == 1
    assert Bell.objects.filter(state="ringing").count() == 3
