"""Agents' pages open to who may use agents; runs and proposals to whom they concern."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from fsm_lifecycle.agents import start
from fsm_lifecycle.agents.providers.scripted import call
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.models import AgentRun, Proposal
from sample_project.billing.models import Invoice
from tests.admin.agents.conftest import CHAT, EXPLORER, cancel, permitted
from tests.sample.making import somebody

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ("/admin/lifecycle/agents/", EXPLORER, CHAT)


@pytest.fixture
def asked(says: Any, clerk: User, invoice: Invoice) -> Proposal:
    """What Clara's agent asks for."""
    says(call("cancel_invoice", **cancel(invoice)), "Done.")
    start("billing.invoice_agent", "Cancel it", user=clerk, surface="chat")
    work_off("default")
    return Proposal.objects.get()


@pytest.mark.parametrize("path", PAGES)
def test_without_the_permission_no_page_opens(path: str, browsing: Any, says: Any) -> None:
    user = permitted(somebody("erik", clerk=Invoice), "view_transitionlog")
    assert browsing(user).get(path).status_code == 403
    assert browsing(user).post(path, {"prompt": "x", "tool": "list_invoices"}).status_code == 403
    assert not AgentRun.objects.exists()


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_of_the_staff_is_sent_to_log_in(path: str, browsing: Any, clerk: User) -> None:
    User.objects.filter(pk=clerk.pk).update(is_staff=False)
    assert browsing(User.objects.get(pk=clerk.pk)).get(path).status_code == 302


@pytest.mark.parametrize("path", PAGES)
def test_with_it_they_open(path: str, browsing: Any, clerk: User) -> None:
    assert browsing(clerk).get(path).status_code == 200


def test_the_pages_have_names(says: Any) -> None:
    label = {"label": "billing.invoice"}
    assert reverse("admin:lifecycle_agents") == "/admin/lifecycle/agents/"
    assert reverse("admin:lifecycle_proposal", kwargs={"pk": 7}) == "/admin/lifecycle/proposals/7/"
    assert reverse("admin:lifecycle_explorer", kwargs=label) == EXPLORER
    assert reverse("admin:lifecycle_chat", kwargs=label) == CHAT


def test_the_runs_of_others_are_for_who_may_look_at_all(
    browsing: Any, asked: Proposal, clerk: User, approver: User, root: User
) -> None:
    run = f"/admin/lifecycle/agents/{asked.run_id}/"
    conversation = f"{CHAT}{asked.run.conversation}/"
    assert browsing(clerk).get(run).status_code == 200
    assert browsing(approver).get(run).status_code == 404
    assert browsing(approver).post(run, {"do": "stop"}).status_code == 404
    auditor = permitted(somebody("audrey"), "use_agents", "view_agentrun")
    for user in (auditor, root):
        assert "Cancel it" in browsing(user).get(run).content.decode()
        assert "Cancel it" in browsing(user).get("/admin/lifecycle/agents/").content.decode()
    assert "Cancel it" not in browsing(approver).get("/admin/lifecycle/agents/").content.decode()
    # Nobody goes on with somebody else's conversation, whatever they may see.
    for user in (approver, auditor, root):
        for path in (conversation, f"{conversation}stream/"):
            assert browsing(user).get(path).status_code == 404
        assert browsing(user).post(conversation, {"do": "send", "prompt": "Go on"}).status_code == 404
        assert browsing(user).post(conversation, {"do": "stop"}).status_code == 404
    asked.run.refresh_from_db()
    assert (asked.run.status, AgentRun.objects.count()) == ("waiting", 1)


def test_a_run_is_stopped_by_its_owner_and_by_who_may_stop_all(
    browsing: Any, asked: Proposal, clerk: User, root: User
) -> None:
    run = f"/admin/lifecycle/agents/{asked.run_id}/"
    auditor = permitted(somebody("audrey"), "use_agents", "view_agentrun")
    assert 'value="stop"' not in browsing(auditor).get(run).content.decode()
    assert browsing(auditor).post(run, {"do": "stop"}).status_code == 403
    asked.run.refresh_from_db()
    assert (asked.run.status, asked.run.stop_requested) == ("waiting", False)
    duty = permitted(somebody("dora"), "use_agents", "view_agentrun", "change_agentrun")
    for user in (clerk, root, duty):
        assert 'value="stop"' in browsing(user).get(run).content.decode()
    assert browsing(duty).post(run, {"do": "stop"}).status_code == 302
    asked.run.refresh_from_db()
    assert asked.run.status == "stopped"
    assert asked.run.events.get(kind="stop").payload == {"by": str(duty.pk)}
    stopped_by = "<dt>Stopped by</dt><dd>{}</dd>"
    assert stopped_by.format("you") in browsing(duty).get(run).content.decode()
    assert stopped_by.format("dora") in browsing(clerk).get(run).content.decode()


def test_a_proposal_opens_to_whom_it_concerns(
    browsing: Any, asked: Proposal, clerk: User, approver: User
) -> None:
    path = f"/admin/lifecycle/proposals/{asked.pk}/"
    stranger = permitted(somebody("tom"), "use_agents")
    reader = permitted(somebody("rita", auditor=Invoice), "use_agents")
    assert browsing(stranger).get(path).status_code == 404
    for user in (clerk, approver):
        assert "The order was withdrawn." in browsing(user).get(path).content.decode()
    # Who sees the invoice sees that it is asked for, not with which arguments.
    page = browsing(reader).get(path).content.decode()
    assert "Cancel invoice 2026-0041" in page
    assert "The order was withdrawn." not in page
    assert "You may not approve it." in page
    assert browsing(approver).get(f"/admin/lifecycle/proposals/{asked.pk + 1}/").status_code == 404
    assert browsing(approver).get(f"/admin/lifecycle/proposals/{10**30}/").status_code == 404


def test_what_waits_is_listed_for_who_may_decide(browsing: Any, asked: Proposal, approver: User) -> None:
    page = browsing(approver).get("/admin/lifecycle/agents/").content.decode()
    assert "Cancel invoice 2026-0041" in page
    assert "waits for you" in page
    stranger = permitted(somebody("tom"), "use_agents")
    assert "2026-0041" not in browsing(stranger).get("/admin/lifecycle/agents/").content.decode()


def test_the_section_links_there(browsing: Any, root: User) -> None:
    page = browsing(root).get("/admin/lifecycle/billing.invoice/").content.decode()
    assert f'href="{EXPLORER}"' in page
    assert f'href="{CHAT}"' in page
    assert 'href="/admin/lifecycle/agents/"' in page


@pytest.mark.django_db(databases=["default", "other"])
def test_settings_say_which_models_agents_use(browsing: Any, root: User) -> None:
    page = browsing(root).get("/admin/lifecycle/settings/").content.decode()
    assert "Models of agents" in page
    assert "scripted/of-these-tests" in page


def test_no_page_shows_what_a_provider_was_given_beside_its_name(
    browsing: Any, root: User, settings: Any
) -> None:
    secret = "sk-ant-a-secret"
    settings.FSM_LIFECYCLE = {"AGENT_MODEL": f"command/{__file__} --key={secret}"}
    for path in PAGES:
        page = browsing(root).get(path).content.decode()
        assert secret not in page
        assert "command" in page
