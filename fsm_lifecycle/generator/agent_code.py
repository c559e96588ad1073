"""Owns what ``--agent`` writes: the app's ``agents.py``, and a test of it. Must not know the other files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_lifecycle.generator import code
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.extra import Extra, Fill


def _files(app: Blueprint, fill: Fill) -> Mapping[str, str]:
    fields = ['"label"', *(f'"{field.name}"' for field in app.fields)]
    listed = code.listing("fields = ", fields, 4).partition("= ")[2]
    return {
        "agents.py": fill("agents.py", fields=listed),
        "tests/test_agent.py": fill("tests/test_agent.py", tool=app.model.lower()),
    }


EXTRA: Final = Extra(help="also write agents.py: an agent that works on the records for a user", files=_files)
