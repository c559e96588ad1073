"""A process that is killed while it sends: nothing is lost, and what arrives again is known for the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from django.db import connections

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.models import WebhookDelivery, WebhookEndpoint
from tests.acting import ACTOR
from tests.dispatch.workers import until
from tests.testapp.models import Light
from tests.webhooks.conftest import Settings
from tests.webhooks.receiver import Got, Handler, Receiver, says

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_a_killed_process_was_sending_arrives(
    reachable: Receiver, lifecycle_settings: Settings, child_environment: Mapping[str, str]
) -> None:
    lifecycle_settings["LEASE_SECONDS"] = 3
    WebhookEndpoint.objects.create(url=reachable.url())
    for _ in range(3):
        Light.objects.create().fire("switch_on", actor=ACTOR)
    connections.close_all()
    reachable.answer = hangs
    command = [sys.executable, "-m", "tests.webhooks.sender", json.dumps(lifecycle_settings)]
    with subprocess.Popen(command, env=dict(child_environment)) as sender:
        until(lambda: len({got.message_id for got in list(reachable.got)}) == 3)
        sender.kill()
    lifecycle_settings["LEASE_SECONDS"] = 60  # ours do not end before we have sent
    assert {d.status for d in WebhookDelivery.objects.all()} == {"pending"}
    count = len(reachable.got)
    reachable.answer = says(204)
    until(_all_sent)
    assert [(d.status, d.attempt) for d in WebhookDelivery.objects.all()] == [("delivered", 1)] * 3
    before, after = reachable.got[:count], reachable.got[count:]
    assert {got.message_id for got in before} == {got.message_id for got in after}
    assert {got.body for got in before} == {got.body for got in after}


def hangs(handler: Handler, got: Got) -> None:
    handler.is_over(200)


def _all_sent() -> bool:
    work_off()
    return not WebhookDelivery.objects.filter(status="pending").exists()
