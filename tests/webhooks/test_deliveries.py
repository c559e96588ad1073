"""From an entry to a message: what is sent, to whom, signed how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from standardwebhooks import Webhook

from fsm_lifecycle import webhooks
from fsm_lifecycle.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import receive
from tests.acting import ACTOR, rolled_back
from tests.testapp.models import Invoice, Light
from tests.webhooks.conftest import delivery_of
from tests.webhooks.receiver import Receiver

Work = Callable[[], int]


def switched_on() -> Any:
    light = Light.objects.create()
    return light.fire("switch_on", actor=ACTOR)


def test_an_event_is_delivered_and_the_reference_library_verifies_it(
    endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    entry = switched_on()
    work()
    (got,) = reachable.got
    assert endpoint.new_secret
    Webhook(endpoint.new_secret).verify(got.body, got.headers)
    assert receive.verify(got.body, got.headers, endpoint.new_secret) == got.json
    assert got.json["type"] == "testapp.light.switch_on"
    assert got.json["id"] == got.message_id
    data = got.json["data"]
    assert (data["model"], data["pk"], data["sequence"]) == ("testapp.light", entry.object_pk, 2)
    assert data["actor"] == {"kind": "system", "id": "tests", "label": None}
    assert (data["event"], data["from"], data["to"]) == (
        "switch_on",
        "off",
        "on",
    )
    assert got.headers["x-fsm-event"] == "testapp.light.switch_on"
    assert got.headers["x-fsm-record-type"] == "testapp.light"
    delivery = delivery_of(entry, endpoint)
    assert (delivery.status, delivery.attempt) == ("delivered", 1)
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.number, attempt.error_class, attempt.succeeded) == (204, 1, "", True)


def test_an_entry_that_rolled_back_is_never_delivered(
    endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    light = Light.objects.create()
    with rolled_back():
        light.fire("switch_on", actor=ACTOR)
    work()
    assert reachable.got == []
    assert not WebhookDelivery.objects.exists()


def test_other_kinds_are_sent_only_where_they_are_asked_for(
    reachable: Receiver, work: Work, db: None
) -> None:
    WebhookEndpoint.objects.create(url=reachable.url("/all"))
    WebhookEndpoint.objects.create(url=reachable.url("/created"), events=["testapp.light:created"])
    switched_on()
    work()
    found = {(got.path, got.json["type"]) for got in reachable.got}
    assert found == {("/all", "testapp.light.switch_on"), ("/created", "testapp.light:created")}


def test_during_a_rotation_both_secrets_verify(
    endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    old = endpoint.new_secret
    new = webhooks.rotate_secret(endpoint)
    assert old
    assert new
    assert old != new
    switched_on()
    work()
    (got,) = reachable.got
    for secret in (old, new):
        Webhook(secret).verify(got.body, got.headers)


def test_one_record_alone(reachable: Receiver, work: Work, db: None) -> None:
    mine, other = Light.objects.create(), Light.objects.create()
    WebhookEndpoint.objects.create(url=reachable.url(), model_label="testapp.light", object_pk=str(mine.pk))
    mine.fire("switch_on", actor=ACTOR)
    other.fire("switch_on", actor=ACTOR)
    Invoice.objects.create()
    work()
    assert [got.json["data"]["pk"] for got in reachable.got] == [str(mine.pk)]
