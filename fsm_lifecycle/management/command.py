"""Owns how the commands end when they cannot go on: exit code 2, and words instead of a traceback.

Must not know what any of them does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, SystemCheckError
from django.db import DEFAULT_DB_ALIAS, Error, connections

from fsm_lifecycle.ledger.entry import TransitionLog

#: Exit code of a command that was used wrongly, or could not run to its end. 1 would say that it found something.
COULD_NOT_RUN = 2


class LifecycleCommand(BaseCommand):
    """A command that works on lifecycles."""

    def run_from_argv(self, argv: list[str]) -> None:
        """As Django's; who stops reading, or stops the command, gets no traceback."""
        try:
            super().run_from_argv(argv)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still held back would fail once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(COULD_NOT_RUN)
        except KeyboardInterrupt:
            sys.stderr.write("\nInterrupted.\n")
            sys.exit(COULD_NOT_RUN)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """As Django's; what the settings or the database do not allow is said in words."""
        try:
            return super().execute(*args, **options)
        except SystemCheckError as error:
            error.returncode = COULD_NOT_RUN
            raise
        except Error as error:
            using = options.get("database", DEFAULT_DB_ALIAS)
            raise CommandError(in_words(error, using), returncode=COULD_NOT_RUN) from error


def in_words(error: Error, using: str) -> str:
    """Why the database let a command down, and what to do."""
    if _lacks_tables(using):
        return f"The database “{using}” has no tables for a ledger yet. Run: manage.py migrate --database {using}"
    said = " ".join(str(error).split()) or type(error).__name__
    return f"The database “{using}” did not do what was asked of it. It says: {said}"


def _lacks_tables(using: str) -> bool:
    try:
        with connections[using].cursor() as cursor:
            names = connections[using].introspection.table_names(cursor)
    except Error:
        return False
    return TransitionLog._meta.db_table not in names


def text_of(option: str, path: Path) -> str:
    """The text of a file that an option names."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "It is no text in UTF-8"
        raise CommandError(f"{option}: {path} cannot be read. {why}.", returncode=COULD_NOT_RUN) from None
