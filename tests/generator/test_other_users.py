"""A project with a user model of its own, whose name is an e-mail address."""

from __future__ import annotations

import pytest

from tests.generator.host import Host

pytestmark = [pytest.mark.once, pytest.mark.pure]

MODELS = """
    from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
    from django.contrib.auth.models import PermissionsMixin
    from django.db import models


    class Member(AbstractBaseUser, PermissionsMixin):
        email = models.EmailField(unique=True)
        is_active = models.BooleanField(default=True)
        is_staff = models.BooleanField(default=False)
        objects = BaseUserManager()
        USERNAME_FIELD = "email"
"""


def test_users_are_referenced_and_made_as_the_project_has_them(host: Host) -> None:
    host.write("people/__init__.py", "")
    host.write("people/models.py", MODELS)
    host.write("people/migrations/__init__.py", "")
    settings = host.read("shop/settings.py").replace('"guardian",', '"people",\n    "guardian",', 1)
    host.write("shop/settings.py", settings + 'AUTH_USER_MODEL = "people.Member"\n')
    host.manage("makemigrations", "people")

    host.manage(
        *("startfsmapp", "loans", "--fields", "book:string", "reader:references:people.Member"),
        *("--roles", "librarian", "--install"),
    )

    models = host.read("loans/models.py")
    assert "reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)" in models
    assert "swappable_dependency(settings.AUTH_USER_MODEL)" in host.read("loans/migrations/0001_initial.py")
    assert "No changes detected" in host.manage("makemigrations", "--check", "--dry-run")
    assert "OK" in host.manage("test")
