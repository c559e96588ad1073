"""``lifecycle_verify``: is the ledger what it was? Everything that is wrong, by name, and what was not looked at."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from fsm_lifecycle.ledger.finding import counted
from fsm_lifecycle.ledger.moments import FORMS, span
from fsm_lifecycle.ledger.verify import CannotVerify, verify
from fsm_lifecycle.ledger.verify_report import Report
from fsm_lifecycle.management.command import LifecycleCommand, text_of
from fsm_lifecycle.progress import progress_bar
from fsm_lifecycle.registry import get


class Command(LifecycleCommand):
    """Thin shell over ``ledger.verify``."""

    help = (
        "Checks the ledger: chains, records, definitions, the tree, checkpoints, the database's protection. Exit code "
        "0: what was checked is whole; 1: something is wrong; 2: it could not be checked."
    )
    # It is run where something may be wrong: no check may keep it from saying what.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deep", action="store_true", help="also check the body of every entry")
        parser.add_argument("--record", metavar="app.model:pk", help="only this record")
        parser.add_argument("--since", metavar="MOMENT", help=f"only entries recorded since: {FORMS}, in UTC")
        parser.add_argument(
            "--against", metavar="NOTE", type=Path, help="the file of a checkpoint that was kept elsewhere"
        )
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
        parser.add_argument(
            "--database",
            default="default",
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        using = options["database"]
        record = _record(options["record"])
        since = _since(options["since"])
        against = None if options["against"] is None else text_of("--against", options["against"])
        with Report() as report:
            try:
                with progress_bar("Verifying", self.stderr) as progress:
                    verification = verify(
                        using,
                        deep=options["deep"],
                        record=record,
                        since=since,
                        against=against,
                        progress=progress,
                    )
                    for finding in verification:
                        report.add(finding)
            except CannotVerify as error:
                raise CommandError(f"The ledger could not be checked: {error}", returncode=2) from error
            parts = report.json(verification) if options["format"] == "json" else report.text(verification)
            for part in parts:
                self.stdout.write(part, ending="")
        if not verification.whole:
            raise CommandError(f"{counted(verification.found, 'findings')}.", returncode=1)


def _record(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    label, colon, pk = text.partition(":")
    if not (label.count(".") == 1 and colon and pk):
        raise CommandError(f"--record {text}: write it like billing.invoice:7.", returncode=2)
    try:
        return get(label)._lifecycle.label, pk
    except LookupError:
        return label, pk  # the model may be gone; its log is not


def _since(text: str | None) -> Any:
    try:
        return None if text is None else span(text)[0]
    except ValueError as error:
        raise CommandError(f"--since: {error}", returncode=2) from None
