"""Settings of processes that work in a mode of their own: `TEST_DISPATCH` names it, `TEST_BROKER` where messages go."""

import os

from tests.settings import *  # noqa: F403

FSM_LIFECYCLE = {
    "DISPATCH": os.environ.get("TEST_DISPATCH", "command"),
    "LEASE_SECONDS": float(os.environ.get("TEST_LEASE", "60")),
    "ENCRYPTION_KEYS": ["a key for tests that is long enough to be one"],
    "WEBHOOK_ALLOW_HTTP": True,
    "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"],
    "WEBHOOK_ALLOWED_PORTS": [int(port) for port in os.environ.get("TEST_PORTS", "443").split(",")],
    "WEBHOOK_TIMEOUT": (30, 60),
}
BROKER = os.environ.get("TEST_BROKER", "")
#: A queue of each test's own: the broker is everybody's.
BROKER_QUEUE = os.environ.get("TEST_BROKER_QUEUE", "fsm-lifecycle-test")
