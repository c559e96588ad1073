"""Owns the people, the group and the records that the tests of roads share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from fsm_lifecycle import System, acting_as
from tests.testapp.offices import Claim


@pytest.fixture
def ada(db: None) -> User:
    """An ordinary person, to whom things are granted."""
    return User.objects.create_user("ada", first_name="Ada", last_name="Ångström")


@pytest.fixture
def bob(db: None) -> User:
    """Another ordinary person."""
    return User.objects.create_user("bob")


@pytest.fixture
def carol(db: None) -> User:
    """A third one."""
    return User.objects.create_user("carol")


@pytest.fixture
def root(db: None) -> User:
    """Grants to others."""
    return User.objects.create_superuser("root", password="for tests alone")


@pytest.fixture
def finance(db: None) -> Group:
    """A group like any other."""
    return Group.objects.create(name="Finance")


@pytest.fixture
def claim(db: None) -> Claim:
    """A record of nobody."""
    with acting_as(System("tests")):
        return Claim.objects.create(title="A bicycle")
