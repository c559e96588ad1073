"""Whether an actor may fire an event, roles apart from everything else.

This version enforces no roles yet. A table that declares some is denied to everybody but ``System`` and
superusers, so that a role never promises protection that is not there. Must not know states or guards.
"""

from __future__ import annotations

from typing import Any

from fsm_lifecycle.access.actors import System, identify, is_user
from fsm_lifecycle.definition import Table


def denial_reason(table: Table, actor: Any) -> str:
    """Why ``actor`` may not fire events of this table; empty when it may."""
    if isinstance(actor, System):
        return ""
    if not is_user(actor):
        identify(actor)  # raises, and says what an actor is
    if not actor.is_authenticated:
        return "Log in first. Anonymous visitors change nothing."
    if not actor.is_active:
        return f"The account “{actor}” is deactivated."
    if table.roles and not getattr(actor, "is_superuser", False):
        return "This lifecycle declares roles, and nobody holds one: roles cannot be granted in this version."
    return ""


def may_read_all(table: Table, user: Any) -> bool:
    """Whether ``user`` may read every record: without roles, any active, authenticated user may."""
    return not denial_reason(table, user)
