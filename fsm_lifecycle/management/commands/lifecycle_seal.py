"""``manage.py lifecycle_seal``: puts committed entries into the Merkle tree and signs its head."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.interrupting import interruptible
from fsm_lifecycle.ledger.sealer import Sealer
from fsm_lifecycle.ledger.sealing import SealResult, adopt
from fsm_lifecycle.management.command import LifecycleCommand, text_of
from fsm_lifecycle.progress import progress_bar


class Command(LifecycleCommand):
    """Thin shell over ``ledger.sealer.Sealer``."""

    help = (
        "Seals committed log entries: each gets its place in the Merkle tree, whose head is signed and kept outside "
        "the database. Goes on until interrupted; --once makes one pass."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass, then end")
        for option, default, what in (
            ("--every", 2.0, "between two passes"),
            ("--checkpoint-every", 60.0, "between two checkpoints while the tree grows"),
        ):
            said = f"{what} (default: %(default)s)"
            parser.add_argument(option, type=seconds, default=default, metavar="SECONDS", help=said)
        parser.add_argument(
            "--adopt",
            type=Path,
            metavar="NOTE",
            help="first take the checkpoint in this file for the newest outside the database",
        )
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.told: set[int] = set()
        self.silent = options["json"]
        once, using = options["once"], options["database"]
        sealer = Sealer(using, every=options["every"], checkpoint_every=options["checkpoint_every"])
        try:
            if options["adopt"] is not None:
                adopt(text_of("--adopt", options["adopt"]), using)
            with interruptible(sealer.stop):
                if once:
                    with progress_bar("Sealing") as progress:
                        result = sealer.once(progress)
                    self._tell(result, always=True)
                else:
                    sealer.run(self._tell, self.stderr.write)
        except BrokenPipeError:
            raise
        except (LifecycleError, OSError) as error:
            raise CommandError(str(error), returncode=2) from None
        tally = sealer.tally
        if options["json"]:
            self.stdout.write(json.dumps(tally.document(), ensure_ascii=False))
        if once and (tally.skipped or tally.not_exported):
            raise CommandError("Not everything was done; see above.", returncode=1)

    def _tell(self, result: SealResult, *, always: bool = False) -> None:
        for one in result.skipped:
            if one.entry_id not in self.told:
                self.told.add(one.entry_id)
                self.stderr.write(str(one))
        for text in result.not_exported:
            self.stderr.write(text)
        if self.silent:
            return
        if result.sealed or always:
            self.stdout.write(f"Sealed {result.sealed:,}; the tree has {result.tree_size:,} entries.")
        made = result.checkpoint
        if made is not None:
            how = "signed" if made.is_signed else "unsigned: FSM_LIFECYCLE['LEDGER_KEY'] is not set"
            self.stdout.write(f"Checkpoint of {made.tree_size:,} entries, root {made.root_hash}, {how}.")


def seconds(text: str) -> float:
    """More than none, less than a day."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 86_400:
        raise ArgumentTypeError(f"{text!r} is no number of seconds from above 0 to below 86400")
    return number
