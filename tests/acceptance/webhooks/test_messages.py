"""What is sent, to whom and since when, by the specification's words alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
import time_machine
from django.contrib.auth import get_user_model
from django.db import transaction

from fsm_lifecycle import webhooks
from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import receive
from tests.acceptance.webhooks.acts import START, TESTER, events, sent, work
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Claim
from tests.webhooks.receiver import Receiver, says

# What tells databases apart is tried beside the package's own tests of webhooks.
pytestmark = pytest.mark.once


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("filters", "told"),
    [
        (["testapp.invoice.send_invoice"], True),
        (["testapp.invoice.*"], True),
        (["*.send_invoice"], True),
        (["*"], True),
        (["testapp.invoice.pay"], False),
        (["*.pay"], False),
        (["billing.invoice.*"], False),
        (["testapp.inv.*"], False),
        (["testapp.invoice:created"], False),
        (["testapp.invoice.pay", "*.send_invoice"], True),
    ],
)
def test_filters(receiver: Receiver, filters: list[str], told: bool) -> None:
    WebhookEndpoint.objects.create(url=receiver.url(), events=filters)
    sent()
    work()
    assert ("testapp.invoice.send_invoice" in events(receiver)) is told


@pytest.mark.django_db
def test_filters_as_one_text_are_no_list_of_letters(receiver: Receiver) -> None:
    endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events="testapp.invoice.pay")
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(events="testapp.light.*")
    sent()
    work()
    assert receiver.got == []


@pytest.mark.django_db
@pytest.mark.parametrize("events", [[], [5], {}, 5])
def test_odd_filters_hold_up_no_other_endpoint(receiver: Receiver, events: Any) -> None:
    endpoint = WebhookEndpoint.objects.create(url=receiver.url("/odd"))
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(events=events)
    WebhookEndpoint.objects.create(url=receiver.url())
    sent()
    work()
    assert [got.path for got in receiver.got] == ["/hook"]


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x" * 44, b"gAAAA-bytes-of-a-key-that-somebody-made-1234="])
def test_keys_of_any_shape(receiver: Receiver, configured: dict[str, Any], key: Any) -> None:
    configured["ENCRYPTION_KEYS"] = [key]
    endpoint = WebhookEndpoint.objects.create(url=receiver.url())
    secret = webhooks.rotate_secret(endpoint)
    configured["ENCRYPTION_KEYS"] = ["the newer key, which is long enough", key]
    sent()
    work()
    assert receive.verify(receiver.got[0].body, receiver.got[0].headers, [secret])


@pytest.mark.django_db
def test_created_is_asked_for_by_its_own_name(receiver: Receiver) -> None:
    WebhookEndpoint.objects.create(url=receiver.url(), events=["testapp.invoice:created"])
    sent()
    work()
    assert events(receiver) == ["testapp.invoice:created"]


@pytest.mark.django_db
def test_one_record_or_all(receiver: Receiver) -> None:
    first, second = (Invoice.objects.create(amount=1, client_name="A") for _ in range(2))
    WebhookEndpoint.objects.create(
        url=receiver.url(), events=["*"], model_label="testapp.invoice", object_pk=str(second.pk)
    )
    for one in (first, second):
        one.fire("send_invoice", actor=TESTER)
    work()
    assert [got.json["data"]["pk"] for got in receiver.got] == [str(second.pk)]


@pytest.mark.django_db
def test_a_model_label_as_django_writes_it(receiver: Receiver) -> None:
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*"], model_label="testapp.Invoice")
    sent()
    Light.objects.create()
    work()
    assert events(receiver) == ["testapp.invoice.send_invoice"]


@pytest.mark.django_db
def test_the_message(receiver: Receiver) -> None:
    endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*"])
    secret = webhooks.rotate_secret(endpoint)
    assert secret.startswith("whsec_")
    assert secret not in str(vars(WebhookEndpoint.objects.get()))
    invoice = sent()
    work()
    (got,) = receiver.got
    assert standardwebhooks.Webhook(secret).verify(got.body, got.headers) == got.json
    assert receive.verify(got.body, got.headers, [secret]) == got.json
    assert receive.verify(got.body, got.headers, secret) == got.json
    payload = got.json
    assert payload["id"] == got.headers["webhook-id"]
    assert payload["id"].startswith("msg_")
    assert payload["type"] == "testapp.invoice.send_invoice"
    data = payload["data"]
    assert (data["model"], data["pk"], data["sequence"]) == ("testapp.invoice", str(invoice.pk), 2)
    assert (data["event"], data["from"], data["to"]) == ("send_invoice", "draft", "sent")
    assert {"actor", "occurred_at"} <= set(data)
    assert "amount" not in got.body.decode()
    assert got.headers["x-fsm-event"] == "testapp.invoice.send_invoice"
    assert got.headers["x-fsm-record-type"] == "testapp.invoice"
    kind, _, digest = got.headers["x-fsm-signature"].partition("=")
    keys = [base64.b64decode(secret.removeprefix("whsec_")), secret.encode()]
    assert kind == "sha256"
    assert digest in {hmac.new(key, got.body, hashlib.sha256).hexdigest() for key in keys}
    assert len(got.body) <= 20_000
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.endpoint) == ("delivered", endpoint)
    assert delivery.entry_hash == invoice.log.last().entry_hash  # type: ignore[union-attr]
    attempt = WebhookAttempt.objects.get(delivery=delivery)
    assert attempt.status == 204
    assert attempt.elapsed


@pytest.mark.django_db
def test_rotation_keeps_the_old_secret_for_a_day(receiver: Receiver) -> None:
    with time_machine.travel(START, tick=False) as clock:
        endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
        first = webhooks.rotate_secret(endpoint)
        clock.shift(timedelta(days=2))
        second = webhooks.rotate_secret(endpoint)
        assert first != second
        clock.shift(timedelta(hours=23))
        sent()
        work()
        got = receiver.got[-1]
        assert len(got.headers["webhook-signature"].split()) == 2
        for secret in (first, second):
            assert receive.verify(got.body, got.headers, [secret])
        clock.shift(timedelta(hours=2))
        sent()
        work()
        got = receiver.got[-1]
        assert len(got.headers["webhook-signature"].split()) == 1
        with pytest.raises(receive.InvalidSignature):
            receive.verify(got.body, got.headers, [first])


@pytest.mark.django_db
def test_a_stale_object_of_the_endpoint_can_be_saved_after_a_rotation(receiver: Receiver) -> None:
    endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    secret = webhooks.rotate_secret(WebhookEndpoint.objects.get(pk=endpoint.pk))
    endpoint.description = "mine"
    endpoint.save()
    sent()
    work()
    assert receive.verify(receiver.got[0].body, receiver.got[0].headers, [secret])


@pytest.mark.django_db
def test_only_from_when_it_was_made_and_only_while_active(receiver: Receiver) -> None:
    sent()
    endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    later = sent()
    work()
    assert [got.json["data"]["pk"] for got in receiver.got] == [str(later.pk)]
    endpoint.active = False
    endpoint.save()
    sent()
    work()
    assert len(receiver.got) == 1
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(active=True)
    last = sent()
    work()
    assert [got.json["data"]["pk"] for got in receiver.got] == [str(later.pk), str(last.pk)]


@pytest.mark.django_db
def test_a_firing_that_rolled_back_is_never_told(receiver: Receiver) -> None:
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*"])
    with transaction.atomic():
        sent()
        transaction.set_rollback(True)
    work()
    assert receiver.got == []
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db
def test_a_slow_endpoint_delays_no_other(receiver: Receiver, configured: dict[str, Any]) -> None:
    slow = Receiver()
    slow.answer = lambda handler, got: (handler.is_over(200), None)[1]
    configured["WEBHOOK_ALLOWED_PORTS"] = [receiver.port, slow.port]
    configured["WEBHOOK_TIMEOUT"] = (5, 5)
    try:
        WebhookEndpoint.objects.create(url=slow.url(), events=["*.send_invoice"])
        WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
        sent()
        begun = time.monotonic()
        work()
        assert time.monotonic() - begun < 100
        assert len(receiver.got) == 1
        assert sorted(WebhookDelivery.objects.values_list("status", flat=True)) == ["delivered", "pending"]
    finally:
        slow.close()


@pytest.mark.django_db
def test_drips_meet_the_hard_deadline(receiver: Receiver, configured: dict[str, Any]) -> None:
    configured["WEBHOOK_TIMEOUT"] = (2, 2)

    def drip(handler: Any, got: Any) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while handler.raw(b"x") and not handler.is_over(0.1):
            pass

    receiver.answer = drip
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    begun = time.monotonic()
    work()
    assert time.monotonic() - begun < 100
    assert WebhookDelivery.objects.get().status == "pending"
    assert WebhookAttempt.objects.get().error_class


@pytest.mark.django_db
def test_only_so_much_of_an_answer_is_read(receiver: Receiver) -> None:
    receiver.answer = says(200, b"\x00\xff" + b"y" * 3_000_000)
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    work()
    assert len(WebhookAttempt.objects.get().response_head) <= 64 * 1024
    assert WebhookDelivery.objects.get().status == "delivered"


@pytest.mark.django_db
def test_resending(receiver: Receiver) -> None:
    with time_machine.travel(START, tick=False) as clock:
        endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
        before = START
        clock.shift(timedelta(minutes=1))
        sent()
        work()
        clock.shift(timedelta(minutes=1))
        webhooks.resend(WebhookDelivery.objects.get())
        work()
        assert len(receiver.got) == 2
        assert len({got.message_id for got in receiver.got}) == 1
        clock.shift(timedelta(minutes=1))
        sent()
        work()
        clock.shift(timedelta(minutes=1))
        webhooks.resend_since(endpoint, before)
        work()
        assert len(receiver.got) == 5
        webhooks.resend_since(endpoint, datetime.now(UTC))
        work()
        assert len(receiver.got) == 5
        webhooks.send_test(endpoint)
        work()
        assert len(receiver.got) == 6
        assert receiver.got[-1].json["id"] == receiver.got[-1].message_id


@pytest.mark.django_db
def test_only_what_the_owner_may_see_when_it_is_sent(receiver: Receiver) -> None:
    owner = get_user_model().objects.create_user("owner")
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*"], owner=owner)
    hidden, shown = Claim.objects.create(), Claim.objects.create()
    grant_role(owner, "auditor", on=shown, by=TESTER)
    for one in (hidden, shown):
        one.fire("examine", actor=TESTER)
    work()
    assert {got.json["data"]["pk"] for got in receiver.got} == {str(shown.pk)}

    receiver.answer = says(500)
    shown.fire("refile", actor=TESTER)
    work()
    tries = len(receiver.got)
    revoke_role(owner, "auditor", on=shown, by=TESTER)
    webhooks.resend(WebhookDelivery.objects.get(status="pending"))
    work()
    assert len(receiver.got) == tries
    assert WebhookDelivery.objects.filter(status="dead").count() == 1


@pytest.mark.django_db
def test_an_owner_who_was_switched_off_is_told_nothing(receiver: Receiver) -> None:
    owner = get_user_model().objects.create_superuser("owner")
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"], owner=owner)
    sent()
    get_user_model().objects.update(is_active=False)
    work()
    assert receiver.got == []
