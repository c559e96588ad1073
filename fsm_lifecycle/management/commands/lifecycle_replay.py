"""``lifecycle_replay``: what the log says that records went through, and whether they agree."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from fsm_lifecycle.ledger.finding import counted, record_name, shown
from fsm_lifecycle.ledger.moments import FORMS, span
from fsm_lifecycle.ledger.replay_records import Replayed, replay_records
from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.progress import progress_bar
from fsm_lifecycle.registry import get


class Command(LifecycleCommand):
    """Thin shell over ``ledger.replay_records``."""

    help = (
        "Folds the entries of records by the definitions they were made under and compares the outcome with the "
        "records. Runs no guard, effect or webhook. Exit code 0: they agree; 1: something differs; 2: it could not run."
    )
    # It is run where something may be wrong: no check may keep it from saying what.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("records", metavar="app.model[:pk]", help="a model, or one record of it")
        parser.add_argument(
            "--until",
            metavar="MOMENT",
            help=f"only entries up to a sequence (a whole number) or a moment: {FORMS}, in UTC; then nothing is "
            "compared with the records",
        )
        parser.add_argument(
            "--database",
            default="default",
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, _, pk = options["records"].partition(":")
        until = _until(options["until"])
        try:
            label = get(name)._lifecycle.label
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from None
        count = wrong = 0
        with progress_bar(f"Replaying {label}", self.stderr) as progress:
            for one in replay_records(options["database"], label, pk or None, until=until, progress=progress):
                count += 1
                wrong += bool(one.wrong)
                self._tell(one)
        if not count and pk:
            raise CommandError(f"There is no record {label}:{pk}, and no entry of one.", returncode=2)
        if wrong:
            raise CommandError(f"{wrong:,} of {counted(count, 'records')} not as the log says.", returncode=1)
        self.stdout.write(
            f"{counted(count, 'records')} replayed" + (", all as the log says." if until is None else ".")
        )

    def _tell(self, one: Replayed) -> None:
        tail = one.tail
        if one.entries:
            state = "gone" if tail.state is None else shown(tail.state)
            name = record_name(tail.model_label, tail.object_pk)
            count = counted(one.entries, "entries")
            self.stdout.write(f"{name}: {state}, after {count}, the last with sequence {tail.sequence}")
        for finding in one.wrong:
            self.stdout.write(f"  {finding.code} {finding.sentence()}")


def _until(text: str | None) -> datetime | int | None:
    if text is None:
        return None
    if text.isdecimal() and text.isascii():
        return int(text)
    try:
        first, after = span(text)
    except ValueError as error:
        raise CommandError(f"--until: {error}", returncode=2) from None
    return first if first == after else after - timedelta(microseconds=1)
