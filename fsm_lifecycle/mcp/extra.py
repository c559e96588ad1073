"""Owns whether the SDK of the protocol is installed, and what is said where it is not. Must not import it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from fsm_lifecycle.exceptions import LifecycleError

INSTALL: Final = "pip install 'fsm-lifecycle[mcp]'"
MISSING: Final = f"MCP needs the package “mcp”, version 2 or later. Run: {INSTALL}"


class ExtraMissing(LifecycleError):
    """The extra ``[mcp]`` is not installed."""

    code = "extra_missing"


def is_installed() -> bool:
    """Whether the SDK is there, in a version that is of use: ``mcp_types`` came with version 2."""
    return find_spec("mcp") is not None and find_spec("mcp_types") is not None


def need() -> None:
    """Raise ``ExtraMissing`` where the SDK is not installed."""
    if not is_installed():
        raise ExtraMissing(MISSING)
