"""``manage.py lifecycle_roles``: the roles there are, their permissions and groups, and the access events."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from fsm_lifecycle.access import reconcile, sync
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand
from fsm_lifecycle.progress import progress_bar


class Command(LifecycleCommand):
    """Thin shell over ``access.sync`` and ``access.reconcile``."""

    help = (
        "Shows the roles of every lifecycle and how many users hold each on all records. --sync makes missing "
        "permissions and groups; --reconcile removes what has ended and puts on record what was changed behind "
        "Django's back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sync", action="store_true", help="make missing permissions and groups")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="with --sync: also remove the permissions and groups that no table asks for any more, and with them "
            "what was granted through them",
        )
        parser.add_argument(
            "--reconcile",
            action="store_true",
            help="remove grants that have ended or whose record is gone, and record what no signal announced",
        )
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        using = options["database"]
        self.quiet = not options["verbosity"]
        if options["prune"] and not options["sync"]:
            raise CommandError(
                "--prune goes with --sync: lifecycle_roles --sync --prune", returncode=COULD_NOT_RUN
            )
        if not sync.possible(using):
            raise CommandError(
                f"The database “{using}” has no tables for users and groups. Run: manage.py migrate --database {using}",
                returncode=COULD_NOT_RUN,
            )
        if options["sync"]:
            self._sync(using, options["prune"])
        if options["reconcile"]:
            self._reconcile(using)
        if not options["sync"] and not options["reconcile"]:
            self._show(using)

    def _sync(self, using: str, prune: bool) -> None:
        done = sync.sync(using, restore=True, prune=prune)
        if self.quiet:
            return
        self.stdout.write(f"Made {len(done.permissions)} permissions and {len(done.groups)} groups.")
        for name in done.restored:
            self.stdout.write(f"The group {name} had lost its role and has it again.")
        for name in done.pruned:
            self.stdout.write(f"Removed {name}.")

    def _reconcile(self, using: str) -> None:
        with progress_bar("Comparing grants") as progress:
            done = reconcile.reconcile(using, progress)
        if self.quiet:
            return
        self.stdout.write(
            f"{done.expired} ended and removed, {done.orphaned} removed because their record is gone, {done.arrived} "
            f"found that were not on record, {done.lost} on record that are held no more."
        )

    def _show(self, using: str) -> None:
        rows = [(label, role.value, str(count)) for label, role, count in sync.summary(using)]
        if not rows:
            self.stdout.write("No lifecycle declares a role.")
            return
        head = ("model", "role", "users on all records")
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(3)]
        for row in (head, *rows):
            self.stdout.write(
                "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            )
