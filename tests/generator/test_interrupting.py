"""Interrupted in the middle, or failing there, the command leaves nothing: no file, no half edit, no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fsm_lifecycle.generator import laying
from fsm_lifecycle.generator.laying import Edit
from tests.generator.host import Host

pytestmark = [pytest.mark.once, pytest.mark.pure]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_at_work_leaves_nothing(host: Host, number: signal.Signals) -> None:
    before = host.snapshot()
    command = [sys.executable, "manage.py", "startfsmapp", "invoice", "--install"]
    running = subprocess.Popen(
        command, cwd=host.folder, env=host.environment, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not any(path.name.startswith(".invoice-") for path in host.folder.iterdir()):
        assert running.poll() is None, "It was done before it could be interrupted."
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.send_signal(number)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 2
    assert b"Interrupted." in said
    assert b"Traceback" not in said
    assert host.snapshot() == before
    assert not any(path.name.startswith(".") for path in host.folder.iterdir())


@pytest.fixture
def laid_out(tmp_path: Path) -> tuple[Path, Path, list[Edit]]:
    """A folder in which an app is staged, and three edits: of two files and of one that is not there."""
    target = tmp_path / "invoice"
    stage = tmp_path / ".stage"
    laying.write(stage / "invoice", {"models.py": "new"})
    (tmp_path / "settings.py").write_text("old settings")
    (tmp_path / "urls.py").write_text("old urls")
    (tmp_path / "urls.py").chmod(0o640)
    edits = [
        Edit(tmp_path / "settings.py", "old settings", "new settings"),
        Edit(tmp_path / "AGENTS.md", None, "new"),
        Edit(tmp_path / "urls.py", "old urls", "new urls"),
    ]
    return stage, target, edits


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def failing(at: int, failure: Callable[[], None]) -> Callable[[Path, str], None]:
    """`_replace` that fails at one of its calls; those before and after it are real."""
    real, calls = laying._replace, iter(range(100))

    def replace(path: Path, text: str) -> None:
        if next(calls) == at:
            failure()
        real(path, text)

    return replace


def disk_full() -> None:
    raise OSError(28, "No space left on device")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("there_already", [False, True])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("failure", [disk_full, interrupt])
def test_what_was_done_before_a_failure_is_taken_back(
    laid_out: tuple[Path, Path, list[Edit]],
    monkeypatch: pytest.MonkeyPatch,
    failure: Callable[[], None],
    at: int,
    there_already: bool,
) -> None:
    stage, target, edits = laid_out
    if there_already:
        laying.write(target, {"models.py": "old"})
    before = texts(target.parent)
    monkeypatch.setattr(laying, "_replace", failing(at, failure))
    with pytest.raises((OSError, KeyboardInterrupt)):
        laying.put_in_place(stage, target, edits)
    assert texts(target.parent) == before
    assert target.exists() == there_already
    if there_already:
        assert texts(target) == {"models.py": "old"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_when_nothing_fails_everything_is_there(laid_out: tuple[Path, Path, list[Edit]]) -> None:
    stage, target, edits = laid_out
    laying.write(target, {"models.py": "old"})
    laying.put_in_place(stage, target, edits)
    assert texts(target.parent) == {"settings.py": "new settings", "AGENTS.md": "new", "urls.py": "new urls"}
    assert texts(target) == {"models.py": "new"}
    assert (target.parent / "urls.py").stat().st_mode & 0o777 == 0o640
