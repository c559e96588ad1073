"""`manage.py load_helpdesk`: replay the recorded help desk log. A thin shell over `loading` and `report`."""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections
from tqdm import tqdm

from sample_project.helpdesk import report
from sample_project.helpdesk.loading import Outcome, load
from sample_project.helpdesk.log import read_log


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return number


class Command(BaseCommand):
    help = (
        "Replays 21,348 events of a real help desk: each case becomes a ticket, each event is fired by its person. "
        "Tickets that are there already are left alone, so it may be stopped and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=_positive, metavar="N", help="load only the oldest N cases")
        parser.add_argument(
            "--database", default=DEFAULT_DB_ALIAS, choices=list(connections), help="alias of the database"
        )

    def handle(self, *args: Any, limit: int | None, database: str, **options: Any) -> None:
        outcome = Outcome()
        shown = sys.stderr.isatty() and self.stdout.isatty()
        try:
            cases = list(islice(read_log(), limit))
            with tqdm(total=len(cases), unit=" tickets", disable=not shown, leave=False) as bar:
                load(cases, outcome, using=database, progress=bar.update)
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped. {outcome.loaded:,} tickets were loaded whole; run the command again to go on.",
                returncode=130,
            ) from None
        self.stdout.write(report.text(outcome, using=database))
