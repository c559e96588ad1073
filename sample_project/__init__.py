"""A help desk and a billing department: what a project that uses fsm_lifecycle looks like."""

# So that messages go to this project's broker, whichever process sends them.
from sample_project.celery import app as celery_app

__all__ = ["celery_app"]
