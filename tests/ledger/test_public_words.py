"""The ledger's public names, documents and finding codes are those that were promised, to the letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.state import ProjectState
from django.test import override_settings

from fsm_lifecycle import RemapState, redact
from fsm_lifecycle.engine.purging import purge
from fsm_lifecycle.ledger.entry import KINDS
from fsm_lifecycle.ledger.finding import MEANINGS
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.ledger import ledger_to_damage, mutations
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ROOT = Path(__file__).resolve().parent.parent.parent
CODES = """
    ENTRY_HASH PREV_MISMATCH SEQUENCE_GAP HEAD_MISMATCH STATE_DIVERGED ILLEGAL_TRANSITION RECORD_MISSING
    BODY_MISMATCH BODY_MISSING DANGLING_CAUSE DEFINITION_MISMATCH DEFINITION_MISSING NOT_SEALED
    LEAF_WITHOUT_ENTRY ROOT_MISMATCH CHECKPOINT_SIGNATURE CHECKPOINT_FORK PROTECTION_MISSING
""".split()
NAMES = {
    "fsm_lifecycle": ["RemapState", "redact", "ProtectionOutdated"],
    "fsm_lifecycle.models": [
        *(
            "TransitionLog",
            "LifecycleDefinition",
            "LogLeaf",
            "LogTile",
            "Checkpoint",
            "DailyCount",
            "ArchivedEntry",
        ),
    ],
}
JSON_COMMANDS = {
    "lifecycle_verify": ["--deep", "--format", "json"],
    "lifecycle_seal": ["--once", "--json"],
    "lifecycle_key": ["show", "--json"],
    "lifecycle_redact": ["--person", "1", "--reason", "x", "--dry-run", "--json"],
    "lifecycle_report": ["--json"],
    "lifecycle_doctor": ["--json"],
}


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    """A ledger with an entry of every kind, sealed and signed."""
    with override_settings(FSM_LIFECYCLE=ledger_to_damage.settings(tmp_path)):
        built = ledger_to_damage.build(tmp_path)
        state: Any = ProjectState.from_apps(apps)
        editor: Any = SimpleNamespace(connection=connection)
        RemapState("testapp.Light", {"on": "off"}).database_forwards("testapp", editor, state, state)
        purge(Light.objects.create(name="to be purged"), reason="kept long enough", by=ACTOR)
        seal()
        yield built


def document(command: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """What a command wrote, which must be one document and nothing else."""
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command(command, *arguments, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
    assert "\r" not in out.getvalue() + err.getvalue(), "a progress bar where there is no terminal"
    return code, json.loads(out.getvalue())


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names]
)
def test_what_was_promised_can_be_imported(module: str, name: str) -> None:
    assert getattr(import_module(module), name).__name__ == name


def test_the_codes_of_findings_are_those_promised_and_each_can_be_found(ledger: Any) -> None:
    assert sorted(MEANINGS) == sorted(CODES)
    damages = {code for one in mutations.all_of(ledger, 1) for code, _, _ in one.expected}
    assert damages == set(CODES) - {"PROTECTION_MISSING"}


def test_a_whole_ledger_as_json(ledger: Any) -> None:
    code, found = document("lifecycle_verify", "--deep", "--format", "json")
    assert (code, list(found)) == (0, ["whole", "checked", "not_checked", "findings"])
    assert (found["whole"], found["findings"], found["not_checked"]) == (True, [], [])
    code, found = document("lifecycle_verify", "--format", "json")
    assert (code, found["whole"]) == (0, True)
    assert any(sentence.startswith("Bodies, ") for sentence in found["not_checked"])


def test_findings_as_json(ledger: Any) -> None:
    with unprotected(connection):
        ledger_to_damage.execute(
            f"UPDATE {mutations.LOG} SET actor_id = 'x' WHERE model_label = 'testapp.light' AND sequence = 2"
        )
    code, found = document("lifecycle_verify", "--format", "json")
    assert (code, found["whole"]) == (1, False)
    assert found["findings"]
    for finding in found["findings"]:
        assert list(finding) == ["code", "record", "sequence", "expected", "found"]
    assert {"code": "ENTRY_HASH", "record": ledger.redacted[0], "sequence": 2} in [
        {key: finding[key] for key in ("code", "record", "sequence")} for finding in found["findings"]
    ]


@pytest.mark.parametrize("command", JSON_COMMANDS)
@pytest.mark.parametrize("damaged", [False, True])
def test_every_command_writes_one_document(command: str, damaged: bool, ledger: Any) -> None:
    if damaged:
        with unprotected(connection):
            ledger_to_damage.execute(
                f"UPDATE {mutations.LOG} SET to_state = 'x', body = 'x', recorded_at = '2020-01-01'"
            )
    code, found = document(command, *JSON_COMMANDS[command])
    assert isinstance(found, dict)
    assert code in ((0, 1) if damaged else (0,))


# --- proofs -------------------------------------------------------------------------------------------------


def judged_elsewhere(bundle: str, keys: Path, folder: Path) -> tuple[int, str]:
    """The standalone verifier in another folder, where Django cannot be imported."""
    (folder / "elsewhere").mkdir(exist_ok=True)
    (folder / "elsewhere" / "bundle.json").write_text(bundle, encoding="utf-8")
    (folder / "without").mkdir(exist_ok=True)
    (folder / "without" / "django.py").write_text("raise ImportError('there is no Django here')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "without"), str(ROOT)])}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-m", "fsm_lifecycle.ledger.verifier", "bundle.json", "--key", str(keys)],
        cwd=folder / "elsewhere",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_entry_of_each_kind_is_proven_to_whoever_has_neither_django_nor_the_database(
    ledger: Any, tmp_path: Path
) -> None:
    entries = {entry.kind: entry for entry in TransitionLog.objects.order_by("id")}
    assert set(entries) == set(KINDS)
    for kind, entry in entries.items():
        code, bundle = document("lifecycle_prove", entry.entry_hash, "-o", "-")
        assert code == 0
        content = "digests" if '"redacted":' in entry.body else "body"
        assert list(bundle) == ["v", "entry", content, "leaf_index", "inclusion", "checkpoint"]
        assert set(bundle["entry"]) == {
            *(
                "v",
                "model",
                "pk",
                "seq",
                "kind",
                "event",
                "from",
                "to",
                "at",
                "occurred",
                "actor",
                "definition",
            ),
            *("compensating", "cause", "prev", "body"),
        }
        code, said = judged_elsewhere(json.dumps(bundle), tmp_path / "key.pub", tmp_path)
        assert code == 0, (kind, said)
        assert entry.entry_hash in said
    bundle["entry"]["to"] = "somewhere else"
    assert judged_elsewhere(json.dumps(bundle), tmp_path / "key.pub", tmp_path)[0] == 1
    assert judged_elsewhere("{", tmp_path / "key.pub", tmp_path)[0] == 2
    assert judged_elsewhere("{}", tmp_path / "nosuch", tmp_path)[0] == 2


def test_redact_is_public_and_says_what_it_did(ledger: Any) -> None:
    entry = TransitionLog.objects.filter(kind="adopted").latest("id")
    said = redact(entry, ["actor"], reason="asked for", by=ACTOR)
    assert said is not None
    assert said.kind == "redaction"
    assert (said.from_state, said.to_state) in ((None, None), (entry.to_state, entry.to_state))
    assert said.arguments == {"entry": entry.entry_hash, "fields": ["actor"]}
