"""Owns what tests about retention share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User


@pytest.fixture
def user(db: None) -> User:
    """A person who places holds."""
    return User.objects.create_user("anna", "anna@example.com")
