"""The explorer tells what an agent can do for this user, and its tester does no more than that."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fsm_lifecycle.admin.agents import limits
from fsm_lifecycle.agents import registry
from fsm_lifecycle.models import AgentEvent, AgentRun, Proposal, RefusedAttempt
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket
from tests.admin.agents.conftest import EXPLORER, cancel, permitted
from tests.agents.core.desk import declared, refusals, state_of
from tests.agents.core.test_bounded_autonomy import askers, expected, given, made
from tests.sample.making import somebody

pytestmark = pytest.mark.django_db


def try_tool(client: Client, path: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool through the form, and read the answer from where the page has it."""
    typed = {
        f"a-{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in arguments.items()
    }
    answer = client.post(path, {"tool": tool, **typed})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    run = parse_qs(urlsplit(answer["Location"]).query)["run"][0]
    found = AgentEvent.objects.filter(run_id=int(run), kind="tool_result").first()
    return {
        "run": int(run),
        **(found.payload["result"] if found else {"code": "approval_required", "success": False}),
    }


def test_it_tells_tools_prompt_ceiling_and_what_needs_a_person(
    browsing: Any, clerk: User, invoice: Invoice
) -> None:
    page = browsing(clerk).get(EXPLORER).content.decode()
    for text in (
        "list_invoices",
        "cancel_invoice",
        "additionalProperties",
        "Chase overdue invoices, politely.",
        "As <strong>clara</strong> this agent can bring invoice records at most to:",
        "When a person approves, also to:",
        "Out of its reach:",
        "leaves out Pay",
        "another person",
        "Set to “never”, though:",
        "Events really fire. No model is asked.",
        "20 turns, 60 calls, 200,000 tokens, 5:00 min",
    ):
        assert text in page, text


def test_who_may_nothing_reaches_nothing(browsing: Any, says: Any) -> None:
    user = permitted(somebody("tom"), "use_agents")
    page = browsing(user).get(EXPLORER).content.decode()
    assert "this agent can move no invoice at all." in page
    assert "you may not" in page


def test_the_tester_calls_a_tool_once_and_is_on_record(browsing: Any, clerk: User, invoice: Invoice) -> None:
    client = browsing(clerk)
    answer = try_tool(client, EXPLORER, "get_invoice", id=str(invoice.pk))
    assert answer["success"]
    run = AgentRun.objects.get()
    assert (run.surface, run.model, run.user_id, run.status) == ("tester", "", clerk.pk, "done")
    page = client.get(EXPLORER, {"tool": "get_invoice", "run": run.pk}).content.decode()
    assert "current_state" in page
    assert f"run {run.pk}" in page
    assert AgentEvent.objects.filter(kind="tool_call").count() == 1, "Looking at it calls nothing."


