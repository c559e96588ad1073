"""Entity tags: what is read is tagged for its reader, and a change says which version it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from sample_project.billing.models import Invoice
from tests.api.desk import PAY, Desk

Client = Callable[[Any], APIClient]


def test_what_is_read_is_tagged_and_said_to_be_for_its_reader(as_user: Client, desk: Desk) -> None:
    clara, audrey = as_user(desk.clara), as_user(desk.audrey)
    for address in (desk.address, "/api/billing.invoice/", f"{desk.address}events/", "/api/log/"):
        response = clara.get(address)
        assert response.headers["ETag"].startswith('"')
        assert {"Authorization", "Cookie"} <= set(response.headers["Vary"].split(", "))
        assert response.headers["Cache-Control"] == "private, no-cache"
    # Who may fire other events gets another representation.
    assert clara.get(desk.address).headers["ETag"] != audrey.get(desk.address).headers["ETag"]


def test_what_is_known_is_not_sent_again(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    tag = client.get(desk.address).headers["ETag"]
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        response = client.get(desk.address, headers={"If-None-Match": header})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
        assert "Cookie" in response.headers["Vary"]
    Invoice.objects.update(client_name="Fjord")
    response = client.get(desk.address, headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response.headers["ETag"] != tag


def test_an_edit_cannot_overwrite_what_was_not_seen(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    tag = client.get(desk.address).headers["ETag"]
    assert (
        client.patch(desk.address, {"amount": "5"}, format="json", headers={"If-Match": tag}).status_code
        == 200
    )
    lost = client.patch(desk.address, {"amount": "7"}, format="json", headers={"If-Match": tag})
    assert (lost.status_code, lost.json()["code"]) == (412, "precondition_failed")
    assert Invoice.objects.get().amount == 5


@pytest.mark.parametrize("header", ['"other"', "W/{tag}", "", "nonsense", '"a, b"'])
def test_a_tag_that_does_not_fit_stops_every_change(header: str, as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    tag = client.get(desk.address).headers["ETag"]
    headers = {"If-Match": header.replace("{tag}", tag)}
    changes = [
        client.patch(desk.address, {"amount": "7"}, format="json", headers=headers),
        client.post(desk.event("send_invoice"), headers=headers),
        client.post(
            "/api/billing.invoice/-/events/send_invoice/",
            {"ids": [desk.invoice.pk]},
            format="json",
            headers=headers,
        ),
        client.get(desk.address, headers=headers),
    ]
    assert [response.status_code for response in changes] == [412] * 4
    invoice = Invoice.objects.get()
    assert (int(invoice.amount), invoice.state) == (100, "draft")


def test_an_event_with_the_tag_of_what_was_seen(as_user: Client, desk: Desk) -> None:
    desk.sent()
    client = as_user(desk.paul)
    tag = client.get(desk.address).headers["ETag"]
    Invoice.objects.update(client_name="Fjord")  # an edit moves no state, and yet it was not seen
    lost = client.post(desk.event("pay"), PAY, format="json", headers={"If-Match": tag})
    assert (lost.status_code, lost.json()["code"]) == (412, "precondition_failed")
    tag = client.get(desk.address).headers["ETag"]
    paid = client.post(desk.event("pay"), PAY, format="json", headers={"If-Match": tag})
    assert (paid.status_code, paid.json()["record"]["state"]) == (200, "paid")


def test_if_none_match_stops_a_change_too(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    response = client.patch(desk.address, {"amount": "7"}, format="json", headers={"If-None-Match": "*"})
    assert response.status_code == 412


def test_a_project_may_ask_for_the_version_each_time(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    with override_settings(FSM_LIFECYCLE={"API_REQUIRE_IF_MATCH": True}):
        for response in (
            client.patch(desk.address, {"amount": "7"}, format="json"),
            client.post(desk.event("send_invoice")),
        ):
            assert (response.status_code, response.json()["code"]) == (428, "precondition_required")
        tag = client.get(desk.address).headers["ETag"]
        assert client.post(desk.event("send_invoice"), headers={"If-Match": tag}).status_code == 200
