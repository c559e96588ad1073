"""How the ledger's commands behave when something about the call, the settings or the database is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tests.acting import ACTOR
from tests.management.calling import run
from tests.testapp.models import Light

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HASH = "a" * 64

#: One call of each command that touches the database, by name.
CALLS = {
    "seal": ["lifecycle_seal", "--once"],
    "seal --json": ["lifecycle_seal", "--once", "--json"],
    "verify": ["lifecycle_verify"],
    "verify, json": ["lifecycle_verify", "--deep", "--format", "json"],
    "verify a record": ["lifecycle_verify", "--record", "testapp.light:1"],
    "replay": ["lifecycle_replay", "testapp.light"],
    "prove": ["lifecycle_prove", HASH, "-o", "-"],
    "redact an entry": ["lifecycle_redact", "--entry", HASH, "--fields", "actor", "--reason", "x"],
    "redact a record": ["lifecycle_redact", "--record", "testapp.light:1", "--reason", "x", "--json"],
    "redact a person": ["lifecycle_redact", "--person", "1", "--reason", "x"],
    "export": ["lifecycle_export", "-o", "-"],
    "report": ["lifecycle_report", "--json"],
    "key": ["lifecycle_key", "show"],
}
#: Those that need no table, and those that need no setting.
WITHOUT_TABLES = {"key"}
WITHOUT_SETTINGS = {"export", "replay"}


@pytest.mark.parametrize("call", sorted(CALLS.keys() - WITHOUT_TABLES))
def test_before_migrate_the_remedy_is_named(call: str, bare: str) -> None:
    code, out, err = run(*CALLS[call], "--database", bare)
    assert (code, out) == (2, "")
    assert "migrate --database bare" in err
    assert "no such table" not in err
    assert "Traceback" not in err


def test_an_import_before_migrate_names_the_remedy(bare: str, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    assert run("lifecycle_export", "-o", str(file))[0] == 0
    code, out, err = run("lifecycle_import_archive", str(file), "--database", bare)
    assert (code, out) == (2, "")
    assert "migrate --database bare" in err


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("extra", [["--bogus"], ["superfluous"], ["--database", "nosuch"]])
def test_arguments_that_nobody_knows_are_refused_before_anything_happens(
    call: str, extra: list[str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        code, out, err = run(*CALLS[call], *extra)
    assert (code, out) == (2, "")
    assert extra[-1] in err
    assert "Traceback" not in err


@pytest.mark.parametrize("call", sorted(CALLS.keys() - WITHOUT_SETTINGS))
def test_settings_that_are_wrong_end_a_command_with_2(call: str) -> None:
    with override_settings(FSM_LIFECYCLE={"LEDGER_CHECKPOINT_DIR": 5}):
        code, out, err = run(*CALLS[call])
    assert (code, out) == (2, "")
    assert "LEDGER_CHECKPOINT_DIR" in err or "its folder" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "key", [5, "", "no/such/key", "tests.no_such.key", "tests.management.test_manners.HASH"]
)
def test_a_key_that_is_none_ends_in_words(key: object) -> None:
    Light.objects.create()
    with override_settings(FSM_LIFECYCLE={"LEDGER_KEY": key}):
        for call in ("seal", "verify", "key"):
            code, _, err = run(*CALLS[call])
            assert code == (0 if key == "" else 2), (call, err)
            assert ("LEDGER_KEY" in err or "no/such/key" in err) == (key != ""), (call, err)
            assert "Traceback" not in err


@pytest.mark.parametrize(
    "call",
    [
        ["lifecycle_seal", "--once", "--adopt", "{}"],
        ["lifecycle_verify", "--against", "{}"],
        ["lifecycle_import_archive", "{}"],
    ],
)
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "binary", "text"])
def test_a_file_that_cannot_be_read_is_named(call: list[str], kind: str, tmp_path: Path) -> None:
    file = tmp_path / kind
    if kind == "folder":
        file.mkdir()
    elif kind != "missing":
        file.write_bytes({"empty": b"", "binary": bytes(range(128, 256)), "text": b"hello\n"}[kind])
    code, out, err = run(*(part.format(file) for part in call))
    assert (code, out) == (2, "")
    assert kind in ("empty", "text") or str(file) in err
    assert "Errno" not in err
    assert "codec" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize("call", [["lifecycle_export", "-o"], ["lifecycle_prove", HASH, "-o"]])
@pytest.mark.parametrize("place", ["folder", "folder/missing/file", ""])
def test_a_file_that_cannot_be_written_is_named(call: list[str], place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    if call[0] == "lifecycle_prove":
        call = ["lifecycle_prove", sealed_entry(), "-o"]
    target = str(tmp_path / place) if place else ""
    code, out, err = run(*call, target)
    assert (code, out) == (2, "")
    assert f"“{target}”" in err
    assert "Errno" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def sealed_entry() -> str:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    assert run("lifecycle_seal", "--once")[0] == 0
    return str(light.log.get(sequence=2).entry_hash)


def test_an_export_does_not_take_the_place_of_a_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert run("lifecycle_export", "-o", str(pipe))[0] == 0
        assert reader.communicate()[0].startswith(b'{"type":"header"')
    assert pipe.is_fifo()


def test_a_hash_may_be_pasted_as_it_comes() -> None:
    pasted = f" {sealed_entry().upper()}\n"
    code, out, _ = run("lifecycle_prove", pasted, "-o", "-")
    assert code == 0
    assert out.startswith("{")


# --- as processes -------------------------------------------------------------------------------------------


def process(body: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A command whose work is replaced by ``body``."""
    program = (
        "import django; django.setup()\n"
        "from fsm_lifecycle.management.command import LifecycleCommand\n"
        "class Command(LifecycleCommand):\n"
        "    def handle(self, *args, **options):\n"
        f"        {body}\n"
        "Command().run_from_argv(['manage.py', 'slow', '--skip-checks'])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def environment() -> Mapping[str, str]:
    root = Path(__file__).resolve().parent.parent.parent
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(root)}


@pytest.mark.parametrize(
    "body", ["[self.stdout.write('x' * 99) for _ in range(99_999)]", "self.stdout.write('x')"]
)
def test_who_stops_reading_gets_no_traceback(body: str, environment: Mapping[str, str]) -> None:
    with process(body, environment) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()  # as `| head` does
        assert command.stderr.read() == b""
    assert command.returncode == 2


def test_who_stops_a_command_gets_no_traceback(environment: Mapping[str, str]) -> None:
    body = "self.stdout.write('begun'); self.stdout.flush(); __import__('time').sleep(60)"
    with process(body, environment) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"begun\n"
        time.sleep(0.1)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=120)
    assert command.returncode == 2
    assert err.strip() == b"Interrupted."
