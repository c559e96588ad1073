"""An Idempotency-Key: what was done is not done again, and answered alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from fsm_lifecycle.access import revoke_role
from fsm_lifecycle.engine.expiry import remove_expired
from fsm_lifecycle.models import IdempotentRequest, TransitionLog
from sample_project.billing.models import Invoice
from tests.api.desk import PAY, Desk
from tests.sample.making import SETUP, an_invoice

Client = Callable[[Any], APIClient]

KEY = {"Idempotency-Key": "7f0c"}
NEW = {
    "number": "N-1",
    "client_name": "Fjord & Sons",
    "client_email": "a@example.com",
    "amount": "5",
    "due_on": "2026-12-01",
}


def same(first: Any, second: Any) -> None:
    """The second response is the first, repeated."""
    assert second.status_code == first.status_code < 300, second.content
    assert second.content == first.content
    assert second.headers.get("Location") == first.headers.get("Location")
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


def test_an_event_happens_once(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    first = client.post(desk.event("send_invoice"), headers=KEY)
    desk.invoice.refresh_from_db()
    desk.invoice.fire("cancel", actor=SETUP, arguments={"reason": "A mistake"})  # what was answered stays so
    same(first, client.post(desk.event("send_invoice"), headers=KEY))
    assert TransitionLog.objects.by_event("send_invoice").count() == 1
    row = IdempotentRequest.objects.get()
    assert (row.user_id, row.method, row.path, row.key, row.status) == (
        str(desk.clara.pk),
        "POST",
        desk.event("send_invoice"),
        "7f0c",
        200,
    )


def test_a_record_is_made_once_and_several_are_moved_once(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    first = client.post("/api/billing.invoice/", NEW, format="json", headers=KEY)
    same(first, client.post("/api/billing.invoice/", dict(reversed(NEW.items())), format="json", headers=KEY))
    assert Invoice.objects.count() == 2
    body = {"ids": [desk.invoice.pk, first.json()["id"], 10**6]}
    address = "/api/billing.invoice/-/events/send_invoice/"
    first = client.post(address, body, format="json", headers=KEY)
    assert [one["status"] for one in first.json()["results"]] == [200, 200, 404]
    same(first, client.post(address, body, format="json", headers=KEY))


def test_the_same_key_with_another_body_is_a_conflict(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    assert (
        client.post(
            desk.event("send_invoice"), {"metadata": {"a": 1}}, format="json", headers=KEY
        ).status_code
        == 200
    )
    for body in ({}, {"metadata": {"a": 2}}):
        response = client.post(desk.event("send_invoice"), body, format="json", headers=KEY)
        assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    both = {**KEY, "If-Match": '"other"'}
    response = client.post(desk.event("send_invoice"), {}, format="json", headers=both)
    assert response.status_code == 412  # which is judged before


def test_the_same_key_with_other_records_is_a_conflict(as_user: Client, desk: Desk) -> None:
    client, address = as_user(desk.clara), "/api/billing.invoice/-/events/send_invoice/"
    other = an_invoice(desk.clara, "N-1")
    assert client.post(address, {"ids": [desk.invoice.pk]}, format="json", headers=KEY).status_code == 200
    for ids in ([other.pk], [desk.invoice.pk, other.pk], []):
        response = client.post(address, {"ids": ids}, format="json", headers=KEY)
        assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    other.refresh_from_db()
    assert other.state == "draft"


@pytest.mark.parametrize("why", ["gone", "not for this user"])
def test_the_answer_of_a_record_that_was_made_goes_with_it(why: str, as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    made = client.post("/api/billing.invoice/", NEW, format="json", headers=KEY)
    invoice = Invoice.objects.get(pk=made.json()["id"])
    assert IdempotentRequest.objects.get().object_pk == str(invoice.pk)
    if why == "gone":
        invoice.delete()
    else:
        revoke_role(desk.clara, "owner", on=invoice, by=SETUP)
        revoke_role(desk.clara, "clerk", on=Invoice, by=SETUP)
        desk.clara.user_permissions.add(
            Permission.objects.get(codename="add_invoice", content_type__app_label="billing")
        )
    again = as_user(desk.clara).post("/api/billing.invoice/", NEW, format="json", headers=KEY)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_conflict")
    assert "Fjord" not in again.content.decode()


def test_a_repetition_is_not_judged_by_what_the_first_one_changed(as_user: Client, desk: Desk) -> None:
    """The tag that was sent is not the record's any more, and whoever did it may not do it a second time."""
    desk.sent()
    client = as_user(desk.paul)
    headers = {**KEY, "If-Match": client.get(desk.address).headers["ETag"]}
    first = client.post(desk.event("pay"), PAY, format="json", headers=headers)
    same(first, client.post(desk.event("pay"), PAY, format="json", headers=headers))


def test_a_key_is_of_one_user_and_one_address(as_user: Client, desk: Desk) -> None:
    assert as_user(desk.clara).post(desk.event("send_invoice"), headers=KEY).status_code == 200
    other = as_user(desk.paul).post(desk.event("pay"), PAY, format="json", headers=KEY)
    assert (other.status_code, other.json()["record"]["state"]) == (200, "paid")


def test_what_was_refused_may_be_tried_again(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.paul)
    assert client.post(desk.event("pay"), PAY, format="json", headers=KEY).status_code == 409
    assert not IdempotentRequest.objects.exists()
    desk.sent()
    assert client.post(desk.event("pay"), PAY, format="json", headers=KEY).status_code == 200


def test_rights_are_asked_for_before_an_answer_is_repeated(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    many = "/api/billing.invoice/-/events/send_invoice/"
    assert client.post(many, {"ids": [desk.invoice.pk]}, format="json", headers=KEY).status_code == 200
    assert client.post("/api/billing.invoice/", NEW, format="json", headers=KEY).status_code == 201
    fresh = Invoice.objects.get(number="N-1")
    address = f"/api/billing.invoice/{fresh.pk}/events/send_invoice/"
    assert client.post(address, headers=KEY).status_code == 200
    revoke_role(desk.clara, "clerk", on=Invoice, by=SETUP)
    for invoice in (desk.invoice, fresh):
        revoke_role(desk.clara, "owner", on=invoice, by=SETUP)
    assert client.post(address, headers=KEY).status_code == 404
    assert client.post(many, {"ids": [desk.invoice.pk]}, format="json", headers=KEY).status_code == 404
    assert client.post("/api/billing.invoice/", NEW, format="json", headers=KEY).status_code == 403


@pytest.mark.once
@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused_by_name(key: str, as_user: Client, desk: Desk) -> None:
    response = as_user(desk.clara).post(desk.event("send_invoice"), headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["code"]) == (400, "unreadable")
    assert [one["name"] for one in response.json()["errors"]] == ["Idempotency-Key"]


def test_after_a_day_a_key_is_free(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    assert client.post("/api/billing.invoice/", NEW, format="json", headers=KEY).status_code == 201
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    again = client.post("/api/billing.invoice/", NEW | {"number": "N-2"}, format="json", headers=KEY)
    assert (again.status_code, again.json()["number"]) == (201, "N-2")


def test_rows_go_when_their_days_are_over(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    client.post(desk.event("send_invoice"), headers=KEY)
    tomorrow = timezone.now() + timedelta(hours=25)
    assert remove_expired(now=timezone.now())["idempotency"] == 0
    with override_settings(FSM_LIFECYCLE={"RETENTION_DAYS": {"idempotency": None}}):
        assert remove_expired(now=tomorrow)["idempotency"] == 0
    assert remove_expired(now=tomorrow)["idempotency"] == 1
    assert not IdempotentRequest.objects.exists()
