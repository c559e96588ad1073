"""Guards: what their answers mean, what they see, what they may not betray."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from fsm_lifecycle import Event, GuardFailed, InvalidTransition, StaleState, State
from fsm_lifecycle.models import RefusedAttempt
from tests.acting import ACTOR, memory_of
from tests.definition.declaring import declare, lifecycle
from tests.engine.busy import held
from tests.testapp.gates import ORDERS, Gate
from tests.testapp.models import Invoice

pytestmark = pytest.mark.django_db


def test_a_truthy_answer_passes() -> None:
    for mode in ("", "one"):
        assert Gate.objects.create(mode=mode).fire("unlock", actor=ACTOR).to_state == "open"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("false", "The gate is locked."),
        ("none", "The gate is locked."),
        ("zero", "The gate is locked."),
        ("empty", "The gate is locked."),
        ("text", "Not before noon."),
        ("lazy", "Come back tomorrow."),
    ],
)
def test_every_other_answer_denies_with_its_reason(mode: str, reason: str) -> None:
    gate = Gate.objects.create(mode=mode)

    decision = gate.decide("unlock")
    with pytest.raises(GuardFailed) as caught:
        gate.fire("unlock", actor=ACTOR)

    assert [(d.code, d.reason, d.name) for d in decision.denials] == [("guard_failed", reason, "is_unlocked")]
    assert (caught.value.code, caught.value.guard, caught.value.reason) == (
        "guard_failed",
        "is_unlocked",
        reason,
    )
    assert isinstance(caught.value, InvalidTransition)
    assert gate.log.count() == 1


def test_a_guard_that_raises_denies_and_its_text_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate.objects.create(mode="raise")
    with caplog.at_level(logging.ERROR, "fsm_lifecycle"):
        decision = gate.decide("unlock")
    assert "a secret of the guard" in caplog.text

    with pytest.raises(GuardFailed) as caught:
        gate.fire("unlock", actor=ACTOR)

    assert [d.code for d in decision.denials] == ["guard_error"]
    assert decision.failed_guards == ("is_unlocked",)
    assert caught.value.code == "guard_error"
    for text in (str(caught.value), caught.value.reason, *(d.reason for d in decision.denials)):
        assert "secret" not in text


def test_a_refusal_on_record_never_shows_what_a_guard_raised() -> None:
    gate = Gate.objects.create(mode="raise")
    with pytest.raises(GuardFailed):
        gate.fire("unlock", actor=ACTOR)
    kept = RefusedAttempt.objects.get()
    assert kept.code == "guard_error"
    assert "secret" not in kept.reason + str(kept.denials)


def test_guards_see_the_fresh_row_and_not_the_callers_stale_copy(seen: list[Any]) -> None:
    gate = Gate.objects.create(mode="")
    Gate.objects.filter(pk=gate.pk).update(mode="false")
    with pytest.raises(GuardFailed):
        gate.fire("unlock", actor=ACTOR)
    assert seen[-1][1] is not gate
    assert seen[-1][1].mode == "false"


def test_a_guard_may_pass_on_what_others_saved_after_this_copy_was_loaded() -> None:
    stale = Invoice.objects.create(amount=Decimal(0), client_name="Ann")
    Invoice.objects.filter(pk=stale.pk).update(amount=Decimal(9))
    assert stale.fire("send_invoice", actor=ACTOR).to_state == "sent"


def test_a_guard_with_two_arguments_is_told_the_firing(seen: list[Any]) -> None:
    gate = Gate.objects.create(note="x")
    gate.fire("push", actor=ACTOR, arguments={"load": 3}, metadata={"m": 1})
    firing = next(item[1] for item in seen if item[0] == "firing guard")
    assert (firing.event.name, firing.source, firing.target) == ("push", "shut", "open")
    assert firing.arguments["load"] == 3
    assert firing.metadata == {"m": 1}
    assert firing.actor == ACTOR
    assert firing.sequence == 2
    assert firing.cause is None


def test_a_failing_guard_leaves_the_record_in_memory_as_it_was() -> None:
    gate = Gate.objects.create(mode="false")
    Gate.objects.filter(pk=gate.pk).update(note="by somebody else")
    before = memory_of(gate)
    with pytest.raises(GuardFailed):
        gate.fire("unlock", actor=ACTOR)
    assert memory_of(gate) == before


def test_the_label_and_reason_of_a_guard_are_kept_in_the_table() -> None:
    guard = Gate.lifecycle.events["unlock"].guards[0]
    assert (guard.name, guard.reason, guard.label) == ("is_unlocked", "The gate is locked.", "Is unlocked")
    assert Gate.lifecycle.events["push"].guards[1].label == "Is small"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in the caller's transaction"])
def test_a_guard_whose_query_fails_denies_and_spoils_nothing(inside: bool) -> None:
    gate = Gate.objects.create(mode="fail")
    with transaction.atomic() if inside else nullcontext():
        with pytest.raises(GuardFailed):
            gate.fire("unlock", actor=ACTOR)
        assert Gate.objects.get().state == "shut"
        Gate.objects.update(mode="fail and go on")
    gate.refresh_from_db()
    assert gate.fire("unlock", actor=ACTOR).to_state == "open"


@pytest.mark.django_db(transaction=True)
def test_of_many_only_the_one_whose_guard_fails_stays() -> None:
    well, ill, other = (Gate.objects.create(mode=mode) for mode in ("", "fail", "fail and go on"))
    result = Gate.objects.all().fire("unlock", actor=ACTOR)
    assert {one.pk: [d.code for d in one.denials] for one in result.results} == {
        well.pk: [],
        ill.pk: ["guard_error"],
        other.pk: [],
    }


# --- async, which nobody waits for ---------------------------------------------------------------------------------


async def allows_nobody(thing: Any) -> bool:
    return False


@pytest.mark.parametrize("asked", [allows_nobody, lambda thing: allows_nobody(thing)])
def test_an_async_guard_is_never_a_yes(asked: Any, caplog: pytest.LogCaptureFixture) -> None:
    a, b = State("a", initial=True), State("b")
    thing: Any = declare(lifecycle(a=a, b=b, go=Event(a, to=b, guards=[asked])))()
    (denial,) = thing.decide("go").denials
    assert denial.code == "guard_error"
    assert thing.available_events() == []
    assert "is async, and nothing waits for it" in caplog.text


# --- a database that is too busy -----------------------------------------------------------------------------------


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Gate]:
    """A gate whose guard reads what somebody else holds."""
    gate = Gate.objects.create(mode="obey")
    with held(tmp_path) as wait:
        ORDERS[:] = [lambda gate, firing: wait()]
        yield gate


def test_a_guard_that_finds_the_database_busy_makes_the_firing_stale(
    busy: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    before = memory_of(busy)
    with (
        pytest.raises(StaleState, match="another transaction held the record or the database"),
        transaction.atomic(),
    ):
        busy.fire("unlock", actor=ACTOR)
    assert memory_of(busy) == before
    assert not RefusedAttempt.objects.exists()  # nobody refused it
    assert "raised" not in caplog.text
    ORDERS.clear()
    assert busy.fire("unlock", actor=ACTOR).to_state == "open"


def test_a_guard_that_finds_the_database_busy_is_asked_again_later(busy: Gate) -> None:
    with transaction.atomic():
        decision = busy.decide("unlock")
        transaction.set_rollback(True)
    (denial,) = decision.denials
    assert (denial.code, denial.reason) == (
        "stale_state",
        "Another transaction held what its rules read. Try again.",
    )
    with transaction.atomic():
        assert "unlock" not in [event.name for event in busy.available_events()]
        transaction.set_rollback(True)
    ORDERS.clear()
    assert busy.can_fire("unlock")


def test_many_whose_guard_finds_the_database_busy_are_stale(busy: Gate) -> None:
    with transaction.atomic():
        result = Gate.objects.filter(pk=busy.pk).fire("unlock", actor=ACTOR)
    assert [d.code for d in result.results[0].denials] == ["stale_state"]
    assert busy.log.count() == 1
