"""Receivers of django-fsm-2's signals hear every firing, inside its transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_fsm.signals import post_transition, pre_transition

from fsm_lifecycle import System, UnsavedChanges
from fsm_lifecycle.models import TransitionLog
from tests.testapp.models import Invoice, Light

pytestmark = pytest.mark.django_db

ROBOT = System("robot")
Receiver = Callable[..., None]


@pytest.fixture
def listen() -> Iterator[Callable[[Any, Receiver], None]]:
    """Connects a receiver to a signal for as long as the test lasts."""
    connected: list[tuple[Any, Receiver, Any]] = []

    def connect(signal: Any, receiver: Receiver, sender: Any = None) -> None:
        signal.connect(receiver, sender=sender, weak=False)
        connected.append((signal, receiver, sender))

    yield connect
    for signal, receiver, sender in connected:
        signal.disconnect(receiver, sender=sender)


@pytest.fixture
def light() -> Any:
    return Light.objects.create()


Listen = Callable[..., None]


def test_both_are_sent_with_what_happened(listen: Listen, light: Any) -> None:
    heard: list[tuple[str, Any]] = []
    listen(pre_transition, lambda **sent: heard.append(("pre", sent)))
    listen(post_transition, lambda **sent: heard.append(("post", sent)))
    light.switch_on(actor=ROBOT)
    assert [when for when, _ in heard] == ["pre", "post"]
    for _, sent in heard:
        assert sent["sender"] is Light
        assert sent["instance"] is light
        assert (sent["name"], sent["source"], sent["target"]) == ("switch_on", "off", "on")
        assert sent["field"] is Light._meta.get_field("state")


def test_before_the_state_is_old_and_after_it_is_new(listen: Listen, light: Any) -> None:
    seen: list[tuple[str, int]] = []

    def look(instance: Any, **sent: Any) -> None:
        seen.append((instance.state, instance.log.count()))

    listen(pre_transition, look)
    listen(post_transition, look)
    light.switch_on(actor=ROBOT)
    assert seen == [("off", 1), ("on", 2)]


def test_arguments_are_sent_as_keywords(listen: Listen) -> None:
    heard: list[Any] = []
    invoice = Invoice.objects.create(amount=1, client_name="Ada")
    invoice.fire("send_invoice", actor=ROBOT)
    listen(post_transition, lambda **sent: heard.append((sent["method_args"], sent["method_kwargs"])))
    invoice.fire("pay", actor=ROBOT, arguments={"paid_on": "2026-11-20"})
    ((arguments, keywords),) = heard
    assert arguments == ()
    assert str(keywords["paid_on"]) == "2026-11-20"


@pytest.mark.parametrize("signal", [pre_transition, post_transition], ids=["pre", "post"])
def test_a_receiver_that_raises_rolls_everything_back(signal: Any, listen: Listen, light: Any) -> None:
    def object_(**sent: Any) -> None:
        raise RuntimeError("no")

    listen(signal, object_)
    with pytest.raises(RuntimeError, match="no"):
        light.switch_on(actor=ROBOT)
    assert (light.state, light.lifecycle_sequence) == ("off", 1)
    stored = Light.objects.get()
    assert (stored.state, stored.lifecycle_sequence) == ("off", 1)
    assert [entry.kind for entry in stored.log] == ["created"]


def test_the_record_fires_again_once_the_receiver_is_gone(listen: Listen, light: Any) -> None:
    def object_(**sent: Any) -> None:
        raise RuntimeError("no")

    post_transition.connect(object_)
    try:
        with pytest.raises(RuntimeError):
            light.switch_on(actor=ROBOT)
    finally:
        post_transition.disconnect(object_)
    light.switch_on(actor=ROBOT)
    assert light.log.count() == 2


def test_a_refusal_is_not_heard(listen: Listen, light: Any) -> None:
    heard: list[Any] = []
    listen(pre_transition, lambda **sent: heard.append(sent))
    with pytest.raises(Exception, match="starts from"):
        light.switch_off(actor=ROBOT)
    assert heard == []


def test_a_stale_copy_is_refused_before_anything_is_heard(listen: Listen, light: Any) -> None:
    heard: list[Any] = []
    Light.objects.get().fire("switch_on", actor=ROBOT)
    listen(pre_transition, lambda **sent: heard.append(sent))
    with pytest.raises(Exception, match="has changed since it was loaded"):
        light.switch_on(actor=ROBOT)
    assert heard == []


@pytest.mark.parametrize("signal", [pre_transition, post_transition], ids=["pre", "post"])
def test_a_receiver_may_save_but_not_leave_edits_behind(signal: Any, listen: Listen, light: Any) -> None:
    def rename(instance: Any, **sent: Any) -> None:
        instance.name = "lamp"
        if sent["name"] == "switch_on":
            instance.save(update_fields=["name"])

    listen(signal, rename)
    light.switch_on(actor=ROBOT)
    assert Light.objects.get().name == "lamp"
    light.name = "x"
    light.save()
    with pytest.raises(UnsavedChanges, match="name"):
        light.switch_off(actor=ROBOT)
    assert Light.objects.get().state == "on"


def test_only_the_sender_that_is_listened_to_is_heard(listen: Listen, light: Any) -> None:
    heard: list[str] = []
    listen(post_transition, lambda **sent: heard.append(sent["name"]), Invoice)
    light.switch_on(actor=ROBOT)
    assert heard == []
    Invoice.objects.create().fire("cancel", actor=ROBOT)
    assert heard == ["cancel"]


def test_firing_many_is_heard_for_each(listen: Listen) -> None:
    Light.objects.bulk_create([Light(), Light(), Light()])
    heard: list[Any] = []
    listen(post_transition, lambda instance, **sent: heard.append((instance.pk, sent["name"])))
    assert Light.objects.fire("switch_on", actor=ROBOT).succeeded == 3
    assert sorted(heard) == sorted((light.pk, "switch_on") for light in Light.objects.all())


def test_one_receiver_that_raises_fails_its_own_record_alone(listen: Listen) -> None:
    first, _ = Light.objects.create(), Light.objects.create()

    def object_(instance: Any, **sent: Any) -> None:
        if instance.pk == first.pk:
            raise RuntimeError("a secret")

    listen(post_transition, object_)
    result = Light.objects.order_by("pk").fire("switch_on", actor=ROBOT)
    assert (result.succeeded, result.failed) == (1, 1)
    assert [d.code for d in result.results[0].denials] == ["effect_failed"]
    assert "secret" not in str(result.results[0].denials)
    assert sorted(Light.objects.values_list("state", flat=True)) == ["off", "on"]
    assert TransitionLog.objects.for_record(first).count() == 1
