"""The calls of a token: one run a day, within the agent's budget, each once, and what is said beside the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model

from fsm_lifecycle.access.person import person_of
from fsm_lifecycle.agents.background import close_days
from fsm_lifecycle.engine.erasure import Erasure
from fsm_lifecycle.mcp import create_token
from fsm_lifecycle.mcp.principal import Principal
from fsm_lifecycle.models import AgentEvent, AgentRun, McpToken, Proposal, RefusedAttempt
from sample_project.billing.models import Invoice
from tests.mcp.conftest import Wire, cancels, marks, state_of
from tests.sample.making import SETUP, an_invoice, somebody

pytestmark = pytest.mark.django_db

Wired = Callable[..., Wire]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_one_token_has_one_run_a_day(wire: Wired, alice: Any, sent: Invoice) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        one, other = wire(alice), wire(alice)
        for caller in (one, one, other):
            assert caller.call("get_invoice", {"id": str(sent.pk)})["success"]
        clock.shift(timedelta(days=1))
        one.call("get_invoice", {"id": str(sent.pk)})

        assert close_days("default") == 2
        found = list(AgentRun.objects.order_by("pk").values_list("token_id", "tool_calls", "status"))

    first, second = McpToken.objects.order_by("pk").values_list("pk", flat=True)
    assert found == [(first, 2, "done"), (second, 1, "done"), (first, 1, "running")]
    run = AgentRun.objects.order_by("pk").last()
    assert run is not None
    assert (run.agent, run.surface, run.user, run.model, run.lifecycles) == (
        "tests.desk",
        "mcp",
        alice,
        "",
        ["billing.invoice"],
    )
    assert list(run.events.values_list("kind", flat=True)) == ["tool_call", "tool_result"]


def test_the_budget_of_a_day_is_not_overrun_and_the_next_day_has_its_own(
    wire: Wired, alice: Any, sent: Invoice
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        frugal = wire(alice, "tests.frugal")
        codes = [frugal.call("list_invoices").get("code") for _ in range(3)]
        codes.append(frugal.call("mark_overdue_invoice", marks(sent))["code"])
        run = AgentRun.objects.get()
        clock.shift(timedelta(days=1))
        tomorrow = frugal.call("list_invoices")

    assert codes == [None, None, None, "tool_calls"]
    assert (run.tool_calls, run.stop_reason) == (3, "tool_calls")
    assert tomorrow["success"]
    assert state_of(sent) == "sent"


def test_the_kill_switch_and_a_stopped_run_stop_every_call(
    wire: Wired, alice: Any, sent: Invoice, settings: Any
) -> None:
    one = wire(alice)
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "AGENTS_ENABLED": False}
    off = one.call("mark_overdue_invoice", marks(sent))["code"]
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    AgentRun.objects.update(stop_requested=True)
    stopped = one.call("mark_overdue_invoice", marks(sent))["code"]
    AgentRun.objects.update(stop_requested=False)
    on = one.call("mark_overdue_invoice", marks(sent))

    assert (off, stopped, on["success"]) == ("disabled", "stopped", True)


def test_a_call_that_has_a_name_is_done_once(wire: Wired, alice: Any, sent: Invoice) -> None:
    one = wire(alice)
    name = {"fsm_lifecycle/call": "chase-17"}

    first = one.call("mark_overdue_invoice", marks(sent), **name)
    again = one.call("mark_overdue_invoice", marks(sent), **name)
    other = one.call("cancel_invoice", cancels(sent, "overdue"), **name)
    unnamed = one.call("mark_overdue_invoice", marks(sent))

    assert first == again
    assert first["success"]
    assert other["code"] == "call_conflict"
    assert unnamed["code"] == "stale_state"
    assert [entry.event for entry in sent.log if entry.event] == ["send_invoice", "mark_overdue"]


def test_who_asks_twice_for_the_same_has_one_proposal(wire: Wired, alice: Any, sent: Invoice) -> None:
    one, other = wire(alice), wire(alice)

    first = one.call("cancel_invoice", cancels(sent))
    again = one.call("cancel_invoice", cancels(sent))
    differently = one.call("cancel_invoice", {**cancels(sent), "reason": "They paid in kind."})
    theirs = other.call("cancel_invoice", cancels(sent))

    assert first["proposal"] == again["proposal"]
    assert len({answer["proposal"] for answer in (first, differently, theirs)}) == 3
    assert Proposal.objects.count() == 3


def test_a_proposal_that_waits_since_yesterday_is_not_made_again(
    wire: Wired, alice: Any, sent: Invoice
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        one = wire(alice)
        first = one.call("cancel_invoice", cancels(sent))
        clock.shift(timedelta(days=1))
        close_days("default")
        again = one.call("cancel_invoice", cancels(sent))
        Proposal.objects.get().decline(by=alice, reason="Not yet.")
        after = one.call("cancel_invoice", cancels(sent))
        clock.shift(timedelta(days=5))
        expired = one.call("cancel_invoice", cancels(sent))

    assert first["proposal"] == again["proposal"]
    assert after["proposal"] != first["proposal"]
    assert expired["code"] == "expired"
    assert state_of(sent) == "sent"


def test_the_outcome_of_a_proposal_is_told_to_who_asks_by_its_name(
    wire: Wired, alice: Any, sent: Invoice
) -> None:
    one, name = wire(alice), {"fsm_lifecycle/call": "c-1"}
    waits = one.call("cancel_invoice", cancels(sent), **name)
    Proposal.objects.get(pk=waits["proposal"]).decline(by=alice, reason="They will pay tomorrow.")

    told = one.call("cancel_invoice", cancels(sent), **name)

    assert (told["code"], told["reasons"]) == ("declined", ["They will pay tomorrow."])
    assert "url" not in told


def test_four_eyes_means_another_person(wire: Wired, sent: Invoice) -> None:
    boss, other = (somebody(name, approver=Invoice) for name in ("boss", "other"))
    answer = wire(boss).call("pay_invoice", {**marks(sent), "paid_on": "2026-01-31"})
    proposal = Proposal.objects.get(pk=answer["proposal"])

    assert proposal.mode == "four_eyes"
    with pytest.raises(Exception, match="another person"):
        proposal.approve(by=boss)
    assert state_of(sent) == "sent"
    proposal.approve(by=other)
    assert state_of(sent) == "paid"


def test_a_tool_of_an_agents_own_cannot_do_without_the_person(wire: Wired, alice: Any, sent: Invoice) -> None:
    answer = wire(alice).call("sly", {"invoice": str(sent.pk)})

    assert answer["code"] == "approval_required"
    assert "url" not in answer  # nothing was proposed
    assert state_of(sent) == "sent"
    refused = RefusedAttempt.objects.get()
    assert (refused.event, refused.code, refused.surface) == ("cancel", "approval_required", "mcp")


def test_a_link_is_absolute_by_base_url_else_by_the_site(
    wire: Wired, alice: Any, sent: Invoice, settings: Any
) -> None:
    one = wire(alice)
    by_site = one.call("cancel_invoice", cancels(sent))
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "BASE_URL": "https://office.example.com/"}
    by_setting = one.call("cancel_invoice", cancels(sent))

    page = f"/admin/lifecycle/proposals/{by_site['proposal']}/"
    assert by_site["url"] == f"http://testserver{page}"
    assert by_setting["url"] == f"https://office.example.com{page}"
    assert by_setting["url"] in " ".join(by_setting["reasons"])


def test_without_an_admin_there_is_no_link(wire: Wired, alice: Any, sent: Invoice, settings: Any) -> None:
    one = wire(alice)
    settings.ROOT_URLCONF = "fsm_lifecycle.mcp.urls"

    answer = one.call("cancel_invoice", cancels(sent))

    assert answer["code"] == "approval_required"
    assert "url" not in answer


def test_a_token_of_no_agent_has_the_tools_of_every_lifecycle(wire: Wired, sent: Invoice) -> None:
    root = get_user_model().objects.create_superuser("root")
    one = wire(root, None)

    names = {tool["name"] for tool in one.ask("tools/list")["result"]["tools"]}

    assert {"list_billing_invoices", "list_tickets", "list_expensereports"} <= names
    assert one.call("list_tickets")["success"]
    assert AgentRun.objects.get().agent == "all"


def test_a_token_of_an_agent_that_is_gone_has_no_tools(wire: Wired, alice: Any) -> None:
    one = wire(alice)
    McpToken.objects.update(agent="tests.gone")

    assert one.ask("tools/list")["result"]["tools"] == []
    assert one.call("list_invoices")["code"] == "unknown_tool"


def test_the_tools_of_a_user_are_those_of_the_moment(wire: Wired, alice: Any) -> None:
    one = wire(alice)

    def names() -> set[str]:
        return {tool["name"] for tool in one.ask("tools/list")["result"]["tools"]}

    before = names()
    an_invoice(alice)
    after = names()

    assert "send_invoice_invoice" not in before
    assert after - before == {"send_invoice_invoice", "cancel_invoice", "plan_invoices"}


def test_last_use_is_put_down_once_a_minute(wire: Wired, alice: Any, django_assert_num_queries: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        one = wire(alice)
        used = []
        for _ in range(3):
            one.ask("ping")
            used.append(McpToken.objects.get().last_used_at)
            clock.shift(timedelta(seconds=31))

    assert used == [NOON, NOON, NOON + timedelta(seconds=62)]


def test_a_process_without_a_token_has_a_run_of_its_own_each_day(alice: Any, sent: Invoice) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        one, other = Principal(alice.pk, "tests.desk"), Principal(alice.pk, "tests.desk")
        runs = [one.run().pk, one.run().pk, other.run().pk]
        clock.shift(timedelta(days=1))
        runs.append(one.run().pk)
        one.close()

    assert len(set(runs)) == 3
    statuses = dict(AgentRun.objects.values_list("pk", "status"))
    assert [statuses[key] for key in runs] == ["done", "done", "running", "done"]


def test_nothing_is_worked_on_by_a_worker(wire: Wired, alice: Any, sent: Invoice) -> None:
    from fsm_lifecycle.dispatch.working import work_off

    one = wire(alice)
    answer = one.call("cancel_invoice", cancels(sent))
    Proposal.objects.get(pk=answer["proposal"]).approve(by=alice)
    work_off("default")

    run = AgentRun.objects.get()
    assert (run.status, run.turns) == ("running", 0)
    assert one.call("get_invoice", {"id": str(sent.pk)})["current_state"] == "cancelled"
    kinds = AgentEvent.objects.filter(run=run).values_list("kind", flat=True)
    assert list(kinds)[:4] == ["tool_call", "proposal", "decision", "tool_result"]


def test_a_token_that_is_deleted_leaves_its_runs(wire: Wired, alice: Any, sent: Invoice) -> None:
    one = wire(alice)
    one.call("get_invoice", {"id": str(sent.pk)})

    McpToken.objects.get().delete()

    assert AgentRun.objects.get().token_id is None
    assert one.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == 401


def test_a_persons_erasure_reaches_what_tokens_are_called(alice: Any) -> None:
    bob = somebody("bob")
    for user, label in ((alice, "My editor"), (bob, "For alice's reports"), (bob, "Reports")):
        create_token(user, label=label)

    Erasure(reason="asked for", by=SETUP).of_person(person_of(alice))

    assert list(McpToken.objects.order_by("pk").values_list("label", flat=True)) == ["", "", "Reports"]


def test_create_token_says_what_is_wrong(alice: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    from fsm_lifecycle.exceptions import ActorRequired

    with pytest.raises(LookupError, match=r"tests\.desk"):
        create_token(alice, "no.such")
    with pytest.raises(ActorRequired):
        create_token(AnonymousUser())
    for days in (1.5, "90", True, 10**9):
        with pytest.raises(ValueError, match="days"):
            create_token(alice, days=days)  # type: ignore[arg-type]
    create_token(alice, Invoice, None, label="x" * 300)
    token = McpToken.objects.get()
    assert (token.agent, token.expires_at, len(token.label)) == ("billing.invoice_agent", None, 100)
