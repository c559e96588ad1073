"""What make demo shows of the ledger: it is sealed and whole, and tampering with a copy of it is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.once


def manage(folder: Path, *arguments: str) -> str:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "sample_project.settings",
        "SAMPLE_DB": "sqlite",
        "SAMPLE_DB_NAME": str(folder / "demo.sqlite3"),
        "SAMPLE_LEDGER": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tampering_with_a_copy_is_found_and_the_original_stays_whole(tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "--verbosity", "0")
    manage(tmp_path, "load_helpdesk", "--limit", "40")
    manage(tmp_path, "lifecycle_key", "new", "--path", str(tmp_path / "ledger.key"))
    assert "signed" in manage(tmp_path, "lifecycle_seal", "--once")

    told = manage(tmp_path, "demo_tamper")

    refused, _, found = told.partition("An owner of the database")
    assert refused.count("fsm_lifecycle: ") == 3
    rows = [line.split() for line in found.splitlines() if line.startswith("  ")]
    codes = [word for row in rows for word in row if word.isupper() and "_" in word]
    assert codes == [
        "STATE_DIVERGED",
        "ENTRY_HASH",
        "SEQUENCE_GAP",
        "PREV_MISMATCH",
        "ILLEGAL_TRANSITION",
        "LEAF_WITHOUT_ENTRY",
        "LEAF_WITHOUT_ENTRY",
    ]
    assert "nothing" not in found
    assert "is whole" in manage(tmp_path, "lifecycle_verify", "--deep")
