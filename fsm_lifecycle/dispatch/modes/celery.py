"""Owns the mode ``celery``: messages over the broker of the project's Celery app. Must not know what the work is."""

from __future__ import annotations

from typing import Any, Final

from fsm_lifecycle.dispatch.modes.messages import Messages
from fsm_lifecycle.dispatch.publishing import Message

#: A broker that does not answer is given up soon; the publisher tries again later.
_CONNECT: Final[dict[str, Any]] = {"retry": False}


def _send(message: Message) -> None:
    from fsm_lifecycle.dispatch import celery

    task, name, using = message
    getattr(celery, task).apply_async((name, using), **_CONNECT)


MODE = Messages(_send)
