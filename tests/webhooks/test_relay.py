"""The relay and the queue with real transactions, threads and leases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections, transaction
from django.utils import timezone

from fsm_lifecycle.dispatch import leases, queues
from fsm_lifecycle.dispatch.figures import standing
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.ledger.log_cursor import LogCursor
from fsm_lifecycle.models import TransitionLog, WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import relay, waiting
from tests.acting import ACTOR
from tests.dispatch.workers import until
from tests.testapp.models import Light
from tests.webhooks.conftest import Settings, delivery_of
from tests.webhooks.receiver import Got, Handler, Receiver, says

pytestmark = pytest.mark.django_db(transaction=True)

#: Seconds that no machine takes.
PATIENCE = 100.0


@pytest.fixture
def two_writers() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer")


def fired(light: Light | None = None) -> Any:
    return (light or Light.objects.create()).fire("switch_on", actor=ACTOR)


@contextmanager
def open_firing(light: Light) -> Iterator[None]:
    """A transaction beside this one that has fired an event, and commits when the block ends."""
    begun, may_end = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                Light.objects.get(pk=light.pk).fire("switch_on", actor=ACTOR)
                begun.set()
                may_end.wait(PATIENCE)
        finally:
            begun.set()
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(PATIENCE)
    try:
        yield
    finally:
        may_end.set()
        thread.join(PATIENCE)


@pytest.mark.usefixtures("two_writers")
def test_an_older_transaction_that_commits_after_the_endpoint_was_made_is_told_of(
    reachable: Receiver,
) -> None:
    late = Light.objects.create()
    with open_firing(late):
        before = fired()
        endpoint = WebhookEndpoint.objects.create(url=reachable.url())
        after = fired()
        relay.relay("default")
        assert [d.entry_hash for d in WebhookDelivery.objects.all()] == [after.entry_hash]
    relay.relay("default")
    lately = late.log.get(event="switch_on")
    assert lately.pk < before.pk < after.pk
    assert {d.entry_hash for d in WebhookDelivery.objects.all()} == {after.entry_hash, lately.entry_hash}
    assert not WebhookDelivery.objects.filter(entry_hash=before.entry_hash).exists()
    assert endpoint.mark is not None
    assert endpoint.mark["top"] >= before.pk


@pytest.mark.usefixtures("two_writers")
def test_the_same_when_the_relay_has_run_for_others_before(reachable: Receiver) -> None:
    first = WebhookEndpoint.objects.create(url=reachable.url("/first"))
    late = Light.objects.create()
    with open_firing(late):
        seen = fired()
        relay.relay("default")
        second = WebhookEndpoint.objects.create(url=reachable.url("/second"))
        relay.relay("default")
    relay.relay("default")
    lately = late.log.get(event="switch_on")
    assert set(first.deliveries.values_list("entry_hash", flat=True)) == {seen.entry_hash, lately.entry_hash}
    assert set(second.deliveries.values_list("entry_hash", flat=True)) == {lately.entry_hash}


def test_an_endpoint_made_in_a_transaction_is_told_of_what_follows_in_it(reachable: Receiver) -> None:
    light = Light.objects.create()
    with transaction.atomic():
        light.fire("switch_on", actor=ACTOR)
        WebhookEndpoint.objects.create(url=reachable.url())
        wanted = light.fire("switch_off", actor=ACTOR)
    relay.relay("default")
    assert [d.entry_hash for d in WebhookDelivery.objects.all()] == [wanted.entry_hash]


def test_the_first_endpoint_does_not_read_the_years_before_it(reachable: Receiver) -> None:
    LogCursor.objects.create(name="webhooks")  # as it stood when the last endpoint was removed
    fired()
    WebhookEndpoint.objects.create(url=reachable.url())
    assert LogCursor.objects.get(name="webhooks").settled_id == TransitionLog.objects.order_by("pk").last().pk  # type: ignore[union-attr]


def test_relays_at_the_same_time_make_each_delivery_once(reachable: Receiver) -> None:
    endpoint = WebhookEndpoint.objects.create(url=reachable.url())
    entries = {fired().entry_hash for _ in range(30)}

    def run() -> None:
        try:
            for _ in range(5):
                relay.relay("default")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    found = [str(one) for one in endpoint.deliveries.values_list("entry_hash", flat=True)]
    assert sorted(found) == sorted(entries)


def test_an_entry_that_is_seen_twice_makes_nothing_new(reachable: Receiver) -> None:
    WebhookEndpoint.objects.create(url=reachable.url())
    fired()
    relay.relay("default")
    LogCursor.objects.filter(name="webhooks").update(settled_id=0, barrier=None)
    WebhookEndpoint.objects.update(mark=None)
    assert relay.relay("default") == 2
    assert WebhookDelivery.objects.count() == 1


def test_a_worker_that_dies_loses_nothing_and_its_message_keeps_its_id(
    reachable: Receiver, time_machine: Any
) -> None:
    endpoint = WebhookEndpoint.objects.create(url=reachable.url())
    entry = fired()
    relay.relay("default")
    (held,) = leases.claim(waiting.ready("default"), limit=10)  # and then it died
    work_off("default")
    assert reachable.got == []
    time_machine.move_to(timezone.now() + timedelta(seconds=61))
    work_off("default")
    assert [got.message_id for got in reachable.got] == [held.message_id]
    assert delivery_of(entry, endpoint).status == "delivered"
    assert not leases.settle(held, status="dead")  # who comes back from the dead writes nothing
    assert delivery_of(entry, endpoint).status == "delivered"


def test_receivers_that_hang_delay_no_other(reachable: Receiver, lifecycle_settings: Settings) -> None:
    lifecycle_settings["WEBHOOK_TIMEOUT"] = (30, 200)
    let_go = threading.Event()

    def answer(handler: Handler, got: Got) -> Any:
        if got.path.startswith("/hangs"):
            let_go.wait(200)
            return None
        return (204, {}, b"")

    reachable.answer = answer
    for number in range(3):
        WebhookEndpoint.objects.create(url=reachable.url(f"/hangs/{number}"))
    well = [WebhookEndpoint.objects.create(url=reachable.url(f"/well/{number}")) for number in range(5)]
    for _ in range(12):
        fired()
    relay.relay("default")
    worker = threading.Thread(target=_work_off)
    with time_machine.travel(timezone.now(), tick=False):  # what is tried again is later
        worker.start()
        try:
            until(
                lambda: sum(got.path.startswith("/well") for got in list(reachable.got)) == 12 * len(well),
                seconds=PATIENCE,
            )
        finally:
            let_go.set()
            worker.join(PATIENCE)
    assert {d.status for d in WebhookDelivery.objects.filter(endpoint__in=well)} == {"delivered"}
    hung = WebhookEndpoint.objects.filter(url__contains="hangs")
    assert all(endpoint.is_paused for endpoint in hung)
    assert max(d.attempt for d in WebhookDelivery.objects.filter(endpoint__in=hung)) == 1


def _work_off() -> None:
    try:
        work_off("default")
    finally:
        connections.close_all()


def test_from_the_commit_to_the_receiver_it_takes_a_moment(
    reachable: Receiver, lifecycle_settings: Settings
) -> None:
    lifecycle_settings["DISPATCH"] = "thread"
    from fsm_lifecycle.dispatch.modes import thread

    WebhookEndpoint.objects.create(url=reachable.url())
    try:
        fired()
        until(lambda: reachable.got)
    finally:
        thread.MODE.stop(PATIENCE)


def test_what_waits_for_an_endpoint_dies_with_its_being_switched_off(reachable: Receiver) -> None:
    reachable.answer = says(500)
    endpoint = WebhookEndpoint.objects.create(url=reachable.url())
    fired()
    work_off("default")
    WebhookEndpoint.objects.update(active=False)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.reason) == ("dead", "endpoint_off")
    WebhookEndpoint.objects.update(active=True)
    fired()
    work_off("default")
    assert [d.status for d in WebhookDelivery.objects.order_by("pk")] == ["dead", "pending"]
    endpoint.refresh_from_db()
    assert endpoint.mark


def test_the_figures_of_the_queue_are_those_of_all_endpoints(reachable: Receiver) -> None:
    queue = queues.get("webhooks")
    assert queue is not None
    for number in range(3):
        WebhookEndpoint.objects.create(url=reachable.url(f"/{number}"))
    fired()
    relay.relay("default")
    assert standing(queue, "default").due == 3
    WebhookEndpoint.objects.filter(url__endswith="/0").update(paused_until=timezone.now())
    assert standing(queue, "default").due == 2


def test_inline_it_has_arrived_when_the_firing_returns(
    reachable: Receiver, lifecycle_settings: Settings
) -> None:
    lifecycle_settings["DISPATCH"] = "inline"
    WebhookEndpoint.objects.create(url=reachable.url())
    entry = fired()
    assert [got.json["data"]["entry"] for got in reachable.got] == [entry.entry_hash]
    reachable.answer = says(500)
    fired()  # a receiver that fails is nobody's business here
    assert [d.status for d in WebhookDelivery.objects.order_by("pk")] == ["delivered", "pending"]
