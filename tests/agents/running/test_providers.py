"""The loop is the same whoever answers: an OpenAI-compatible server, a program, a script, a class of one's own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.providers import ModelRequest, Reply, StreamEvent, TextDelta, Usage
from fsm_lifecycle.agents.runs import run_to_the_end
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import Declaring, marks, steps
from tests.fakes import FakeOpenAI, calls, says

pytestmark = pytest.mark.django_db


def test_an_openai_compatible_server_fires_through_the_same_tools(
    declare: Declaring, alice: Any, sent: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with FakeOpenAI() as fake:
        wanted = calls("mark_overdue_invoice", marks(sent), saying="Now.")
        fake.script += [wanted.cut(3), wanted, says("It is done.", input_tokens=70, output_tokens=7)]
        agent = declare(model=f"openai/qwen3:8b@{fake.base_url}")
        run = run_to_the_end(agent, "Mark it", user=alice)
        assert fake.complaints == []
    assert (run.status, run.answer, run.turns, run.tool_calls) == ("done", "It is done.", 3, 1)
    assert run.model == f"openai/qwen3:8b@{fake.base_url}"
    assert steps(sent) == ["created", "send_invoice", "mark_overdue"]


def test_a_program_fires_through_the_same_tools(
    declare: Declaring, alice: Any, sent: Invoice, tmp_path: Path
) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        "import json, sys\n"
        "asked = json.load(sys.stdin)\n"
        "last = asked['messages'][-1]['content'][0]\n"
        "call = {'type': 'tool_use', 'id': 'x', 'name': 'mark_overdue_invoice',\n"
        f"        'input': {marks(sent)!r}}}\n"
        "done = {'type': 'text', 'text': 'It is done.'}\n"
        "called = last['type'] == 'tool_result'\n"
        "print(json.dumps({'content': [done if called else call],\n"
        "                  'stop_reason': 'end_turn' if called else 'tool_use'}))\n"
    )
    agent = declare(model=f"command/{sys.executable} {path} --key=a-secret")
    run = run_to_the_end(agent, "Mark it", user=alice)
    assert (run.status, run.answer, run.tool_calls) == ("done", "It is done.", 1)
    assert steps(sent) == ["created", "send_invoice", "mark_overdue"]
    # Arguments may hold a secret: rows and the log name the program alone.
    assert run.model == f"command/{sys.executable}"
    entry = sent.log.last()
    assert entry is not None
    assert "a-secret" not in str(entry.fields["run"].value)


def test_a_program_that_fails_each_time_fails_the_run(declare: Declaring, alice: Any) -> None:
    agent = declare(model=f"command/{sys.executable} -c 'import sys; sys.exit(3)'")
    run = run_to_the_end(agent, "Hello?", user=alice)
    assert (run.status, run.stop_reason, run.turns) == ("failed", "model_failed", 4)


class Raising:
    """A provider of the project's own with a bug in it."""

    name = "tests/raising"

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        yield TextDelta("Hel")
        raise RuntimeError("the password is hunter2")


class Careless:
    """A provider of the project's own that does not look at what it passes on."""

    name = "tests/careless"

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        yield Reply(({"type": "image", "source": {}},), "whatever", Usage(1, 1))


class Silent:
    """A provider of the project's own that gives nothing."""

    name = "tests/silent"

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        return iter(())


@pytest.mark.parametrize("provider", ["Raising", "Careless", "Silent"])
def test_a_provider_that_does_not_work_fails_the_run_and_tells_no_secret(
    declare: Declaring, alice: Any, provider: str
) -> None:
    run = run_to_the_end(declare(model=f"{__name__}.{provider}"), "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("failed", "model_failed")
    assert "hunter2" not in str(list(AgentEvent.objects.filter(run=run).values_list("payload", flat=True)))


def test_a_model_that_is_none_fails_the_run_in_words(declare: Declaring, alice: Any) -> None:
    run = run_to_the_end(declare(model="anthropc/claude-opus-5-5"), "Hello?", user=alice)
    assert (run.status, run.stop_reason) == ("failed", "provider_missing")
    last = AgentEvent.objects.filter(run=run).order_by("-seq")[0]
    assert "Did you mean “anthropic”" in last.payload["note"]
