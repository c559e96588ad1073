"""`manage.py demo_users`: people to look around as. A thin shell over `demo`."""

from __future__ import annotations

import io
import secrets
from contextlib import redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from sample_project.demo import MODELS, Login, make_logins
from sample_project.helpdesk.report import aligned


class Command(BaseCommand):
    help = (
        "Makes the superuser “demo” and people with different roles, some billing records for them to look at, and "
        "prints the logins. Run again, it gives the same people a new password; with --password, that one. "
        "For a machine of your own only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password", default="", help="the password of all; by default a random one")
        parser.add_argument(
            "--database", default=DEFAULT_DB_ALIAS, choices=list(connections), help="alias of the database"
        )

    def handle(self, *args: Any, password: str, database: str, **options: Any) -> None:
        password = password or secrets.token_urlsafe(9)
        # The sample prints its e-mails. Those of the invoices that are sent here would hide the logins.
        with redirect_stdout(io.StringIO()), transaction.atomic(using=database):
            logins = make_logins(database, password)
        for title, table in (
            ("Log in at /admin/ as one of these", _people(logins, password)),
            ("What the roles mean", _roles()),
        ):
            self.stdout.write("\n".join(["", title, "", *table]))
        self.stdout.write("")


def _people(logins: list[Login], password: str) -> list[str]:
    rows = [["Username", "Password", "Is"]]
    for login in logins:
        first, *more = login.may
        rows.append([login.user.get_username(), password, first])
        rows += [["", "", line] for line in more]
    return aligned(rows, "<<<", indent=2)


def _roles() -> list[str]:
    rows = [["On", "Role", "Meaning"]]
    for model in MODELS:
        of = str(model._meta.verbose_name_plural).capitalize()
        for role in model.lifecycle.roles.values():
            rows.append([of, str(role.label), str(role.description)])
            of = ""
    return aligned(rows, "<<<", indent=2)
