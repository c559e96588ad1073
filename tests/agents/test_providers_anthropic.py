"""``anthropic/<model>`` through the real SDK, against a server that behaves like the real one, and misbehaves."""

import time
from collections.abc import Iterator

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
from tests.fakes import Failure, FakeAnthropic, Turn, calls, calls_many, overloaded, rate_limited, says

pytestmark = [pytest.mark.pure, pytest.mark.once]

TOOL = {
    "name": "get_invoice",
    "description": "One invoice.",
    "input_schema": {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "additionalProperties": False,
    },
}
NAME = "anthropic/claude-sonnet-5-5"


def asked(**changes: object) -> ModelRequest:
    values = {
        "system": "You help.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "How are you?"}]}],
        "tools": [TOOL],
        "max_tokens": 500,
        "seconds": 60.0,
    }
    return ModelRequest(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def answer(**changes: object) -> Reply:
    *_, last = provider_for(NAME).stream(asked(**changes))
    assert isinstance(last, Reply)
    return last


def failure(**changes: object) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        list(provider_for(NAME).stream(asked(**changes)))
    return caught.value


def test_a_text_comes_in_pieces_and_then_whole(fake: FakeAnthropic) -> None:
    fake.script.append(
        says("Well, thank you. And how are you yourself today?", input_tokens=30, output_tokens=12)
    )
    *pieces, reply = provider_for(NAME).stream(asked())
    assert len(pieces) > 1
    assert (
        "".join(p.text for p in pieces if isinstance(p, TextDelta))
        == "Well, thank you. And how are you yourself today?"
    )
    assert isinstance(reply, Reply)
    assert reply.content == ({"type": "text", "text": "Well, thank you. And how are you yourself today?"},)
    assert (reply.stop_reason, reply.usage) == ("end_turn", Usage(30, 12))
    assert fake.complaints == []


def test_the_request_holds_what_was_asked_and_nothing_that_the_models_no_longer_take(
    fake: FakeAnthropic,
) -> None:
    fake.script.append(says("Fine."))
    answer()
    [received] = fake.requests
    assert received.headers["authorization"] == "Bearer sk-ant-a-key-of-the-tests"
    assert received.body == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 500,
        "system": "You help.",
        "messages": asked().messages,
        "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stream": True,
    }


def test_a_request_without_tools_says_nothing_of_tools(fake: FakeAnthropic) -> None:
    fake.script.append(says("Fine."))
    answer(tools=[])
    assert not {"tools", "tool_choice"} & set(fake.bodies[0])


def test_a_tool_call_is_told_when_it_begins_and_is_whole_at_the_end(fake: FakeAnthropic) -> None:
    fake.script.append(calls("get_invoice", {"id": 7, "note": "größer"}, saying="Let me look."))
    events = list(provider_for(NAME).stream(asked()))
    assert ToolStarted("get_invoice") in events
    assert isinstance(events[-1], Reply)
    assert events[-1].stop_reason == "tool_use"
    assert events[-1].content == (
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_0001", "name": "get_invoice", "input": {"id": 7, "note": "größer"}},
    )


def test_a_call_without_arguments_has_an_empty_object(fake: FakeAnthropic) -> None:
    fake.script.append(calls("list_invoices"))
    assert answer().content[0]["input"] == {}


def test_several_calls_stay_in_their_order(fake: FakeAnthropic) -> None:
    fake.script.append(calls_many(("a", {"x": 1}), ("b", {"x": 2})))
    assert [block["name"] for block in answer().content] == ["a", "b"]


def test_what_was_read_from_a_cache_or_written_to_one_counts_as_input(fake: FakeAnthropic) -> None:
    fake.script.append(says("Fine.", input_tokens=10, cached=(20, 300), output_tokens=5))
    assert answer().usage == Usage(330, 5)


def test_thinking_is_kept_as_it_came_because_the_api_wants_it_back(fake: FakeAnthropic) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    call = {"type": "tool_use", "name": "get_invoice", "input": {"id": 1}}
    fake.script.append(Turn(blocks=(thought, call), stop_reason="tool_use"))
    assert answer().content[0] == thought


