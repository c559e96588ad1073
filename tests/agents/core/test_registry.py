"""Which agents there are, what they are called, and which one a lifecycle has."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from fsm_lifecycle import Agent
from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.agents import Budget, LifecycleAgent, registry, tool
from fsm_lifecycle.engine.durable import actor_of
from fsm_lifecycle.models import RefusedAttempt
from sample_project.billing.models import Contract, Invoice
from tests.agents.core.desk import call, declared, run_of, state_of
from tests.testapp.models import Bell, DisputedInvoice, Document, Light, Treaty
from tests.testapp.models import Invoice as Bill


@pytest.mark.pure
def test_agents_are_found_in_the_apps() -> None:
    keys = [profile.key for profile in registry.profiles()]
    assert {"billing.invoice_agent", "billing.office_agent", "helpdesk.ticket_agent"} <= set(keys)
    assert len(keys) == len(set(keys))


@pytest.mark.pure
def test_a_lifecycle_without_an_agent_has_one_all_the_same() -> None:
    found = registry.of_model(Light)
    assert (found.key, found.lifecycles) == ("testapp.light", ["testapp.light"])
    assert found.scopes[0].events == tuple(Light.lifecycle.events)
    assert registry.get("testapp.light") == found


@pytest.mark.pure
def test_a_lifecycles_label_means_the_agent_that_is_declared_for_it() -> None:
    assert registry.get("billing.invoice").key == "billing.invoice_agent"
    assert registry.get("billing.contract").key == "billing.office_agent"


@pytest.mark.pure
def test_an_agent_there_is_none_of_is_named_with_those_there_are() -> None:
    with pytest.raises(LookupError, match=r"billing\.invoice_agent"):
        registry.get("billing.nobody")


@pytest.mark.pure
def test_a_key_is_made_of_app_and_class_or_is_given() -> None:
    class HTTPInvoiceAgent(LifecycleAgent, register=False):
        lifecycle = Invoice

    class Named(HTTPInvoiceAgent, register=False):
        key = "billing.collector"

    assert registry.of(HTTPInvoiceAgent).key == "billing.http_invoice_agent"
    assert registry.of(Named).key == "billing.collector"
    assert registry.of(HTTPInvoiceAgent).label == "Http invoice agent"


@pytest.mark.pure
def test_a_base_of_agents_is_none_itself() -> None:
    class House(LifecycleAgent):
        instructions = "Be kind."

    assert House not in registry.declared()


@pytest.mark.pure
def test_whoever_asks_while_agents_are_found_waits_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(name: str) -> None:
        begun.set()
        assert go_on.wait(20)

    monkeypatch.setattr(registry, "autodiscover_modules", slowly)
    monkeypatch.setattr(registry, "_discovered", False)
    first = threading.Thread(target=registry.declared)
    first.start()
    assert begun.wait(20)
    done: list[Any] = []
    second = threading.Thread(target=lambda: done.append(registry.declared()))
    second.start()
    second.join(0.2)
    assert not done
    go_on.set()
    first.join(20)
    second.join(20)
    assert len(done) == 1


@pytest.mark.django_db
def test_a_proxy_with_a_table_of_its_own_is_worked_on_by_it(root: Any) -> None:
    bill = Bill.objects.create(amount=5, client_name="C")
    bill.fire("send_invoice", actor=root)
    with declared(lifecycle=DisputedInvoice, approval={"dispute": "always", "settle": "never"}) as agent:
        run = run_of(agent, root)
        asked = call(run, "dispute_disputedinvoice", id=str(bill.pk), expected_state="sent")
        assert asked["code"] == "approval_required"
        run.proposals.get().approve(by=root)
        assert state_of(bill) == "disputed"
        done = call(run, "settle_disputedinvoice", id=str(bill.pk), expected_state="disputed")
    assert done["success"]
    assert state_of(bill) == "sent"


@pytest.mark.django_db
def test_an_effect_that_is_run_later_is_still_the_agents(alice: Any, invoice: Invoice) -> None:
    with declared(lifecycle=Invoice, approval={"send_invoice": "never"}) as agent:
        run = run_of(agent, alice)
        invoice.fire("send_invoice", actor=Agent(run, call="toolu_1"))
    actor = actor_of(invoice.log.get(event="send_invoice"))
    assert isinstance(actor, AgentActor)
    assert (actor.name, actor.user, actor.run["call"]) == (run.agent, alice, "toolu_1")


@pytest.mark.django_db
def test_who_creates_a_record_through_an_agent_is_told_with_its_run(alice: Any) -> None:
    from fsm_lifecycle import acting_as

    with declared(lifecycle=Contract) as agent:
        run = run_of(agent, alice)
        with acting_as(Agent(run)):
            contract = Contract.objects.create(client_name="C")
    entry = contract.log.get()
    told: Any = entry.fields["run"].value
    assert (entry.actor_kind, entry.actor_id) == ("agent", str(alice.pk))
    assert told["id"] == str(run.pk)


def test_the_agent_of_everything_is_held_by_the_narrowest_budget(alice: Any) -> None:
    usual = registry.everything().budget
    with declared(
        lifecycle=Invoice, budget=Budget(tool_calls=2, cost="0.50", seconds=None), key="billing.one"
    ):
        # Of two agents of one lifecycle the first counts.
        held = registry.everything().budget
    with declared(lifecycle=Bell, budget=Budget(tool_calls=2, cost="0.50", seconds=None), key="bells.one"):
        mine = registry.everything().budget
    assert held == usual
    assert (mine.tool_calls, mine.cost, mine.seconds) == (2, Decimal("0.50"), usual.seconds)


def test_two_agents_tools_of_one_name_say_whose_they_are(root: Any) -> None:
    def report(text: str) -> Any:
        def told(self: Any, run: Any) -> str:
            """Reports."""
            return text

        return tool(told)

    with (
        declared(lifecycle=Bell, key="bells.one", report=report("bells")),
        declared(lifecycle=Light, key="lights.one", report=report("lights"), other=report("other")),
    ):
        run = run_of(registry.ALL, root)
        assert call(run, "report")["code"] == "unknown_tool"
        assert call(run, "bells_one_report")["untrusted"] == "bells"
        assert call(run, "lights_one_report")["untrusted"] == "lights"
        assert call(run, "other")["untrusted"] == "other"


def test_an_approval_that_is_no_dict_takes_a_person_for_everything() -> None:
    with declared(lifecycle=Light, approval=["smash"], budget=7) as agent:
        assert set(registry.of(agent).scopes[0].approval.values()) == {"always"}
        assert registry.of(agent).budget == Budget()


@pytest.mark.parametrize("planned", [False, True])
def test_a_row_that_follows_a_childs_table_is_refused_instead_of_proposed(root: Any, planned: bool) -> None:
    treaty = Treaty.objects.create(title="T")
    given = {"id": str(treaty.pk), "expected_state": "draft"}
    with declared(lifecycle=Document, approval={"finish": "always"}) as agent:
        run = run_of(agent, root)
        if planned:
            answer = call(run, "plan_documents", steps=[{"event": "finish", **given}])
        else:
            answer = call(run, "finish_document", **given)
    assert answer["code"] == "wrong_state"
    assert "follows that model" in answer["reasons"][0]
    assert not run.proposals.exists()
    assert RefusedAttempt.objects.get().code == "wrong_state"
