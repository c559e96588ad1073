"""Owns what the tests of webhooks do: fire, work, look at what arrived. Must not know what they expect."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from django.core.management import call_command

from fsm_lifecycle import System
from tests.testapp.models import Invoice
from tests.webhooks.receiver import Receiver

TESTER = System("test")
START = datetime(2026, 11, 30, 10, tzinfo=UTC)
DELAYS = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


def work() -> None:
    call_command("lifecycle_work", "--once", stdout=io.StringIO(), stderr=io.StringIO())


def sent() -> Invoice:
    invoice = Invoice.objects.create(amount=5, client_name="Acme")
    invoice.fire("send_invoice", actor=TESTER)
    return invoice


def events(receiver: Receiver) -> list[str]:
    return [got.headers["x-fsm-event"] for got in receiver.got]
