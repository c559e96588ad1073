"""Owns the mode ``tasks``: Django's own tasks framework (6.0 and later), with the project's default task backend.

Must not know what the work is.
"""

from __future__ import annotations

import django
from django.core.exceptions import ImproperlyConfigured

from fsm_lifecycle.dispatch.modes.messages import Messages
from fsm_lifecycle.dispatch.publishing import Message

if django.VERSION < (6, 0):
    raise ImproperlyConfigured(
        "FSM_LIFECYCLE['DISPATCH'] is 'tasks', and Django's tasks come with Django 6.0. Upgrade, or choose 'thread', "
        "'celery' or 'command'."
    )


def _send(message: Message) -> None:
    from fsm_lifecycle.dispatch import django_tasks

    task, name, using = message
    getattr(django_tasks, task).enqueue(name, using)


MODE = Messages(_send)
