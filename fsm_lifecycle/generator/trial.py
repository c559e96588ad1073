"""The new app, tried out in a process of its own with the host's settings: it is checked, and gives its migration.

Django's own autodetector and writer make the migration from the real model. No database is asked. Must not know how
the files came to be.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.problems import Refused

_BOOT: Final = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from fsm_lifecycle.generator.trial import answer; answer(job)"
)
INITIAL: Final = "0001_initial"


def try_out(app: Blueprint, stage: Path) -> str:
    """The text of the first migration of the app in ``stage``. Raises ``Refused`` for what Django finds wrong."""
    reply = stage / "reply.json"
    job = {
        "path": [entry or os.getcwd() for entry in sys.path],  # noqa: PTH109
        "stage": str(stage),
        "module": app.module,
        "label": app.label,
        "reply": str(reply),
    }
    done = subprocess.run(  # noqa: S603 - Python itself, with code of our own
        [sys.executable, "-c", _BOOT],
        input=json.dumps(job),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not reply.exists():
        last = done.stderr.strip().splitlines()[-1:] or ["It said nothing."]
        raise Refused([f"The app could not be tried out with your settings. {last[0]}"])
    told: dict[str, Any] = json.loads(reply.read_text(encoding="utf-8"))
    reply.unlink()
    if told["problems"]:
        raise Refused(told["problems"])
    return str(told["migration"])


def answer(job: dict[str, str]) -> None:
    """What the child process does."""
    import django
    from django.conf import settings

    parent, _, _ = job["module"].rpartition(".")
    if parent:
        importlib.import_module(parent).__path__.insert(0, job["stage"])
    else:
        sys.path.insert(0, job["stage"])
    others = [name for name in settings.INSTALLED_APPS if not _names(name, job["module"])]
    settings.INSTALLED_APPS = [*others, job["module"]]
    django.setup()
    problems = _problems(job["label"])
    migration = ""
    if not problems:
        problems, migration = _migration(job["label"])
    Path(job["reply"]).write_text(
        json.dumps({"problems": problems, "migration": migration}), encoding="utf-8"
    )


def _names(entry: str, module: str) -> bool:
    return entry == module or entry.startswith(f"{module}.apps.")


def _problems(label: str) -> list[str]:
    from django.apps import apps
    from django.core import checks

    config = apps.get_app_config(label)
    found = checks.run_checks(app_configs=[config], tags=[checks.Tags.models, "fsm_lifecycle"])
    own = set(config.get_models())
    said = []
    for message in found:
        subject = getattr(message.obj, "model", message.obj)
        if message.is_serious() and (subject in own or subject is config):
            said.append(" ".join(filter(None, [message.msg, message.hint])))
    return said


def _migration(label: str) -> tuple[list[str], str]:
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
    from django.db.migrations.state import ModelState
    from django.db.migrations.writer import MigrationWriter

    loader: Any = MigrationLoader(None)  # without a database
    before: Any = loader.project_state()
    missing = []
    after = before.clone()
    for model in apps.get_app_config(label).get_models():
        after.add_model(ModelState.from_model(model))
        for field in model._meta.concrete_fields:
            target: Any = field.remote_field.model if field.remote_field else model
            key = (target._meta.app_label, target._meta.model_name)
            if target is not model and key not in before.models:
                missing.append(
                    f"{target._meta.label} has no migration yet, so nothing can reference it. Run: manage.py "
                    f"makemigrations {target._meta.app_label}"
                )
    if missing:
        return missing, ""
    detector = MigrationAutodetector(before, after, NonInteractiveMigrationQuestioner(specified_apps={label}))
    changes = detector.changes(graph=loader.graph, trim_to_apps={label}, convert_apps={label})
    (migration,) = changes[label]
    return [], MigrationWriter(migration).as_string()
