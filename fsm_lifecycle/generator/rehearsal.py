"""What the process does in which a new app is tried out: loads it with the host's settings, checks it, and makes its
first migration with Django's own autodetector and writer. No database is asked.

Imported before the apps are ready, so it imports no models at its top. Must not know who asked.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


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
