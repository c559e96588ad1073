"""A run from the prompt to the answer: what is asked, what is done, and what is on record."""

from typing import Any

import pytest

from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.runs import execute, run_to_the_end, say, start
from fsm_lifecycle.exceptions import ActorRequired
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import Declaring, marks, steps
from tests.fakes import FakeAnthropic, Turn, calls, calls_many, overloaded, rate_limited, says

pytestmark = pytest.mark.django_db


def test_a_run_ends_with_the_models_answer(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    fake.script.append(says("There is nothing to do.", input_tokens=900, output_tokens=12))
    run = run_to_the_end(chaser, "  What is overdue?  ", user=alice)
    assert (run.status, run.stop_reason, run.answer) == ("done", "end_turn", "There is nothing to do.")
    assert (run.turns, run.tool_calls) == (1, 0)
    assert (run.input_tokens, run.output_tokens) == (900, 12)
    assert run.prompt == "What is overdue?"
    assert run.model == "anthropic/claude-sonnet-5-5"
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.seconds > 0
    assert (run.holder, run.lease_until) == ("", None)


def test_a_tool_call_fires_and_its_result_is_told_to_the_model(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [
        calls("mark_overdue_invoice", marks(sent), saying="It is past its date."),
        says("It is marked overdue."),
    ]
    run = run_to_the_end(chaser, "Mark what is overdue", user=alice)
    sent.refresh_from_db()
    assert sent.state == "overdue"
    assert (run.status, run.turns, run.tool_calls) == ("done", 2, 1)
    roles = list(AgentMessage.objects.filter(run=run).order_by("seq").values_list("seq", "role"))
    assert roles == [(1, "user"), (2, "assistant"), (3, "user"), (4, "assistant")]
    # The whole conversation is sent each time.
    first, second = fake.bodies
    assert second["messages"][: len(first["messages"])] == first["messages"]
    result = second["messages"][-1]["content"][0]
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_0001")
    assert '"success": true' in result["content"]
    assert result["is_error"] is False


def test_the_entry_names_user_agent_run_model_and_call(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [calls("mark_overdue_invoice", marks(sent)), says("Done.")]
    run = run_to_the_end(chaser, "Mark what is overdue", user=alice)
    entry = sent.log.last()
    assert entry is not None
    assert (entry.event, entry.actor_kind, entry.actor_id) == ("mark_overdue", "agent", str(alice.pk))
    assert entry.fields["run"].value == {
        "id": str(run.pk),
        "agent": "tests.chaser",
        "model": "anthropic/claude-sonnet-5-5",
        "surface": "code",
        "call": "2.0",
    }


def test_tools_are_offered_one_call_at_a_time(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script.append(says("Nothing."))
    run_to_the_end(chaser, "Look", user=alice)
    [body] = fake.bodies
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert {"list_invoices", "get_invoice", "mark_overdue_invoice"} <= {
        tool["name"] for tool in body["tools"]
    }
    assert "Chase overdue invoices politely." in body["system"]


def test_a_model_that_calls_several_at_once_gets_all_results_in_one_message(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [
        calls_many(("get_invoice", {"id": str(sent.pk)}), ("mark_overdue_invoice", marks(sent))),
        says("Both done."),
    ]
    run = run_to_the_end(chaser, "Look and mark", user=alice)
    assert run.tool_calls == 2
    assert [block["type"] for block in fake.bodies[1]["messages"][-1]["content"]] == ["tool_result"] * 2
    assert steps(sent) == ["created", "send_invoice", "mark_overdue"]


def test_a_refusal_goes_back_to_the_model_with_its_code(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    wrong = {**marks(sent), "expected_state": "draft"}
    fake.script += [calls("mark_overdue_invoice", wrong), says("It has changed.")]
    run_to_the_end(chaser, "Mark it", user=alice)
    result = fake.bodies[1]["messages"][-1]["content"][0]
    assert result["is_error"] is True
    assert '"code": "stale_state"' in result["content"]


def test_every_step_is_an_event_without_gaps(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [
        calls("mark_overdue_invoice", marks(sent), saying="Now."),
        says("It is done, as you wished."),
    ]
    told: list[AgentEvent] = []
    run = run_to_the_end(chaser, "Mark it", user=alice, listen=told.append)
    events = list(AgentEvent.objects.filter(run=run).order_by("seq"))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events]
    assert kinds[:2] == ["status", "status"]
    assert kinds[-1] == "status"
    assert (
        kinds.index("tool_started")
        < kinds.index("message")
        < kinds.index("tool_call")
        < kinds.index("tool_result")
    )
    assert [event.seq for event in told] == [event.seq for event in events[1:]]
    text = "".join(event.payload["text"] for event in events if event.kind == "text")
    assert text == "Now.It is done, as you wished."


# Failing and trying again


def test_a_stream_that_is_cut_is_asked_for_again_and_fires_once(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    wanted = calls("mark_overdue_invoice", marks(sent), saying="Now.", input_tokens=500)
    fake.script += [wanted.cut(9), wanted, says("Done.")]
    run = run_to_the_end(chaser, "Mark it", user=alice)
    assert run.status == "done"
    assert steps(sent) == ["created", "send_invoice", "mark_overdue"]
    ids = [block["id"] for block in fake.bodies[2]["messages"][1]["content"] if block["type"] == "tool_use"]
    assert ids == ["toolu_0002"]  # the id of the first try is gone with it
    assert run.turns == 3
    assert run.input_tokens >= 1000  # the broken answer was paid for
    assert AgentEvent.objects.filter(run=run, kind="discarded").count() == 1


@pytest.mark.parametrize("hindrance", [overloaded(), rate_limited("0.05")])
def test_a_busy_server_is_asked_again(fake: FakeAnthropic, chaser: Any, alice: Any, hindrance: Any) -> None:
    fake.script += [hindrance, hindrance, says("Here I am.", input_tokens=700, output_tokens=9)]
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert (run.status, run.answer, run.turns) == ("done", "Here I am.", 3)
    assert (run.input_tokens, run.output_tokens) == (700, 9)


def test_a_server_that_stays_busy_fails_the_run_after_four_tries(
    fake: FakeAnthropic, chaser: Any, alice: Any
) -> None:
    fake.script += [overloaded()] * 4
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("failed", "model_failed")
    assert len(fake.requests) == 4
    assert run.tokens == 0


def test_what_no_second_try_can_help_is_not_tried_twice(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    from tests.fakes import Failure

    fake.script.append(Failure(status=401, kind="authentication_error", message="sk-ant-secret is not valid"))
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("failed", "model_failed")
    told = str(list(AgentEvent.objects.filter(run=run).values_list("payload", flat=True)))
    assert "The key is not accepted" in told
    assert "sk-ant-secret" not in told


def test_a_truncated_call_is_never_run(fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice) -> None:
    wanted = calls("mark_overdue_invoice", marks(sent))
    cut = Turn(**{**wanted.__dict__, "stop_reason": "max_tokens"})
    broken = Turn(**{**wanted.__dict__, "truncated": True})
    fake.script += [cut, broken, broken, says("I could not.")]
    run = run_to_the_end(chaser, "Mark it", user=alice)
    assert run.status == "done"
    assert run.tool_calls == 0
    assert steps(sent) == ["created", "send_invoice"]
    assert "cut off" in str(fake.bodies[1]["messages"][-1])


def test_an_answer_that_is_too_long_is_kept_and_said_to_be_cut(
    fake: FakeAnthropic, chaser: Any, alice: Any
) -> None:
    fake.script.append(says("Once upon a time", stop_reason="max_tokens"))
    run = run_to_the_end(chaser, "Tell", user=alice)
    assert (run.status, run.stop_reason, run.answer) == ("stopped", "max_tokens", "Once upon a time")


def test_a_model_that_refuses_is_said_to_refuse(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    fake.script.append(says("No.", stop_reason="refusal"))
    assert run_to_the_end(chaser, "Tell", user=alice).stop_reason == "refusal"


def test_an_answer_is_text_and_never_markup(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    text = "<img src=https://evil.example/?q=1 onerror=alert(1)> ![x](https://evil.example) <script>"
    fake.script.append(says(text))
    run = run_to_the_end(chaser, "Tell", user=alice)
    assert run.answer == text


def test_characters_that_no_database_holds_are_kept_as_replacements(
    fake: FakeAnthropic, chaser: Any, alice: Any
) -> None:
    fake.script += [calls("get_invoice", {"id": "\x00"}), says("a\x00b")]
    run = run_to_the_end(chaser, "a\x00b", user=alice)
    assert (run.status, run.prompt, run.answer) == ("done", "a\ufffdb", "a\ufffdb")


def test_without_a_key_the_run_fails_with_the_remedy(
    chaser: Any, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "/nonexistent")
    run = run_to_the_end(chaser, "Hello?", user=alice)
    assert (run.status, run.stop_reason, run.tokens) == ("failed", "provider_missing", 0)
    last = AgentEvent.objects.filter(run=run, kind="status").order_by("-seq")[0]
    assert "ANTHROPIC_API_KEY" in last.payload["note"]


# Starting and going on


def test_a_queued_run_is_worked_on_once_and_no_more(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [calls("mark_overdue_invoice", marks(sent)), says("Done.")]
    run = start(chaser, "Mark it", user=alice)
    assert run.status == "queued"
    assert execute(run.pk).status == "done"
    assert execute(run.pk).status == "done"
    assert len(fake.requests) == 2


def test_a_worker_finds_what_is_queued(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    from fsm_lifecycle.dispatch import queues
    from fsm_lifecycle.dispatch.working import drain

    fake.script.append(says("Here I am."))
    run = start(chaser, "Hello?", user=alice)
    queue = queues.get("agent_runs")
    assert queue is not None
    assert drain(queue, "default") == 1
    run.refresh_from_db()
    assert run.answer == "Here I am."


def test_a_conversation_goes_on_with_what_was_said_before(
    fake: FakeAnthropic, chaser: Any, alice: Any
) -> None:
    fake.script += [says("I am well."), says("You asked how I am.")]
    first = run_to_the_end(chaser, "How are you?", user=alice)
    second = execute(say(first, "What did I ask?").pk)
    assert second.conversation == first.conversation
    assert second.answer == "You asked how I am."
    texts = [message["content"][0]["text"] for message in fake.bodies[1]["messages"]]
    assert texts == ["How are you?", "I am well.", "What did I ask?"]


def test_a_conversation_goes_on_after_a_run_that_was_stopped_in_the_middle_of_a_call(
    fake: FakeAnthropic, declare: Declaring, alice: Any, sent: Invoice
) -> None:
    from fsm_lifecycle.agents.budget import Budget

    agent = declare(budget=Budget(tokens=None, tool_calls=1))
    again = calls("get_invoice", {"id": str(sent.pk)})
    fake.script += [again, again, says("Well.")]
    first = run_to_the_end(agent, "Look twice", user=alice)
    assert first.stop_reason == "tool_calls"
    second = execute(say(first, "And now?").pk)
    assert second.answer == "Well."
    blocks = fake.bodies[2]["messages"][-1]["content"]
    assert [block["type"] for block in blocks] == ["tool_result", "text"]
    assert "not_run" in blocks[0]["content"]


def test_nobody_goes_on_while_a_run_is_not_over(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    from fsm_lifecycle.agents.runs import RunNotOver

    run = start(chaser, "Hello?", user=alice)
    with pytest.raises(RunNotOver, match="queued"):
        say(run, "Are you there?")


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(chaser: Any, alice: Any, prompt: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        start(chaser, prompt, user=alice)


def test_an_agent_acts_for_a_saved_user_alone(chaser: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    for nobody in (None, AnonymousUser(), "alice"):
        with pytest.raises(ActorRequired):
            start(chaser, "Hello?", user=nobody)


def test_an_agent_that_the_code_no_longer_has_fails_its_run(declare: Declaring, alice: Any) -> None:
    from fsm_lifecycle.agents import registry

    agent = declare()
    run = start(agent, "Hello?", user=alice)
    registry.unregister(agent)
    assert execute(run.pk).stop_reason == "unknown_agent"


def test_the_model_comes_from_the_code_and_never_from_the_row(
    fake: FakeAnthropic, chaser: Any, alice: Any
) -> None:
    from fsm_lifecycle.agents.run import AgentRun

    fake.script.append(says("Here."))
    run = start(chaser, "Hello?", user=alice)
    AgentRun.objects.filter(pk=run.pk).update(model="command/touch /tmp/owned")
    done = execute(run.pk)
    assert (done.answer, done.model) == ("Here.", "anthropic/claude-sonnet-5-5")


def test_who_lost_the_lease_while_the_model_wrote_writes_nothing_more(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsm_lifecycle.agents.loop.asking import Question
    from fsm_lifecycle.agents.run import AgentRun

    keep = Question._keep

    def taken_away(self: Any, *args: Any) -> None:
        AgentRun.objects.filter(pk=self.held.run.pk).update(fence=99, holder="another")
        keep(self, *args)

    monkeypatch.setattr(Question, "_keep", taken_away)
    fake.script.append(calls("mark_overdue_invoice", marks(sent)))
    run = run_to_the_end(chaser, "Mark it", user=alice)
    assert (run.status, run.holder, run.fence) == ("running", "another", 99)
    assert AgentMessage.objects.filter(run=run).count() == 1
    assert not AgentEvent.objects.filter(run=run, kind__in=("message", "tool_call")).exists()
    assert steps(sent) == ["created", "send_invoice"]
