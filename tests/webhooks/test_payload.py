"""What a message says: only opened fields, the same bytes at every try, nothing that was redacted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from fsm_lifecycle import System, acting_as, redact
from fsm_lifecycle.access.person import Person
from fsm_lifecycle.engine.expiry import remove_expired
from fsm_lifecycle.engine.purging import purge
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.models import TransitionLog, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import reopen
from tests.acting import ACTOR
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Appeal, Filing
from tests.webhooks.receiver import Receiver, says

Work = Callable[[], int]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invoices open their amount and the day they were paid on."""
    table = Invoice._lifecycle.table
    monkeypatch.setitem(
        vars(table), "options", {**table.options, "api_fields": ["amount", "paid_on", "extra"]}
    )


@pytest.fixture
def full(db: None, reachable: Receiver, opened: None) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(url=reachable.url(), payload="full", events=["*.pay"])


def paid(**fields: Any) -> Any:
    values = {"amount": Decimal("12.50"), "client_name": "Alice Ångström", **fields}
    with acting_as(ACTOR):
        invoice = Invoice.objects.create(**values)
        invoice.fire("send_invoice")
        return invoice.fire(
            "pay",
            arguments={"paid_on": date(2026, 11, 28), "note": "secret"},
            metadata={"amount": 7, "hint": "hidden"},
        )


