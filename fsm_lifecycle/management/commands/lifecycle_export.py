"""``manage.py lifecycle_export``: the log as a file that can be checked elsewhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.ledger.export import Exported, InvalidSince, export, write
from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.progress import progress_bar


class Command(LifecycleCommand):
    """Thin shell over ``ledger.export``."""

    help = (
        "Writes the log as JSON lines: a header, every entry with its leaf index, the checkpoints, the definitions, "
        "and a checksum. It holds personal data as the log does. Exit 1: the ledger lacks something that the file "
        "should hold."
    )

    # What is evidence must come out of a project in which something is wrong, too.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-o",
            "--output",
            required=True,
            metavar="FILE",
            help="the file, replaced when all is written; - for standard output",
        )
        parser.add_argument(
            "--since",
            default="",
            metavar="LEAF|DATE",
            help="from this leaf index on (what is not sealed is always written), or from the first leaf recorded at "
            "this date or time (UTC) on; by default everything",
        )
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        using, output, since = options["database"], options["output"], options["since"]
        try:
            with progress_bar("Exporting the log") as progress:
                if output == "-":
                    done = self._to_stdout(using, since)
                else:
                    done = export(using, Path(output), since=since, progress=progress)
        except BrokenPipeError:
            raise
        except InvalidSince as error:
            raise CommandError(f"The log was not exported. {error}", returncode=2) from None
        except OSError as error:
            raise CommandError(
                f"The log could not be written to “{output}”: {error.strerror or error}.", returncode=2
            ) from None
        said = self.stderr if output == "-" else self.stdout
        if options["verbosity"]:
            where = "" if output == "-" else f" to {output}"
            said.write(
                f"Wrote {done.entries:,} entries, {done.sealed:,} of them sealed{where}.", lambda text: text
            )
        if not done.whole:
            raise CommandError(_lacking(done), returncode=1)

    def _to_stdout(self, using: str, since: str) -> Exported:
        stream: Any = self.stdout._out
        binary: BinaryIO | None = getattr(stream, "buffer", None)
        if binary is not None:
            done = write(using, binary, since=since)
            binary.flush()
            return done
        kept = io.BytesIO()
        done = write(using, kept, since=since)
        stream.write(kept.getvalue().decode())
        return done


def _lacking(done: Exported) -> str:
    parts = []
    if done.leaves_without_entry:
        indices = ", ".join(map(str, done.leaves_without_entry[:10]))
        parts.append(f"Some leaves have lost their entry: {indices}. The file goes without them.")
    if done.definitions_missing:
        names = ", ".join(done.definitions_missing[:10])
        parts.append(f"Definitions that entries name are not stored: {names}.")
    return " ".join([*parts, "Run lifecycle_verify to see all that is wrong."])
