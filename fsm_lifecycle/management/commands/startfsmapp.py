"""``manage.py startfsmapp``: writes an app with a model, its lifecycle, pages, admin, migration and tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.management.base import CommandError, CommandParser
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, resolve

from fsm_lifecycle.generator import blueprint, extras, installing, laying
from fsm_lifecycle.generator.generate import Generated, generate
from fsm_lifecycle.generator.kinds import LISTED
from fsm_lifecycle.generator.problems import Refused
from fsm_lifecycle.generator.table import DEFAULT_STATES
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand


class Command(LifecycleCommand):
    help = (
        "Writes an app around one model with a lifecycle: models, admin, pages, forms, templates, the first migration, "
        "tests. Writes all of it or nothing."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the app; the model is its singular: invoices gives Invoice")
        parser.add_argument(
            "--fields",
            nargs="+",
            default=[],
            metavar="NAME:TYPE",
            help=f"TYPE is one of {LISTED}; a ? behind it makes the field optional (default: title:string)",
        )
        parser.add_argument(
            "--states",
            metavar="STATE,...",
            help="states with commas between them, :initial and :terminal behind those that are; without :initial the "
            f"first is it (default: {DEFAULT_STATES})",
        )
        parser.add_argument(
            "--events",
            nargs="+",
            default=[],
            metavar="NAME:FROM>TO",
            help='for example "pay:sent|overdue>paid"; * stands for every state that is not terminal (default: one '
            "event after the other through the states)",
        )
        parser.add_argument(
            "--roles",
            default="",
            metavar="ROLE,...",
            help="the first may do everything and is given to who makes a record, viewers and readers only read, "
            "others read, change and fire (default: no roles, every user may do everything)",
        )
        for flag, extra in extras.EXTRAS.items():
            parser.add_argument(f"--{flag}", action="store_true", help=extra.help)
        parser.add_argument(
            "--into", type=Path, metavar="DIR", help="the folder to make it in (default: the current one)"
        )
        parser.add_argument(
            "--install",
            action="store_true",
            help="also add it to INSTALLED_APPS and to the root urls.py, and a section on lifecycles to AGENTS.md",
        )
        parser.add_argument("--force", action="store_true", help="overwrite an app that is there already")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with laying.ending_politely():
                app, edits, made = self._make(options)
        except Refused as refused:
            listed = "\n".join(f"- {problem}" for problem in refused.problems)
            raise CommandError(f"Nothing was written.\n{listed}", returncode=COULD_NOT_RUN) from None
        except OSError as error:
            where = f" {error.filename}:" if error.filename else ""
            raise CommandError(
                f"Nothing was written.{where} {error.strerror or error}.", returncode=COULD_NOT_RUN
            ) from error
        if options["verbosity"]:
            self._tell(app, edits, made, installed=options["install"])

    def _make(self, options: dict[str, Any]) -> tuple[blueprint.Blueprint, list[laying.Edit], Generated]:
        problems: list[str] = []
        if not os.environ.get(ENVIRONMENT_VARIABLE):
            problems.append(f"The settings are no module. Run the command with {ENVIRONMENT_VARIABLE}.")
        try:
            app = blueprint.draw(
                options["name"],
                into=(options["into"] or Path.cwd()).resolve(),
                field_texts=options["fields"],
                states=options["states"],
                events=options["events"],
                roles=options["roles"],
                force=options["force"],
                flags=frozenset(flag for flag in extras.EXTRAS if options[flag]),
            )
        except Refused as refused:
            raise Refused([*problems, *refused.problems]) from None
        if problems:
            raise Refused(problems)
        edits = installing.edits(app) if options["install"] else []
        return app, edits, generate(app, edits)

    def _tell(
        self, app: blueprint.Blueprint, edits: list[laying.Edit], made: Generated, *, installed: bool
    ) -> None:
        out = self.stdout.write
        out(f"{app.folder} has {len(made.files)} files: the model {app.model}, its pages, admin and tests.")
        for edit in edits:
            out(f"{'Changed' if edit.before is not None else 'Made'} {edit.path}.")
        for note in [made.note, *app.table.notes]:
            if note:
                out(self.style.WARNING(note))
        steps = []
        if not installed:
            needed = [name for extra in extras.wanted(app) for name in extra.apps]
            missing = [name for name in needed if name not in settings.INSTALLED_APPS]
            listed = " and ".join(f'"{name}"' for name in (*missing, app.module))
            steps.append(f"add {listed} to INSTALLED_APPS")
            steps.append(f'add path("{app.route}", include("{app.module}.urls")) to {settings.ROOT_URLCONF}')
        steps += ["python manage.py migrate", f"python manage.py test {app.module}"]
        if app.table.roles:
            steps.append(
                f'give somebody a role: in the admin, or grant_role(user, "{app.table.roles[0].name}", on={app.model})'
            )
        out("Next:")
        for number, step in enumerate(steps, 1):
            out(f"  {number}. {step}")
        if not _leads_somewhere(str(settings.LOGIN_URL)):
            out(
                f"LOGIN_URL is {settings.LOGIN_URL}, which leads nowhere here: the pages send visitors there. With the "
                'admin, write LOGIN_URL = "admin:login".'
            )


def _leads_somewhere(address: str) -> bool:
    try:
        path = str(resolve_url(address))
        if path.startswith("/"):
            resolve(path.partition("?")[0])
    except (NoReverseMatch, Resolver404):
        return False
    return True
