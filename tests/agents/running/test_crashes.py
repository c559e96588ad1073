"""A worker is killed at every step of a run; another goes on: nothing is fired twice, and the conversation is whole."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.loop import conversation
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.runs import start
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.ledger.verify import verify
from sample_project.billing.models import Invoice
from tests.agents.running.agents_at_work import Mortal
from tests.agents.running.conftest import marks, steps
from tests.agents.running.crashing import Nursery
from tests.fakes import FakeAnthropic, Turn, calls_many, says
from tests.fakes.anthropic_api import faults_of_messages

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def mortal() -> Iterator[type[Mortal]]:
    registry.register(Mortal)
    yield Mortal
    registry.unregister(Mortal)


@pytest.fixture
def nursery(fake: FakeAnthropic, mortal: Any, transactional_db: None) -> Iterator[Nursery]:
    fake.script.append(says("Hello."))
    made = Nursery(str(connection.settings_dict["NAME"]), fake.environment())
    yield made
    made.close()


def thinking(invoice: Invoice) -> Any:
    """A model that looks, then marks and cancels in one message, then answers; by what it is told alone."""

    def think(body: dict[str, Any]) -> Turn:
        results = sum(
            block["type"] == "tool_result" for message in body["messages"] for block in message["content"]
        )
        cancel = {"id": str(invoice.pk), "expected_state": "overdue", "reason": "They went out of business."}
        if results == 0:
            return calls_many(("get_invoice", {"id": str(invoice.pk)}), saying="Let me look at it.")
        if results == 1:
            return calls_many(("mark_overdue_invoice", marks(invoice)), ("cancel_invoice", cancel))
        return says("It was overdue, and is cancelled now.")

    return think


def queued(user: Any, invoice: Invoice) -> AgentRun:
    return start(Mortal, f"Mark invoice {invoice.pk} overdue and cancel it", user=user)


def let_the_lease_end(run: AgentRun) -> None:
    """As if a minute had gone by since its worker died."""
    AgentRun.objects.filter(pk=run.pk).update(lease_until=None)


def assert_done_once(run: AgentRun, invoice: Invoice) -> None:
    run.refresh_from_db()
    assert (run.status, run.answer) == ("done", "It was overdue, and is cancelled now.")
    assert steps(invoice) == ["created", "send_invoice", "mark_overdue", "cancel"]
    assert run.tool_calls == 3
    messages = list(AgentMessage.objects.filter(run=run).order_by("seq"))
    assert [(m.seq, m.role) for m in messages] == list(
        enumerate(["user", "assistant", "user", "assistant", "user", "assistant"], 1)
    )
    talk = conversation.of(run)
    assert list(faults_of_messages([*talk, {"role": "user", "content": "And now?"}])) == []
    assert "not_run" not in str(talk)
    results = [b for m in messages for b in m.content if b["type"] == "tool_result"]
    assert [b["is_error"] for b in results] == [False] * 3
    events = list(AgentEvent.objects.filter(run=run).order_by("seq"))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sum(event.kind == "tool_call" for event in events) == 3
    assert sum(event.kind == "tool_result" for event in events) == 3
    assert run.tokens <= Mortal.budget.tokens  # type: ignore[operator]
    counted = sum(e.payload["input"] + e.payload["output"] for e in events if e.kind == "usage")
    assert run.tokens >= counted


def renewed(invoice: Invoice, number: int, user: Any) -> Invoice:
    """Another invoice that is past its due date."""
    from tests.sample.making import an_invoice

    other = an_invoice(user, f"2026-{number:04}")
    other.fire("send_invoice", actor=user)
    Invoice.objects.filter(pk=other.pk).update(due_on=invoice.due_on)
    return Invoice.objects.get(pk=other.pk)


def test_killed_before_every_commit_of_a_run(
    fake: FakeAnthropic, nursery: Nursery, alice: Any, sent: Invoice
) -> None:
    """Right before: what came of the step is lost. Right after the one before it leaves the same in the database."""
    kills = 0
    for point in range(1, 400, 2):
        invoice = renewed(sent, point, alice)
        fake.think = thinking(invoice)
        run = queued(alice, invoice)
        killed = nursery.work_on(run.pk, points=point) == -1
        let_the_lease_end(run)
        nursery.work_on(run.pk)
        assert_done_once(run, invoice)
        if not killed:
            break
        kills += 1
    assert kills > 15
    assert fake.complaints == []
    check = verify("default")
    assert list(check) == []
    assert check.whole


def test_killed_again_and_again_until_it_is_done(
    fake: FakeAnthropic, nursery: Nursery, alice: Any, sent: Invoice
) -> None:
    chance = random.Random(7)
    for number in range(3):
        invoice = renewed(sent, 900 + number, alice)
        fake.think = thinking(invoice)
        run = queued(alice, invoice)
        kills = 0
        while not AgentRun.objects.get(pk=run.pk).is_over:
            kills += nursery.work_on(run.pk, points=chance.randrange(3, 14)) == -1
            let_the_lease_end(run)
            assert kills < 60
        assert kills
        assert_done_once(run, invoice)


def test_nobody_else_works_on_a_run_while_its_lease_lasts(
    fake: FakeAnthropic, nursery: Nursery, alice: Any, sent: Invoice
) -> None:
    fake.think = thinking(sent)
    run = queued(alice, sent)
    assert nursery.work_on(run.pk, points=12) == -1
    asked = len(fake.requests)
    nursery.work_on(run.pk)
    work_off("default")
    assert len(fake.requests) == asked
    assert AgentRun.objects.get(pk=run.pk).status == "running"
    let_the_lease_end(run)
    work_off("default")
    assert_done_once(run, sent)
