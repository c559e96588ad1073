"""Owns what every test may use: the environment of child processes and hypothesis' profiles."""

import os
from collections.abc import Mapping
from pathlib import Path

import hypothesis
import pytest
from django.db import connection

from tests.ledger.unprotected import let_triggers_look_away

ROOT = Path(__file__).resolve().parent.parent

# A shared machine stalls now and then: a deadline would fail tests that are right.
hypothesis.settings.register_profile("default", deadline=None)
# CI judges a change, so it draws the same examples each time.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """As pytest-django's, before the test database is made."""
    let_triggers_look_away()


@pytest.fixture
def child_environment(transactional_db: None) -> Mapping[str, str]:
    """Environment in which a process started by the test works on the test's own database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": str(ROOT),
    }
