"""The chat without a browser: forms, what comes of them, and what is shown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fsm_lifecycle.admin.agents import limits
from fsm_lifecycle.agents import Budget, start
from fsm_lifecycle.agents.providers.scripted import call
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.models import AgentRun, Proposal
from sample_project.billing.models import Invoice
from tests.admin.agents.conftest import CHAT, cancel
from tests.agents.core.desk import declared

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = (
    '<script>alert(1)</script><img src="https://evil.example/x.png"> [go](https://evil.example) &lt;b&gt;'
)


def send(client: Client, path: str, text: str, **more: Any) -> Any:
    return client.post(path, {"do": "send", "prompt": text}, **more)


def talk(client: Client, text: str, path: str = CHAT) -> tuple[str, str]:
    """Send a message and work it off: the conversation's address and its page."""
    answer = send(client, path, text)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    work_off("default")
    address = answer["Location"].partition("#")[0]
    return address, client.get(address).content.decode()


def test_a_message_starts_a_run_and_its_answer_is_shown(browsing: Any, clerk: User, says: Any) -> None:
    says(call("list_invoices", "Let me look.", state="sent"), "There are none.")
    address, page = talk(browsing(clerk), "Which are sent?")
    run = AgentRun.objects.get()
    assert (run.surface, run.user_id, run.agent, run.status) == (
        "chat",
        clerk.pk,
        "billing.invoice_agent",
        "done",
    )
    assert address == f"{CHAT}{run.conversation}/"
    for text in ("Which are sent?", "Let me look.", "list_invoices", "0 records", "There are none."):
        assert text in page
    assert "Acting as <strong>clara</strong>" in page
    assert "This is scripted." in page


def test_the_agent_remembers_what_was_said(browsing: Any, clerk: User, says: Any) -> None:
    says("First.")
    address, _ = talk(browsing(clerk), "One")
    says("Second.")
    again, page = talk(browsing(clerk), "Two", address)
    assert again == address
    assert page.index("One") < page.index("First.") < page.index("Two") < page.index("Second.")
    assert AgentRun.objects.values("conversation").distinct().count() == 1


def test_what_needs_a_person_is_a_card_by_the_system(
    browsing: Any, clerk: User, invoice: Invoice, says: Any
) -> None:
    says(call("cancel_invoice", **cancel(invoice)), "Done.")
    address, page = talk(browsing(clerk), "Cancel it")
    assert "Cancel invoice 2026-0041" in page
    assert "The order was withdrawn." in page
    assert "No. Cancelled is final." in page
    # It takes four eyes: Clara may take it back, and no more.
    assert 'value="approve"' not in page
    assert "waits for another person" in page
    proposal = Proposal.objects.get()
    url = f"/admin/lifecycle/proposals/{proposal.pk}/"
    answer = browsing(clerk).post(url, {"do": "decline", "reason": "Not yet.", "back": "chat"})
    assert answer["Location"] == f"{address}#lc-end"
    says(call("cancel_invoice", **cancel(invoice)), "As you wish.")
    work_off("default")
    page = browsing(clerk).get(address).content.decode()
    assert "declined by you" in page
    assert "As you wish." in page
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"


def test_a_refusal_stands_open_with_its_reasons(
    browsing: Any, clerk: User, invoice: Invoice, says: Any
) -> None:
    says(call("send_invoice_invoice", id=str(invoice.pk), expected_state="draft"), "It was sent before.")
    _, page = talk(browsing(clerk), "Send it")
    card = re.search(r"<details class=\"lc-tool\"( open)?>", page)
    assert card is not None
    assert card[1]
    assert "refused:" in page


def test_what_was_fired_links_to_its_entry(browsing: Any, clerk: User, invoice: Invoice, says: Any) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(due_on="2020-01-01")
    says(call("mark_overdue_invoice", id=str(invoice.pk), expected_state="sent"), "Done.")
    _, page = talk(browsing(clerk), "Mark it")
    entry: Any = invoice.log.last()
    assert f'href="/admin/lifecycle/log/{entry.pk}/"' in page
    assert "sent → overdue" in page


def test_hostile_text_is_text_wherever_it_comes_from(browsing: Any, clerk: User, says: Any) -> None:
    invoice = Invoice.objects.create(
        number="<script>2</script>",
        amount=1,
        due_on="2030-01-01",
        created_by=clerk,
        client_name=HOSTILE,
    )
    says(
        call("get_invoice", HOSTILE, id=str(invoice.pk)),
        call(f"nothing{HOSTILE}", HOSTILE, why=HOSTILE),
        HOSTILE,
    )
    client = browsing(clerk)
    address, page = talk(client, HOSTILE)
    pages = [page, client.get("/admin/lifecycle/agents/").content.decode()]
    pages.append(client.get(f"/admin/lifecycle/agents/{AgentRun.objects.get().pk}/").content.decode())
    for one in pages:
        assert "<script>alert" not in one
        assert "<img" not in one
        assert 'href="https://evil' not in one
        assert "&lt;script&gt;" in one
    assert page.count("&lt;script&gt;") >= 5
    del address


def test_an_empty_message_and_one_that_is_too_long_are_refused(browsing: Any, clerk: User, says: Any) -> None:
    client = browsing(clerk)
    assert "Write what the agent is to do." in send(client, CHAT, "  ").content.decode()
    long = "x" * (limits.LONGEST + 1)
    answer = send(client, CHAT, long)
    assert answer.status_code == 400
    assert "At most 8,000 characters" in answer.content.decode()
    assert long in answer.content.decode(), "What was typed is not lost."
    assert not AgentRun.objects.exists()


