"""Owns what the engine's tests share: actors, empty journals, a user."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.testapp.gates import ORDERS, SEEN
from tests.testapp.models import JOURNAL


@pytest.fixture(autouse=True)
def _empty_journals() -> Iterator[None]:
    SEEN.clear()
    ORDERS.clear()
    JOURNAL.clear()
    yield
    SEEN.clear()
    ORDERS.clear()
    JOURNAL.clear()


@pytest.fixture
def seen() -> list[tuple[Any, ...]]:
    """What guards and effects of the gates saw."""
    return SEEN


@pytest.fixture
def journal() -> list[tuple[Any, ...]]:
    """What the effects of the other models did."""
    return JOURNAL


@pytest.fixture
def user(db: None) -> User:
    """An ordinary, active person."""
    return User.objects.create_user("alice", first_name="Alice", last_name="Ångström")
