"""Lifecycles for Django models: a transition table, one way to change state, and a log that can be proven.

Everything except models is imported from here; models come from ``fsm_lifecycle.models``. Names are looked up
when they are asked for (PEP 562), so that importing the package before the apps are ready works.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.access.actors import System
    from fsm_lifecycle.access.current import acting_as
    from fsm_lifecycle.agents.actor import Agent
    from fsm_lifecycle.definition.branch import Branch
    from fsm_lifecycle.definition.business_hours import BusinessHours
    from fsm_lifecycle.definition.effects import effect, on_commit
    from fsm_lifecycle.definition.event import ANY, Event
    from fsm_lifecycle.definition.guards import guard
    from fsm_lifecycle.definition.retention import Retention
    from fsm_lifecycle.definition.role import CRUD, Role
    from fsm_lifecycle.definition.snapshot import Snapshot
    from fsm_lifecycle.definition.state import State
    from fsm_lifecycle.engine.adoption import adopting
    from fsm_lifecycle.engine.bulk import BulkResult
    from fsm_lifecycle.engine.decision import Decision
    from fsm_lifecycle.engine.effects import fires
    from fsm_lifecycle.engine.firing import Firing
    from fsm_lifecycle.engine.redacting import redact
    from fsm_lifecycle.exceptions import (
        AccessDenied,
        ActorRequired,
        ApprovalRequired,
        CauseLoop,
        DirectStateChange,
        GuardFailed,
        IdempotencyConflict,
        InvalidArguments,
        InvalidDefinition,
        InvalidGrant,
        InvalidHold,
        InvalidTransition,
        LifecycleError,
        NotEligible,
        ProtectionOutdated,
        StaleState,
        TerminalState,
        UnderLegalHold,
        UnknownEvent,
        UnsavedChanges,
    )
    from fsm_lifecycle.operations import RemapState

__version__ = "0.1.0"

_HOMES = {
    "fsm_lifecycle.access.actors": ("System",),
    "fsm_lifecycle.access.current": ("acting_as",),
    "fsm_lifecycle.agents.actor": ("Agent",),
    "fsm_lifecycle.definition": (
        "ANY", "CRUD", "Branch", "BusinessHours", "Event", "Retention", "Role", "Snapshot", "State", "effect", "guard",
        "on_commit",
    ),
    "fsm_lifecycle.engine.adoption": ("adopting",),
    "fsm_lifecycle.engine.bulk": ("BulkResult",),
    "fsm_lifecycle.engine.decision": ("Decision",),
    "fsm_lifecycle.engine.effects": ("fires",),
    "fsm_lifecycle.engine.firing": ("Firing",),
    "fsm_lifecycle.engine.redacting": ("redact",),
    "fsm_lifecycle.operations": ("RemapState",),
    "fsm_lifecycle.exceptions": (
        "AccessDenied", "ActorRequired", "ApprovalRequired", "CauseLoop", "DirectStateChange", "GuardFailed",
        "IdempotencyConflict", "InvalidArguments", "InvalidDefinition", "InvalidGrant", "InvalidHold",
        "InvalidTransition", "LifecycleError", "NotEligible", "ProtectionOutdated", "StaleState", "TerminalState",
        "UnderLegalHold", "UnknownEvent", "UnsavedChanges",
    ),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ANY",
    "CRUD",
    "AccessDenied",
    "ActorRequired",
    "Agent",
    "ApprovalRequired",
    "Branch",
    "BulkResult",
    "BusinessHours",
    "CauseLoop",
    "Decision",
    "DirectStateChange",
    "Event",
    "Firing",
    "GuardFailed",
    "IdempotencyConflict",
    "InvalidArguments",
    "InvalidDefinition",
    "InvalidGrant",
    "InvalidHold",
    "InvalidTransition",
    "LifecycleError",
    "NotEligible",
    "ProtectionOutdated",
    "RemapState",
    "Retention",
    "Role",
    "Snapshot",
    "StaleState",
    "State",
    "System",
    "TerminalState",
    "UnderLegalHold",
    "UnknownEvent",
    "UnsavedChanges",
    "acting_as",
    "adopting",
    "effect",
    "fires",
    "guard",
    "on_commit",
    "redact",
]


if not TYPE_CHECKING:  # a type checker would take every name for Any

    def __getattr__(name: str) -> Any:
        home = _HOME_OF.get(name)
        if home is not None:
            return getattr(import_module(home), name)
        raise AttributeError(f"module 'fsm_lifecycle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
