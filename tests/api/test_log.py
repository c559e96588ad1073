"""The ledger over HTTP: the log, an entry, its proof, checkpoints, and the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from fsm_lifecycle.access import grant_role
from fsm_lifecycle.ledger.bundle import leaf_of, read_bundle
from fsm_lifecycle.ledger.prove import as_text
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from tests.api.desk import Desk
from tests.sample.making import SETUP, an_invoice

Client = Callable[[Any], APIClient]


@pytest.fixture
def kept_outside(settings: Any, tmp_path: Path) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_CHECKPOINT_DIR": tmp_path}


def hashes(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [one["hash"] for one in response.json()["results"]]


@pytest.mark.django_db(transaction=True)
def test_the_log_comes_when_it_is_sealed_to_who_may_see_it(
    as_user: Client, desk: Desk, kept_outside: None
) -> None:
    audrey = as_user(desk.audrey)
    early = audrey.get("/api/log/").json()
    assert (early["next"], early["after"]) == (None, None)
    assert [(one["hash"], one["leaf_index"]) for one in early["results"]] == [
        (desk.invoice.log.get().entry_hash, None)  # committed, and not sealed yet
    ]
    other = Contract.objects.create(client_name="Fjord")
    seal()
    first = audrey.get("/api/log/")
    assert hashes(first) == [desk.invoice.log.get().entry_hash]
    after = first.json()["after"]
    assert after == 1  # the contract's entry was looked at, and is not for Audrey
    desk.sent()
    assert hashes(audrey.get(f"/api/log/?after={after}")) == []
    seal()
    assert hashes(audrey.get(f"/api/log/?after={after}")) == [desk.invoice.lifecycle_head]
    grant_role(desk.audrey, "auditor", on=other, by=SETUP)
    assert len(hashes(audrey.get("/api/log/"))) == 3
    assert hashes(audrey.get("/api/log/?models=billing.contract")) == [other.lifecycle_head]
    desk.stranger.is_superuser = True
    desk.stranger.save()
    assert hashes(as_user(desk.stranger).get("/api/log/")) == list(
        TransitionLog.objects.order_by("id").values_list("entry_hash", flat=True)
    )


@pytest.mark.django_db(transaction=True)
def test_pages_of_the_log_hold_each_entry_once_for_many_and_for_few(
    as_user: Client, desk: Desk, kept_outside: None
) -> None:
    for number in range(5):
        an_invoice(desk.clara, f"N-{number}")
        ExpenseReport.objects.create(purpose="A taxi", amount=1, created_by=desk.stranger)
    seal()
    for user, model in ((desk.audrey, Invoice), (desk.stranger, ExpenseReport)):
        expected = list(
            TransitionLog.objects.for_model(model).order_by("id").values_list("entry_hash", flat=True)
        )
        found: list[str] = []
        following = "/api/log/?page_size=2"
        while following:
            response = as_user(user).get(following)
            found += hashes(response)
            following = response.json()["next"]
        assert found == expected


@pytest.mark.django_db(transaction=True)
def test_a_proof_holds_and_shows_no_values(as_user: Client, desk: Desk, kept_outside: None) -> None:
    desk.sent()
    entry = desk.invoice.log.last()
    assert entry is not None
    client = as_user(desk.audrey)
    address = f"/api/log/{entry.entry_hash}/"
    early = client.get(f"{address}proof/")
    assert (early.status_code, early.json()["code"]) == (409, "not_provable")
    assert client.get(address).json()["leaf_index"] is None
    seal()
    assert client.get(address).json()["leaf_index"] == 1
    proof = client.get(f"{address}proof/").json()
    assert "body" not in proof
    assert leaf_of(read_bundle(as_text(proof))) == entry.entry_hash
    latest = client.get("/api/checkpoints/latest/").json()
    assert (latest["tree_size"], latest["note"]) == (2, proof["checkpoint"])
    assert client.get("/api/checkpoints/").json()["results"] == [latest]


def test_the_history_of_a_record(as_user: Client, desk: Desk) -> None:
    desk.sent()
    client = as_user(desk.clara)
    page = client.get(f"{desk.address}transitions/?page_size=1").json()
    assert [one["kind"] for one in page["results"]] == ["created"]
    rest = client.get(page["next"]).json()
    assert [(one["event"], one["from"], one["to"], one["sequence"]) for one in rest["results"]] == [
        ("send_invoice", "draft", "sent", 2)
    ]
    assert rest["next"] is None
    assert rest["results"][0]["actor"] == {"kind": "user", "id": str(desk.clara.pk), "label": "clara"}
    assert client.get(f"{desk.address}transitions/?after=2").json()["results"] == []


@pytest.mark.once
def test_the_tables(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.stranger)
    names = [one["name"] for one in client.get("/api/lifecycles/").json()]
    assert {"billing.invoice", "helpdesk.ticket"} <= set(names)
    table = client.get("/api/lifecycles/billing.invoice/").json()
    assert table["fingerprint"] == Invoice.lifecycle.fingerprint
    assert [one["value"] for one in table["states"]] == list(Invoice.lifecycle.states)
    pay = next(one for one in table["events"] if one["name"] == "pay")
    assert (pay["from"], pay["to"], pay["not_by"]) == (["sent", "overdue"], ["paid"], ["send_invoice"])
    assert pay["arguments"]["required"] == ["paid_on"]
    approver = next(one for one in table["roles"] if one["name"] == "approver")
    assert (approver["crud"], approver["may"]) == (["read"], ["pay", "refund"])


def test_every_event_with_its_reasons(as_user: Client, desk: Desk) -> None:
    events = {one["name"]: one for one in as_user(desk.clara).get(f"{desk.address}events/").json()}
    assert list(events) == list(Invoice.lifecycle.events)
    assert events["send_invoice"]["allowed"]
    assert [one["code"] for one in events["pay"]["denials"]] == ["access_denied", "wrong_state"]
    assert events["pay"]["arguments"]["properties"]["paid_on"]["format"] == "date"
