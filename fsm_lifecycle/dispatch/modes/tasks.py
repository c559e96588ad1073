"""Owns the mode ``tasks``: Django's own tasks framework (6.0 and later), with whatever backend the project has.

Must not know what the work is.
"""

from __future__ import annotations

import atexit
from typing import Any, Final

import django
from django.core.exceptions import ImproperlyConfigured

from fsm_lifecycle.dispatch import routines
from fsm_lifecycle.dispatch.publishing import Message, Publisher

if django.VERSION < (6, 0):
    raise ImproperlyConfigured(
        "FSM_LIFECYCLE['DISPATCH'] is 'tasks', and Django's tasks come with Django 6.0. Upgrade, or choose 'thread', "
        "'celery' or 'command'."
    )

#: Seconds that the end of the process waits for tasks to be enqueued.
PATIENCE: Final = 2.0


class Tasks:
    """Enqueues in the project's default task backend."""

    def __init__(self) -> None:
        self.publisher = Publisher(_send)

    def listens(self) -> bool:
        """Yes."""
        return True

    def wake(self, using: str) -> None:
        """Have the log looked at."""
        for routine in routines.all_routines():
            if routine.on_commit:
                self.publisher.publish(("routine", routine.name, using))

    def offer(self, queue: str, using: str) -> None:
        """Have a queue looked at."""
        self.publisher.publish(("queue", queue, using))


def _send(message: Message) -> None:
    from fsm_lifecycle.dispatch import django_tasks

    task, name, using = message
    getattr(django_tasks, task).enqueue(name, using)


MODE: Any = Tasks()
atexit.register(MODE.publisher.flush, PATIENCE)
