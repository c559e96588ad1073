"""A run waits for a person, and goes on with what they decided."""

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.proposal import Proposal
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import execute, run_to_the_end, start, stop
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.engine.erasure import Erasure
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import NEVER, Declaring, steps
from tests.fakes import FakeAnthropic, calls, calls_many, says

pytestmark = pytest.mark.django_db


@pytest.fixture
def careful(declare: Declaring) -> Any:
    """An agent that may cancel only with somebody's yes."""
    return declare(approval={**NEVER, "cancel": "always"})


def cancels(invoice: Invoice) -> Any:
    return calls("cancel_invoice", {"id": str(invoice.pk), "expected_state": "sent", "reason": "Withdrawn."})


def told(fake: FakeAnthropic) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fake.bodies[-1]["messages"][-1]["content"][0]["content"])
    return found


def test_a_call_that_needs_a_person_changes_nothing_and_the_run_waits(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script.append(cancels(sent))
    run = run_to_the_end(careful, "Cancel it", user=alice)
    assert (run.status, run.stop_reason) == ("waiting", "approval")
    assert (run.holder, run.lease_until) == ("", None)
    assert steps(sent) == ["created", "send_invoice"]
    proposal = Proposal.objects.get(run=run)
    assert (proposal.call, proposal.event, proposal.status) == ("2.0", "cancel", "pending")
    assert AgentEvent.objects.filter(run=run).order_by("-seq")[0].payload["status"] == "waiting"
    # Whoever takes it up finds nothing to do, and asks nobody.
    assert execute(run.pk).status == "waiting"
    assert len(fake.requests) == 1


def test_what_was_approved_is_the_calls_result_and_the_run_goes_on(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [cancels(sent), says("It is cancelled.")]
    run = run_to_the_end(careful, "Cancel it", user=alice)
    Proposal.objects.get(run=run).approve(by=alice)
    run.refresh_from_db()
    assert run.status == "queued"
    assert steps(sent) == ["created", "send_invoice", "cancel"]
    done = execute(run.pk)
    assert (done.status, done.answer, done.tool_calls) == ("done", "It is cancelled.", 1)
    assert told(fake)["success"] is True
    messages = AgentMessage.objects.filter(run=run).order_by("seq")
    assert [message.role for message in messages] == ["user", "assistant", "user", "assistant"]


def test_a_run_that_waits_goes_on_when_what_it_saw_was_erased(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [cancels(sent), says("Something was erased.")]
    run = run_to_the_end(careful, "Cancel it", user=alice)
    Erasure(reason="asked for", by=System("tests")).of_record("billing.invoice", str(sent.pk))
    Proposal.objects.get(run=run).decline(by=alice, reason="No.")
    done = execute(run.pk)
    assert (done.status, done.answer) == ("done", "Something was erased.")
    assert "Withdrawn" not in json.dumps(fake.bodies[-1])


def test_what_was_declined_is_told_with_the_reason(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [cancels(sent), says("As you wish.")]
    run = run_to_the_end(careful, "Cancel it", user=alice)
    Proposal.objects.get(run=run).decline(by=alice, reason="They will pay after all.")
    done = execute(run.pk)
    assert done.answer == "As you wish."
    assert told(fake)["code"] == "declined"
    assert "They will pay after all." in told(fake)["reasons"][0]
    assert steps(sent) == ["created", "send_invoice"]


def test_a_worker_takes_up_what_was_decided(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [cancels(sent), says("It is cancelled.")]
    run = start(careful, "Cancel it", user=alice)
    work_off("default")
    run.refresh_from_db()
    assert run.status == "waiting"
    work_off("default")
    assert len(fake.requests) == 1
    Proposal.objects.get(run=run).approve(by=alice)
    work_off("default")
    run.refresh_from_db()
    assert (run.status, run.answer) == ("done", "It is cancelled.")


def test_calls_beside_the_one_that_waits_are_run_in_their_order(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    look = ("get_invoice", {"id": str(sent.pk)})
    cancel = ("cancel_invoice", {"id": str(sent.pk), "expected_state": "sent", "reason": "Withdrawn."})
    fake.script += [calls_many(look, cancel, look), says("Done.")]
    run = run_to_the_end(careful, "Cancel it", user=alice)
    assert run.tool_calls == 2
    Proposal.objects.get(run=run).approve(by=alice)
    assert execute(run.pk).tool_calls == 3
    results = [json.loads(block["content"]) for block in fake.bodies[1]["messages"][-1]["content"]]
    assert [result["success"] for result in results] == [True] * 3
    assert "cancelled" in str(results[2])


def test_waiting_for_a_person_takes_none_of_the_runs_seconds(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [cancels(sent), says("Done.")]
    run = run_to_the_end(careful, "Cancel it", user=alice)
    before = run.seconds
    an_hour_ago = timezone.now() - timedelta(hours=1)
    AgentRun.objects.filter(pk=run.pk).update(created_at=an_hour_ago, started_at=an_hour_ago)
    Proposal.objects.get(run=run).approve(by=alice)
    assert execute(run.pk).seconds < before + 600


def test_a_run_that_waits_can_be_stopped(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice
) -> None:
    fake.script.append(cancels(sent))
    run = run_to_the_end(careful, "Cancel it", user=alice)
    stop(run)
    run.refresh_from_db()
    assert (run.status, run.stop_reason) == ("stopped", "user")


@pytest.mark.django_db(transaction=True)
def test_a_decision_that_comes_while_the_run_begins_to_wait_is_not_lost(
    fake: FakeAnthropic, careful: Any, alice: Any, sent: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before the run would wait, in another session; the run sees it, or is queued again by it."""
    from fsm_lifecycle.agents.loop.held import Held

    wait = Held.wait

    def decided_first(self: Held, undecided: Any) -> bool:
        def approve() -> None:
            try:
                Proposal.objects.get(run_id=self.run.pk).approve(by=alice)
            finally:
                connections.close_all()

        thread = threading.Thread(target=approve)
        thread.start()
        thread.join()
        return wait(self, undecided)

    monkeypatch.setattr(Held, "wait", decided_first)
    fake.script += [cancels(sent), says("It is cancelled.")]
    run = start(careful, "Cancel it", user=alice)
    assert execute(run.pk).status == "done"
    assert steps(sent) == ["created", "send_invoice", "cancel"]


@pytest.mark.django_db(transaction=True)
def test_decisions_and_waits_at_the_same_moment_never_leave_a_run_behind(
    fake: FakeAnthropic, careful: Any, alice: Any
) -> None:
    from tests.sample.making import an_invoice

    for number in range(8):
        invoice = an_invoice(alice, f"2026-{number}")
        invoice.fire("send_invoice", actor=alice)
        fake.script += [cancels(invoice), says("It is cancelled.")]
        run = start(careful, "Cancel it", user=alice)

        def approve(key: Any = run.pk) -> None:
            until = time.monotonic() + 100
            try:
                while time.monotonic() < until:
                    found = Proposal.objects.filter(run_id=key).first()
                    if found is not None:
                        found.approve(by=alice)
                        return
            finally:
                connections.close_all()

        thread = threading.Thread(target=approve)
        thread.start()
        execute(run.pk)
        thread.join()
        if AgentRun.objects.get(pk=run.pk).status == "queued":
            execute(run.pk)
        assert AgentRun.objects.get(pk=run.pk).status == "done"
        assert steps(invoice) == ["created", "send_invoice", "cancel"]
