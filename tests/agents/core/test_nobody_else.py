"""Code in an agent's own tool comes to act as nobody else, by whatever road it tries.

Each road tries to cancel an invoice, which takes a person when this agent asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import override_settings

from fsm_lifecycle import Agent, LifecycleError, System, acting_as
from fsm_lifecycle.access import delegate, grant_role, revoke_role
from fsm_lifecycle.access.actors import AgentActor, Approval
from fsm_lifecycle.access.current import current_actor, in_tool_of
from fsm_lifecycle.agents import dispatch, execute, start, tool
from fsm_lifecycle.definition import Effect
from fsm_lifecycle.dispatch import kinds
from fsm_lifecycle.dispatch.enqueuing import enqueue
from fsm_lifecycle.engine import bulk_errand
from fsm_lifecycle.engine.causes import Link, chain_of
from fsm_lifecycle.exceptions import AccessDenied
from fsm_lifecycle.mcp import create_token
from fsm_lifecycle.models import AgentRun, McpToken, WorkItem
from sample_project.billing.models import Contract, Invoice
from tests.agents.core.desk import call, declared, refusals, run_of, state_of
from tests.sample.making import an_invoice, somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]

WHY = {"reason": "own tool"}


def as_context(run: Any, record: Any) -> None:
    with acting_as(run.user):
        record.cancel(**WHY)


def as_context_of_a_program(run: Any, record: Any) -> None:
    with acting_as(System("own tool")):
        record.cancel(**WHY)


def as_argument(run: Any, record: Any) -> None:
    record.cancel(actor=run.user, **WHY)


def as_the_user_read_again(run: Any, record: Any) -> None:
    record.cancel(actor=get_user_model().objects.get(pk=run.user.pk), **WHY)


def as_somebody_else(run: Any, record: Any) -> None:
    record.cancel(actor=get_user_model().objects.get(username="root"), **WHY)


def as_a_program(run: Any, record: Any) -> None:
    record.cancel(actor=System("own tool"), **WHY)


def as_an_agent_without_limits(run: Any, record: Any) -> None:
    record.cancel(actor=AgentActor("free", run.user), **WHY)


def as_approved(run: Any, record: Any) -> None:
    approval = Approval(
        proposal="1",
        by=get_user_model().objects.get(username="root"),
        model="billing.invoice",
        object_pk=str(record.pk),
        event="cancel",
        sequence=record.lifecycle_sequence,
    )
    record.cancel(actor=Agent(run, approval=approval), **WHY)


def in_bulk(run: Any, record: Any) -> None:
    Invoice.objects.filter(pk=record.pk).fire("cancel", actor=run.user, arguments=WHY)


def in_another_context(run: Any, record: Any) -> None:
    async_to_sync(record.afire)("cancel", actor=run.user, arguments=WHY)


def within_a_chain(run: Any, record: Any) -> None:
    with chain_of((Link("0" * 64, "billing.invoice", "0", "send_invoice"),)):
        record.cancel(actor=run.user, **WHY)


def after_the_commit(run: Any, record: Any) -> None:
    user = run.user
    transaction.on_commit(lambda: record.cancel(actor=user, **WHY), robust=True)


ROADS = [
    as_context, as_context_of_a_program, as_argument, as_the_user_read_again, as_somebody_else, as_a_program,
    as_an_agent_without_limits, as_approved, in_bulk, in_another_context, within_a_chain, after_the_commit,
]  # fmt: skip


def taking(road: Callable[[Any, Any], None]) -> Any:
    """An own tool that takes a road."""

    def take(self: Any, run: Any, number: str) -> str:
        """Tries to cancel an invoice."""
        road(run, Invoice.objects.get(number=number))
        return "done"

    return tool(take)


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("where", ["alone", "in an effect", "in an open transaction"])
@pytest.mark.parametrize("events", [None, ["send_invoice"]], ids=["approval", "list"])
@pytest.mark.django_db(transaction=True)
def test_whoever_a_tool_names_the_agent_fires(
    road: Any, where: str, events: Any, invoice: Invoice, alice: Any, root: Any
) -> None:
    more = {} if events is None else {"events": events}
    with declared(lifecycle=Invoice, approval={}, take=taking(road), **more) as agent:
        run = run_of(agent, alice)
        if where == "alone":
            call(run, "take", number="A-1")
        elif where == "in an open transaction":
            with acting_as(alice), transaction.atomic():
                call(run, "take", number="A-1")
        else:
            with chain_of((Link("1" * 64, "billing.contract", "0", "activate"),)):
                call(run, "take", number="A-1")
    assert state_of(invoice) == "draft"
    assert refusals(invoice) == [("cancel", "approval_required" if events is None else "access_denied")]


def test_what_a_tool_may_fire_is_on_record_as_the_agents_whoever_is_named(
    invoice: Invoice, alice: Any, root: Any
) -> None:
    for road in (as_argument, as_somebody_else, as_a_program, as_context):
        record = an_invoice(alice, road.__name__[:30])
        with declared(lifecycle=Invoice, approval={"cancel": "never"}, take=taking(road)) as agent:
            run = run_of(agent, alice)
            call(run, "take", number=record.number)
        entry = record.log.get(event="cancel")
        assert (entry.actor_kind, entry.actor_id) == ("agent", str(alice.pk))
        told: Any = entry.fields["run"].value
        assert told["id"] == str(run.pk)


def test_a_record_that_a_tool_makes_is_the_agents_doing(alice: Any, bob: Any) -> None:
    def make(self: Any, run: Any) -> str:
        """Makes an invoice in another's name."""
        with acting_as(bob):
            an_invoice(bob, "M-1")
        return "done"

    with declared(lifecycle=Invoice, make=tool(make)) as agent:
        assert call(run_of(agent, alice), "make")["success"]
    entry = Invoice.objects.get(number="M-1").log.get(kind="created")
    assert (entry.actor_kind, entry.actor_id) == ("agent", str(alice.pk))


