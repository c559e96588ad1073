"""Erasing a record or a person reaches what runs keep of them; runs whose days are over go."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle import System, redact
from fsm_lifecycle.access.person import person_of
from fsm_lifecycle.agents import tool
from fsm_lifecycle.agents.background import close_days
from fsm_lifecycle.agents.event import record
from fsm_lifecycle.agents.loop.conversation import mended
from fsm_lifecycle.engine.erasure import Erasure
from fsm_lifecycle.engine.expiry import remove_expired
from fsm_lifecycle.models import AgentEvent, AgentMessage, AgentRun, McpToken, Proposal
from sample_project.billing.models import Invoice
from tests.agents.core.desk import call, declared, run_of
from tests.fakes.anthropic_api import faults_of_messages
from tests.sample.making import an_invoice

pytestmark = pytest.mark.django_db

NAME = "Ferrara Logistica"


def everything(run: AgentRun) -> str:
    """Every text that is kept of a run."""
    run.refresh_from_db()
    rows = [
        run.prompt,
        run.answer,
        *run.messages.values_list("content", flat=True),
        *run.events.values_list("payload", flat=True),
        *run.proposals.values_list("arguments", "reason", "outcome", "steps"),
    ]
    return json.dumps(rows, default=str)


@pytest.fixture
def told(alice: Any, bob: Any) -> Any:
    """Two runs, of which one has seen Alice's invoice, its client's name everywhere."""
    mine, theirs = an_invoice(alice, "A-1"), an_invoice(bob, "B-1")
    with declared(lifecycle=Invoice, fields=["client_name"]) as agent:
        runs = []
        for user, record in ((alice, mine), (bob, theirs)):
            run = run_of(agent, user, prompt=f"What of {NAME}?", answer=f"{NAME} owes us.")
            AgentMessage.objects.create(run=run, seq=1, role="user", content=[{"type": "text", "text": NAME}])
            call(run, "get_invoice", id=str(record.pk))
            call(run, "cancel_invoice", id=str(record.pk), expected_state="draft", reason=f"{NAME} is gone")
            runs.append(run)
        yield mine, *runs


def test_a_records_erasure_reaches_the_runs_that_saw_it(told: Any) -> None:
    invoice, mine, other = told
    Erasure(reason="asked for", by=System("tests")).of_record("billing.invoice", str(invoice.pk))
    assert NAME not in everything(mine)
    assert NAME in everything(other)
    kept = mine.events.filter(kind="tool_call").values_list("payload__name", flat=True)
    assert list(kept) == ["get_invoice", "cancel_invoice"]


def test_a_record_of_which_only_a_refusal_told_is_known_to_have_been_seen(alice: Any) -> None:
    record = an_invoice(alice, "A-2")
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, alice)
        call(run, "cancel_invoice", id=str(record.pk), expected_state="sent", reason=f"{NAME} is gone")
    assert NAME in everything(run)
    Erasure(reason="asked for", by=System("tests")).of_record("billing.invoice", str(record.pk))
    assert NAME not in everything(run)


def test_what_was_said_of_a_record_that_may_not_be_seen_goes_with_it(alice: Any, other: Invoice) -> None:
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, alice)
        call(run, "cancel_invoice", id=str(other.pk), expected_state="draft", reason=f"{NAME} is gone")
    Erasure(reason="asked for", by=System("tests")).of_record("billing.invoice", str(other.pk))
    assert NAME not in everything(run)


def test_a_redacted_field_is_gone_from_the_runs_that_saw_the_record(told: Any) -> None:
    invoice, mine, _ = told
    entry = invoice.log.first()
    redact(entry, ["actor"], by=System("tests"), reason="asked for")
    assert NAME not in everything(mine)


def test_a_persons_erasure_reaches_their_runs_and_what_names_them(told: Any, alice: Any) -> None:
    _, mine, other = told
    AgentRun.objects.filter(pk=other.pk).update(answer="alice said so")
    Erasure(reason="asked for", by=System("tests")).of_person(person_of(alice))
    assert NAME not in everything(mine)
    other.refresh_from_db()
    assert other.answer == ""
    assert NAME in json.dumps(list(other.messages.values_list("content", flat=True)))


def test_a_name_that_was_streamed_in_two_pieces_is_found(told: Any, alice: Any) -> None:
    _, _, other = told
    streamed = [
        ("text", "Only Ali"),
        ("discarded", None),
        ("text", "ce"),
        ("text", " wrote, or Ali"),
        ("text", "c"),
        ("text", "e did."),
    ]
    for kind, text in streamed:
        record(other, kind, {"message": 4, **({"text": text} if text else {"why": "cut"})})
    record(other, "text", {"message": 6, "text": "No one else."})
    Erasure(reason="asked for", by=System("tests")).of_person(person_of(alice))
    kept = other.events.filter(kind="text").order_by("seq").values_list("payload", flat=True)
    assert list(kept) == [
        {"message": 4, "text": "Only Ali"},
        *[{"message": 4}] * 4,
        {"message": 6, "text": "No one else."},
    ]


def test_what_is_left_of_a_conversation_can_go_on(told: Any, alice: Any) -> None:
    _, mine, other = told
    call_, result = {"id": "toolu_1", "name": "list_invoices"}, {"tool_use_id": "toolu_1", "is_error": False}
    for run in (mine, other):
        said = {"type": "text", "text": "I ask for what alice wrote."}
        thought = {"type": "thinking", "thinking": "alice", "signature": "x"}
        blocks = [thought, said, {"type": "tool_use", **call_, "input": {"state": "alice"}}]
        AgentMessage.objects.create(run=run, seq=2, role="assistant", content=blocks)
        found = [{"type": "tool_result", **result, "content": NAME}]
        AgentMessage.objects.create(run=run, seq=3, role="user", content=found)
    Erasure(reason="asked for", by=System("tests")).of_person(person_of(alice))
    for run in (mine, other):
        rows = run.messages.order_by("seq").values_list("role", "content")
        assert list(faults_of_messages(mended(rows))) == []
        assert "alice" not in everything(run)
    assert NAME in everything(other)
    second, third = mine.messages.filter(seq__gt=1).order_by("seq").values_list("content", flat=True)
    assert second[1] == {"type": "tool_use", **call_, "input": {"(erased)": True}}
    assert third == [{"type": "tool_result", **result, "content": "(erased)"}]


def test_plain_data_of_an_own_tool_may_tell_of_any_record(alice: Any, bob: Any) -> None:
    mine, theirs = an_invoice(alice, "A-1"), an_invoice(bob, "B-1")

    @tool
    def plain(self: Any, run: Any) -> list[dict[str, str]]:
        """Plain data."""
        return [{"client": one.client_name} for one in Invoice.objects.visible_to(run.user)]

    @tool
    def records(self: Any, run: Any) -> Any:
        """Records."""
        return Invoice.objects.visible_to(run.user)

    with declared(lifecycle=Invoice, fields=["client_name"], plain=plain, records=records) as agent:
        told, shown = run_of(agent, alice, status="done"), run_of(agent, alice, status="done")
        assert NAME in json.dumps(call(told, "plain"))
        assert NAME in json.dumps(call(shown, "records"))
    erasing = Erasure(reason="asked for", by=System("tests"))
    erasing.of_record("billing.invoice", str(theirs.pk))
    assert NAME not in everything(told)
    assert not told.seen.exists()
    assert NAME in everything(shown)
    erasing.of_record("billing.invoice", str(mine.pk))
    assert NAME not in everything(shown)


def test_what_a_conversation_went_on_to_say_goes_with_the_record(told: Any, alice: Any) -> None:
    invoice, mine, other = told
    later = AgentRun.objects.create(
        agent=mine.agent, user=alice, user_key=str(alice.pk), conversation=mine.conversation, answer=NAME
    )
    Erasure(reason="asked for", by=System("tests")).of_record("billing.invoice", str(invoice.pk))
    assert NAME not in everything(later)
    assert NAME in everything(other)


def test_what_is_erased_cannot_be_approved_any_more(told: Any, clerk: Any) -> None:
    from fsm_lifecycle.agents.undecided import ProposalStale

    invoice, mine, _ = told
    Erasure(reason="asked for", by=System("tests")).of_record("billing.invoice", str(invoice.pk))
    with pytest.raises(ProposalStale):
        Proposal.objects.get(run=mine).approve(by=clerk)


def test_runs_go_with_everything_of_theirs_when_their_days_are_over(told: Any, settings: Any) -> None:
    _, mine, other = told
    settings.FSM_LIFECYCLE = {"RETENTION_DAYS": {"runs": 30}}
    long_ago = timezone.now() - timedelta(days=31)
    AgentRun.objects.filter(pk=mine.pk).update(status="done", finished_at=long_ago)
    assert remove_expired()["runs"] == 1
    assert set(AgentEvent.objects.values_list("run_id", flat=True)) == {other.pk}
    assert not Proposal.objects.filter(run_id=mine.pk).exists()


def test_the_run_of_a_tokens_day_ends_with_the_day(alice: Any) -> None:
    token = McpToken.objects.create(digest="0" * 64, user=alice)
    today = timezone.localdate()
    with declared(lifecycle=Invoice) as agent:
        old = run_of(agent, alice, token=token, token_day=today - timedelta(days=1), status="running")
        new = run_of(agent, alice, token=token, token_day=today, status="running")
    assert close_days("default") == 1
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.status, new.status) == ("done", "running")
    assert old.finished_at is not None