def test_an_event_really_fires_and_says_by_whom(browsing: Any, clerk: User, invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(due_on="2020-01-01")
    answer = try_tool(
        browsing(clerk), EXPLORER, "mark_overdue_invoice", id=str(invoice.pk), expected_state="sent"
    )
    assert answer["success"], answer
    entry: Any = invoice.log.last()
    assert (entry.event, entry.actor_kind, entry.actor_id) == ("mark_overdue", "agent", str(clerk.pk))


def test_what_needs_a_person_becomes_a_proposal_that_can_be_approved(
    browsing: Any, clerk: User, approver: User, invoice: Invoice
) -> None:
    client = browsing(clerk)
    answer = try_tool(client, EXPLORER, "cancel_invoice", **cancel(invoice))
    proposal = Proposal.objects.get()
    page = client.get(EXPLORER, {"tool": "cancel_invoice", "run": answer["run"]}).content.decode()
    assert "It became a proposal" in page
    assert f"/admin/lifecycle/proposals/{proposal.pk}/" in page
    browsing(approver).post(
        f"/admin/lifecycle/proposals/{proposal.pk}/", {"do": "approve", "digest": proposal.digest}
    )
    assert Invoice.objects.get(pk=invoice.pk).state == "cancelled"
    assert AgentRun.objects.get().status == "done"


def test_wrong_types_unknown_arguments_and_made_up_tools_are_answered_by_the_tool(
    browsing: Any, clerk: User, invoice: Invoice
) -> None:
    client = browsing(clerk)
    codes = []
    for tool, raw in (
        ("overdue", {"days": "many"}),
        ("get_invoice", {"id": str(invoice.pk), "user": "root"}),
        ("drop_all_tables", {}),
        ("get_invoice", {"id": ["x"]}),
    ):
        answer = client.post(EXPLORER, {"tool": tool, "raw": json.dumps(raw)})
        assert answer.status_code == 302
        codes.append(AgentEvent.objects.filter(kind="tool_result").order_by("pk").last().payload["code"])  # type: ignore[union-attr]
    assert codes == ["invalid_arguments", "unknown_argument", "unknown_tool", "invalid_arguments"]
    typed = try_tool(client, EXPLORER, "overdue", days="many")
    assert typed["code"] == "invalid_arguments"


@pytest.mark.parametrize("raw", ["{", "[]", "7", "[" * 50_000])
def test_json_that_is_none_calls_nothing(browsing: Any, clerk: User, raw: str) -> None:
    answer = browsing(clerk).post(EXPLORER, {"tool": "get_invoice", "raw": raw})
    assert answer.status_code == 400
    assert "Nothing was called." in answer.content.decode()
    assert not AgentRun.objects.exists()


def test_so_many_calls_in_a_minute_and_no_more(
    browsing: Any, clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.A_MINUTE, "tester", 2)
    client = browsing(clerk)
    for _ in range(2):
        try_tool(client, EXPLORER, "list_invoices")
    assert client.post(EXPLORER, {"tool": "list_invoices"}).status_code == 429


def test_the_answer_to_somebody_else_is_not_shown(
    browsing: Any, clerk: User, approver: User, invoice: Invoice
) -> None:
    answer = try_tool(browsing(clerk), EXPLORER, "get_invoice", id=str(invoice.pk))
    page = browsing(approver).get(EXPLORER, {"tool": "get_invoice", "run": answer["run"]}).content.decode()
    assert "Answer of" not in page
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert browsing(clerk).get(EXPLORER, {"run": nonsense}).status_code == 200


def test_a_refusal_tells_that_the_tester_asked(browsing: Any, clerk: User, invoice: Invoice) -> None:
    try_tool(browsing(clerk), EXPLORER, "send_invoice_invoice", id=str(invoice.pk), expected_state="sent")
    refused = RefusedAttempt.objects.get()
    assert (refused.surface, refused.event) == ("tester", "send_invoice")


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [Ticket, Contract, Invoice, ExpenseReport], ids=lambda model: model.__name__
)
def test_the_tester_does_what_the_table_allows_and_nothing_else(
    model: Any, browsing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of user who can log in, every event, every state."""
    monkeypatch.setitem(limits.A_MINUTE, "tester", 10**6)
    table, label = model.lifecycle, model._meta.label_lower
    allowed = refused = 0
    with declared(lifecycle=model, approval=dict.fromkeys(table.events, "never")) as agent:
        profile = registry.of(agent)
        tools, path = profile.names.events(0), f"/admin/lifecycle/{label}/agent/?agent={profile.key}"
        for asker in askers(model):
            if not asker.active:
                continue  # nobody logs in
            client = browsing(asker.user if asker.user.is_superuser else permitted(asker.user, "use_agents"))
            for state in table.states:
                stays = made(model, state, 1 + refused)
                denied = []
                for name, event in table.events.items():
                    wrong = expected(asker, model, state, event)
                    record = stays if wrong else made(model, state, 10_000 + allowed)
                    asked = {"id": str(record.pk), "expected_state": state, **given(event)}
                    answer = try_tool(client, path, tools[name], **asked)
                    if wrong:
                        refused += 1
                        denied.append(name)
                        assert (answer["success"], answer["code"]) == (False, wrong), (
                            asker.name,
                            state,
                            name,
                        )
                    else:
                        allowed += 1
                        assert answer["success"], (asker.name, state, name, answer)
                        assert state_of(record) in map(str, event.targets)
                assert state_of(stays) == state
                assert stays.log.count() == 1
                assert [name for name, _ in refusals(stays)] == denied
    assert refused > 20
    assert allowed > 5


def test_switched_off_the_tester_says_so(browsing: Any, clerk: User, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "AGENTS_ENABLED": False}
    client = browsing(clerk)
    answer = client.post(EXPLORER, {"tool": "list_invoices"}, follow=True).content.decode()
    assert 'id="answer"' in answer
    assert "Agents are switched off." in answer
