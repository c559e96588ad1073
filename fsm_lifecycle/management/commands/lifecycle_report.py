"""``manage.py lifecycle_report``: what happened in a period, or in two, and whether the ledger is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.ops.period import Period
from fsm_lifecycle.ops.report import Report, checked, label_of, report
from fsm_lifecycle.ops.report_text import text
from fsm_lifecycle.progress import progress_bar


class Command(LifecycleCommand):
    """Thin shell over ``ops.report``."""

    help = (
        "Counts entries by event and by kind of actor, and refused attempts; says how long records stayed in each "
        "state, and whether the ledger is whole. Reads the log and the refusals alone. Exit 1: the ledger is broken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        when = "a year, month, day or time in UTC: 2026, 2026-01, 2026-01-15, 2026-01-15T17:30"
        parser.add_argument("--since", default="", metavar="WHEN", help=f"from the beginning of {when}")
        parser.add_argument("--until", default="", metavar="WHEN", help="to the end of such a one")
        parser.add_argument(
            "--compare",
            nargs=2,
            metavar=("A", "B"),
            help="two periods side by side: each a year, month or day, or two of them with .. between, both included "
            "(2025-10..2025-12)",
        )
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="app.Model",
            help="only this model's log; may be given again",
        )
        parser.add_argument(
            "--no-verify",
            action="store_true",
            help="leave out whether the ledger is whole, which takes longest",
        )
        parser.add_argument("--json", action="store_true", help="one JSON document")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        using, compare = options["database"], options["compare"]
        if compare and (options["since"] or options["until"]):
            raise CommandError(
                "--compare names its periods itself. Leave out --since and --until.", returncode=2
            )
        try:
            periods = (
                [Period.named(name) for name in compare]
                if compare
                else [Period.between(options["since"], options["until"])]
            )
            labels = [label_of(name, using) for name in options["model"]]
            with progress_bar("Counting") as progress:
                found = report(using, periods, labels=labels, progress=progress)
            if not options["no_verify"]:
                with progress_bar("Verifying") as progress:
                    found = replace(found, verification=checked(using, progress))
        except (LifecycleError, ValueError) as error:
            raise CommandError(f"There is no report. {error}", returncode=2) from None
        self._say(found, options["json"], compare or ())
        if found.verification is not None and not found.verification.whole:
            raise CommandError("The ledger is broken.", returncode=1)

    def _say(self, found: Report, as_json: bool, names: Any) -> None:
        if as_json:
            self.stdout.write(json.dumps(found.document, ensure_ascii=False, indent=2))
            return
        for line in text(found, names):
            self.stdout.write(line)
