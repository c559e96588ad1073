"""``flush``, as Django's, which removes the log only where that is meant: in a test run, or when it is said."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.flush import Command as DjangoCommand
from django.core.management.sql import emit_post_migrate_signal
from django.db import connections, transaction
from django.test.utils import _TestState

from fsm_lifecycle.ledger import definitions, protection
from fsm_lifecycle.models import AccessEvent, TransitionLog


class Command(DjangoCommand):
    """With the protection's gate open while the tables are emptied, and closed before ``post_migrate``."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--purge-lifecycle-log",
            action="store_true",
            help="Also remove the log of every lifecycle, which nothing brings back. Needed where there are entries.",
        )

    def handle(self, **options: Any) -> None:
        using = options["database"]
        connection = connections[using]
        self._refuse(using, options)
        quiet = options.get("inhibit_post_migrate", False)
        with transaction.atomic(using=using), protection.gate(connection, "delete"):
            super().handle(**{**options, "inhibit_post_migrate": True})
        definitions.forget(using)  # what this process knew to be stored
        if not quiet:
            emit_post_migrate_signal(options["verbosity"], options["interactive"], using)

    def _refuse(self, using: str, options: dict[str, Any]) -> None:
        """Raise where the log would go without having been named."""
        in_test_run = hasattr(_TestState, "saved_data")
        if in_test_run or options["purge_lifecycle_log"]:
            return
        connection = connections[using]
        there = connection.introspection.table_names()
        kept = (TransitionLog, AccessEvent)
        if any(m._meta.db_table in there and m.objects.using(using).exists() for m in kept):
            raise CommandError(
                f"The database {using!r} holds a lifecycle log, and flush would remove it for good. Export it first "
                f"(manage.py lifecycle_export -o log.jsonl), then run flush --purge-lifecycle-log.",
                returncode=2,
            )
