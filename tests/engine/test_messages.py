"""Every message names the event, the state and the remedy, and betrays nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django_fsm import TransitionNotAllowed

from fsm_lifecycle import exceptions
from fsm_lifecycle.exceptions import LifecycleError
from tests.acting import ACTOR
from tests.testapp.gates import Gate
from tests.testapp.models import Bell, Document, Invoice, Light, Treaty

pytestmark = pytest.mark.django_db


def stale(light: Light) -> Any:
    Light.objects.get(pk=light.pk).fire("switch_on", actor=ACTOR)
    return light.fire("switch_on", actor=ACTOR)


def unsaved(light: Light) -> Any:
    light.name = "b"
    return light.fire("switch_on", actor=ACTOR)


def smashed(light: Light) -> Any:
    light.fire("smash", actor=ACTOR)
    return light.fire("switch_on", actor=ACTOR)


def repeated(light: Light) -> Any:
    light.fire("switch_on", actor=ACTOR, idempotency_key="k")
    return light.fire("switch_off", actor=ACTOR, idempotency_key="k")


def assigned(light: Light) -> None:
    light.state = "on"


def looped(light: Light) -> Any:
    bell = Bell.objects.create()
    bell.next_bell = bell
    bell.save()
    return bell.fire("ring", actor=ACTOR)


def guarded(light: Light) -> Any:
    return Gate.objects.create(mode="false").fire("unlock", actor=ACTOR)


def mistaken(light: Light) -> Any:
    return Gate.objects.create().fire("carry", actor=ACTOR, arguments={"load": "x"})


def of_a_child(light: Light) -> Any:
    return Document.objects.get(pk=Treaty.objects.create(title="t").pk).fire("finish", actor=ACTOR)


@pytest.mark.parametrize(
    ("provoke", "cls", "code", "words"),
    [
        (lambda r: r.fire("dance", actor=ACTOR), "UnknownEvent", "unknown_event", ["dance", "switch_on"]),
        (
            lambda r: r.fire("switch_on", actor=AnonymousUser()),
            "AccessDenied",
            "access_denied",
            ["Switch on", "Log in"],
        ),
        (stale, "StaleState", "stale_state", ["On", "Off", "again"]),
        (
            lambda r: r.fire("switch_on", actor=ACTOR, expected_state="on"),
            "StaleState",
            "stale_state",
            ["Off", "On", "expected"],
        ),
        (
            lambda r: r.fire("switch_off", actor=ACTOR),
            "InvalidTransition",
            "wrong_state",
            ["Switch off", "Off", "On"],
        ),
        (smashed, "TerminalState", "terminal_state", ["Switch on", "Broken", "final"]),
        (guarded, "GuardFailed", "guard_failed", ["Unlock", "The gate is locked."]),
        (mistaken, "InvalidArguments", "invalid_arguments", ["Carry", "load", "whole number"]),
        (unsaved, "UnsavedChanges", "unsaved_changes", ["name", "Save", "refresh_from_db"]),
        (assigned, "DirectStateChange", "direct_state_change", ["on", "fire("]),
        (repeated, "IdempotencyConflict", "idempotency_conflict", ["Switch on", "new key"]),
        (lambda r: r.fire("switch_on"), "ActorRequired", "actor_required", ["actor=", "acting_as"]),
        (looped, "CauseLoop", "cause_loop", ["ring", "testapp.bell"]),
        (of_a_child, "InvalidTransition", "wrong_state", ["treaty", "Treaty", "Load"]),
    ],
)
def test_the_message_says_what_and_what_to_do(
    provoke: Callable[[Any], Any], cls: str, code: str, words: list[str]
) -> None:
    with pytest.raises(LifecycleError) as caught:
        provoke(Light.objects.create(name="a"))
    assert type(caught.value) is getattr(exceptions, cls)
    assert caught.value.code == code
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert message.endswith(".")
    assert len(message) < 400, message


def test_every_refused_firing_names_the_record() -> None:
    light = Light.objects.create()
    for event in ("dance", "switch_off"):
        with pytest.raises(LifecycleError, match=f"Light {light.pk}"):
            light.fire(event, actor=ACTOR)


def test_every_exception_is_a_lifecycle_error_with_a_code_of_its_own() -> None:
    names = """UnknownEvent InvalidTransition TerminalState GuardFailed AccessDenied ApprovalRequired
        InvalidArguments StaleState UnsavedChanges DirectStateChange IdempotencyConflict ActorRequired CauseLoop
        ProtectionOutdated""".split()
    import fsm_lifecycle

    codes = set()
    for name in names:
        cls = getattr(exceptions, name)
        assert getattr(fsm_lifecycle, name) is cls
        assert issubclass(cls, LifecycleError)
        codes.add(cls.code)
    assert len(codes) == len(names)
    assert issubclass(exceptions.TerminalState, exceptions.InvalidTransition)
    assert issubclass(exceptions.GuardFailed, exceptions.InvalidTransition)
    assert issubclass(exceptions.InvalidTransition, TransitionNotAllowed)
    assert issubclass(exceptions.AccessDenied, PermissionDenied)
    assert issubclass(exceptions.DirectStateChange, AttributeError)


def test_all_reasons_of_one_kind_are_in_the_message() -> None:
    with pytest.raises(LifecycleError) as caught:
        Invoice.objects.create().fire("send_invoice", actor=ACTOR)
    assert "The invoice total must be positive. Write the client's name first." in str(caught.value)


def test_wrong_values_are_not_repeated_in_the_message() -> None:
    with pytest.raises(LifecycleError) as caught:
        Gate.objects.create().fire("carry", actor=ACTOR, arguments={"load": "top secret"})
    assert "secret" not in str(caught.value)
    with pytest.raises(LifecycleError) as caught:
        Light.objects.create().fire("switch_on", actor=ACTOR, metadata={"a": {"top secret"}})
    assert "secret" not in str(caught.value)
