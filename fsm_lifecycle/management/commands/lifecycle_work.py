"""``manage.py lifecycle_work``: does what is due in the background, once or as a service."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

from fsm_lifecycle.dispatch import items, working
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.interrupting import interruptible
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand

#: Seconds that a service which is told to end waits for what is at work.
PATIENCE = 30.0


class Command(LifecycleCommand):
    """Thin shell over ``dispatch.working``."""

    help = (
        "Does what is due in the background: deliveries, timers, durable effects, sealing, what has ended. Goes on "
        "until interrupted; --once does all that is due now and ends (for cron). --dead lists, retries or drops work "
        "that was given up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do all that is due now, then end")
        parser.add_argument(
            "--dead",
            choices=("list", "retry", "drop"),
            help="look after work that was given up, and do nothing else",
        )
        parser.add_argument(
            "--id",
            type=int,
            action="append",
            metavar="ID",
            help="with --dead retry or drop: only this piece of work",
        )
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        using, silent = options["database"], options["json"]
        if options["dead"]:
            if options["once"]:
                raise CommandError("Give --once or --dead, not both.", returncode=COULD_NOT_RUN)
            self._dead(options["dead"], options["id"] or [], using, silent)
            return
        if options["id"]:
            raise CommandError("--id goes with --dead retry or --dead drop.", returncode=COULD_NOT_RUN)
        if options["once"]:
            self._once(using, silent)
        else:
            self._go_on(using, silent)

    def _once(self, using: str, silent: bool) -> None:
        worker = working.Worker()
        with interruptible(worker.stop):
            done = working.work_off(using, stopped=lambda: worker.stopped)
        dead = items.dead(using).count()
        if silent:
            self.stdout.write(json.dumps({"done": done, "dead": dead}))
        else:
            self.stdout.write(f"Done: {done:,}." if done else "Nothing was due.")
            if dead:
                self.stderr.write(f"Given up so far: {dead:,}. See: manage.py lifecycle_work --dead list")

    def _go_on(self, using: str, silent: bool) -> None:
        worker = working.Worker(using, idle=working.BUSY)
        if not silent:
            self.stdout.write(f"Working on the database “{using}”. Ctrl-C ends.")
            self.stdout.flush()
        with interruptible(worker.stop):
            worker.run()
            if not worker.finish(PATIENCE):
                self.stderr.write(
                    "Some work is still under way; another worker takes it when its lease ends."
                )

    def _dead(self, what: str, ids: list[int], using: str, silent: bool) -> None:
        rows = items.dead(using)
        if ids:
            rows = rows.filter(pk__in=ids)
            if missing := sorted(set(ids) - set(rows.values_list("pk", flat=True))):
                numbers = ", ".join(map(str, missing))
                raise CommandError(f"There is no dead work with the id {numbers}.", returncode=COULD_NOT_RUN)
        if what == "list":
            self._list(list(rows[:1000]), silent)
            return
        act = items.retry if what == "retry" else items.drop
        count = sum(act(item) for item in rows.iterator(chunk_size=500))
        if silent:
            self.stdout.write(json.dumps({what: count}))
        else:
            done = "Queued again" if what == "retry" else "Dropped"
            self.stdout.write(f"{done}: {count:,}.")

    def _list(self, found: list[WorkItem], silent: bool) -> None:
        if silent:
            rows = [
                {
                    "id": item.pk,
                    "kind": item.kind,
                    "payload": item.payload,
                    "tries": item.tries,
                    "error_class": item.error_class,
                    "result": item.result,
                    "finished_at": item.finished_at and item.finished_at.isoformat(),
                }
                for item in found
            ]
            self.stdout.write(json.dumps({"dead": rows}, ensure_ascii=False))
            return
        if not found:
            self.stdout.write("No work was given up.")
        for item in found:
            when = (
                ""
                if item.finished_at is None
                else timezone.localtime(item.finished_at).strftime("%Y-%m-%d %H:%M")
            )
            why = (item.result or {}).get("why") if isinstance(item.result, dict) else None
            self.stdout.write(
                f"{item.pk}  {when}  {item.kind}  {why or item.error_class}  (tries: {item.tries})"
            )
