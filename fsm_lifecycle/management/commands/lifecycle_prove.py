"""``manage.py lifecycle_prove``: one entry as a file that can be checked without Django and without the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.ledger.prove import NotProvable, as_text, is_signed, prove
from fsm_lifecycle.management.command import LifecycleCommand


class Command(LifecycleCommand):
    """Thin shell over ``ledger.prove``."""

    help = (
        "Writes the proof that an entry stands in the ledger. It is checked with: python -m "
        "fsm_lifecycle.ledger.verifier FILE --key KEYS. Exit 1: the ledger is damaged; 2: there is no proof."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("hash", help="the entry's hash, 64 characters")
        parser.add_argument(
            "-o",
            "--output",
            required=True,
            metavar="FILE",
            help="the file, replaced when the proof is made; - for standard output",
        )
        parser.add_argument(
            "--without-body",
            action="store_true",
            help="leave the body's values out, which may be personal; the proof then holds their digests",
        )
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output = options["output"]
        try:
            proof = prove(
                options["hash"].strip().lower(), options["database"], body=not options["without_body"]
            )
        except NotProvable as error:
            raise CommandError(str(error), returncode=1 if error.damaged else 2) from None
        self._write(as_text(proof), output)
        if not is_signed(proof):
            self.stderr.write(
                "The checkpoint is unsigned, so the proof convinces nobody. Make a key: manage.py lifecycle_key new"
            )
        if options["verbosity"] and output != "-":
            self.stdout.write(f"Wrote the proof to {output}.")

    def _write(self, text: str, output: str) -> None:
        if output == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(
                f"The proof could not be written to “{output}”: {error.strerror or error}.", returncode=2
            ) from None