def test_a_tool_approves_nothing_in_anybodys_name(invoice: Invoice, alice: Any, root: Any) -> None:
    def approve(self: Any, run: Any) -> str:
        """Approves what the agent asked for."""
        with acting_as(root):
            run.proposals.get().approve(by=root)
        return "done"

    def decline(self: Any, run: Any) -> str:
        """Declines it."""
        with acting_as(run.user):
            run.proposals.get().decline(by=run.user, reason="x")
        return "done"

    with declared(lifecycle=Invoice, approval={}, approve=tool(approve), decline=tool(decline)) as agent:
        run = run_of(agent, alice)
        call(run, "cancel_invoice", id=str(invoice.pk), expected_state="draft", **WHY)
        assert call(run, "approve")["code"] == "access_denied"
        assert call(run, "decline")["code"] == "access_denied"
    assert (state_of(invoice), run.proposals.get().status) == ("draft", "pending")


def test_a_tool_begins_nothing_that_goes_on_as_somebody_else(invoice: Invoice, alice: Any, root: Any) -> None:
    tried: dict[str, str] = {}
    with declared(lifecycle=Invoice, approval={"cancel": "never"}, model="scripted/none") as free:
        idle = run_of(free, root, prompt="x", model="scripted/none")

        def attempt(self: Any, run: Any) -> str:
            """Tries everything."""
            errand = bulk_errand.ask(
                Invoice,
                Invoice.lifecycle.events["cancel"],
                [(invoice.pk, 1, "draft")],
                user=root,
                using="default",
                surface="admin",
            )
            roads: dict[str, Callable[[], object]] = {
                "start": lambda: start(free, "x", user=run.user),
                "run": lambda: free.run("x", user=run.user),
                "execute": lambda: execute(idle.pk),
                "errand": lambda: bulk_errand.begin(errand, WHY, ""),
                "token": lambda: create_token(root),
                "grant": lambda: grant_role(run.user, "approver", on=Invoice, by=root),
                "delegate": lambda: delegate(
                    root, run.user, by=root, until=idle.created_at.replace(year=2999)
                ),
            }
            for name, road in roads.items():
                try:
                    with transaction.atomic():
                        road()
                except AccessDenied:
                    tried[name] = "refused"
            arguments = {"id": str(invoice.pk), "expected_state": "draft", **WHY}
            for other in (idle, AgentRun(pk=run.pk, agent=free.key, user=root)):
                answer = dispatch(other, "cancel_invoice", arguments, f"c-{other.agent}")
                tried[f"dispatch {len(tried)}"] = answer["code"]
            return "done"

        with declared(lifecycle=Invoice, approval={}, attempt=tool(attempt)) as agent:
            assert call(run_of(agent, alice), "attempt")["success"]
    assert tried == {
        **dict.fromkeys(("start", "run", "execute", "errand", "token", "grant", "delegate"), "refused"),
        "dispatch 7": "access_denied",
        "dispatch 8": "access_denied",
    }
    assert (AgentRun.objects.count(), McpToken.objects.count()) == (2, 0)
    assert not WorkItem.objects.filter(kind="bulk").exists()
    assert state_of(invoice) == "draft"


