"""The new app, tried out in a process of its own with the host's settings: it is checked, and gives its migration.

Must not know how the files came to be, nor what is looked at there: ``rehearsal`` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.problems import Refused

_BOOT: Final = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from fsm_lifecycle.generator.rehearsal import answer; answer(job)"
)
INITIAL: Final = "0001_initial"


def try_out(app: Blueprint, stage: Path) -> str:
    """The text of the first migration of the app in ``stage``. Raises ``Refused`` for what Django finds wrong."""
    reply = stage / "reply.json"
    job = {
        "path": [entry or os.getcwd() for entry in sys.path],  # noqa: PTH109
        "stage": str(stage),
        "module": app.module,
        "label": app.label,
        "reply": str(reply),
    }
    done = subprocess.run(  # noqa: S603 - Python itself, with code of our own
        [sys.executable, "-c", _BOOT],
        input=json.dumps(job),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not reply.exists():
        last = done.stderr.strip().splitlines()[-1:] or ["It said nothing."]
        raise Refused([f"The app could not be tried out with your settings. {last[0]}"])
    told: dict[str, Any] = json.loads(reply.read_text(encoding="utf-8"))
    reply.unlink()
    if told["problems"]:
        raise Refused(told["problems"])
    return str(told["migration"])
