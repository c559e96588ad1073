"""What becomes of failures, by the specification's words alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core import mail

from fsm_lifecycle import webhooks
from fsm_lifecycle.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.acceptance.webhooks.acts import DELAYS, START, sent, work
from tests.webhooks.receiver import Receiver, says

# What tells databases apart is tried beside the package's own tests of webhooks.
pytestmark = pytest.mark.once


@pytest.mark.django_db
@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
def test_anything_else_than_success_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.answer = says(status, b"no", Location=receiver.url("/elsewhere"))
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    work()
    delivery = WebhookDelivery.objects.get()
    assert delivery.status == "pending"
    assert {got.path for got in receiver.got} == {"/hook"}
    attempt = WebhookAttempt.objects.first()
    assert attempt is not None
    assert (attempt.status, attempt.response_head) == (status, "no")


@pytest.mark.django_db
def test_the_schedule_the_pause_the_probes_and_five_days(receiver: Receiver) -> None:
    receiver.answer = says(500)
    owner = get_user_model().objects.create_superuser("owner", "owner@example.com")
    heard: list[Any] = []
    webhooks.endpoint_disabled.connect(lambda **kw: heard.append(kw), weak=False, dispatch_uid="acc")
    with time_machine.travel(START, tick=False) as clock:
        endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"], owner=owner)
        sent()
        work()
        for tries in range(1, 5):
            delivery = WebhookDelivery.objects.get()
            assert (delivery.attempt, delivery.status) == (tries, "pending")
            wait = (delivery.due_at - datetime.now(UTC)).total_seconds()
            assert 0.8 * DELAYS[tries] - 1 <= wait <= 1.2 * DELAYS[tries] + 1
            work()
            assert len(receiver.got) == tries
            clock.move_to(delivery.due_at + timedelta(seconds=1))
            work()
        endpoint.refresh_from_db()
        assert endpoint.paused_until is not None
        assert len(receiver.got) == 5
        spans = []
        for _ in range(5):
            spans.append(round((endpoint.paused_until - datetime.now(UTC)).total_seconds() / 60))
            used = WebhookDelivery.objects.get().attempt
            clock.move_to(endpoint.paused_until + timedelta(seconds=1))
            work()
            endpoint.refresh_from_db()
            assert WebhookDelivery.objects.get().attempt == used
        assert spans == [1, 5, 30, 60, 60]
        clock.move_to(START + timedelta(days=5, hours=2))
        work()
        assert not WebhookEndpoint.objects.get().active
        assert WebhookDelivery.objects.get().status == "dead"
        assert len(heard) == 1
        assert [message.to for message in mail.outbox] == [["owner@example.com"]]
    webhooks.endpoint_disabled.disconnect(dispatch_uid="acc")


@pytest.mark.django_db
def test_a_probe_that_arrives_reopens(receiver: Receiver) -> None:
    receiver.answer = says(500)
    with time_machine.travel(START, tick=False) as clock:
        endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
        for _ in range(7):
            sent()
        work()
        endpoint.refresh_from_db()
        assert endpoint.paused_until is not None
        receiver.answer = says(200)
        clock.shift(timedelta(minutes=1, seconds=1))
        work()
        assert WebhookEndpoint.objects.get().paused_until is None
        clock.shift(timedelta(minutes=10))
        work()
        assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}


@pytest.mark.django_db
def test_retry_after_is_honoured_both_ways_it_is_written(receiver: Receiver) -> None:
    with time_machine.travel(START, tick=False) as clock:
        WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
        receiver.answer = says(429, Retry_After="600")
        sent()
        work()
        assert WebhookDelivery.objects.get().due_at >= START + timedelta(seconds=600)
        receiver.answer = says(503, Retry_After="Mon, 30 Nov 2026 13:00:00 GMT")
        clock.move_to(WebhookDelivery.objects.get().due_at + timedelta(seconds=1))
        work()
        assert WebhookDelivery.objects.get().due_at >= START + timedelta(hours=3)


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["-5", "never", "99999999999999999999", "", "1e9", "nan"])
def test_a_hostile_retry_after_does_no_harm(receiver: Receiver, value: str) -> None:
    receiver.answer = says(503, Retry_After=value)
    WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    work()
    delivery = WebhookDelivery.objects.get()
    assert delivery.status == "pending"
    assert delivery.due_at < datetime.now(UTC) + timedelta(days=6)


@pytest.mark.django_db
def test_gone_disables(receiver: Receiver) -> None:
    receiver.answer = says(410)
    endpoint = WebhookEndpoint.objects.create(url=receiver.url(), events=["*.send_invoice"])
    sent()
    work()
    endpoint.refresh_from_db()
    assert endpoint.active is False
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"dead"}
    sent()
    work()
    assert len(receiver.got) == 1
