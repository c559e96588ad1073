"""Who acts, and what they may do.

Owns actors, the current actor, roles on top of ``auth`` and django-guardian, and the access events. It must not
know the engine or HTTP. Names are looked up when they are asked for, because models cannot be imported before the
apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.access.backend import LifecycleBackend
    from fsm_lifecycle.access.delegations import delegate, revoke_delegation
    from fsm_lifecycle.access.grants import grant_role, revoke_role, roles_of
    from fsm_lifecycle.access.policy import authorize
    from fsm_lifecycle.access.visibility import who_can

_HOME_OF = {
    "LifecycleBackend": "backend",
    "authorize": "policy",
    "delegate": "delegations",
    "grant_role": "grants",
    "revoke_delegation": "delegations",
    "revoke_role": "grants",
    "roles_of": "grants",
    "who_can": "visibility",
}

__all__ = [
    "LifecycleBackend",
    "authorize",
    "delegate",
    "grant_role",
    "revoke_delegation",
    "revoke_role",
    "roles_of",
    "who_can",
]

if not TYPE_CHECKING:  # a type checker would take every name for Any

    def __getattr__(name: str) -> Any:
        if name in _HOME_OF:
            return getattr(import_module(f"fsm_lifecycle.access.{_HOME_OF[name]}"), name)
        raise AttributeError(f"module 'fsm_lifecycle.access' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
