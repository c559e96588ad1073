"""``manage.py lifecycle_purge``: removes records whose retention is over, and what else has been kept long enough."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections, models

from fsm_lifecycle.access.actors import System
from fsm_lifecycle.engine.eligibility import count_eligible, retained, retention_of
from fsm_lifecycle.engine.expiry import remove_expired
from fsm_lifecycle.engine.retention import PurgeOutcome, PurgeResult, purge_eligible
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.interrupting import interruptible
from fsm_lifecycle.ledger import secure_delete
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand
from fsm_lifecycle.models import LegalHold
from fsm_lifecycle.progress import progress_bar
from fsm_lifecycle.registry import get

#: Why a record may stay without anything being wrong: its time is not there yet, or somebody keeps it.
IN_ORDER = frozenset({"not_eligible", "legal_hold"})


class Command(LifecycleCommand):
    """Thin shell over ``engine.retention.purge_eligible`` and ``engine.expiry.remove_expired``."""

    help = (
        "Removes the records whose retention is over, each in a transaction of its own: the row goes, its log stays "
        "and ends with a “purged” entry, and what the log says of people is erased. A record under a legal hold stays. "
        "Without models, also removes what RETENTION_DAYS lets go. Can be interrupted and run again. Exit 1: a record "
        "could not go."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "models", nargs="*", metavar="app.Model", help="which models; by default all with a retention"
        )
        parser.add_argument("--dry-run", action="store_true", help="only list what would go")
        parser.add_argument("--limit", type=_number, metavar="N", help="try at most so many records")
        parser.add_argument(
            "--keep-bodies", action="store_true", help="leave the entries of the log as they are"
        )
        parser.add_argument(
            "--reason", default="retention", help="why, for the log; nothing personal (default: %(default)s)"
        )
        parser.add_argument(
            "--yes",
            "--no-input",
            "--noinput",
            action="store_true",
            dest="yes",
            help="do not ask; needed where nobody can answer",
        )
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        self.using: str = options["database"]
        self.told_to_stop = False
        try:
            chosen = self._chosen()
            if not options["dry_run"] and not options["yes"]:
                self._ask(chosen)
            with interruptible(self._stop):
                with progress_bar("Purging") as progress:
                    result = self._purge(chosen, progress)
                expired = self._expire()
        except (LifecycleError, LookupError) as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from None
        self._tell(chosen, result, expired)
        if self.told_to_stop:
            raise CommandError("Interrupted. Run it again for the rest.", returncode=COULD_NOT_RUN)
        wrong = sum(number for code, number in result.counts.items() if code in self._wrong(result))
        if wrong:
            raise CommandError(f"{wrong:,} of them could not go.", returncode=1)

    def _chosen(self) -> list[type[models.Model]]:
        chosen: list[type[models.Model]] = [get(label, self.using) for label in self.options["models"]]
        for model in chosen:
            retention_of(model)
        return list(dict.fromkeys(chosen)) or retained(self.using)

    def _ask(self, chosen: list[type[models.Model]]) -> None:
        """Raise unless somebody says yes."""
        if self.options["json"] or not sys.stdin.isatty():
            raise CommandError(
                "Nobody is there to be asked, so nothing was purged. Pass --yes to purge, or --dry-run to look.",
                returncode=COULD_NOT_RUN,
            )
        counts = {m: count_eligible(m, using=self.using, limit=self.options["limit"]) for m in chosen}
        for model, number in counts.items():
            self.stdout.write(f"{model._meta.label}: {number:,} may go.")
        if not sum(counts.values()):
            return
        bodies = "stay as they are" if self.options["keep_bodies"] else "are redacted"
        self.stdout.write(
            f"Their rows are removed for good, with what depends on them. Their log entries {bodies}."
        )
        if input("Purge them? Type yes: ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was purged.", returncode=COULD_NOT_RUN)

    def _purge(self, chosen: list[type[models.Model]], progress: Callable[[int, int], None]) -> PurgeResult:
        return purge_eligible(
            chosen,
            by=System("lifecycle_purge"),
            reason=self.options["reason"],
            using=self.using,
            limit=self.options["limit"],
            redact_bodies=not self.options["keep_bodies"],
            dry_run=self.options["dry_run"],
            found=self._found,
            progress=progress,
            stopped=lambda: self.told_to_stop,
        )

    def _expire(self) -> dict[str, int]:
        if self.options["models"]:
            return {}
        return remove_expired(
            using=self.using, dry_run=self.options["dry_run"], stopped=lambda: self.told_to_stop
        )

    def _stop(self) -> None:
        self.told_to_stop = True
        self.stderr.write("\nStopping after the record at work. Once more interrupts it.")

    def _found(self, outcome: PurgeOutcome) -> None:
        name = f"{outcome.model_label}:{outcome.object_pk}"
        if outcome.stayed:
            self.stderr.write(f"{name} stayed ({outcome.code}). {outcome.reason}")
        elif outcome.code == "eligible" and not self.options["json"]:
            self.stdout.write(name)

    def _tell(self, chosen: list[type[models.Model]], result: PurgeResult, expired: dict[str, int]) -> None:
        dry_run = self.options["dry_run"]
        held = {m._meta.label_lower: self._held(m) for m in chosen}
        if self.options["json"]:
            document = {
                "dry_run": dry_run,
                "interrupted": self.told_to_stop,
                "purged": result.done,
                "stayed": result.failed,
                "counts": dict(sorted(result.counts.items())),
                "held": held,
                "expired": expired,
                "outcomes": [asdict(one) for one in (*result.purged, *result.stayed)],
            }
            self.stdout.write(json.dumps(document, ensure_ascii=False))
            return
        if not chosen:
            self.stdout.write(
                "No lifecycle declares how long its records stay, so none was purged. Write retention = "
                "Retention(after=timedelta(days=3650), states=[...]) in one."
            )
        else:
            purged, stayed = ("Would be purged", "would stay") if dry_run else ("Purged", "stayed")
            self.stdout.write(f"{purged}: {result.done:,}; {stayed}: {result.failed:,}.")
        for label, number in held.items():
            if number:
                holds = "legal hold is" if number == 1 else "legal holds are"
                self.stdout.write(f"{label}: {number:,} {holds} in force.")
        for kind, number in expired.items():
            gone = "would be removed" if dry_run else "removed"
            self.stdout.write(f"{kind.capitalize()} whose days are over: {number:,} {gone}.")
        if result.done and not dry_run and secure_delete.keeps_free_pages(self.using):
            self.stdout.write("Older bytes may remain in free places of the SQLite file. Run VACUUM on it.")

    def _held(self, model: type[models.Model]) -> int:
        return LegalHold.objects.using(self.using).for_model(model).active().count()

    @staticmethod
    def _wrong(result: PurgeResult) -> set[str]:
        return set(result.counts) - IN_ORDER - {"purged", "eligible"}


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
