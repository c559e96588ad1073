"""A process that ends while it sends: it tells what it can, gives back what it has not begun, and holds nobody up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.dispatch import leases, queues
from fsm_lifecycle.dispatch.working import drain
from fsm_lifecycle.models import LogLeaf, TransitionLog, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import pace, relay, sending
from tests.acting import ACTOR
from tests.dispatch.workers import AT_LEISURE, PATIENCE, Workers, until
from tests.testapp.models import Light
from tests.webhooks.conftest import Settings
from tests.webhooks.receiver import Got, Handler, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

FIRE = """
from fsm_lifecycle import System
from tests.testapp.models import Light
for _ in range({count}):
    Light.objects.create().fire("switch_on", actor=System("test"))
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What one test saw of the pace of a receiver is nothing to the next."""
    yield
    pace._slow_until.clear()


@pytest.fixture
def workers(child_environment: Mapping[str, str], tmp_path: Path, reachable: Receiver) -> Iterator[Workers]:
    found = Workers({**child_environment, "TEST_PORTS": str(reachable.port)}, tmp_path)
    yield found
    found.end()


def fired(count: int) -> None:
    for _ in range(count):
        Light.objects.create().fire("switch_on", actor=ACTOR)


def queue() -> Any:
    return queues.get("webhooks")


def answering_after(seconds: float) -> Any:
    def answer(handler: Handler, got: Got) -> Any:
        handler.is_over(seconds)
        return (204, {}, b"")

    return answer


def held() -> int:
    return WebhookDelivery.objects.exclude(lease_until=None).count()


def test_what_a_process_commits_before_it_ends_is_told_and_sealed(
    workers: Workers, reachable: Receiver
) -> None:
    WebhookEndpoint.objects.create(url=reachable.url())
    wait = "import time; time.sleep(0.8)  # a routine that is paced has just run\n"
    code = AT_LEISURE + FIRE.format(count=1) + wait + FIRE.format(count=2)
    workers.run(code, TEST_DISPATCH="thread")
    assert len({got.message_id for got in reachable.got}) == 3
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert LogLeaf.objects.count() == TransitionLog.objects.count() == 6


def test_a_process_that_ends_waits_for_no_receiver_and_gives_back_what_was_not_begun(
    workers: Workers, reachable: Receiver
) -> None:
    WebhookEndpoint.objects.create(url=reachable.url())
    reachable.answer = answering_after(200)
    end = """
import time
from fsm_lifecycle.models import WebhookDelivery
while not WebhookDelivery.objects.exclude(lease_until=None).exists():
    time.sleep(0.1)
time.sleep(1)
print(time.time())
"""
    ends = float(workers.run(FIRE.format(count=60) + end, TEST_DISPATCH="thread"))
    assert time.time() - ends < 40  # five seconds, and a busy machine; a receiver has sixty
    under_way = len(reachable.got)
    assert 0 < under_way <= 2 * sending.SIDE_BY_SIDE
    assert held() <= under_way
    assert WebhookDelivery.objects.filter(status="pending").count() == 60
    # Some may have come to their deadline; what was cut off is no failure of the receiver.
    assert set(WebhookAttempt.objects.values_list("error_class", flat=True)) <= {"DeadlineExceeded"}


def test_a_service_that_is_told_to_end_records_what_is_under_way_and_begins_nothing_more(
    workers: Workers, reachable: Receiver
) -> None:
    WebhookEndpoint.objects.create(url=reachable.url())
    reachable.answer = answering_after(1.5)
    fired(60)
    process = workers.command()
    until(lambda: len(reachable.got) >= sending.SIDE_BY_SIDE, workers.said)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0, workers.said()
    assert held() == 0
    sent = len(reachable.got)
    assert sent < 60
    assert WebhookAttempt.objects.count() == sent
    assert WebhookDelivery.objects.filter(status="delivered").count() == sent
    assert "Traceback" not in workers.said()


def test_a_claim_ends_when_the_worker_does(reachable: Receiver) -> None:
    WebhookEndpoint.objects.create(url=reachable.url())
    reachable.answer = answering_after(0.3)
    fired(30)
    relay.relay("default")
    drain(queue(), "default", stopped=lambda: len(reachable.got) >= 5)
    assert len(reachable.got) <= 2 * sending.SIDE_BY_SIDE
    assert held() == 0
    assert WebhookDelivery.objects.filter(status="delivered").count() == len(reachable.got)


def test_a_claim_lasts_for_a_while_and_the_rest_is_given_back(
    reachable: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SPELL", 1.5)
    endpoint = WebhookEndpoint.objects.create(url=reachable.url())
    reachable.answer = answering_after(2)
    fired(30)
    relay.relay("default")
    sending.work("default", leases.claim(queue().ready("default"), limit=200))
    assert held() == 0
    assert 0 < len(reachable.got) <= 2 * sending.SIDE_BY_SIDE
    reachable.answer = answering_after(0)
    drain(queue(), "default")
    assert WebhookDelivery.objects.filter(endpoint=endpoint, status="delivered").count() == 30
    assert len(reachable.got) == 30


def test_where_no_thread_can_be_begun_whoever_claims_sends(
    reachable: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of a process from Python 3.12 on."""
    WebhookEndpoint.objects.create(url=reachable.url())
    fired(3)
    relay.relay("default")
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("fsm_lifecycle"):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert drain(queue(), "default") == 3
    assert WebhookDelivery.objects.filter(status="delivered").count() == len(reachable.got) == 3


# --- receivers that are slow ---------------------------------------------------------------------------------


def test_receivers_that_answer_slowly_delay_no_other(reachable: Receiver, workers: Workers) -> None:
    def answer(handler: Handler, got: Got) -> Any:
        if got.path.startswith("/slow"):
            handler.is_over(1.5)
        return (204, {}, b"")

    reachable.answer = answer
    for number in range(12):
        WebhookEndpoint.objects.create(url=reachable.url(f"/slow/{number}"))
    fired(60)
    workers.command()
    until(lambda: len(reachable.got) >= 100, workers.said)
    fast = WebhookEndpoint.objects.create(url=reachable.url("/fast"))
    fired(1)
    before = len(reachable.got)
    until(lambda: any(got.path == "/fast" for got in list(reachable.got)), workers.said)
    # More than six hundred were there before it.
    assert [got.path for got in list(reachable.got)].index("/fast") - before < 300
    assert WebhookDelivery.objects.filter(status="pending").exclude(endpoint=fast).exists()


def test_of_endpoints_that_are_slow_some_are_served_at_a_time(reachable: Receiver) -> None:
    slow = [WebhookEndpoint.objects.create(url=reachable.url(f"/{number}")) for number in range(6)]
    well = WebhookEndpoint.objects.create(url=reachable.url("/well"))
    fired(1)
    relay.relay("default")
    for endpoint in slow:
        pace.slow("default", endpoint.pk)
    places = [pace.serving("default", endpoint.pk, failing=False) for endpoint in slow[:4]]
    for place in places:
        place.__enter__()
    try:
        chosen = {row.endpoint_id for _ in range(20) for row in queue().ready("default")}
        assert chosen == {well.pk}
    finally:
        for place in places:
            place.__exit__(None, None, None)
    assert pace.held_up("default") == 0


def test_an_endpoint_is_slow_only_for_a_while(lifecycle_settings: Settings, monkeypatch: Any) -> None:
    pace.slow("default", 1)
    assert pace.is_slow("default", 1)
    assert not pace.is_slow("default", 2)
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not pace.is_slow("default", 1)
