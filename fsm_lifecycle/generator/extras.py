"""What flags add to an app, one module for each: its files, and what the model says beside them.

A flag puts a module beside this one and its ``Extra`` into ``EXTRAS``. Must not know the other files.
"""

from __future__ import annotations

from typing import Final

from fsm_lifecycle.generator import agent_code, api_code
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.extra import Extra

#: Flag → what it adds.
EXTRAS: Final[dict[str, Extra]] = {
    "api": api_code.EXTRA,
    "agent": agent_code.EXTRA,
}


def wanted(app: Blueprint) -> list[Extra]:
    """What was asked for."""
    return [extra for flag, extra in EXTRAS.items() if flag in app.flags]
