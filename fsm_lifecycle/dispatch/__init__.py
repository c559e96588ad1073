"""Do this after the commit, reliably.

Owns durable work, leases, periodic routines, and the modes in which they run: a thread in this process, Celery, a
command, inline, Django's own tasks. It must not know what the work is, nor HTTP. Names are looked up when they are
asked for, because models cannot be imported before the apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.dispatch.enqueuing import enqueue
    from fsm_lifecycle.dispatch.waking import wake
    from fsm_lifecycle.dispatch.working import work_off

_HOME_OF = {"enqueue": "enqueuing", "wake": "waking", "work_off": "working"}

__all__ = ["enqueue", "wake", "work_off"]

if not TYPE_CHECKING:  # a type checker would take every name for Any

    def __getattr__(name: str) -> Any:
        if name in _HOME_OF:
            return getattr(import_module(f"fsm_lifecycle.dispatch.{_HOME_OF[name]}"), name)
        raise AttributeError(f"module 'fsm_lifecycle.dispatch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
