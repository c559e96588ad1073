"""``manage.py lifecycle_seal``: what it says, how it ends, and how it is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections

from fsm_lifecycle.interrupting import interruptible
from fsm_lifecycle.ledger import keys, sealer, sealing
from fsm_lifecycle.ledger.sealer import Sealer
from fsm_lifecycle.models import Checkpoint, LogLeaf, TransitionLog
from tests.conftest import ROOT
from tests.ledger.test_sealing import damage, lights
from tests.ledger.whole_tree import faults
from tests.testapp.models import Light


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = 0
        capsys.readouterr()
        try:
            call_command("lifecycle_seal", *arguments)
        except CommandError as error:
            sys.stderr.write(str(error))
            code = error.returncode
        return (code, *capsys.readouterr())

    return command


Run = Callable[..., tuple[int, str, str]]


@pytest.mark.django_db
def test_once_says_what_it_did_and_that_nothing_is_signed(run: Run) -> None:
    lights(3)
    code, out, err = run("--once")
    assert (code, err) == (0, "")
    made = Checkpoint.objects.get()
    assert "Sealed 3; the tree has 3 entries." in out
    assert f"Checkpoint of 3 entries, root {made.root_hash}, unsigned" in out
    assert run("--once")[:2] == (0, "Sealed 0; the tree has 3 entries.\n")


@pytest.mark.django_db
def test_once_as_json_is_one_document(run: Run, settings: Any, tmp_path: Path) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_KEY": tmp_path / "key", "LEDGER_ORIGIN": "l.example"}
    keys.new_key(tmp_path / "key", "l.example")
    lights(3)
    code, out, err = run("--once", "--json")
    made = Checkpoint.objects.get()
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "sealed": 3,
        "tree_size": 3,
        "checkpoint": {"tree_size": 3, "root_hash": made.root_hash, "signed": True, "note": made.note},
        "skipped": [],
        "not_exported": [],
    }
    assert json.loads(run("--once", "--json")[1])["checkpoint"] is None


@pytest.mark.django_db
def test_what_was_skipped_is_a_finding(run: Run) -> None:
    light = lights(2, "switch_on")[0]
    damage(TransitionLog.objects.get(object_pk=light.pk, sequence=2), "actor_id", "x")
    code, out, err = run("--once", "--json")
    assert code == 1
    assert f"testapp.light:{light.pk} #2" in err
    [skipped] = json.loads(out)["skipped"]
    assert (skipped["record"], skipped["sequence"], skipped["reason"]) == (
        f"testapp.light:{light.pk}",
        2,
        "entry_hash",
    )


def to_nowhere(checkpoint: Checkpoint) -> None:
    raise OSError("the network is gone")


@pytest.mark.django_db
def test_what_was_not_exported_is_a_finding(run: Run, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_EXPORT": [f"{__name__}.to_nowhere"]}
    lights(1)
    code, out, err = run("--once", "--json")
    assert code == 1
    assert "the network is gone" in err
    assert json.loads(out)["not_exported"]
    assert json.loads(out)["sealed"] == 1


@pytest.mark.django_db
def test_a_tree_without_its_checkpoint_outside_is_refused_until_one_is_adopted(
    run: Run, settings: Any, tmp_path: Path
) -> None:
    lights(2)
    assert run("--once")[0] == 0
    settings.FSM_LIFECYCLE = {"LEDGER_CHECKPOINT_DIR": tmp_path / "kept"}
    lights(1)
    code, out, err = run("--once", "--json")
    assert (code, out) == (2, "")
    assert "--adopt" in err
    note = Checkpoint.objects.get().note
    assert note in err
    assert LogLeaf.objects.count() == 2
    (tmp_path / "trusted.note").write_text(note)
    assert run("--once", "--adopt", str(tmp_path / "trusted.note"))[0] == 0
    assert LogLeaf.objects.count() == 3
    assert run("--once")[0] == 0


@pytest.mark.django_db
def test_what_cannot_be_adopted_is_refused(run: Run, settings: Any, tmp_path: Path) -> None:
    assert run("--once", "--adopt", str(tmp_path / "none"))[0] == 2
    (tmp_path / "bytes").write_bytes(b"\xff")
    settings.FSM_LIFECYCLE = {"LEDGER_CHECKPOINT_DIR": tmp_path}
    code, _, err = run("--once", "--adopt", str(tmp_path / "bytes"))
    assert code == 2
    assert err


@pytest.mark.django_db
def test_a_key_that_cannot_be_read_is_refused(run: Run, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_KEY": "/nowhere/key"}
    code, _, err = run("--once")
    assert code == 2
    assert "/nowhere/key" in err


@pytest.mark.parametrize(
    "arguments",
    [["--database", "none"], ["--every", "0"], ["--every", "x"], ["--checkpoint-every", "1e9"], ["--x"]],
)
def test_unknown_arguments_are_refused(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "lifecycle_seal", *arguments],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr


@pytest.mark.django_db(databases=["default", "other"])
def test_another_database(run: Run) -> None:
    Light.objects.using("other").create()
    lights(1)
    assert "Sealed 1;" in run("--once", "--database", "other")[1]
    assert LogLeaf.objects.count() == 0


# --- going on -----------------------------------------------------------------------------------------------


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.django_db(transaction=True)
def test_it_goes_on_until_it_is_told_to_end(child_environment: Mapping[str, str], number: int) -> None:
    lights(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "lifecycle_seal", "--every", "0.05", "--json"],
        env=child_environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: LogLeaf.objects.count() == 2)
        lights(3)
        wait_for(lambda: LogLeaf.objects.count() == 5)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    document = json.loads(out)
    assert (document["sealed"], document["tree_size"], document["checkpoint"]["tree_size"]) == (5, 5, 5)
    assert faults() == []


@pytest.mark.django_db
def test_checkpoints_are_made_now_and_then_and_at_the_end() -> None:
    at_work = Sealer("default", every=0.001, checkpoint_every=1000)
    passes: list[int] = []

    def tell(result: Any) -> None:
        passes.append(result.tree_size)
        if len(passes) == 4:
            at_work.stop()
        elif len(passes) < 4:
            lights(1)

    lights(1)
    at_work.run(tell, pytest.fail)
    sizes = list(Checkpoint.objects.order_by("pk").values_list("tree_size", flat=True))
    assert sizes == [1, 4]
    assert passes == [1, 2, 3, 4, 4]
    assert at_work.tally.sealed == 4


@pytest.mark.django_db
def test_a_database_that_is_away_for_a_while_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, fails = sealing.seal, iter([True, True, False])
    at_work = Sealer("default", every=0.001)

    def seal(*args: Any, **kwargs: Any) -> Any:
        if next(fails, False):
            raise OperationalError("server closed the connection")
        return plain(*args, **kwargs)

    monkeypatch.setattr(sealer, "seal", seal)
    monkeypatch.setattr(type(connections["default"]), "close", lambda self: None)
    warnings: list[str] = []
    lights(1)
    at_work.run(lambda result: at_work.stop(), warnings.append)
    assert len(warnings) == 1
    assert at_work.tally.sealed == 1


def test_a_second_signal_does_not_wait() -> None:
    told: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible(lambda: told.append(1)):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert told == [1]
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_no_signal_is_touched() -> None:
    seen: list[Any] = []

    def inside() -> None:
        with interruptible(lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]
