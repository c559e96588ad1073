"""Owns who looks at the section's pages, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

Staff = Callable[..., User]


@pytest.fixture
def root(db: None) -> User:
    """May do everything."""
    return User.objects.create_superuser("root")


@pytest.fixture
def browser(client: Client, root: User) -> Client:
    """Root is logged in."""
    client.force_login(root)
    return client


@pytest.fixture
def staff(db: None) -> Staff:
    """``staff("carla", "grant_roles")``: a member of staff with these permissions of the package."""

    def make(name: str, *codenames: str) -> User:
        user = User.objects.create_user(name, is_staff=True)
        for codename in codenames:
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label="fsm_lifecycle", codename=codename)
            )
        return user

    return make


@pytest.fixture
def texts() -> Callable[[Any], str]:
    """A page's text without tags, so that a sentence reads as people read it."""

    def plain(answer: Any) -> str:
        from html.parser import HTMLParser

        words: list[str] = []

        class Reader(HTMLParser):
            def handle_data(self, data: str) -> None:
                words.append(data)

        Reader().feed(answer.content.decode())
        return " ".join(" ".join(words).split())

    return plain


@pytest.fixture
def described() -> Callable[[Any], None]:
    """Asserts that whatever a page's inputs say they are described by is there."""

    def check(answer: Any) -> None:
        content = answer.content.decode()
        ids = set(re.findall(r'\bid="([^"]+)"', content))
        named = {one for text in re.findall(r'aria-describedby="([^"]+)"', content) for one in text.split()}
        assert named <= ids, named - ids

    return check