def test_a_tool_calls_the_tools_of_its_own_run(invoice: Invoice, alice: Any) -> None:
    def ask(self: Any, run: Any, number: str) -> str:
        """Asks for a cancellation."""
        record = Invoice.objects.get(number=number)
        given = {"id": str(record.pk), "expected_state": "draft", **WHY}
        return str(dispatch(run, "cancel_invoice", given, f"for {number}")["code"])

    with declared(lifecycle=Invoice, approval={}, ask=tool(ask)) as agent:
        run = run_of(agent, alice)
        assert call(run, "ask", number="A-1")["untrusted"] == "approval_required"
    assert run.proposals.get().event == "cancel"


def test_a_named_program_still_takes_away_rights_in_a_tool(invoice: Invoice, alice: Any) -> None:
    grant_role(alice, "clerk", on=Invoice, by=System("tests"))

    def leave(self: Any, run: Any) -> str:
        """Takes the clerk's role from its user."""
        revoke_role(run.user, "clerk", on=Invoice, by=System("leaving"))
        return "done"

    with declared(lifecycle=Invoice, leave=tool(leave)) as agent:
        assert call(run_of(agent, alice), "leave")["success"]


# What the table does is not the tool's doing


def test_the_effects_of_what_a_tool_fires_still_fire(alice: Any) -> None:
    """The table goes on with the user's rights, also where the agent's list does not have the event."""
    pia = somebody("pia", approver=Invoice)
    grant_role(pia, "approver", on=Contract, by=System("tests"))
    contract = Contract.objects.create(client_name="C")
    record = an_invoice(alice, "P-1")
    Invoice.objects.filter(pk=record.pk).update(contract=contract)
    Invoice.objects.get(pk=record.pk).send_invoice(actor=System("tests"))

    def pay(self: Any, run: Any) -> str:
        """Pays."""
        Invoice.objects.get(number="P-1").pay(paid_on="2026-01-31", actor=run.user)
        return "done"

    with declared(lifecycle=Invoice, events=["pay"], approval={"pay": "never"}, taking=tool(pay)) as agent:
        assert call(run_of(agent, pia), "taking")["success"]
    entry = contract.log.get(event="activate")
    assert (entry.actor_kind, entry.actor_id) == ("agent", str(pia.pk))
    assert entry.cause == record.log.get(event="pay").entry_hash


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after_commit", [False, True])
def test_an_effect_names_whom_it_will(
    invoice: Invoice, alice: Any, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    """It is the table's code. What it leaves behind is not the tool's either."""
    other = an_invoice(alice, "E-1")

    def housekeeping(record: Any, firing: Any) -> None:
        other.cancel(actor=System("housekeeping"), **WHY)

    plan = Invoice._lifecycle.plans["send_invoice"]
    made = (Effect(name="tidy", label="Tidies up", function=housekeeping, after_commit=after_commit),)
    monkeypatch.setattr(plan, "after" if after_commit else "inside", made)

    def send(self: Any, run: Any) -> str:
        """Sends."""
        Invoice.objects.get(pk=invoice.pk).send_invoice()
        return "done"

    with declared(lifecycle=Invoice, approval={"send_invoice": "never"}, sends=tool(send)) as agent:
        assert call(run_of(agent, alice), "sends")["success"]
    entry = other.log.get(event="cancel")
    assert (entry.actor_kind, entry.actor_id) == ("system", "housekeeping")


@pytest.mark.django_db(transaction=True)
def test_work_that_is_done_at_the_commit_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the mode ``inline``: as in a worker, who has committed does not act there."""
    who: list[Any] = []
    kind = kinds.Kind(name="who", label="Who", run=lambda work: who.append(current_actor()))
    monkeypatch.setitem(kinds._kinds, "who", kind)
    agent = AgentActor("a", somebody("nora"))
    with override_settings(FSM_LIFECYCLE={"DISPATCH": "inline"}), acting_as(agent), in_tool_of(agent):
        enqueue("who", {}, using="default", key="who")
    assert who == [None]


def test_the_tool_left_behind_acts_no_more(alice: Any) -> None:
    agent = AgentActor("a", alice)
    with acting_as(alice):
        with in_tool_of(agent):
            assert current_actor() is agent
        assert current_actor() is alice
    with pytest.raises(LifecycleError), in_tool_of(agent):
        start(Invoice, "x", user=alice)
    assert current_actor() is None
