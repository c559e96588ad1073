"""How many webhooks a second are made from the log and delivered to a receiver on this machine.

Must not know how they are sent.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.conf import settings

from benchmarks.databases import LABELS
from benchmarks.models import Invoice
from benchmarks.report import Section, Verdict
from benchmarks.settings import on_database
from benchmarks.timing import Samples
from fsm_lifecycle import System, acting_as
from fsm_lifecycle.dispatch import queues
from fsm_lifecycle.dispatch.working import Crew
from fsm_lifecycle.models import WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import relay, signing, transport
from fsm_lifecycle.webhooks.sending import SIDE_BY_SIDE

#: The most microseconds that a delivery may take: 1,000 a second.
TARGET = 1000.0

RELAY, ONE, TEN, BARE = "the relay", "to one endpoint", "to ten endpoints", "signed POSTs alone"


def measure(aliases: Sequence[str], rounds: int, number: int) -> Section:
    """Each round makes and delivers as many messages on each database, to one endpoint and to ten."""
    samples = {(alias, way): Samples() for alias in aliases for way in (RELAY, ONE, TEN)}
    bare = Samples()
    with _receiver() as port:
        url = f"http://127.0.0.1:{port}/hook"
        _post(url, 10, Samples())
        for alias in aliases:
            with on_database(alias):
                _deliver(alias, url, 1, 10, Samples(), Samples())
        for _ in range(rounds):
            _post(url, number, bare)
            for alias in aliases:
                with on_database(alias):
                    _deliver(alias, url, 1, number, samples[alias, RELAY], samples[alias, ONE])
                    _deliver(alias, url, 10, number // 10, Samples(), samples[alias, TEN])
    rows = [_row(BARE, bare)]
    verdicts = []
    for alias in aliases:
        rows += [_row(f"{LABELS[alias]}, {way}", samples[alias, way]) for way in (RELAY, ONE, TEN)]
        for way in (ONE, TEN):
            measured = samples[alias, way].wall_spread().times(1e6)
            verdicts.append(
                Verdict(
                    target=f"a webhook {way} (1,000 a second)",
                    where=LABELS[alias],
                    limit=TARGET,
                    measured=measured,
                    unit="µs",
                )
            )
    return Section(
        title=f"Delivering {number:,} webhooks",
        about=(
            f"The receiver is another process here, which answers 204. The relay: an entry of the log becomes a "
            f"delivery. Delivering: claimed, made from its entry, signed, posted over kept connections, its attempt "
            f"and outcome written. Signed POSTs alone: as many messages in {SIDE_BY_SIDE} threads of one process, "
            f"without a database; more cannot be had from one process."
        ),
        columns=["way", "per second", "µs each", "CPU of the sender, µs each"],
        rows=rows,
        verdicts=verdicts,
    )


def _row(name: str, samples: Samples) -> list[str]:
    wall, cpu = samples.wall_spread(), samples.cpu_spread()
    return [name, f"{1 / wall.median:,.0f}", str(wall.times(1e6)), str(cpu.times(1e6))]


@contextmanager
def _receiver() -> Iterator[int]:
    """A receiver, and settings that let it be reached."""
    before = getattr(settings, "FSM_LIFECYCLE", {})
    command = [sys.executable, "-m", "benchmarks.receiving"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        port = int(process.stdout.readline())
        settings.FSM_LIFECYCLE = {
            **before,
            "DISPATCH": "command",
            "ENCRYPTION_KEYS": ["a key for benchmarks, long enough to be one"],
            "WEBHOOK_ALLOW_HTTP": True,
            "WEBHOOK_ALLOWED_PORTS": [port],
            "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.1/32"],
        }
        try:
            yield port
        finally:
            transport.close()
            settings.FSM_LIFECYCLE = before
            process.stdin.close()


def _deliver(
    alias: str, url: str, endpoints: int, entries: int, relayed: Samples, delivered: Samples
) -> None:
    """Make the messages of some entries and deliver them; afterwards nothing is left."""
    WebhookEndpoint.objects.bulk_create(
        [WebhookEndpoint(url=f"{url}/{n}", events=["*:created"]) for n in range(endpoints)]
    )
    with acting_as(System("benchmarks")):
        Invoice.objects.bulk_create([Invoice(amount=1) for _ in range(entries)])
    _timed(lambda: relay.relay(alias), relayed, entries)
    queue = queues.get("webhooks")
    assert queue is not None
    crew = Crew(queue, alias)

    def work() -> None:
        crew.poke()
        crew.wait()

    _timed(work, delivered, entries * endpoints)
    made = WebhookDelivery.objects.filter(status=WebhookDelivery.DELIVERED).count()
    if made != entries * endpoints:
        raise RuntimeError(f"{made} of {entries * endpoints} webhooks were delivered.")
    WebhookEndpoint.objects.all().delete()


def _post(url: str, number: int, samples: Samples) -> None:
    body, secret = b"x" * 400, signing.new_secret()

    def one(_: int) -> None:
        message = signing.headers(signing.new_message_id(), int(time.time()), body, [secret])
        transport.post(url, {"Content-Type": "application/json", **message}, body)

    def work() -> None:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(one, range(number)))

    _timed(work, samples, number)


def _timed(task: Callable[[], object], samples: Samples, number: int) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    task()
    samples.wall.append((time.perf_counter() - wall) / number)
    samples.cpu.append((time.process_time() - cpu) / number)
