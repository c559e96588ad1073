"""Webhooks over HTTP: one's own endpoints, their secrets, their messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from rest_framework.test import APIClient

from fsm_lifecycle.models import IdempotentRequest, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.api.desk import Desk

Client = Callable[[Any], APIClient]

KEY = "a phrase of more than thirty-two characters"
NEW = {"url": "https://93.184.215.14/hook", "events": ["billing.invoice.*"], "description": "The till"}


@pytest.fixture
def managing(desk: Desk, settings: Any) -> Desk:
    """Clara and Paul may manage webhooks."""
    settings.FSM_LIFECYCLE = {"ENCRYPTION_KEYS": [KEY], "DISPATCH": "command"}
    permission = Permission.objects.get(codename="manage_webhooks")
    for user in (desk.clara, desk.paul):
        user.user_permissions.add(permission)
    return desk


def made(as_user: Client, user: Any, **more: Any) -> dict[str, Any]:
    response = as_user(user).post("/api/webhooks/", {**NEW, **more}, format="json")
    assert response.status_code == 201, response.content
    found: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"http://testserver/api/webhooks/{found['id']}/"
    return found


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(as_user: Client, managing: Desk) -> None:
    endpoint = made(as_user, managing.clara)
    assert endpoint["secret"].startswith("whsec_")
    assert endpoint["owner"] == managing.clara.pk
    shown = as_user(managing.clara).get(f"/api/webhooks/{endpoint['id']}/")
    assert "secret" not in shown.json()
    assert shown.json()["events"] == ["billing.invoice.*"]
    (listed,) = as_user(managing.clara).get("/api/webhooks/").json()["results"]
    assert listed == shown.json()


def test_the_same_key_repeats_the_secret_and_keeps_it_encrypted(as_user: Client, managing: Desk) -> None:
    client = as_user(managing.clara)
    first = client.post("/api/webhooks/", NEW, format="json", headers={"Idempotency-Key": "k"})
    again = client.post("/api/webhooks/", NEW, format="json", headers={"Idempotency-Key": "k"})
    assert first.content == again.content
    assert WebhookEndpoint.objects.count() == 1
    assert first.json()["secret"] not in IdempotentRequest.objects.get().body
    rotated = client.post(f"/api/webhooks/{first.json()['id']}/secret/")
    assert rotated.json()["secret"] not in ("", first.json()["secret"])


def test_others_endpoints_are_not_there(as_user: Client, managing: Desk) -> None:
    endpoint = made(as_user, managing.clara)
    address = f"/api/webhooks/{endpoint['id']}/"
    client = as_user(managing.paul)
    assert client.get("/api/webhooks/").json()["results"] == []
    for method, rest in (
        ("get", ""), ("patch", ""), ("delete", ""), ("get", "health/"), ("post", "secret/"),
        ("post", "test/"), ("post", "resend/"), ("get", "deliveries/"),
    ):  # fmt: skip
        seen = getattr(client, method)(f"{address}{rest}", {}, format="json")
        unseen = getattr(client, method)(f"/api/webhooks/{endpoint['id'] + 1}/{rest}", {}, format="json")
        assert seen.status_code == unseen.status_code == 404
        assert seen.json() | {"instance": ""} == unseen.json() | {"instance": ""}


def test_managing_takes_the_permission(as_user: Client, managing: Desk) -> None:
    for response in (
        as_user(managing.audrey).get("/api/webhooks/"),
        as_user(managing.audrey).post("/api/webhooks/", NEW, format="json"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "access_denied")


@pytest.mark.parametrize(
    ("given", "status", "name"),
    [
        ({"url": "https://127.0.0.1/"}, 422, "url"),
        ({"url": "ftp://example.com/"}, 422, "url"),
        ({"url": 7, "events": []}, 422, "events"),
        ({"events": ["billing"]}, 422, "events"),
        ({"payload": "fat"}, 422, "payload"),
        ({"model_label": "no.model"}, 422, "model_label"),
        ({"secret": "whsec_mine"}, 400, "secret"),
        ({"failures": 0}, 400, "failures"),
    ],
)
def test_what_does_not_do_is_named(
    given: Any, status: int, name: str, as_user: Client, managing: Desk
) -> None:
    response = as_user(managing.clara).post("/api/webhooks/", {**NEW, **given}, format="json")
    assert response.status_code == status
    assert name in [one["name"] for one in response.json()["errors"]]


def test_nobody_has_an_endpoint_for_somebody_else(as_user: Client, managing: Desk) -> None:
    response = as_user(managing.clara).post(
        "/api/webhooks/", {**NEW, "owner": managing.paul.pk}, format="json"
    )
    assert (response.status_code, response.json()["errors"][0]["name"]) == (422, "owner")
    endpoint = made(as_user, managing.clara)
    for owner in (managing.paul.pk, None):
        response = as_user(managing.clara).patch(
            f"/api/webhooks/{endpoint['id']}/", {"owner": owner}, format="json"
        )
        assert response.status_code == 422


def test_an_endpoint_is_changed_and_removed(as_user: Client, managing: Desk) -> None:
    client = as_user(managing.clara)
    address = f"/api/webhooks/{made(as_user, managing.clara)['id']}/"
    tag = client.get(address).headers["ETag"]
    changed = client.patch(address, {"active": False}, format="json", headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["active"]) == (200, False)
    assert (
        client.patch(address, {"active": True}, format="json", headers={"If-Match": tag}).status_code == 412
    )
    off = client.post(f"{address}resend/", {"since": "2026-11-01T00:00:00Z"}, format="json")
    assert (off.status_code, off.json()["code"]) == (409, "endpoint_off")
    assert client.get(f"{address}health/").json()["state"] == "off"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_messages_and_their_attempts(as_user: Client, managing: Desk) -> None:
    client = as_user(managing.clara)
    address = f"/api/webhooks/{made(as_user, managing.clara)['id']}/"
    sent = client.post(f"{address}test/").json()
    assert (sent["type"], sent["status"]) == ("fsm_lifecycle.test", "pending")
    WebhookAttempt.objects.create(
        delivery_id=sent["id"],
        number=1,
        status=500,
        elapsed=0.1,
        response_head="no",
        attempted_at=timezone.now(),
    )
    WebhookDelivery.objects.update(status="dead", reason="tries", settled_at=timezone.now())
    one = client.get(f"{address}deliveries/{sent['id']}/").json()
    assert [(attempt["status"], attempt["response_head"]) for attempt in one["attempts"]] == [(500, "no")]
    assert [m["id"] for m in client.get(f"{address}deliveries/?status=dead").json()["results"]] == [
        sent["id"]
    ]
    assert client.get(f"{address}deliveries/?status=lost").status_code == 400
    again = client.post(f"{address}deliveries/{sent['id']}/resend/").json()
    assert (again["message_id"], again["status"]) == (sent["message_id"], "pending")
    assert client.get(f"{address}deliveries/{sent['id'] + 1}/").status_code == 404
    managing.sent()
    told = client.post(f"{address}resend/", {"since": "2026-11-01T00:00:00Z"}, format="json")
    assert told.json() == {"messages": 1}  # the filter is for events
    for end in ("0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"):
        assert client.post(f"{address}resend/", {"since": end}, format="json").status_code == 200
    for since in ("yesterday", "2026-11-01T00:00:00", None, 7):
        assert client.post(f"{address}resend/", {"since": since}, format="json").status_code == 400
