"""Several at once: one decision, one firing, whatever arrives twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections

from fsm_lifecycle.agents.undecided import ProposalDecided
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import AgentRun, Proposal
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, run_of, state_of
from tests.sample.making import an_invoice, somebody

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Iterator[Any]:
    modes = {"send_invoice": "always", "cancel": "four_eyes", "mark_overdue": "always", "pay": "always"}
    with declared(lifecycle=Invoice, approval=modes) as made:
        yield made


def proposed(run: AgentRun, record: Any, event: str = "send_invoice_invoice", **given: Any) -> Proposal:
    """What the agent asks for, and the run waits."""
    answer = call(run, event, "toolu_1", id=str(record.pk), expected_state=state_of(record), **given)
    assert answer["code"] == "approval_required", answer
    return run.proposals.get(pk=answer["proposal"])


def outcome(run: AgentRun, record: Any, event: str = "send_invoice_invoice", **given: Any) -> dict[str, Any]:
    """What the same call is answered now."""
    asked = run.events.get(kind="tool_call", call="toolu_1").payload["arguments"]
    return call(run, event, "toolu_1", **asked)


@pytest.mark.django_db(transaction=True)
def test_of_several_who_decide_at_once_one_does(agent: Any, alice: Any, invoice: Invoice) -> None:
    people = [somebody(f"clerk{number}", clerk=Invoice) for number in range(4)]
    run = run_of(agent, alice, model="scripted/x", status="waiting")
    proposal = proposed(run, invoice)
    barrier = threading.Barrier(len(people))
    done: list[str] = []

    def decide(number: int) -> None:
        mine = Proposal.objects.get(pk=proposal.pk)
        barrier.wait(60)
        try:
            if number % 2:
                mine.decline(by=people[number], reason="No.")
                done.append("declined")
            else:
                mine.approve(by=people[number])
                done.append("approved")
        except ProposalDecided:
            done.append("late")
        except LifecycleError as error:
            done.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done)[-3:] == ["late"] * 3, done
    proposal.refresh_from_db()
    assert done.count(proposal.status) == 1
    assert invoice.log.by_event("send_invoice").count() == (1 if proposal.status == "approved" else 0)
    assert [e.kind for e in run.events.all()].count("tool_result") == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_call_delivered_to_several_workers_at_once_fires_once(alice: Any) -> None:
    record = an_invoice(alice, "A-1")
    with declared(lifecycle=Invoice, approval={"send_invoice": "never", "cancel": "always"}) as made:
        run = run_of(made, alice)
        barrier = threading.Barrier(4)
        answers: list[Any] = []

        def deliver() -> None:
            mine = AgentRun.objects.get(pk=run.pk)
            barrier.wait(60)
            try:
                given = {"id": str(record.pk), "expected_state": "draft"}
                answers.append(call(mine, "send_invoice_invoice", "toolu_1", **given))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers), answers
    assert answers[0]["success"]
    assert record.log.by_event("send_invoice").count() == 1
    run.refresh_from_db()
    assert (run.tool_calls, run.events.filter(kind="tool_result").count()) == (1, 1)
    assert connection.vendor
