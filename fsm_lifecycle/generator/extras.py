"""What a flag adds to an app, one module for each: its files, and what the model says beside them.

Those named here belong to parts of the package that are not there yet. A part that comes takes its flag out of
``TO_COME`` and puts a module beside this one. Must not know the other files.
"""

from __future__ import annotations

from typing import Final

#: Flag → the part that brings it.
TO_COME: Final = {
    "api": "the REST API, which comes with fsm_lifecycle.api",
    "agent": "agents, which come with fsm_lifecycle.agents",
}


def refusals(asked: dict[str, bool]) -> list[str]:
    """What is said of flags that this version cannot serve."""
    return [
        f"--{flag} needs {part}. This version does not have that part; leave --{flag} out."
        for flag, part in TO_COME.items()
        if asked.get(flag)
    ]
