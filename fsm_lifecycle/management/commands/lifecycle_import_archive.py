"""``manage.py lifecycle_import_archive``: an exported log, checked and kept apart from the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.ledger.archive_import import ArchiveBroken, ArchiveUnreadable, Imported, import_archive
from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.progress import progress_bar

SHOWN = 20


class Command(LifecycleCommand):
    """Thin shell over ``ledger.archive_import``."""

    help = (
        "Checks a file that lifecycle_export wrote and puts its entries into the archive table, all or none. Nothing "
        "fires from there. Exit 1: the file is not whole or contradicts the archive. Exit 2: it cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the exported log")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with progress_bar("Checking and importing (bytes)") as progress:
                done = import_archive(options["database"], Path(options["file"]), progress=progress)
        except ArchiveBroken as error:
            for fault in error.faults[:SHOWN]:
                self.stderr.write(str(fault))
            if len(error.faults) > SHOWN:
                self.stderr.write(f"and {len(error.faults) - SHOWN} more")
            raise CommandError(str(error), returncode=1) from None
        except ArchiveUnreadable as error:
            raise CommandError(str(error), returncode=2) from None
        if options["verbosity"]:
            self._say(done)

    def _say(self, done: Imported) -> None:
        report = done.report
        self.stdout.write(
            f"Imported {done.added:,} entries of {report.origin}. {done.known:,} were there before."
        )
        if done.redacted:
            self.stdout.write(f"{done.redacted:,} of those were redacted meanwhile, and now are here too.")
        if done.sealed_since:
            self.stdout.write(
                f"{done.sealed_since:,} of those were sealed meanwhile and have their leaf index now."
            )
        trees = f" and the root of {report.checkpoints:,} checkpoints" if report.from_leaf_zero else ""
        self.stdout.write(f"Checked: hashes, bodies, chains, definitions{trees}.")
        roots = (
            ""
            if report.from_leaf_zero
            else "; the checkpoints' roots, because the file does not begin at leaf 0"
        )
        self.stdout.write(f"Not checked: the signatures of checkpoints{roots}.")
