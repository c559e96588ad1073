"""Owns the people of the admin's tests: staff with and without roles, and clients that are logged in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role

SETUP = System("setup of a test")


def staff(name: str, *permissions: str, **kwargs: Any) -> User:
    """Someone of the staff with these permissions, ``"app.codename"``."""
    user = User.objects.create_user(name, password="pw", is_staff=True, **kwargs)
    for one in permissions:
        app, _, codename = one.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def with_role(user: User, role: str, on: Any) -> User:
    """The user, once the role is granted."""
    grant_role(user, role, on=on, by=SETUP)
    return user


def client_of(user: User) -> Client:
    """A browser in which somebody is logged in."""
    client = Client()
    client.force_login(user)
    return client
