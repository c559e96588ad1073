"""Owns what the sample's tests share: a part of the recorded log in the database, and the sample's own site."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from sample_project import settings as sample_settings


@pytest.fixture
def load_helpdesk(db: None) -> Callable[..., str]:
    """Runs the real command and returns what it prints."""

    def run(**options: Any) -> str:
        printed = io.StringIO()
        call_command("load_helpdesk", stdout=printed, **options)
        return printed.getvalue()

    return run


@pytest.fixture
def sample_site(settings: Any) -> None:
    """The sample's addresses and templates instead of those of the test suite."""
    settings.ROOT_URLCONF = "sample_project.urls"
    settings.TEMPLATES = sample_settings.TEMPLATES
