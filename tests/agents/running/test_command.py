"""``manage.py lifecycle_agent``: what it prints, and how it ends."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from fsm_lifecycle.agents.run import AgentRun
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import NEVER, Declaring, marks, steps
from tests.concurrency.racers import PATIENCE
from tests.conftest import ROOT
from tests.fakes import FakeAnthropic, calls, overloaded, says

pytestmark = pytest.mark.django_db


def run(*words: str, **options: Any) -> str:
    printed = io.StringIO()
    call_command("lifecycle_agent", *words, stdout=printed, **options)
    return printed.getvalue()


def failure(*words: str, **options: Any) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run(*words, **options)
    return caught.value


def test_text_and_tool_calls_are_shown_as_they_come(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [
        calls("mark_overdue_invoice", marks(sent), saying="It is past its date."),
        says("It is marked overdue now."),
    ]
    lines = run("billing.invoice", "Mark it", user="alice", agent="tests.chaser").splitlines()
    assert lines[0] == "It is past its date."
    assert lines[1] == f'→ mark_overdue_invoice(id="{sent.pk}", expected_state="sent")'
    assert lines[2].startswith("← {")
    assert '"success": true' in lines[2]
    assert lines[3] == "It is marked overdue now."
    assert len(lines) == 4
    assert steps(sent) == ["created", "send_invoice", "mark_overdue"]
    made = AgentRun.objects.get()
    assert (made.surface, made.user) == ("command", alice)


def test_a_refusal_is_shown_with_its_reason(
    fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice
) -> None:
    fake.script += [calls("get_invoice", {"id": "0"}), says("Nothing.")]
    assert "← not_found: There is no such record" in run(
        "billing.invoice", "Look", user="alice", agent="tests.chaser"
    )


def test_one_document_says_everything(fake: FakeAnthropic, chaser: Any, alice: Any, sent: Invoice) -> None:
    fake.script += [
        calls("mark_overdue_invoice", marks(sent)),
        says("Done.", input_tokens=90, output_tokens=4),
    ]
    document = json.loads(run("billing.invoice", "Mark it", "--json", user="alice", agent="tests.chaser"))
    assert document["status"] == "done"
    assert document["answer"] == "Done."
    assert document["agent"] == "tests.chaser"
    assert document["turns"] == 2
    [call] = document["calls"]
    assert (call["name"], call["arguments"]) == ("mark_overdue_invoice", marks(sent))
    assert call["result"]["success"] is True


def test_what_a_terminal_would_obey_is_taken_out(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    fake.script.append(says("\x1b[2J\x1b]0;owned\x07 safe \u202e txt\r"))
    printed = run("billing.invoice", "Tell", user="alice", agent="tests.chaser")
    assert "safe" in printed
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(printed)


def test_a_run_that_waits_ends_with_one(
    fake: FakeAnthropic, declare: Declaring, alice: Any, sent: Invoice
) -> None:
    declare(approval={**NEVER, "mark_overdue": "always"})
    fake.script.append(calls("mark_overdue_invoice", marks(sent)))
    error = failure("billing.invoice", "Mark it", user="alice", agent="tests.chaser")
    assert error.returncode == 1
    assert "waits: It waits for a person to decide." in str(error)


def test_a_run_that_is_switched_off_ends_with_one(chaser: Any, alice: Any, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"AGENTS_ENABLED": False}
    error = failure("billing.invoice", "Mark it", user="alice", agent="tests.chaser")
    assert (error.returncode, "Agents are switched off." in str(error)) == (1, True)


def test_a_run_that_fails_ends_with_two(fake: FakeAnthropic, chaser: Any, alice: Any) -> None:
    fake.script += [overloaded()] * 4
    error = failure("billing.invoice", "Mark it", user="alice", agent="tests.chaser")
    assert (error.returncode, "The model did not answer." in str(error)) == (2, True)


def test_without_a_key_the_remedy_is_shown(chaser: Any, alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "/nonexistent")
    assert "Set ANTHROPIC_API_KEY" in str(
        failure("billing.invoice", "Mark it", user="alice", agent="tests.chaser")
    )


@pytest.mark.parametrize(
    ("words", "options", "said"),
    [
        (("billing.nothing", "Hello"), {"user": "alice"}, "There is no agent 'billing.nothing'"),
        (("billing.invoice", "Hello"), {"user": "nobody"}, "No user has the key or the name “nobody”"),
        (("billing.invoice", "Hello"), {"user": "987654"}, "no user has the key 987654"),
        (("billing.invoice", "  "), {"user": "alice"}, "the prompt is empty"),
        (
            ("billing.contract", "Hello"),
            {"user": "alice", "agent": "tests.chaser"},
            "does not work on billing.contract",
        ),
        (
            ("billing.invoice", "Hello"),
            {"user": "alice", "agent": "tests.none"},
            "There is no agent 'tests.none'",
        ),
        (("billing.invoice", "Hello"), {"user": "gone"}, "deactivated"),
    ],
)
def test_wrong_arguments_are_said_in_words_and_end_with_two(
    chaser: Any, alice: Any, words: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    get_user_model().objects.create_user("gone", is_active=False)
    error = failure(*words, **options)
    assert error.returncode == 2
    assert said in str(error)
    assert not AgentRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_in_a_shell_it_is_interrupted_without_a_traceback(
    fake: FakeAnthropic, alice: Any, child_environment: Mapping[str, str]
) -> None:
    """The sample's own agent; the first Ctrl-C stops the run, which says so on record."""
    fake.script.append(says("word " * 20_000, pause=0.05))  # for minutes
    command = [sys.executable, "manage.py", "lifecycle_agent", "billing.invoice", "Write", "--user", "alice"]
    environment = {**child_environment, **fake.environment(), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert fake.streaming.wait(PATIENCE)
    assert process.stdout is not None
    process.stdout.read(10)
    os.kill(process.pid, 2)
    _, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, complaint
    assert "Somebody stopped it." in complaint
    assert "Traceback" not in complaint
    assert AgentRun.objects.get().stop_reason == "user"
