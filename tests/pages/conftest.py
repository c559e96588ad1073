"""Owns what the tests of the pages share: users with roles, invoices, a browser without JavaScript.

They are run on a newer Django, too: forms and their errors are drawn by Django.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from sample_project.billing.models import Invoice

SYSTEM = System("tests")
_HERE = Path(__file__).parent
NUMBERS = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.versions)


@pytest.fixture(autouse=True)
def _addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.pages.urls"
    settings.LOGIN_URL = "admin:login"


@pytest.fixture
def invoice(db: None) -> Invoice:
    """An invoice that nobody in particular has made."""
    return new_invoice()


def new_invoice(**values: Any) -> Invoice:
    given = {
        "number": f"F-{next(NUMBERS)}",
        "client_name": "Ferrara",
        "client_email": "it@ferrara.example",
        "amount": 50,
        "due_on": dt.date(2026, 12, 1),
    }
    return Invoice.objects.create(**(given | values))


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """Makes a user, with roles on all invoices."""

    def make(name: str, *roles: str) -> User:
        user = User.objects.create_user(name, first_name=name.capitalize())
        for role in roles:
            grant_role(user, role, on=Invoice, by=SYSTEM)
        return user

    return make


@pytest.fixture
def as_(client: Client, person: Callable[..., User]) -> Callable[..., Client]:
    """The browser of somebody with these roles."""

    def log_in(*roles: str, name: str = "ann") -> Client:
        user = User.objects.filter(username=name).first() or person(name, *roles)
        client.force_login(user)
        client.user = user  # type: ignore[attr-defined]
        return client

    return log_in


def to(page: str, *args: Any) -> str:
    """The address of one of the pages."""
    return reverse(f"invoices:{page}", args=args)


def text_of(response: Any) -> str:
    content: str = response.content.decode()
    return content
