"""``manage.py lifecycle_doctor``: everything that is wrong with the lifecycles of a database, and what to do."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.management.command import LifecycleCommand
from fsm_lifecycle.ops.doctor import examine


class Command(LifecycleCommand):
    """Thin shell over ``ops.doctor``."""

    help = (
        "Looks at migrations, protection, definitions, records, grants, keys, checkpoints and sealing, and says what "
        "is wrong and what to do. Mends nothing. Exit 1: something is wrong. Exit 2: something could not be looked at."
    )
    # It is run where something may be wrong: no check may keep it from saying what.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine(options["database"])
        if options["json"]:
            self.stdout.write(json.dumps(found.document, ensure_ascii=False, indent=2))
        else:
            for line in found.text:
                self.stdout.write(line)
        if found.problems:
            number = len(found.problems)
            raise CommandError("1 problem." if number == 1 else f"{number} problems.", returncode=1)
        if found.failed:
            raise CommandError(f"Could not look at {', '.join(found.failed)}.", returncode=2)
