"""What is not there and what may not be seen: nobody can tell one from the other; and no field shows unless opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.models import TransitionLog
from sample_project.billing.models import ExpenseReport, Invoice
from tests.api.desk import PAY, Desk
from tests.sample.making import SETUP, an_invoice
from tests.testapp.models import Door
from tests.testapp.offices import Appeal, Filing

Client = Callable[[Any], APIClient]

ASKED = [
    ("get", "", None),
    ("patch", "", {"amount": "1"}),
    ("delete", "", None),
    ("get", "events/", None),
    ("get", "transitions/", None),
    ("post", "events/pay/", PAY),
    ("post", "events/shred/", {}),
    ("post", "events/pay/", {"strange": 1}),
]


def told(client: APIClient, method: str, address: str, body: Any) -> tuple[Any, ...]:
    """Everything that can be seen of an answer, the key of its address taken out, and the statements behind it."""
    key = re.search(r"/(\d+)/", address)[1]  # type: ignore[index]
    with CaptureQueriesContext(connection) as captured:
        response = getattr(client, method)(address, body, format="json")
    queries = [re.sub(r"\d+(\.\d+)?", "N", query["sql"]) for query in captured]  # keys, and times
    headers = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    text = response.content.decode().replace(f"/{key}/", "/KEY/")
    return response.status_code, headers, text, queries


@pytest.mark.parametrize(("method", "rest", "body"), ASKED)
def test_a_hidden_record_is_answered_as_one_that_is_not_there(
    method: str, rest: str, body: Any, as_user: Client, desk: Desk
) -> None:
    client = as_user(desk.stranger)
    client.get("/api/lifecycles/")  # what is asked for once in a process
    hidden = told(client, method, f"{desk.address}{rest}", body)
    missing = told(client, method, f"/api/billing.invoice/{desk.invoice.pk + 1000}/{rest}", body)
    assert hidden[0] == 404
    assert hidden == missing


def test_a_key_does_not_tell_it_either(as_user: Client, desk: Desk) -> None:
    """An Idempotency-Key or a condition changes nothing for a record that may not be seen."""
    client = as_user(desk.stranger)
    for header in ({"Idempotency-Key": "k"}, {"If-Match": "*"}, {"If-None-Match": "*"}):
        for key in (desk.invoice.pk, desk.invoice.pk + 1000):
            address = f"/api/billing.invoice/{key}/events/pay/"
            response = client.post(address, PAY, format="json", headers=header)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_lists_hold_what_may_be_seen_alone(as_user: Client, desk: Desk) -> None:
    an_invoice(desk.stranger, "S-1")  # by its default role, its maker's
    assert [
        one["number"] for one in as_user(desk.stranger).get("/api/billing.invoice/").json()["results"]
    ] == ["S-1"]
    both = as_user(desk.audrey).get("/api/billing.invoice/").json()["results"]
    assert {one["number"] for one in both} == {"S-1", "2026-001"}
    assert as_user(desk.paul).get("/api/helpdesk.ticket/").json()["results"] == []


def test_several_at_once_tell_nothing_either(as_user: Client, desk: Desk) -> None:
    body = {"ids": [desk.invoice.pk, desk.invoice.pk + 1000], "arguments": {"paid_on": "2026-11-01"}}
    answer = as_user(desk.stranger).post("/api/billing.invoice/-/events/pay/", body, format="json").json()
    hidden, missing = answer["results"]
    assert hidden.pop("id") != missing.pop("id")
    assert hidden == missing
    assert hidden["status"] == 404


def test_entries_of_hidden_records_are_hidden(as_user: Client, desk: Desk) -> None:
    entry = TransitionLog.objects.get()
    client = as_user(desk.stranger)
    for address in (f"/api/log/{entry.entry_hash}/", f"/api/log/{entry.entry_hash}/proof/"):
        seen = client.get(address)
        unseen = client.get(address.replace(entry.entry_hash, "0" * 64))
        assert seen.status_code == unseen.status_code == 404
        assert seen.json() | {"instance": ""} == unseen.json() | {"instance": ""}
    assert as_user(desk.audrey).get(f"/api/log/{entry.entry_hash}/").status_code == 200


def test_fields_that_are_not_opened_show_nowhere(as_user: Client, desk: Desk, monkeypatch: Any) -> None:
    """In the record, snapshots, arguments and metadata alike."""
    from fsm_lifecycle.api import representing

    representing.serializer_for.cache_clear()
    options = {**Invoice.lifecycle.options, "api_fields": ["number"]}
    monkeypatch.setitem(vars(Invoice.lifecycle), "options", options)
    desk.sent()
    entry = desk.invoice.fire(
        "pay",
        actor=desk.paul,
        arguments={"paid_on": "2026-11-02"},
        metadata={
            "client_name": "Ferrara",
            "number": "2026-001",
            "ticket": 7,
            "sent": [{"client_name": "Ferrara", "to": {"client_email": "ferrara@example.org", "copies": 2}}],
        },
    )
    assert entry.snapshot
    client = as_user(desk.audrey)
    record = client.get(desk.address)
    assert set(record.json()) == {"id", "label", "state", "sequence", "available_events", "number"}
    shown = client.get(f"/api/log/{entry.entry_hash}/").json()
    assert shown["metadata"] == {"number": "2026-001", "ticket": 7, "sent": [{"to": {"copies": 2}}]}
    assert shown["arguments"] == {}
    assert shown["snapshot"] == {}
    for address in ("", "transitions/", "events/"):
        text = client.get(f"{desk.address}{address}").content.decode()
        assert "Ferrara" not in text
        assert "2026-11-02" not in text
    representing.serializer_for.cache_clear()


def test_a_childs_fields_show_where_the_child_is_asked_for_and_where_it_opens_them(
    as_user: Client, desk: Desk
) -> None:
    with acting_as(desk.clara):
        appeal = Appeal.objects.create(title="Late", grounds="Illness", advice="Hopeless")
    entry = appeal.fire("hear", actor=System("court"), metadata={"advice": "Hopeless", "room": 4})
    grant_role(desk.audrey, "auditor", on=Filing, by=SETUP)
    parents = as_user(desk.audrey)
    for address in (
        f"/api/log/{entry.entry_hash}/",
        "/api/log/",
        f"/api/testapp.filing/{appeal.pk}/transitions/",
    ):
        answer = parents.get(address)
        assert answer.status_code == 200
        assert "Late" in answer.content.decode()
        assert "Illness" not in answer.content.decode()
        assert "Hopeless" not in answer.content.decode()
    assert parents.get(f"/api/testapp.appeal/{appeal.pk}/transitions/").status_code == 404
    *_, heard = as_user(desk.clara).get(f"/api/testapp.appeal/{appeal.pk}/transitions/").json()["results"]
    assert heard["snapshot"] == {"title": "Late", "grounds": "Illness", "state": "hearing"}
    assert heard["metadata"] == {"room": 4}


@pytest.mark.once
def test_without_opened_fields_a_record_is_what_every_record_is(as_user: Client, desk: Desk) -> None:
    Door.objects.create(code="front")
    (door,) = as_user(desk.stranger).get("/api/testapp.door/").json()["results"]
    assert door == {
        "id": "front",
        "label": "Door object (front)",
        "state": "closed",
        "sequence": 1,
        "available_events": ["open_up"],
    }


@pytest.mark.once
def test_a_reference_can_be_set_to_what_may_be_seen_alone(as_user: Client, desk: Desk) -> None:
    from sample_project.billing.models import Contract

    contract = Contract.objects.create(client_name="Fjord & Sons")
    response = as_user(desk.clara).patch(desk.address, {"contract": contract.pk}, format="json")
    missing = as_user(desk.clara).patch(desk.address, {"contract": contract.pk + 1000}, format="json")
    assert response.status_code == missing.status_code == 422
    assert response.json()["detail"] == missing.json()["detail"].replace(
        str(contract.pk + 1000), str(contract.pk)
    )


def test_who_made_a_record_is_never_written(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    body = {"purpose": "A taxi", "amount": "20", "created_by": desk.paul.pk}
    refused = client.post("/api/billing.expensereport/", body, format="json")
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_argument")
    assert [one["name"] for one in refused.json()["errors"]] == ["created_by"]
    del body["created_by"]
    made = client.post("/api/billing.expensereport/", body, format="json")
    assert (made.status_code, made.json()["created_by"]) == (201, desk.clara.pk)
    assert made.headers["Location"] == f"http://testserver/api/billing.expensereport/{made.json()['id']}/"
    report = ExpenseReport.objects.get()
    assert report.created_by == desk.clara
    assert report.log.get().actor_id == str(desk.clara.pk)
    for name, value in (
        ("created_by", desk.paul.pk),
        ("state", "approved"),
        ("id", 9),
        ("lifecycle_sequence", 9),
    ):
        refused = client.patch(f"/api/billing.expensereport/{report.pk}/", {name: value}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (400, "unknown_argument")
