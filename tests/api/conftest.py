"""Owns what the API's tests share: the sample's site, and clients that ask in somebody's name."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from sample_project import settings as sample_settings
from tests.api.desk import Desk, furnished


@pytest.fixture
def sample_site(settings: Any) -> None:
    """The sample's addresses and templates instead of those of the test suite."""
    settings.ROOT_URLCONF = "sample_project.urls"
    settings.TEMPLATES = sample_settings.TEMPLATES


@pytest.fixture
def as_user(sample_site: None) -> Callable[[Any], APIClient]:
    """A client that is logged in as somebody; as nobody for ``None``."""

    def client(user: Any) -> APIClient:
        made = APIClient(raise_request_exception=False)
        if user is not None:
            made.force_login(user)
        return made

    return client


def basic(username: str, password: str) -> str:
    """The header of basic authentication."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
def desk(db: None, sample_site: None) -> Desk:
    """People with roles, and an invoice in draft."""
    return furnished()
