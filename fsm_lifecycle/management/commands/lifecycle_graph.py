"""``manage.py lifecycle_graph``: lifecycles as SVG, Mermaid, DOT or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from fsm_lifecycle import registry
from fsm_lifecycle.diagrams import dot, json, mermaid, svg
from fsm_lifecycle.diagrams.files import write
from fsm_lifecycle.management.command import COULD_NOT_RUN, LifecycleCommand

FORMATS = ("svg", "mermaid", "dot", "json")


class Command(LifecycleCommand):
    """Thin shell over ``diagrams``."""

    help = (
        "Draws lifecycles. SVG: one file for each model, so of several models -o names a folder, and the files are "
        "called app.model.svg. Mermaid, DOT and JSON: one document for all of them. Reads the declared tables alone, "
        "never the database. Exit 2: nothing was drawn."
    )

    # A lifecycle with a defect is what one wants to look at.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("models", nargs="*", metavar="app.Model", help="the models to draw")
        parser.add_argument("--all", action="store_true", help="every model with a lifecycle")
        parser.add_argument(
            "--format", choices=FORMATS, default="svg", help="what to write (default: %(default)s)"
        )
        parser.add_argument(
            "-o",
            "--output",
            default="-",
            metavar="FILE",
            help="the file, or with several models as SVG the folder; replaced when all is drawn; - for standard "
            "output (default)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        models = self._models(options["models"], options["all"])
        form, output = options["format"], options["output"]
        if form == "svg" and len(models) > 1:
            files = self._folder(models, output)
        else:
            drawn = _drawn(form, models)
            if output == "-":
                self.stdout.write(drawn, ending="")
                return
            files = {Path(output): drawn}
        try:
            write(files)
        except OSError as error:
            raise CommandError(
                f"Nothing was written to “{output}”: {error.strerror or error}.", returncode=COULD_NOT_RUN
            ) from None
        if options["verbosity"]:
            count = f"{len(models)} lifecycle{'' if len(models) == 1 else 's'}"
            self.stdout.write(f"Wrote {count} to {output}.")

    def _models(self, names: list[str], every: bool) -> list[Any]:
        known = registry.lifecycles()
        if names and every:
            raise CommandError("--all draws every model. Leave out the names.", returncode=COULD_NOT_RUN)
        if not names and not every:
            labels = ", ".join(model._meta.label for model in known) or "none yet"
            raise CommandError(
                f"Name a model, or give --all. Models with a lifecycle: {labels}.", returncode=COULD_NOT_RUN
            )
        if every:
            if not known:
                raise CommandError("No model has a lifecycle yet.", returncode=COULD_NOT_RUN)
            return list(known)
        try:
            return list(dict.fromkeys(registry.get(name) for name in names))
        except LookupError as error:
            raise CommandError(f"{error.args[0]}", returncode=COULD_NOT_RUN) from None

    def _folder(self, models: list[Any], output: str) -> dict[Path, str]:
        folder = Path(output)
        if output == "-" or folder.suffix == ".svg" or folder.is_file():
            raise CommandError(
                f"An SVG holds one lifecycle, and there are {len(models)}. Give -o a folder, or draw one model, or "
                f"choose --format mermaid, dot or json.",
                returncode=COULD_NOT_RUN,
            )
        return {folder / f"{model._meta.label_lower}.svg": _drawn("svg", [model]) for model in models}


def _drawn(form: str, models: list[Any]) -> str:
    if form == "svg":
        return f"{svg(models[0], standalone=True)}\n"
    if form == "json":
        return json(models)
    return mermaid(*models) if form == "mermaid" else dot(*models)
