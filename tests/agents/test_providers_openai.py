"""``openai/<model>@<base_url>`` through the real SDK, against a server with OpenAI's chat completions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fsm_lifecycle.agents.providers import (
    ModelFailure,
    ModelRequest,
    ProviderMissing,
    Reply,
    TextDelta,
    ToolStarted,
    Usage,
    key_of,
    provider_for,
)
from tests.agents.test_providers_anthropic import TOOL, asked
from tests.fakes import Failure, FakeOpenAI, calls, calls_many, openai_api, rate_limited, says

pytestmark = [pytest.mark.pure, pytest.mark.once]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenAI]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with FakeOpenAI() as server:
        yield server


def name_of(fake: FakeOpenAI) -> str:
    return f"openai/qwen3:8b@{fake.base_url}"


def answer(fake: FakeOpenAI, request: ModelRequest | None = None) -> Reply:
    *_, last = provider_for(name_of(fake)).stream(request or asked())
    assert isinstance(last, Reply)
    return last


def failure(fake: FakeOpenAI) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        answer(fake)
    return caught.value


def test_a_text_comes_in_pieces_and_then_whole(fake: FakeOpenAI) -> None:
    fake.script.append(says("Well, thank you. And how are you yourself?", input_tokens=30, output_tokens=12))
    *pieces, reply = provider_for(name_of(fake)).stream(asked())
    assert len(pieces) > 1
    assert (
        "".join(p.text for p in pieces if isinstance(p, TextDelta))
        == "Well, thank you. And how are you yourself?"
    )
    assert isinstance(reply, Reply)
    assert (reply.stop_reason, reply.usage) == ("end_turn", Usage(30, 12))


def test_the_request_is_put_into_the_other_format(fake: FakeOpenAI) -> None:
    fake.script.append(says("Fine."))
    answer(fake)
    [body] = fake.bodies
    assert body["model"] == "qwen3:8b"
    assert body["max_tokens"] == 500
    assert body["messages"] == [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "How are you?"},
    ]
    assert body["tools"][0]["function"] == {
        "name": "get_invoice",
        "description": "One invoice.",
        "parameters": TOOL["input_schema"],
    }
    assert body["parallel_tool_calls"] is False


def test_a_conversation_with_calls_and_results_is_put_into_the_other_format(fake: FakeOpenAI) -> None:
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Look at 7."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "text", "text": "Yes."},
                {"type": "tool_use", "id": "call_9", "name": "get_invoice", "input": {"id": 7}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "call_9", "content": '{"id": 7}'}],
        },
    ]
    fake.script.append(says("It is there."))
    answer(fake, replace(asked(), messages=talk))
    assert fake.bodies[0]["messages"][2:] == [
        {
            "role": "assistant",
            "content": "Yes.",
            "tool_calls": [
                {
                    "id": "call_9",
                    "type": "function",
                    "function": {"name": "get_invoice", "arguments": '{"id": 7}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_9", "content": '{"id": 7}'},
    ]
    assert fake.complaints == []


def test_a_tool_call_becomes_a_block(fake: FakeOpenAI) -> None:
    fake.script.append(calls("get_invoice", {"id": 7, "note": "größer"}, saying="Let me look."))
    events = list(provider_for(name_of(fake)).stream(asked()))
    assert ToolStarted("get_invoice") in events
    assert isinstance(events[-1], Reply)
    assert events[-1].stop_reason == "tool_use"
    assert events[-1].content == (
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "call_0001", "name": "get_invoice", "input": {"id": 7, "note": "größer"}},
    )


def test_several_calls_stay_in_their_order(fake: FakeOpenAI) -> None:
    fake.script.append(calls_many(("a", {"x": 1}), ("b", {"x": 2})))
    assert [block["name"] for block in answer(fake).content] == ["a", "b"]


def test_a_server_that_ends_a_call_with_stop_has_called_all_the_same(fake: FakeOpenAI) -> None:
    fake.script.append(calls("get_invoice", {"id": 7}, stop_reason="end_turn"))
    assert answer(fake).stop_reason == "tool_use"


def test_a_call_that_ran_out_of_tokens_is_left_out(fake: FakeOpenAI) -> None:
    fake.script.append(calls("get_invoice", {"id": 12345}, truncated=True, stop_reason="max_tokens"))
    reply = answer(fake)
    assert (reply.stop_reason, reply.content) == ("max_tokens", ())


def test_a_call_whose_arguments_break_off_is_no_answer(fake: FakeOpenAI) -> None:
    fake.script.append(calls("get_invoice", {"id": 12345}, truncated=True))
    assert failure(fake).again


def test_a_stream_that_is_cut_or_ends_early_is_no_answer(fake: FakeOpenAI) -> None:
    turn = calls("get_invoice", {"id": 7}, saying="Let me look.")
    before_the_end = len(list(fake.frames(turn, {"model": "x"}, 1))) - 2
    for frames in range(before_the_end):
        fake.script += [turn.cut(frames), replace(turn, ends_after=frames)]
        assert failure(fake).again, frames
        assert failure(fake).again, frames


def test_an_error_in_the_middle_of_a_stream_ends_it(fake: FakeOpenAI) -> None:
    fake.script.append(says("A text that is never finished.", error_after=(2, "server_error")))
    assert failure(fake).again


@pytest.mark.parametrize(
    ("refusal", "again"),
    [(rate_limited("2"), True), (Failure(status=500), True), (Failure(status=404, kind="not_found"), False)],
)
def test_a_status_says_whether_asking_again_may_help(fake: FakeOpenAI, refusal: Failure, again: bool) -> None:
    fake.script.append(refusal)
    assert failure(fake).again is again
    assert len(fake.requests) == 1


def test_a_server_of_ones_own_is_asked_without_a_key(fake: FakeOpenAI) -> None:
    assert key_of(name_of(fake)).present
    fake.script.append(says("Fine."))
    answer(fake)
    assert fake.requests[0].headers["authorization"] == "Bearer none"


def test_a_key_in_the_environment_is_sent(fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-tests")
    fake.script.append(says("Fine."))
    answer(fake)
    assert fake.requests[0].headers["authorization"] == "Bearer sk-of-the-tests"
    assert "sk-of" not in repr(key_of(name_of(fake)))


def test_openai_itself_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert not key_of("openai/gpt-5").present
    with pytest.raises(ProviderMissing, match="OPENAI_API_KEY"):
        list(provider_for("openai/gpt-5").stream(asked()))


@pytest.mark.parametrize("reason", ["error", "network_error", "insufficient_system_resource"])
def test_a_message_that_ended_for_a_reason_of_its_own_is_broken(
    fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setitem(openai_api._FINISH, "tool_use", reason)
    fake.script.append(calls("get_invoice", {"id": "12"}))
    assert failure(fake).again


@pytest.mark.parametrize("reason", ["tool_calls", "function_call", "stop"])
def test_servers_end_a_call_with_different_words(
    fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setitem(openai_api._FINISH, "tool_use", reason)
    fake.script.append(calls("get_invoice", {"id": "12"}))
    assert answer(fake).stop_reason == "tool_use"
