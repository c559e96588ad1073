"""The tools of agents for other programs, over the Model Context Protocol (https://modelcontextprotocol.io).

``path("", include("fsm_lifecycle.mcp.urls"))`` serves ``/mcp``, ``manage.py lifecycle_mcp`` standard input and output.
Must not evaluate rules, nor check arguments: every call goes through ``agents.dispatch``. The SDK (extra ``[mcp]``) is
imported where it is used, so that the rest loads without it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["create_token"]


def create_token(user: Any, agent: Any = None, days: int | None = 90, *, label: str = "") -> str:
    """Make a token with which a program calls an agent's tools over ``/mcp`` as ``user``, and return its text.

    The text is not kept and cannot be shown again; who has it may do what the agent may do for the user.

    ``agent``: a ``LifecycleAgent``, a model with a lifecycle, or an agent's key as text; ``None`` for the tools of
    every lifecycle. ``days``: how long the token lasts; ``None`` until it is revoked. ``label``: what its owner calls
    it. Raises ``LookupError`` for an agent there is none of, ``ActorRequired`` for somebody who is no saved user,
    ``ValueError`` for days that are no number, and ``AccessDenied`` in an agent's tool.
    """
    from fsm_lifecycle.mcp.tokens import create

    return create(user, agent, days, label=label)[1]
