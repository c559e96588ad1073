"""Refusals are kept: who, what, why, when, through which surface."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils import timezone

from fsm_lifecycle import AccessDenied, GuardFailed, InvalidTransition, LifecycleError
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.models import RefusedAttempt
from tests.acting import ACTOR, Undo, rolled_back
from tests.testapp.gates import Gate
from tests.testapp.models import Door, Invoice, Light

pytestmark = pytest.mark.django_db


def test_who_what_why_and_when(user: User) -> None:
    light, begun = Light.objects.create(), timezone.now()
    with pytest.raises(InvalidTransition) as caught:
        light.fire("switch_off", actor=user)
    kept = RefusedAttempt.objects.get()
    assert (kept.model_label, kept.object_pk, kept.event, kept.state) == (
        "testapp.light",
        str(light.pk),
        "switch_off",
        "off",
    )
    assert (kept.actor_kind, kept.actor_id, kept.actor_label) == ("user", str(user.pk), "alice")
    assert kept.code == caught.value.code == "wrong_state"
    assert kept.reason
    assert milliseconds(begun) <= kept.recorded_at <= timezone.now()
    assert kept.surface == "code"


def test_every_denial_is_kept() -> None:
    invoice = Invoice.objects.create()
    with pytest.raises(GuardFailed):
        invoice.fire("send_invoice", actor=ACTOR)
    kept = RefusedAttempt.objects.get()
    assert [d["name"] for d in kept.denials] == ["has_positive_total", "has_client"]
    assert kept.reason == "The invoice total must be positive."


@pytest.mark.parametrize(
    ("fire", "code"),
    [
        (lambda light: light.fire("dance", actor=ACTOR), "unknown_event"),
        (lambda light: light.fire("switch_on", actor=AnonymousUser()), "access_denied"),
        (lambda light: light.fire("switch_on", actor=ACTOR, expected_state="on"), "stale_state"),
        (lambda light: light.fire("switch_on", actor=ACTOR, expected_sequence=9), "stale_state"),
        (lambda light: light.fire("switch_off", actor=ACTOR), "wrong_state"),
        (lambda light: light.fire("switch_on", actor=ACTOR, arguments={"x": 1}), "invalid_arguments"),
    ],
)
def test_every_kind_of_refusal_is_kept(fire: Any, code: str) -> None:
    with pytest.raises(LifecycleError) as caught:
        fire(Light.objects.create())
    assert caught.value.code == code
    assert RefusedAttempt.objects.get().code == code


def test_an_anonymous_visitor_is_unknown() -> None:
    with pytest.raises(AccessDenied):
        Light.objects.create().fire("switch_on", actor=AnonymousUser())
    kept = RefusedAttempt.objects.get()
    assert (kept.actor_kind, kept.actor_id) == ("unknown", "")


def test_the_values_of_wrong_arguments_are_not_kept() -> None:
    invoice = Invoice.objects.create(amount=1, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    with pytest.raises(LifecycleError):
        invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "a private thing"})
    kept = RefusedAttempt.objects.get()
    assert "private" not in kept.reason + str(kept.denials)


def test_a_success_leaves_no_refusal() -> None:
    Light.objects.create().fire("switch_on", actor=ACTOR)
    assert not RefusedAttempt.objects.exists()


def test_a_surface_writes_them_after_its_own_transaction_so_that_a_rollback_keeps_them() -> None:
    light = Light.objects.create()
    with collecting("admin"), pytest.raises(Undo), transaction.atomic():  # noqa: PT012
        with pytest.raises(InvalidTransition):
            light.fire("switch_off", actor=ACTOR)
        assert not RefusedAttempt.objects.exists()
        raise Undo
    assert RefusedAttempt.objects.get().surface == "admin"


def test_the_outermost_surface_writes() -> None:
    light = Light.objects.create()
    with collecting("rest"):
        with collecting("admin"), pytest.raises(InvalidTransition):
            light.fire("switch_off", actor=ACTOR)
        assert not RefusedAttempt.objects.exists()
    assert RefusedAttempt.objects.get().surface == "rest"


def test_a_bare_fire_in_a_transaction_that_rolls_back_cannot_keep_it() -> None:
    light = Light.objects.create()
    with rolled_back(), pytest.raises(InvalidTransition):
        light.fire("switch_off", actor=ACTOR)
    assert not RefusedAttempt.objects.exists()


def test_a_refusal_leaves_the_open_transaction_usable() -> None:
    gate, light = Gate.objects.create(mode="false"), Light.objects.create()
    with transaction.atomic():
        with pytest.raises(GuardFailed):
            gate.fire("unlock", actor=ACTOR)
        light.fire("switch_on", actor=ACTOR)
    assert Light.objects.get().state == "on"
    assert RefusedAttempt.objects.count() == 1


def test_many_refusals_are_kept_each_for_itself() -> None:
    for _ in range(3):
        Light.objects.create()
    Light.objects.all().fire("switch_off", actor=ACTOR)
    assert RefusedAttempt.objects.filter(code="wrong_state").count() == 3
    with rolled_back():
        pass
    Light.objects.all().fire("switch_off", actor=ACTOR, all_or_nothing=True)
    assert RefusedAttempt.objects.count() == 6


def test_text_keys_are_kept_as_they_are() -> None:
    with pytest.raises(InvalidTransition):
        Door.objects.create(code="Ä 1").fire("close", actor=ACTOR)
    assert RefusedAttempt.objects.get().object_pk == "Ä 1"


def test_a_long_unknown_event_name_does_not_break_the_record_of_it() -> None:
    with pytest.raises(LifecycleError):
        Light.objects.create().fire("x" * 5000, actor=ACTOR)
    assert RefusedAttempt.objects.get().event == "x" * 100


def test_a_name_that_no_database_takes_loses_no_refusal() -> None:
    light = Light.objects.create()
    with collecting("here"):
        for name in ("a\0b", "a\ud800b"):
            with pytest.raises(LifecycleError, match="There is no event"):
                light.fire(name, actor=ACTOR)
        with pytest.raises(InvalidTransition):
            light.fire("switch_off", actor=ACTOR)
    kept = RefusedAttempt.objects.order_by("pk")
    assert [(one.event, one.denials[0]["name"]) for one in kept] == [
        ("a?b", "a?b"),
        ("a?b", "a?b"),
        ("switch_off", "switch_off"),
    ]
    assert "“a?b”" in kept[0].reason
