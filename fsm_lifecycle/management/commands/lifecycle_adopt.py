"""``lifecycle_adopt``: rows that existed before their model had a lifecycle get the first entry of their log."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from fsm_lifecycle.engine.adopt import adopt_rows
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand
from fsm_lifecycle.progress import progress_bar
from fsm_lifecycle.registry import get, lifecycles, lives_in


class Command(LifecycleCommand):
    """Thin shell over ``engine.adopt.adopt_rows``."""

    help = (
        "Writes an “adopted” entry for every row without a log, in the state the row is in. "
        "Can be interrupted and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "models", nargs="*", metavar="app.Model", help="which models; by default all with a lifecycle"
        )
        parser.add_argument(
            "--reason", default="lifecycle_adopt", help="why, for the log (default: %(default)s)"
        )
        parser.add_argument(
            "--database",
            default="default",
            choices=sorted(connections),
            help="which database (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        using = options["database"]
        try:
            models = [get(label, using) for label in options["models"]]
        except LookupError as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from None
        models = models or [model for model in lifecycles() if lives_in(model, using)]
        bindings = dict.fromkeys(model._lifecycle.owner._lifecycle for model in models)  # type: ignore[attr-defined]
        for binding in bindings:
            label = binding.owner._meta.label
            with progress_bar(f"Adopting {label}") as progress:
                try:
                    count = adopt_rows(binding, using, options["reason"], progress=progress)
                except (LifecycleError, ValueError) as error:
                    raise CommandError(str(error), returncode=COULD_NOT_RUN) from None
            self.stdout.write(f"{label}: {count:,} adopted." if count else f"{label}: every row has a log.")
