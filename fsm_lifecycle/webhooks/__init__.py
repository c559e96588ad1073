"""Messages over HTTP about what happened to records: endpoints, deliveries from the log, attempts, health.

Must not know pages or the API, nor timers and agents. Names are looked up when they are asked for, because models
cannot be imported before the apps are ready; ``fsm_lifecycle.webhooks.receive`` needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsm_lifecycle.webhooks.condition import Health, health
    from fsm_lifecycle.webhooks.endpoints import create_endpoint, rotate_secret, validate_endpoint
    from fsm_lifecycle.webhooks.receive import InvalidSignature
    from fsm_lifecycle.webhooks.resending import EndpointOff, resend, resend_since, send_test
    from fsm_lifecycle.webhooks.signals import endpoint_disabled
    from fsm_lifecycle.webhooks.switching import reopen

_HOME_OF = {
    "EndpointOff": "resending",
    "Health": "condition",
    "InvalidSignature": "receive",
    "create_endpoint": "endpoints",
    "endpoint_disabled": "signals",
    "health": "condition",
    "reopen": "switching",
    "resend": "resending",
    "resend_since": "resending",
    "rotate_secret": "endpoints",
    "send_test": "resending",
    "validate_endpoint": "endpoints",
}

__all__ = [
    "EndpointOff",
    "Health",
    "InvalidSignature",
    "create_endpoint",
    "endpoint_disabled",
    "health",
    "reopen",
    "resend",
    "resend_since",
    "rotate_secret",
    "send_test",
    "validate_endpoint",
]

if not TYPE_CHECKING:  # a type checker would take every name for Any

    def __getattr__(name: str) -> Any:
        if name in _HOME_OF:
            return getattr(import_module(f"fsm_lifecycle.webhooks.{_HOME_OF[name]}"), name)
        raise AttributeError(f"module 'fsm_lifecycle.webhooks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
