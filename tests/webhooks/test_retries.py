"""Messages that do not arrive: when they are tried again, when an endpoint rests, and when it is off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils.http import http_date

from fsm_lifecycle import webhooks
from fsm_lifecycle.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import schedule
from tests.acting import ACTOR
from tests.testapp.models import Light
from tests.webhooks.conftest import delivery_of
from tests.webhooks.receiver import Receiver, says

Work = Callable[[], int]
START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
#: The delays before each try, in seconds.
TABLE = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


@pytest.fixture
def clock(time_machine: Any) -> Any:
    time_machine.move_to(START, tick=False)
    return time_machine


def fired() -> Any:
    return Light.objects.create().fire("switch_on", actor=ACTOR)


def now() -> datetime:
    from django.utils import timezone

    return timezone.now()


def test_the_whole_table_with_the_endpoint_opened_again_after_each_pause(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500, b"no")
    entry = fired()
    clock.shift(timedelta(milliseconds=1))
    for attempt, _ in enumerate(TABLE, start=1):
        work()
        delivery = delivery_of(entry, endpoint)
        assert (delivery.attempt, len(reachable.got)) == (attempt, attempt)
        if attempt == len(TABLE):
            break
        assert delivery.status == "pending"
        delay = (delivery.due_at - now()).total_seconds()
        assert 0.8 * TABLE[attempt] <= delay <= 1.2 * TABLE[attempt]
        webhooks.reopen(WebhookEndpoint.objects.get())
        clock.move_to(delivery.due_at - timedelta(seconds=1), tick=False)
        work()
        assert len(reachable.got) == attempt  # not a second too early
        clock.move_to(delivery.due_at, tick=False)
    assert (delivery.status, delivery.reason) == ("dead", "tries")
    assert delivery.settled_at == now()
    assert len({got.message_id for got in reachable.got}) == 1
    assert len({got.body for got in reachable.got}) == 1
    assert [a.number for a in WebhookAttempt.objects.order_by("pk")] == list(range(1, 11))
    assert {a.response_head for a in WebhookAttempt.objects.all()} == {"no"}


@pytest.mark.once
def test_delays_differ_by_a_fifth_at_most_and_are_not_all_the_same() -> None:
    for attempt in range(1, 10):
        found = {(schedule.next_try(attempt, START) - START).total_seconds() for _ in range(200)}  # type: ignore[operator]
        assert min(found) >= 0.8 * TABLE[attempt]
        assert max(found) <= 1.2 * TABLE[attempt]
        assert len(found) > 100
    assert schedule.next_try(10, START) is None


def test_five_failures_in_a_row_pause_and_probes_follow(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(503)
    entries = [fired() for _ in range(5)]
    work()
    paused = WebhookEndpoint.objects.get()
    assert paused.failures == 5
    assert paused.paused_until == now() + timedelta(minutes=1)
    assert webhooks.health([paused])[paused.pk].state == "paused"
    fired()  # waits like the others
    tries = {d.pk: d.attempt for d in WebhookDelivery.objects.all()}
    for minutes in (1, 5, 30, 60, 60):
        count = len(reachable.got)
        clock.shift(timedelta(minutes=minutes, seconds=-1))
        work()
        assert len(reachable.got) == count
        clock.shift(timedelta(seconds=1))
        work()
        assert len(reachable.got) == count + 1  # one probe, and nothing else
    for delivery in WebhookDelivery.objects.all():
        assert delivery.attempt == tries.get(delivery.pk, 0)  # none of it used up a try
    reachable.answer = says(204)
    clock.shift(timedelta(hours=1))
    work()
    assert WebhookEndpoint.objects.get().paused_until is None
    assert (paused.pk, "ok") == (paused.pk, webhooks.health([WebhookEndpoint.objects.get()])[paused.pk].state)
    work()
    assert {d.status for d in WebhookDelivery.objects.all()} == {"delivered"}
    assert delivery_of(entries[0], endpoint).attempt == 2


def test_probes_wait_as_long_as_the_receiver_asks(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(429, Retry_After="7200")
    for _ in range(6):
        fired()
    work()
    count = len(reachable.got)
    for _ in range(2):  # the failures that paused it, and a probe
        assert WebhookEndpoint.objects.get().paused_until == now() + timedelta(hours=2)
        clock.shift(timedelta(hours=2, seconds=-1))
        work()
        assert len(reachable.got) == count
        clock.shift(timedelta(seconds=1))
        work()
        count += 1
        assert len(reachable.got) == count
    reachable.answer = says(429, Retry_After="1")
    clock.shift(timedelta(hours=2))
    work()
    assert WebhookEndpoint.objects.get().paused_until == now() + timedelta(hours=1)  # never sooner


def test_a_success_in_between_begins_the_count_anew(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    for status in (500, 500, 500, 500, 204, 500, 500, 500, 500):
        reachable.answer = says(status)
        fired()
        WebhookDelivery.objects.filter(attempt__gt=0).update(due_at=now() + timedelta(days=1))
        work()
    found = WebhookEndpoint.objects.get()
    assert (found.failures, found.paused_until) == (4, None)


@pytest.mark.once
@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 400, 401, 404, 429, 500, 503])
def test_only_2xx_is_a_success(
    status: int, clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(status, Location="http://169.254.169.254/")
    entry = fired()
    work()
    delivery = delivery_of(entry, endpoint)
    assert (delivery.status, delivery.attempt) == ("pending", 1)
    assert [a.status for a in WebhookAttempt.objects.all()] == [status]
    assert len(reachable.got) == 1


@pytest.mark.once
@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(
    status: int, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(status)
    entry = fired()
    work()
    assert delivery_of(entry, endpoint).status == "delivered"


#: What a receiver asks for, and the seconds until the second try, at least and at most.
WAITS: dict[str, tuple[str, float, float]] = {
    "seconds": ("120", 120, 120),
    "fewer seconds than the schedule has": ("1", 4, 6),
    "a date": (http_date(START.timestamp() + 600), 600, 600),
    "a date that is over": (http_date(START.timestamp() - 600), 4, 6),
    "a year": ("31536000", 86400, 86400),
    "absurdly many seconds": ("9" * 400, 86400, 86400),
    "a date in another century": ("Fri, 31 Dec 2199 23:59:59 GMT", 86400, 86400),
    "seconds below nothing": ("-5", 4, 6),
    "words": ("soon", 4, 6),
    "a date that is none": ("Fri, 99 Dec 2026 99:99:99 GMT", 4, 6),
    "nothing": ("", 4, 6),
    "infinity": ("inf", 4, 6),
}


@pytest.mark.once
@pytest.mark.parametrize(("value", "least", "most"), WAITS.values(), ids=WAITS)
def test_retry_after_is_honoured_within_reason(
    value: str,
    least: float,
    most: float,
    clock: Any,
    endpoint: WebhookEndpoint,
    reachable: Receiver,
    work: Work,
) -> None:
    reachable.answer = says(429, Retry_After=value)
    entry = fired()
    work()
    waits = (delivery_of(entry, endpoint).due_at - now()).total_seconds()
    assert least <= waits <= most


def test_410_switches_off_and_tells(
    clock: Any,
    reachable: Receiver,
    work: Work,
    db: None,
    django_capture_on_commit_callbacks: Any,
) -> None:
    owner = User.objects.create_superuser("olga", "olga@example.com")
    endpoint = WebhookEndpoint.objects.create(url=reachable.url(), owner=owner)
    told: list[Any] = []
    listener = lambda **kwargs: told.append((kwargs["endpoint"].pk, kwargs["reason"]))  # noqa: E731
    webhooks.endpoint_disabled.connect(listener)
    reachable.answer = says(410)
    entries = [fired() for _ in range(3)]
    try:
        with django_capture_on_commit_callbacks(execute=True):
            work()
    finally:
        webhooks.endpoint_disabled.disconnect(listener)
    found = WebhookEndpoint.objects.get()
    assert (found.active, found.disabled_reason) == (False, "gone")
    assert {delivery_of(entry, endpoint).status for entry in entries} == {"dead"}
    assert told == [(endpoint.pk, "gone")]
    assert [m.to for m in mail.outbox] == [["olga@example.com"]]
    fired()
    work()
    assert WebhookDelivery.objects.count() == 3  # it is told of nothing any more


@pytest.mark.once
def test_five_days_without_a_success_switch_off(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500)
    entry = fired()
    ended = START + timedelta(days=5)
    while now() < ended:
        work()
        assert WebhookEndpoint.objects.get().active
        clock.shift(timedelta(hours=4))
        fired()
    work()
    found = WebhookEndpoint.objects.get()
    assert (found.active, found.disabled_reason) == (False, "failing")
    assert not WebhookDelivery.objects.filter(status="pending").exists()
    assert delivery_of(entry, endpoint).reason in ("endpoint_failing", "endpoint_off", "tries")


def test_a_success_on_the_fourth_day_begins_the_five_days_anew(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500)
    fired()
    work()
    clock.shift(timedelta(days=4))
    reachable.answer = says(204)
    work()
    assert WebhookEndpoint.objects.get().failing_since is None
    reachable.answer = says(500)
    fired()
    clock.shift(timedelta(days=2))
    work()
    assert WebhookEndpoint.objects.get().active


def test_what_is_switched_on_again_begins_with_what_comes(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    endpoint.active = False
    endpoint.save()
    missed = fired()
    endpoint.active = True
    endpoint.save()
    wanted = fired()
    work()
    assert [got.json["data"]["entry"] for got in reachable.got] == [wanted.entry_hash]
    assert webhooks.resend_since(endpoint, missed.recorded_at) == 2
    work()
    found = {got.json["data"]["entry"]: got.message_id for got in reachable.got[1:]}
    assert set(found) == {missed.entry_hash, wanted.entry_hash}
    assert found[wanted.entry_hash] == reachable.got[0].message_id


@pytest.mark.parametrize(
    ("since", "count"),
    [
        ("0001-01-01T00:00:00+12:00", 1),
        ("0001-01-01T00:00:00+00:00", 1),
        ("9999-12-31T23:59:59+00:00", 0),
        ("9999-12-31T23:59:59-12:00", 0),
    ],
)
def test_everything_since_a_moment_at_an_end_of_the_calendar(
    since: str, count: int, endpoint: WebhookEndpoint
) -> None:
    fired()
    assert webhooks.resend_since(endpoint, datetime.fromisoformat(since)) == count


def test_a_message_that_was_given_up_is_sent_again_with_its_id(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    entry = fired()
    work()
    delivery = delivery_of(entry, endpoint)
    webhooks.resend(delivery)
    assert (delivery.status, delivery.attempt) == ("pending", 0)
    work()
    first, second = reachable.got
    assert (first.message_id, first.body) == (second.message_id, second.body)
    endpoint.active = False
    endpoint.save()
    with pytest.raises(webhooks.EndpointOff):
        webhooks.resend(WebhookDelivery.objects.get())


def test_a_test_goes_out_also_while_paused_and_opens_again(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500)
    for _ in range(5):
        fired()
    work()
    assert WebhookEndpoint.objects.get().is_paused
    failed = webhooks.send_test(endpoint)
    work()
    failed.refresh_from_db()
    assert (failed.status, failed.reason) == ("dead", "test_failed")
    assert WebhookEndpoint.objects.get().failures == 5
    reachable.answer = says(200)
    sent = webhooks.send_test(endpoint)
    work()
    sent.refresh_from_db()
    assert sent.status == "delivered"
    assert "fsm_lifecycle.test" in [got.json["type"] for got in reachable.got]
    assert not WebhookEndpoint.objects.get().is_paused


def test_a_connection_error_is_an_attempt_that_says_why(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = lambda handler, got: None
    fired()
    work()
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.error_class, attempt.succeeded) == (None, "ConnectionLost", False)


def test_an_address_that_is_no_longer_allowed_is_an_attempt_too(
    clock: Any, endpoint: WebhookEndpoint, reachable: Receiver, work: Work, lifecycle_settings: Any
) -> None:
    lifecycle_settings["WEBHOOK_ALLOWED_NETWORKS"] = []
    fired()
    work()
    assert WebhookAttempt.objects.get().error_class == "AddressRefused"
    assert reachable.got == []
