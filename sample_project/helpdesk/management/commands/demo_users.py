"""`manage.py demo_users`: a superuser to look around with."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

USERNAME = "demo"


class Command(BaseCommand):
    help = (
        "Makes the superuser “demo” and prints the login. Run again, it gives the user a new password; "
        "with --password, that one. For a machine of your own only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password", default="", help="the password to set; by default a random one")
        parser.add_argument(
            "--database", default=DEFAULT_DB_ALIAS, choices=list(connections), help="alias of the database"
        )

    def handle(self, *args: Any, password: str, database: str, **options: Any) -> None:
        password = password or secrets.token_urlsafe(9)
        users = get_user_model()._default_manager.using(database)
        user = users.filter(username=USERNAME).first() or get_user_model()(username=USERNAME)
        user.is_active = user.is_staff = user.is_superuser = True
        user.set_password(password)
        user.save(using=database)
        self.stdout.write(f"Log in at /admin/ as {USERNAME} with the password {password}")
