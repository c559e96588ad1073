"""Django's settings for a run, made in code, and the router that sends every query to the database in turn.

Must not know what is measured. Call `configure()` before anything that imports models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.databases import Databases
from benchmarks.timing import Task

#: The user who fires everything.
USER = "bench"
#: Who answers for permissions where there is no lifecycle.
PLAIN_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]


class CurrentDatabase:
    """A router that answers with one alias for everybody, so that no subject has to name a database."""

    alias = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        """The alias under measurement."""
        return CurrentDatabase.alias

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """The alias under measurement."""
        return CurrentDatabase.alias

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        """Everything lives in the database under measurement."""
        return True


@contextmanager
def on_database(alias: str) -> Iterator[None]:
    """Send every query to `alias` inside the block."""
    before, CurrentDatabase.alias = CurrentDatabase.alias, alias
    try:
        yield
    finally:
        CurrentDatabase.alias = before


def bound_to(alias: str, task: Task) -> Task:
    """The task, always run on `alias`."""

    def run() -> int:
        with on_database(alias):
            return task()

    return run


def as_without_us(alias: str, task: Task) -> Task:
    """The task on `alias` as in a project that has Django's and guardian's backends alone."""
    from django.conf import settings
    from django.db import connections

    def run() -> int:
        ours = settings.AUTHENTICATION_BACKENDS
        # Set by hand: override_settings takes a quarter of a millisecond, which would count against guardian.
        settings.AUTHENTICATION_BACKENDS = PLAIN_BACKENDS
        # guardian asks the default connection which types the database has.
        connections["default"] = connections[alias]
        try:
            with on_database(alias):
                return task()
        finally:
            del connections["default"]
            settings.AUTHENTICATION_BACKENDS = ours

    return run


def configure(databases: Databases) -> None:
    """Set Django up for these databases; `default` is left empty, so that a query which
    misses its database fails instead of being measured on another. Once per process.
    """
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmarks",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {}, **databases},
        DATABASE_ROUTERS=["benchmarks.settings.CurrentDatabase"],
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.admin",
            "guardian",
            "fsm_lifecycle",
            "django_fsm",
            "django_fsm_log",
            "benchmarks",
        ],
        AUTHENTICATION_BACKENDS=["fsm_lifecycle.access.LifecycleBackend", *PLAIN_BACKENDS],
        ANONYMOUS_USER_NAME=None,  # guardian would make a user of its own
        LOGGING_CONFIG=None,
        ROOT_URLCONF="benchmarks.urls",
        ALLOWED_HOSTS=["testserver"],
        STATIC_URL="/static/",
        # Nothing works beside what is measured.
        FSM_LIFECYCLE={"DISPATCH": "command"},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    )
    django.setup()
    CurrentDatabase.alias = next(iter(databases))
    _log_only_the_logged_peer()


def create_tables(alias: str) -> None:
    """Create every table in an empty database, and the user who acts and owns all records."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    with on_database(alias):
        # Twice: tables without migrations are made first, and ours refer to the users' table.
        call_command("migrate", database=alias, verbosity=0)
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
        get_user_model()._default_manager.create(username=USER)


def _log_only_the_logged_peer() -> None:
    """django-fsm-log listens to every model's transitions: let it listen to the one it is measured on."""
    from django_fsm.signals import post_transition, pre_transition
    from django_fsm_log.backends import SimpleBackend

    from benchmarks.peer_models import Fsm2LoggedInvoice

    pre_transition.disconnect(SimpleBackend.pre_transition_callback)
    post_transition.disconnect(SimpleBackend.post_transition_callback)
    post_transition.connect(SimpleBackend.post_transition_callback, sender=Fsm2LoggedInvoice)
