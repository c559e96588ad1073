"""Owns the tasks for Django's own framework (6.0 and later): the same two as for Celery. Must not know the backend."""

from __future__ import annotations

from django.tasks import task

from fsm_lifecycle.dispatch import celery


@task()
def routine(name: str, using: str | None = None) -> int:
    """Run one routine."""
    return int(celery.routine.run(name, using))


@task()
def queue(name: str, using: str | None = None) -> int:
    """Work on what is due in one queue."""
    return int(celery.queue.run(name, using))
