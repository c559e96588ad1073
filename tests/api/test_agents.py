"""Proposals and runs of agents over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from rest_framework.test import APIClient

from fsm_lifecycle.models import Proposal, TransitionLog
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, run_of
from tests.api.desk import Desk

Client = Callable[[Any], APIClient]


@pytest.fixture
def asked(desk: Desk) -> Iterator[Proposal]:
    """An agent of Paul's wants to pay Clara's invoice, which takes a person."""
    desk.sent()
    with declared(lifecycle=Invoice, approval={"pay": "always"}) as agent:
        run = run_of(agent, desk.paul, prompt="Pay what is due")
        answer = call(
            run, "pay_invoice", id=str(desk.invoice.pk), expected_state="sent", paid_on="2026-11-02"
        )
        assert answer["success"] is False
        yield Proposal.objects.get()


def test_who_asked_and_who_may_see_the_record_see_it(as_user: Client, desk: Desk, asked: Proposal) -> None:
    address = f"/api/proposals/{asked.pk}/"
    own = as_user(desk.paul).get(address).json()
    assert own["steps"] == [
        {
            "record": str(desk.invoice.pk),
            "event": "pay",
            "arguments": asked.arguments,
            "sequence": 2,
        }
    ]
    assert (own["status"], own["may_decide"]) == ("pending", True)
    seen = as_user(desk.audrey).get(address).json()
    assert (seen["steps"][0]["arguments"], seen["may_decide"]) == (None, False)
    for user, number in ((desk.paul, 1), (desk.audrey, 1), (desk.stranger, 0)):
        assert len(as_user(user).get("/api/proposals/?status=pending").json()["results"]) == number
    hidden, missing = (as_user(desk.stranger).get(f"/api/proposals/{pk}/") for pk in (asked.pk, asked.pk + 1))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() | {"instance": ""} == missing.json() | {"instance": ""}


def test_what_nobody_decided_in_time_is_found_as_it_is_shown(
    as_user: Client, desk: Desk, asked: Proposal
) -> None:
    client = as_user(desk.paul)

    def listed(status: str) -> list[str]:
        return [one["status"] for one in client.get(f"/api/proposals/?status={status}").json()["results"]]

    assert (listed("pending"), listed("expired")) == (["pending"], [])
    Proposal.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert (listed("pending"), listed("expired"), listed("failed")) == ([], ["expired"], [])
    assert client.get(f"/api/proposals/{asked.pk}/").json()["may_decide"] is False
    Proposal.objects.update(status="expired")
    assert (listed("pending"), listed("expired")) == ([], ["expired"])


def test_a_person_approves_it_once(as_user: Client, desk: Desk, asked: Proposal) -> None:
    address = f"/api/proposals/{asked.pk}/approve/"
    denied = as_user(desk.audrey).post(address)
    assert (denied.status_code, denied.json()["code"]) == (403, "access_denied")
    client, key = as_user(desk.paul), {"Idempotency-Key": "yes"}
    wrong = client.post(address, {"digest": "0" * 64}, format="json")
    assert wrong.status_code == 409
    first = client.post(address, {"digest": asked.digest}, format="json", headers=key)
    assert first.status_code == 200, first.content
    assert (first.json()["proposal"]["status"], first.json()["proposal"]["may_decide"]) == ("approved", False)
    assert [one["to"] for one in first.json()["entries"]] == ["paid"]
    assert client.post(address, {"digest": asked.digest}, format="json", headers=key).content == first.content
    again = client.post(address)
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    assert TransitionLog.objects.by_event("pay").count() == 1


def test_a_person_declines_it_and_says_why(as_user: Client, desk: Desk, asked: Proposal) -> None:
    address = f"/api/proposals/{asked.pk}/decline/"
    client = as_user(desk.paul)
    silent = client.post(address, {"reason": " "}, format="json")
    assert (silent.status_code, silent.json()["errors"][0]["name"]) == (422, "reason")
    assert client.post(address, {"because": "no"}, format="json").status_code == 400
    done = client.post(address, {"reason": "Not yet"}, format="json").json()
    assert (done["proposal"]["status"], done["proposal"]["reason"], done["entries"]) == (
        "declined",
        "Not yet",
        [],
    )


def test_what_was_overtaken_is_told_so_and_stays_so(as_user: Client, desk: Desk, asked: Proposal) -> None:
    desk.invoice.refresh_from_db()
    desk.invoice.fire("cancel", actor=desk.clara, arguments={"reason": "A mistake"})
    response = as_user(desk.paul).post(
        f"/api/proposals/{asked.pk}/approve/", headers={"Idempotency-Key": "k"}
    )
    assert (response.status_code, response.json()["code"]) == (409, "stale_state")
    assert response.headers["Content-Type"] == "application/problem+json"
    asked.refresh_from_db()
    assert asked.status == "stale"


def test_after_its_time_it_is_too_late(as_user: Client, desk: Desk, asked: Proposal) -> None:
    Proposal.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = as_user(desk.paul).post(f"/api/proposals/{asked.pk}/approve/")
    assert (response.status_code, response.json()["code"]) == (409, "expired")


def test_runs_are_ones_own_or_everybodys_with_the_permission(
    as_user: Client, desk: Desk, asked: Proposal
) -> None:
    (run,) = as_user(desk.paul).get("/api/runs/").json()["results"]
    assert (run["id"], run["prompt"]) == (asked.run_id, "Pay what is due")
    address = f"/api/runs/{asked.run_id}/"
    assert as_user(desk.paul).get(address).json() == run
    assert as_user(desk.audrey).get(address).status_code == 404
    assert as_user(desk.audrey).get("/api/runs/").json()["results"] == []
    desk.audrey.user_permissions.add(Permission.objects.get(codename="view_agentrun"))
    assert as_user(desk.audrey).get(address).json() == run
