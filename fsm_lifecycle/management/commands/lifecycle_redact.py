"""``manage.py lifecycle_redact``: erase fields of an entry, of a record's whole log, or all about one person."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.access.actors import System
from fsm_lifecycle.access.person import find_person
from fsm_lifecycle.engine.erasure import Erasure, Redacted, named_record
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import secure_delete
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.progress import progress_bar


class Command(LifecycleCommand):
    """Thin shell over ``engine.erasure.Erasure``."""

    help = (
        "Erases values from the log for good; digests stay, so everything still verifies. Writes a “redaction” entry "
        "for each entry that lost something. Can be interrupted and run again. Exit 1: something that names the "
        "person had to stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--entry", metavar="HASH", help="one entry; goes with --fields")
        what.add_argument(
            "--record", metavar="app.model:pk", help="every entry of one record, also a deleted one"
        )
        what.add_argument("--person", metavar="USER", help="all that tells of a user, by key or username")
        parser.add_argument("--fields", metavar="a,b", help="with --entry: which fields of the body")
        parser.add_argument("--reason", required=True, help="why, for the log; nothing personal")
        parser.add_argument("--dry-run", action="store_true", help="only list what would be erased")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["entry"]) != bool(options["fields"]):
            raise CommandError(
                "--entry and --fields go together: --entry HASH --fields actor,metadata", returncode=2
            )
        self.kept: list[dict[str, Any]] = []
        self.options = options
        try:
            with progress_bar("Redacting") as progress:
                done = self._erase(progress)
        except (LifecycleError, LookupError) as error:
            raise CommandError(str(error), returncode=2) from None
        self._tell(done)
        if done.stays:
            places = "; ".join(done.stays[:10])
            raise CommandError(f"{len(done.stays)} places had to stay as they are: {places}", returncode=1)

    def _erase(self, progress: Any) -> Redacted:
        options, using = self.options, self.options["database"]
        erasure = Erasure(
            reason=options["reason"],
            by=System("lifecycle_redact"),
            using=using,
            dry_run=options["dry_run"],
            found=self._found,
            progress=progress,
        )
        if options["entry"]:
            return erasure.of_entry(options["entry"], [name.strip() for name in options["fields"].split(",")])
        if options["record"]:
            return erasure.of_record(*named_record(options["record"], using))
        return erasure.of_person(find_person(options["person"]))

    def _found(self, entry: TransitionLog, fields: tuple[str, ...]) -> None:
        record = f"{entry.model_label}:{entry.object_pk}"
        if self.options["json"]:
            one = {"entry": entry.entry_hash, "record": record, "sequence": entry.sequence}
            self.kept.append({**one, "fields": list(fields)})
        elif self.options["dry_run"]:
            self.stdout.write(f"{entry.entry_hash}  {record} #{entry.sequence}  {', '.join(fields)}")

    def _tell(self, done: Redacted) -> None:
        dry_run = self.options["dry_run"]
        if self.options["json"]:
            self.stdout.write(json.dumps({"dry_run": dry_run, **asdict(done), "found": self.kept}))
            return
        redacted, cleared = ("Would be redacted", "would be cleared") if dry_run else ("Redacted", "cleared")
        self.stdout.write(
            f"{redacted}: {done.fields:,} fields in {done.entries:,} entries; {cleared}: {done.copies:,} copies."
        )
        if not dry_run and secure_delete.keeps_free_pages(self.options["database"]):
            self.stdout.write("Older bytes may remain in free places of the SQLite file. Run VACUUM on it.")
