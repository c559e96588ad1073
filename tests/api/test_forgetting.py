"""Kept answers are copies: what is redacted, purged or forgotten goes from them as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from rest_framework.test import APIClient

from fsm_lifecycle import redact
from fsm_lifecycle.access.person import person_of
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.protection import gate
from fsm_lifecycle.models import IdempotentRequest, TransitionLog
from tests.api.desk import Desk
from tests.sample.making import SETUP

Client = Callable[[Any], APIClient]

KEY = {"Idempotency-Key": "once"}


def asked(as_user: Client, desk: Desk) -> Any:
    return as_user(desk.clara).post(
        desk.event("send_invoice"), {"metadata": {"told": "zyxanna said so"}}, format="json", headers=KEY
    )


def test_a_redacted_entry_is_gone_from_the_answer_and_nothing_is_done_again(
    as_user: Client, desk: Desk
) -> None:
    assert "zyxanna" in asked(as_user, desk).content.decode()
    entry = TransitionLog.objects.by_event("send_invoice").get()
    redact(entry, ["metadata"], reason="It was asked for", by=SETUP)
    assert IdempotentRequest.objects.get().body == ""
    again = asked(as_user, desk)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_conflict")
    assert "zyxanna" not in again.content.decode()
    assert TransitionLog.objects.by_event("send_invoice").count() == 1


def test_what_a_record_was_made_of_goes_with_it(as_user: Client, desk: Desk) -> None:
    given = {
        "number": "N-1",
        "client_name": "zyxanna",
        "client_email": "a@example.com",
        "amount": "5",
        "due_on": "2026-12-01",
    }
    made = as_user(desk.clara).post("/api/billing.invoice/", given, format="json", headers=KEY).json()
    assert "zyxanna" in IdempotentRequest.objects.get().body
    clearing.clear_record(connection, "billing.invoice", str(made["id"]))
    assert not IdempotentRequest.objects.get().body


def test_another_record_keeps_its_answers(as_user: Client, desk: Desk) -> None:
    asked(as_user, desk)
    clearing.clear_record(connection, "billing.invoice", str(desk.invoice.pk + 1))
    assert IdempotentRequest.objects.get().body
    clearing.clear_record(connection, "billing.invoice", str(desk.invoice.pk))
    assert not IdempotentRequest.objects.get().body


def test_a_person_who_is_forgotten_is_gone_from_the_answers(as_user: Client, desk: Desk) -> None:
    asked(as_user, desk)
    with transaction.atomic(), gate(connection, "redact"):
        clearing.clear_person(connection, person_of(desk.paul))
    assert IdempotentRequest.objects.get().body
    with transaction.atomic(), gate(connection, "redact"):
        clearing.clear_person(connection, person_of(desk.clara))
    assert not IdempotentRequest.objects.get().body