def test_a_full_message_has_opened_fields_alone(
    full: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    paid()
    work()
    (got,) = reachable.got
    data = got.json["data"]
    assert data["payload"] == "full"
    assert data["fields"] == {"amount": "12.50", "paid_on": "2026-11-28", "extra": {}}
    assert data["fields_sequence"] == 3
    assert data["arguments"] == {"paid_on": "2026-11-28"}
    assert data["metadata"] == {"amount": 7}
    assert data["snapshot"] == {"amount": "12.50", "paid_on": "2026-11-28"}
    assert data["actor"] == {"kind": "system", "id": "tests", "label": "tests"}
    for hidden in (b"Alice", b"secret", b"hidden"):
        assert hidden not in got.body


def test_a_model_that_opens_nothing_sends_nothing_of_its_fields(
    db: None, reachable: Receiver, work: Work
) -> None:
    WebhookEndpoint.objects.create(url=reachable.url(), payload="full", events=["*.pay"])
    paid()
    work()
    data = reachable.got[0].json["data"]
    assert data["payload"] == "full"
    assert (data["fields"], data["fields_sequence"]) == ({}, 3)
    assert (data["arguments"], data["metadata"], data["snapshot"]) == ({}, {}, {})


def test_a_thin_message_has_no_field(db: None, reachable: Receiver, opened: None, work: Work) -> None:
    WebhookEndpoint.objects.create(url=reachable.url(), events=["*.pay"])
    entry = paid()
    work()
    data = reachable.got[0].json["data"]
    assert set(data) == {
        *("payload", "model", "pk", "sequence", "kind", "event", "from", "to", "actor"),
        *("occurred_at", "recorded_at", "entry", "cause"),
    }
    assert data["entry"] == entry.entry_hash


def test_every_try_sends_the_same_bytes_whatever_becomes_of_the_record(
    full: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500)
    entry = paid()
    work()
    Invoice.objects.filter(pk=entry.object_pk).update(amount=99)
    WebhookEndpoint.objects.update(payload="thin")
    WebhookDelivery.objects.update(due_at=entry.recorded_at)
    work()
    first, second = reachable.got
    assert first.body == second.body
    assert first.message_id == second.message_id


def test_what_is_too_long_is_sent_thin(full: WebhookEndpoint, reachable: Receiver, work: Work) -> None:
    paid(extra={"x": "ä" * 9_000})
    paid(extra={"x": "ä" * 11_000})
    paid(extra={"x": "ä" * 21_000})
    work()
    found = sorted(got.json["data"]["payload"] for got in reachable.got)
    assert found == ["full", "thin", "thin"]
    assert ["fields" in got.json["data"] for got in reachable.got].count(True) == 1
    assert all(len(got.body) <= 20_000 for got in reachable.got)


def test_what_is_gone_before_it_was_looked_at_is_told_thin(
    full: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    entry = paid()
    with acting_as(ACTOR):
        Invoice.objects.get(pk=entry.object_pk).delete()
    work()
    (got,) = reachable.got
    assert got.json["data"]["payload"] == "thin"
    assert "arguments" not in got.json["data"]


def test_a_record_of_a_child_shows_what_its_own_lifecycle_opens(
    db: None, reachable: Receiver, work: Work
) -> None:
    WebhookEndpoint.objects.create(url=reachable.url(), payload="full", events=["*:created", "*.hear"])
    with acting_as(ACTOR):
        Filing.objects.create(title="Fence")
        appeal = Appeal.objects.create(title="Wall", grounds="Too high", advice="None")
        appeal.fire("hear")
    work()
    told = {got.json["data"]["entry"]: got.json["data"] for got in reachable.got}
    filing, made, heard = (told[entry.entry_hash] for entry in TransitionLog.objects.order_by("pk"))
    assert filing["fields"] == {"title": "Fence"}
    assert made["fields"] == heard["fields"] == {"title": "Wall", "grounds": "Too high"}
    assert heard["snapshot"] == {"title": "Wall", "grounds": "Too high"}
    assert heard["fields_sequence"] == 2


def test_what_a_child_does_not_open_is_not_shown_though_its_parent_opens_it(
    db: None, reachable: Receiver, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Appeal._lifecycle.table
    monkeypatch.setitem(vars(table), "options", {**table.options, "api_fields": []})
    WebhookEndpoint.objects.create(url=reachable.url(), payload="full", events=["*.hear"])
    with acting_as(ACTOR):
        Appeal.objects.create(title="Wall", grounds="Too high").fire("hear")
    work()
    (got,) = reachable.got
    assert (got.json["data"]["fields"], got.json["data"]["snapshot"]) == ({}, {})
    assert b"Wall" not in got.body


def test_numbers_that_json_has_no_word_for_are_null(
    full: WebhookEndpoint, reachable: Receiver, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = Invoice._meta.get_field("extra")
    odd = {"x": [float("nan"), float("inf"), -float("inf"), 1.5]}  # which not every database holds
    monkeypatch.setattr(field, "value_from_object", lambda record: odd)
    paid()
    work()
    (got,) = reachable.got
    assert got.json["data"]["fields"]["extra"] == {"x": [None, None, None, 1.5]}
    assert b"NaN" not in got.body
    assert b"Infinity" not in got.body


def test_redaction_clears_what_is_kept_and_what_is_sent(
    full: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    reachable.answer = says(500, b"You sent 98.75")
    entry = paid(amount=Decimal("98.75"))  # of no moment's seconds
    work()
    assert WebhookDelivery.objects.get().fields
    assert WebhookAttempt.objects.get().response_head
    redact(entry, ["arguments", "snapshot", "actor"], reason="Request of 3 March", by=ACTOR)
    assert WebhookDelivery.objects.get().fields is None
    assert WebhookAttempt.objects.get().response_head == ""
    WebhookDelivery.objects.update(due_at=entry.recorded_at)
    work()
    first, second = reachable.got
    assert b"98.75" in first.body
    assert b"98.75" not in second.body
    assert second.json["data"]["payload"] == "thin"
    assert first.message_id == second.message_id


def test_a_purge_clears_all_of_the_record(full: WebhookEndpoint, reachable: Receiver, work: Work) -> None:
    entry = paid()
    work()
    invoice = Invoice.objects.get(pk=entry.object_pk)
    purge(invoice, reason="retention", by=System("tests"))
    assert WebhookDelivery.objects.get().fields is None


def test_a_persons_name_goes_wherever_it_stands(
    full: WebhookEndpoint, reachable: Receiver, work: Work
) -> None:
    from django.db import connection

    reachable.answer = says(200, b"Thank you, Bob Barker")
    paid(extra={"x": "Bob Barker"})
    paid(extra={"x": "Bobby"})
    work()
    assert clearing.clear_person(connection, Person("7", ("Bob Barker",))) >= 3
    kept = [
        json.loads(d.fields)["fields"]["extra"] if d.fields else None
        for d in WebhookDelivery.objects.order_by("pk")
    ]
    assert kept == [None, {"x": "Bobby"}]
    assert {a.response_head for a in WebhookAttempt.objects.all()} == {""}


def test_what_is_settled_goes_after_its_days_and_what_waits_stays(
    db: None, reachable: Receiver, work: Work, time_machine: Any
) -> None:
    time_machine.move_to("2026-11-28 12:00Z", tick=False)
    endpoint = WebhookEndpoint.objects.create(url=reachable.url())
    Light.objects.create().fire("switch_on", actor=ACTOR)
    work()
    reachable.answer = says(500)
    Light.objects.create().fire("switch_on", actor=ACTOR)
    work()
    assert (WebhookDelivery.objects.count(), WebhookAttempt.objects.count()) == (2, 2)
    time_machine.move_to("2026-12-27 12:00Z", tick=False)
    remove_expired()
    assert (WebhookDelivery.objects.count(), WebhookAttempt.objects.count()) == (2, 2)
    time_machine.move_to("2026-12-28 12:01Z", tick=False)
    remove_expired()
    assert [d.status for d in WebhookDelivery.objects.all()] == ["pending"]
    assert WebhookAttempt.objects.count() == 0
    reopen(endpoint)