def test_so_many_messages_in_a_minute_and_no_more(browsing: Any, clerk: User, says: Any) -> None:
    says("Yes.")
    client = browsing(clerk)
    for _ in range(limits.A_MINUTE["chat"]):
        assert send(client, CHAT, "Hello").status_code == 302
    assert send(client, CHAT, "Hello").status_code == 429
    assert AgentRun.objects.count() == limits.A_MINUTE["chat"]


def test_while_it_works_nothing_more_is_taken(browsing: Any, clerk: User, says: Any) -> None:
    says("Yes.")
    client = browsing(clerk)
    address = send(client, CHAT, "Hello")["Location"].partition("#")[0]
    page = client.get(address).content.decode()
    assert 'http-equiv="refresh"' in page, "Without JavaScript it loads itself anew."
    answer = send(client, address, "And?")
    assert answer.status_code == 409
    assert "still at work" in answer.content.decode()
    assert AgentRun.objects.count() == 1


def test_stop_works_from_anywhere(browsing: Any, clerk: User, says: Any) -> None:
    says("Yes.")
    client, other = browsing(clerk), browsing(clerk)
    address = send(client, CHAT, "Hello")["Location"].partition("#")[0]
    assert other.post(address, {"do": "stop"}).status_code == 302
    run = AgentRun.objects.get()
    assert (run.status, run.stop_reason) == ("stopped", "user")
    page = client.get(address).content.decode()
    assert "<strong>Stopped by you.</strong> It has fired no event." in page
    work_off("default")
    assert "Yes." not in client.get(address).content.decode()


def test_a_stopped_run_takes_its_proposal_with_it(
    browsing: Any, clerk: User, approver: User, invoice: Invoice, says: Any
) -> None:
    says(call("cancel_invoice", **cancel(invoice)), "Done.")
    client = browsing(clerk)
    address, page = talk(client, "Cancel it")
    assert "Another person decides above first. You can wait, or stop." in page
    client.post(address, {"do": "stop"})
    page = client.get(address).content.decode()
    assert "decides above first" not in page
    assert "The run that asked for it was stopped." in page
    assert 'value="approve"' not in page
    url = f"/admin/lifecycle/proposals/{Proposal.objects.get().pk}/"
    assert 'value="approve"' not in browsing(approver).get(url).content.decode()
    assert browsing(approver).post(url, {"do": "approve"}).status_code == 409
    assert Invoice.objects.get(pk=invoice.pk).state == "sent"


def test_without_a_key_it_says_so_and_what_to_do(
    browsing: Any, clerk: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "AGENT_MODEL": "anthropic/claude-sonnet-5-5"}
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    client = browsing(clerk)
    page = client.get(CHAT).content.decode()
    assert "has no key" in page
    assert "ANTHROPIC_API_KEY" in page
    answer = send(client, CHAT, "Hello")
    assert answer.status_code == 503
    assert not AgentRun.objects.exists()


def test_switched_off_nothing_is_sent(browsing: Any, clerk: User, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENTS_ENABLED": False}
    client = browsing(clerk)
    assert "Agents are switched off." in client.get(CHAT).content.decode()
    assert send(client, CHAT, "Hello").status_code == 503
    assert not AgentRun.objects.exists()


def test_an_example_is_put_into_the_composer_by_its_number_alone(browsing: Any, clerk: User) -> None:
    client = browsing(clerk)
    page = client.get(f"{CHAT}?example=2").content.decode()
    assert re.search(r"<textarea[^>]*>Which clients owe us most\?</textarea>", page)
    for nonsense in ("0", "99", "x", "²", "1" * 5000, "<script>"):
        assert re.search(
            r"<textarea[^>]*></textarea>", client.get(CHAT, {"example": nonsense}).content.decode()
        )


def test_a_form_from_elsewhere_is_not_taken(clerk: User, says: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(clerk)
    assert send(client, CHAT, "Hello").status_code == 403
    assert not AgentRun.objects.exists()


def test_the_chats_script_gets_json(browsing: Any, clerk: User, says: Any) -> None:
    says("Yes.")
    client = browsing(clerk)
    answer = send(client, CHAT, "Hello", headers={"Accept": "application/json"})
    assert answer.json()["go"] == f"{CHAT}{AgentRun.objects.get().conversation}/"
    refused = send(client, CHAT, "", headers={"Accept": "application/json"})
    assert (refused.json()["status"], refused.json()["said"]) == (400, "Write what the agent is to do.")


def test_what_a_limit_stops_says_which(browsing: Any, clerk: User, says: Any, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 100}
    says("Yes.")
    _, page = talk(browsing(clerk), "Hello")
    assert "Stopped: tokens of the day" in page
    assert "Your tokens today" in page


def test_a_limit_of_0_is_a_full_bar(browsing: Any, clerk: User, says: Any, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENT_USER_DAILY_TOKENS": 0}
    budget = Budget(turns=0, tool_calls=0, tokens=0, seconds=0)
    with declared(lifecycle=Invoice, key="tests.idle", budget=budget) as agent:
        run = start(agent, "Look", user=clerk, surface="chat")
        for path in (
            f"{CHAT}?agent=tests.idle",
            f"{CHAT}{run.conversation}/",
            f"/admin/lifecycle/agents/{run.pk}/",
        ):
            assert "0 of 0" in browsing(clerk).get(path).content.decode()


@pytest.mark.parametrize(
    "path", ["no.model/agent/", "no.model/agent/chat/", "billing.invoice/agent/?agent=x"]
)
def test_what_is_not_there_is_not_found(browsing: Any, clerk: User, path: str) -> None:
    assert browsing(clerk).get(f"/admin/lifecycle/{path}").status_code == 404
