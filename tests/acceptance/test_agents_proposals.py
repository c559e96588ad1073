"""What takes a person: proposals and plans, who may decide them, and when it is too late."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import include, path
from django.utils import timezone

from fsm_lifecycle import AccessDenied, Agent, LifecycleError, System
from fsm_lifecycle.access import delegate, revoke_role
from fsm_lifecycle.agents import LifecycleAgent, dispatch, execute, start
from fsm_lifecycle.models import Proposal
from sample_project.billing.models import Invoice
from tests.acceptance.agent_desk import Chaser, agent, invoice
from tests.acceptance.fake_claude import claude, text, use

pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.usefixtures("known"),
    pytest.mark.urls("tests.acceptance.test_agents_proposals"),
]

urlpatterns = [path("admin/", admin.site.urls), path("api/", include("fsm_lifecycle.api.urls"))]


def test_a_proposal_waits_and_is_carried_out(alice: User, root: User, monkeypatch: Any) -> None:
    record = invoice(state="sent")
    script = [
        [use("cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": "gone"})],
        [text("Cancelled.")],
    ]
    with claude(script, monkeypatch) as fake:
        run = Chaser.run("Cancel", user=alice)
        assert run.status == "waiting"
        proposal = Proposal.objects.get(run=run)
        assert proposal.event == "cancel"
        assert proposal.arguments == {"reason": "gone"}
        assert proposal.status in ("pending", "open", "waiting", "proposed")
        record.refresh_from_db()
        assert record.state == "sent"
        proposal.approve(by=alice)
        proposal.refresh_from_db()
        assert proposal.status == "approved"
        record.refresh_from_db()
        assert record.state == "cancelled"
        run.refresh_from_db()
        if run.status != "done":
            execute(run.pk)
            run.refresh_from_db()
        assert (run.status, run.answer) == ("done", "Cancelled.")
        assert fake.results()[-1]["success"] is True
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)
    with pytest.raises(LifecycleError):
        proposal.decline(by=root, reason="late")


def test_a_proposal_is_declined_with_a_reason(alice: User, monkeypatch: Any) -> None:
    record = invoice(state="sent")
    script = [
        [use("cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": "gone"})],
        [text("Then not.")],
    ]
    with claude(script, monkeypatch) as fake:
        run = Chaser.run("Cancel", user=alice)
        proposal = run.proposals.get()
        proposal.decline(by=alice, reason="They will pay.")
        execute(run.pk)
        run.refresh_from_db()
        assert run.status == "done"
        result = fake.results()[-1]
        assert result["success"] is False
        assert "They will pay." in str(result)


def _proposed(agent: Any, record: Invoice, user: User) -> Proposal:
    run = start(agent, "x", user=user)
    dispatch(run, "cancel_invoice", {"id": record.pk, "expected_state": record.state, "reason": "r"}, "c1")
    return Proposal.objects.get(run=run)


def test_who_may_approve(alice: User, root: User) -> None:
    record = invoice(state="sent")
    proposal = _proposed(Chaser, record, alice)
    nobody = User.objects.create_user("nobody")
    with pytest.raises(AccessDenied):
        proposal.approve(by=nobody)
    with pytest.raises(LifecycleError):
        proposal.approve(by=Agent(proposal.run))
    revoke_role(alice, "clerk", on=Invoice, by=System("test"))
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)  # The user's right is gone.
    record.refresh_from_db()
    assert record.state == "sent"


def test_four_eyes(alice: User, root: User) -> None:
    class Careful(LifecycleAgent):
        lifecycle = Invoice
        approval = {"cancel": "four_eyes"}

    record = invoice(state="sent")
    proposal = _proposed(Careful, record, alice)
    with pytest.raises(LifecycleError) as caught:
        proposal.approve(by=alice)
    assert caught.value.code == "four_eyes"
    proposal.approve(by=root)
    record.refresh_from_db()
    assert record.state == "cancelled"


def test_a_changed_record_is_stale(alice: User, root: User) -> None:
    record = invoice(state="sent")
    proposal = _proposed(Chaser, record, alice)
    record.mark_overdue(actor=root)
    with pytest.raises(LifecycleError) as caught:
        proposal.approve(by=root)
    assert caught.value.code in ("stale", "stale_state")
    proposal.refresh_from_db()
    assert proposal.status == "stale"
    record.refresh_from_db()
    assert record.state == "overdue"


def test_a_changed_table_is_stale(alice: User, root: User) -> None:
    record = invoice(state="sent")
    proposal = _proposed(Chaser, record, alice)
    Proposal.objects.filter(pk=proposal.pk).update(fingerprint="0" * 64)
    proposal.refresh_from_db()
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)
    proposal.refresh_from_db()
    assert proposal.status == "stale"


def test_too_late(alice: User, root: User) -> None:
    record = invoice(state="sent")
    proposal = _proposed(Chaser, record, alice)
    proposal.expires_at -= timedelta(days=365)
    proposal.save()
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)
    proposal.refresh_from_db()
    assert proposal.status == "expired"


def test_edited_arguments_are_not_carried_out(alice: User, root: User) -> None:
    record = invoice(state="sent")
    proposal = _proposed(Chaser, record, alice)
    Proposal.objects.filter(pk=proposal.pk).update(arguments={"reason": "edited"})
    proposal = Proposal.objects.get(pk=proposal.pk)
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)
    record.refresh_from_db()
    assert record.state == "sent"


def test_a_plan_is_all_or_nothing(alice: User, root: User) -> None:
    one, two = invoice("1", "sent"), invoice("2", "sent")
    run = start(Chaser, "x", user=alice)
    steps = [
        {"event": "mark_overdue", "id": one.pk, "expected_state": "sent", "arguments": {}},
        {"event": "cancel", "id": str(two.pk), "expected_state": "sent", "arguments": {"reason": "x"}},
    ]
    answer = dispatch(run, "plan_invoices", {"steps": steps}, "c1")
    assert "proposal" in json.dumps(answer, default=str)
    one.refresh_from_db()
    assert one.state == "sent"
    proposal = run.proposals.get()
    proposal.approve(by=root)
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.state, two.state) == ("overdue", "cancelled")
    wrong = [{"event": "send_invoice", "id": one.pk, "expected_state": "sent"}]
    refused = dispatch(run, "plan_invoices", {"steps": wrong}, "c2")
    assert refused["success"] is False


def test_rest(alice: User, root: User) -> None:
    record = invoice(state="sent")
    run = start(agent(approval={"cancel": "four_eyes"}), "x", user=alice)
    dispatch(run, "cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": "x"}, "c1")
    proposal = run.proposals.get()
    client = Client()
    assert client.get("/api/proposals/").status_code in (401, 403)
    client.force_login(alice)
    assert [p["id"] for p in client.get("/api/proposals/").json()["results"]] == [proposal.pk]
    assert client.get("/api/runs/").json()["results"][0]["status"] in ("queued", "waiting")
    refused = client.post(f"/api/proposals/{proposal.pk}/approve/", {}, content_type="application/json")
    assert refused.status_code == 403
    assert refused.json()["code"] == "four_eyes"
    stranger = Client()
    stranger.force_login(User.objects.create_user("mallory"))
    assert stranger.get("/api/proposals/").json()["results"] == []
    assert stranger.get(f"/api/proposals/{proposal.pk}/").status_code == 404
    assert stranger.post(f"/api/proposals/{proposal.pk}/approve/").status_code == 404
    assert stranger.get("/api/runs/").json()["results"] == []
    assert stranger.get(f"/api/runs/{run.pk}/").status_code == 404
    client.force_login(root)
    edited = client.post(
        f"/api/proposals/{proposal.pk}/approve/",
        {"arguments": {"reason": "evil"}},
        content_type="application/json",
    )
    assert edited.status_code == 400
    done = client.post(f"/api/proposals/{proposal.pk}/approve/", {}, content_type="application/json")
    assert done.status_code == 200, done.content
    again = client.post(f"/api/proposals/{proposal.pk}/approve/", {}, content_type="application/json")
    assert again.status_code == 409
    record.refresh_from_db()
    assert record.state == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_two_people_approve_at_once(root: User) -> None:
    record = invoice(state="sent")
    boss = User.objects.create_superuser("boss")
    run = start(agent(approval={"cancel": "always"}), "x", user=root)
    dispatch(run, "cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": "x"}, "c1")
    outcomes: list[str] = []

    def approve(person: User) -> None:
        try:
            Proposal.objects.get(run=run).approve(by=person)
            outcomes.append("done")
        except LifecycleError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=approve, args=[person]) for person in (root, boss)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("done") == 1
    record.refresh_from_db()
    assert record.state == "cancelled"


def test_a_plans_strictest_step_rules(alice: User, root: User) -> None:
    one, two = invoice("1", "sent"), invoice("2", "sent")
    run = start(agent(approval={"mark_overdue": "never", "cancel": "four_eyes"}), "x", user=alice)
    steps = [
        {"event": "mark_overdue", "id": str(one.pk), "expected_state": "sent"},
        {"event": "cancel", "id": str(two.pk), "expected_state": "sent", "arguments": {"reason": "x"}},
    ]
    dispatch(run, "plan_invoices", {"steps": steps}, "c1")
    proposal = Proposal.objects.get()
    with pytest.raises(AccessDenied):
        proposal.approve(by=alice)
    two.cancel(actor=root, reason="first")
    with pytest.raises(LifecycleError):
        proposal.approve(by=root)
    one.refresh_from_db()
    assert one.state == "sent"
    proposal.refresh_from_db()
    assert proposal.status == "stale"


def test_delegation_does_not_make_four_eyes_of_two(alice: User, root: User) -> None:

    bob = User.objects.create_user("bob")
    delegate(alice, bob, until=timezone.now() + timedelta(days=1), reason="away")
    record = invoice(state="sent")
    run = start(agent(approval={"cancel": "four_eyes"}), "x", user=alice)
    dispatch(run, "cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": "x"}, "c1")
    with pytest.raises(LifecycleError):
        Proposal.objects.get().approve(by=bob)
