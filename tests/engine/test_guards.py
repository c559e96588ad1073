"""Guards: what their answers mean, what they see, what they may not betray."""

import logging
from decimal import Decimal
from typing import Any

import pytest

from fsm_lifecycle import GuardFailed, InvalidTransition
from tests.acting import ACTOR
from tests.testapp.gates import Gate
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
    from fsm_lifecycle.models import RefusedAttempt

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
    from tests.acting import memory_of

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