def test_a_call_that_ran_out_of_tokens_is_not_said_to_be_a_call_that_may_run(fake: FakeAnthropic) -> None:
    fake.script.append(calls("get_invoice", {"id": 12345}, truncated=True, stop_reason="max_tokens"))
    assert answer().stop_reason == "max_tokens"


def test_a_call_whose_arguments_break_off_is_never_read_as_if_it_were_whole(fake: FakeAnthropic) -> None:
    """The SDK itself reads ``{"id": 123`` as ``{"id": 123}``."""
    fake.script.append(calls("get_invoice", {"id": 12345}, truncated=True))
    failed = failure()
    assert failed.again
    assert failed.usage is not None


def test_a_stream_that_is_cut_is_no_answer_wherever_it_is_cut(fake: FakeAnthropic) -> None:
    turn = calls("get_invoice", {"id": 7}, saying="Let me look.", input_tokens=40)
    count = len(list(fake.frames(turn, {"model": "claude-x", "max_tokens": 9}, 1)))
    for frames in range(count):
        fake.script.append(turn.cut(frames))
        failed = failure()
        assert failed.again, frames
        if frames:
            assert failed.began
            assert failed.usage is not None
            assert failed.usage.input == 40, frames
    assert fake.complaints == []


def test_a_stream_that_ends_early_as_if_it_were_whole_is_no_answer(fake: FakeAnthropic) -> None:
    turn = calls("get_invoice", {"id": 7}, saying="Let me look.")
    count = len(list(fake.frames(turn, {"model": "claude-x", "max_tokens": 9}, 1)))
    for frames in range(count):
        fake.script.append(Turn(**{**turn.__dict__, "ends_after": frames}))
        assert failure().again, frames


@pytest.mark.parametrize(
    ("kind", "again"), [("overloaded_error", True), ("api_error", True), ("invalid_request_error", False)]
)
def test_an_error_in_the_middle_of_a_stream_ends_it(fake: FakeAnthropic, kind: str, again: bool) -> None:
    fake.script.append(says("A text that is never finished.", error_after=(4, kind)))
    failed = failure()
    assert failed.again is again
    assert kind in str(failed)


@pytest.mark.parametrize(
    ("refusal", "again"),
    [
        (rate_limited("7"), True),
        (overloaded(), True),
        (Failure(status=500), True),
        (Failure(status=503), True),
        (Failure(status=400, kind="invalid_request_error"), False),
        (Failure(status=401, kind="authentication_error"), False),
        (Failure(status=404, kind="not_found_error"), False),
        (Failure(status=413, kind="request_too_large"), False),
    ],
)
def test_a_status_says_whether_asking_again_may_help(
    fake: FakeAnthropic, refusal: Failure, again: bool
) -> None:
    fake.script.append(refusal)
    failed = failure()
    assert failed.again is again
    assert not failed.began
    assert str(refusal.status) in str(failed)
    assert failed.retry_after == (7.0 if refusal.status == 429 else None)
    assert len(fake.requests) == 1  # the SDK's own tries are off


def test_what_the_server_said_stays_out_of_the_message(fake: FakeAnthropic) -> None:
    fake.script.append(Failure(status=400, kind="invalid_request_error", message="a secret of the server"))
    assert "a secret of the server" not in str(failure())


def test_a_server_that_falls_silent_is_given_up_in_time(fake: FakeAnthropic) -> None:
    fake.script.append(says("Slowly.", stalls_after=3))
    began = time.monotonic()
    assert failure(seconds=0.5).again
    assert time.monotonic() - began < 60  # loading the SDK counts, too


def test_nobody_at_the_address_is_a_failure_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert failure().again


def test_without_a_key_the_message_names_the_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "/nonexistent")
    assert not key_of(NAME).present
    with pytest.raises(ProviderMissing, match="ANTHROPIC_API_KEY"):
        list(provider_for(NAME).stream(asked()))


def test_whether_there_is_a_key_is_told_without_showing_it(fake: FakeAnthropic) -> None:
    key = key_of(NAME)
    assert key.present
    assert "ANTHROPIC_API_KEY" in key.where
    assert "sk-ant" not in repr(key)
