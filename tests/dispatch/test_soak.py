"""Workers are killed and the broker is restarted while records move: every endpoint is told, every timer fires once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.dispatch.brokers import KINDS, Broker
from tests.dispatch.soaking import Plan, Soak
from tests.dispatch.workers import Workers
from tests.webhooks.conftest import KEY
from tests.webhooks.receiver import Receiver

# On one database in CI: it says that nothing is lost, and `python -m tests.dispatch.soak` says so of the others.
pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.slow, pytest.mark.once]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    made = Receiver()
    settings.FSM_LIFECYCLE = {
        "DISPATCH": "command",
        "ENCRYPTION_KEYS": [KEY],
        "WEBHOOK_ALLOW_HTTP": True,
        "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"],
        "WEBHOOK_ALLOWED_PORTS": [made.port],
    }
    yield made
    made.close()


@pytest.fixture
def workers(child_environment: Mapping[str, str], tmp_path: Path, receiver: Receiver) -> Iterator[Workers]:
    found = Workers({**child_environment, "TEST_PORTS": str(receiver.port)}, tmp_path)
    yield found
    found.end()


def soak(plan: Plan, workers: Workers, receiver: Receiver, broker: Broker | None = None) -> None:
    report = Soak(plan, workers, receiver, broker, print).run()
    print(report)
    assert report.faults == [], workers.said()[-4000:]
    assert report.kills == plan.kills
    assert report.restarts == plan.restarts
    assert report.timers > 0
    assert report.promises > 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["command", "thread"])
def test_workers_that_are_killed_lose_nothing(mode: str, workers: Workers, receiver: Receiver) -> None:
    soak(Plan(mode, firings=150, kills=5, workers=2), workers, receiver)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", KINDS)
def test_celery_workers_that_are_killed_and_a_broker_that_forgets_lose_nothing(
    name: str, workers: Workers, receiver: Receiver, tmp_path: Path
) -> None:
    kind = KINDS[name]
    if not kind.is_installed():
        assert os.environ.get("CI") != "true"
        pytest.skip(f"{kind.program} is not installed")
    broker = kind(tmp_path)
    broker.start()
    try:
        soak(Plan("celery", firings=150, kills=4, restarts=1, workers=2), workers, receiver, broker)
    finally:
        workers.end()
        broker.stop()
