"""An awkward host: markup in every label, keys that are addresses, thirty states, no record at all, and nonsense sent.

The host runs in a process of its own, so that its models stay out of the suite's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.once, pytest.mark.pure, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def visit() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.odd.visit"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.acceptance.odd.settings", "DATABASE": "sqlite"},
        capture_output=True,
        text=True,
        timeout=800,  # it takes half a minute, where nobody else works
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["visited"] > 150
    return found


@pytest.mark.parametrize(
    "subject",
    [
        "breaks",
        "markup",
        "unescaped",
        "hidden events",
        "hidden values",
        "keys",
        "dead links",
    ],
)
def test_nothing_is_wrong_with(subject: str, visit: dict[str, Any]) -> None:
    assert visit["faults"].get(subject, []) == []
