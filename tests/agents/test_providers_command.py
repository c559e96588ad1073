"""``command/<argv>``: a program answers, or does not."""

import os
import sys
import time
from pathlib import Path

import pytest

from fsm_lifecycle.agents.providers import ModelFailure, ProviderMissing, Reply, Usage, provider_for
from tests.agents.test_providers_anthropic import asked

pytestmark = [pytest.mark.pure, pytest.mark.once]


def program(folder: Path, text: str) -> str:
    path = folder / "a program.py"
    path.write_text(text)
    return f"command/{sys.executable} '{path}'"


def answer(name: str, **changes: object) -> Reply:
    *_, last = provider_for(name).stream(asked(**changes))
    assert isinstance(last, Reply)
    return last


def failure(name: str, **changes: object) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        answer(name, **changes)
    return caught.value


def test_a_program_reads_the_request_and_writes_the_reply(tmp_path: Path) -> None:
    name = program(
        tmp_path,
        "import json, sys\n"
        "asked = json.load(sys.stdin)\n"
        "call = {'type': 'tool_use', 'id': 'c1', 'name': asked['tools'][0]['name'], 'input': {'id': 1}}\n"
        "text = {'type': 'text', 'text': asked['system'] + asked['messages'][0]['content'][0]['text']}\n"
        "usage = {'input_tokens': asked['max_tokens'], 'output_tokens': 3}\n"
        "print(json.dumps({'content': [text, call], 'stop_reason': 'tool_use', 'usage': usage}))\n",
    )
    reply = answer(name)
    assert reply.text == "You help.How are you?"
    assert reply.content[1]["name"] == "get_invoice"
    assert (reply.stop_reason, reply.usage) == ("tool_use", Usage(500, 3))


def test_nothing_of_the_name_reaches_a_shell(tmp_path: Path) -> None:
    name = program(tmp_path, "import sys, json\nprint(json.dumps({'content': [{'type': 'text', 'text': sys.argv[1]}],"
                             "'stop_reason': 'end_turn'}))\n")  # fmt: skip
    assert answer(f"{name} '$(touch {tmp_path}/made); echo'").text == f"$(touch {tmp_path}/made); echo"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "written",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"content": "text", "stop_reason": "end_turn"}',
        '{"content": [], "stop_reason": "whatever"}',
        '{"content": [], "stop_reason": "tool_use"}',
        '{"content": [{"type": "image"}], "stop_reason": "end_turn"}',
        '{"content": [{"type": "tool_use", "id": "x", "name": "y"}], "stop_reason": "tool_use"}',
        '{"content": [{"type": "tool_use", "id": "x", "name": "y", "input": {"a": NaN}}], "stop_reason": "tool_use"}',
        '{"content": [{"type": "tool_use", "id": "x", "name": "y", "input": {"a": 1e999}}], "stop_reason": "tool_use"}',
        (
            '{"content": [{"type": "tool_use", "id": "x", "name": "y", "input": {"a": 1, "a": 2}}],'
            ' "stop_reason": "tool_use"}'
        ),
        '{"content": [], "stop_reason": "end_turn"} and more',
    ],
)
def test_what_is_no_message_is_no_answer(tmp_path: Path, written: str) -> None:
    assert failure(program(tmp_path, f"print({written!r})")).again


def test_characters_that_no_database_holds_are_replaced(tmp_path: Path) -> None:
    name = program(tmp_path, 'print(\'{"content": [{"type": "text", "text": "a\\\\u0000b\\\\ud800c"}],'
                             ' "stop_reason": "end_turn"}\')')  # fmt: skip
    assert answer(name).text == "a\ufffdb\ufffdc"


def test_a_program_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    # A shell, which has begun long before its time is up, however busy the machine is.
    path = tmp_path / "a program.sh"
    path.write_text(f"sleep 240 &\necho $! >'{tmp_path}/pid'\nsleep 240\n")
    began = time.monotonic()
    assert "did not answer" in str(failure(f"command/sh '{path}'", seconds=4.0))
    assert time.monotonic() - began < 120
    child = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 60
    while runs(child):
        if time.monotonic() > until:
            os.kill(child, 9)
            pytest.fail("what the program started still runs")
        time.sleep(0.05)


def runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_fails_is_a_failure_and_its_complaint_stays_here(tmp_path: Path) -> None:
    failed = failure(program(tmp_path, "import sys; sys.exit('a secret of the program')"))
    assert failed.again
    assert "secret" not in str(failed)


def test_a_program_that_does_not_read_is_heard_all_the_same(tmp_path: Path) -> None:
    name = program(tmp_path, 'print(\'{"content": [], "stop_reason": "end_turn"}\')')
    assert answer(name, system="x" * 300_000).stop_reason == "end_turn"


@pytest.mark.parametrize("name", ["command/", "command/'", "command/   "])
def test_no_program_is_said_in_words(name: str) -> None:
    with pytest.raises(ProviderMissing, match="names no program"):
        provider_for(name)


def test_a_program_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(ProviderMissing, match="cannot be run"):
        answer("command//nonexistent/program")
