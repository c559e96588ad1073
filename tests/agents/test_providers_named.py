"""From a provider's name to the provider: settings, dotted paths, scripts."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from fsm_lifecycle.agents.providers import (
    ModelRequest,
    ProviderMissing,
    Reply,
    StreamEvent,
    TextDelta,
    Usage,
    key_of,
    provider_for,
)
from fsm_lifecycle.agents.providers.scripted import Call, Task, call, script
from tests.agents.test_providers_anthropic import TOOL, asked

pytestmark = [pytest.mark.pure, pytest.mark.once]


class Mine:
    """A provider of a project's own."""

    def __init__(self, rest: str = "nothing") -> None:
        self.name = f"mine/{rest}"

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        yield TextDelta("Hello.")
        yield Reply(({"type": "text", "text": "Hello."},), "end_turn", Usage(1, 1))


class Nameless:
    """Almost a provider."""

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        return iter(())


INSTANCE = Mine("instance")
NO_PROVIDER = "text"
HERE = "tests.agents.test_providers_named"


@script("tests-reader")
def reader(task: Task) -> Generator[Call, Any, str]:
    first = yield call("get_invoice", "Let me look.", id=7)
    second = yield call("get_invoice", id=first["next"])
    return f"{task.prompt}: {second['number']}"


def test_the_setting_names_the_model_of_who_names_none(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    assert provider_for("").name == "anthropic/claude-sonnet-5-5"
    settings.FSM_LIFECYCLE = {"AGENT_MODEL": "scripted/tests-reader"}
    assert provider_for("").name == "scripted/tests-reader"


@pytest.mark.parametrize(
    ("name", "model", "base_url"),
    [
        ("openai/gpt-5", "gpt-5", ""),
        ("openai/llama3.1:8b@http://localhost:11434/v1", "llama3.1:8b", "http://localhost:11434/v1"),
        ("openai/meta/llama@https://models.example.com", "meta/llama", "https://models.example.com"),
        ("openai/model@2", "model@2", ""),
    ],
)
def test_the_address_stands_behind_the_last_at_sign(name: str, model: str, base_url: str) -> None:
    provider: Any = provider_for(name)
    assert (provider.model, provider.base_url, provider.name) == (model, base_url, name)


@pytest.mark.parametrize(
    ("own", "name", "made"),
    [
        ({"house": "openai/x@http://localhost/v1"}, "house", "openai/x@http://localhost/v1"),
        ({"house": f"{HERE}.Mine"}, "house", "mine/nothing"),
        ({"house": f"{HERE}.INSTANCE"}, "house", "mine/instance"),
        ({"mine": f"{HERE}.Mine"}, "mine/seven", "mine/seven"),
        ({"mine": Mine}, "mine/seven", "mine/seven"),
        ({}, f"{HERE}.Mine", "mine/nothing"),
        ({}, f"{HERE}.INSTANCE", "mine/instance"),
    ],
)
def test_a_project_names_its_own(settings: Any, own: dict[str, Any], name: str, made: str) -> None:
    settings.FSM_LIFECYCLE = {"AGENT_PROVIDERS": own}
    assert provider_for(name).name == made
    assert key_of(name).present


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "names no provider"),
        ("anthropc/claude-opus-5-5", "Did you mean “anthropic”"),
        ("anthropic/", "names no provider"),
        ("openai/", "names no provider"),
        ("scripted/nobody", "tests-reader"),
        ("scripted/no.such.script", "There is no script"),
        ("no.such.module", "cannot be imported"),
        (f"{HERE}.NO_PROVIDER", "no method stream"),
        (f"{HERE}.Nameless", "has no name"),
        ("loop", "leads to"),
        ("round", "leads to"),
    ],
)
def test_a_name_that_leads_nowhere_is_said_in_words(settings: Any, name: str, said: str) -> None:
    settings.FSM_LIFECYCLE = {"AGENT_PROVIDERS": {"loop": "loop/x", "loop/x": "loop/x", "round": "loop/x"}}
    with pytest.raises(ProviderMissing, match=said):
        provider_for(name)
    key = key_of(name)
    assert not key.present
    assert key.where


def test_a_script_is_run_again_over_the_conversation_so_far() -> None:
    talk: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Which"}]}]
    *_, first = provider_for("scripted/tests-reader").stream(asked(messages=talk))
    assert isinstance(first, Reply)
    assert first.stop_reason == "tool_use"
    assert first.text == "Let me look."
    talk += [{"role": "assistant", "content": list(first.content)}, _result(first, '{"next": 8}')]
    *_, second = provider_for("scripted/tests-reader").stream(asked(messages=talk))
    assert isinstance(second, Reply)
    assert second.content[-1]["input"] == {"id": 8}
    talk += [{"role": "assistant", "content": list(second.content)}, _result(second, '{"number": "A-8"}')]
    *_, last = provider_for("scripted/tests-reader").stream(asked(messages=talk))
    assert isinstance(last, Reply)
    assert (last.text, last.stop_reason) == ("Which: A-8", "end_turn")


def test_a_script_begins_anew_with_each_prompt() -> None:
    talk = [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
        {"role": "user", "content": "Two"},
    ]
    *_, reply = provider_for("scripted/tests-reader").stream(asked(messages=talk, tools=[TOOL]))
    assert isinstance(reply, Reply)
    assert reply.content[-1]["input"] == {"id": 7}


def _result(reply: Reply, text: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": reply.content[-1]["id"], "content": text}
    return {"role": "user", "content": [block]}
