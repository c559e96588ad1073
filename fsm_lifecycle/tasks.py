"""Where Celery's ``autodiscover_tasks()`` looks for the tasks of an app."""

from __future__ import annotations

from fsm_lifecycle.dispatch.celery import queue, routine

__all__ = ["queue", "routine"]
