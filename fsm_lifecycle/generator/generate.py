"""From a blueprint to an app in place. Must not know the command line."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fsm_lifecycle.generator import files, laying, trial
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.laying import Edit
from fsm_lifecycle.pages import site


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written."""

    files: tuple[Path, ...]
    note: str


def generate(app: Blueprint, edits: Sequence[Edit] = ()) -> Generated:
    """Write the app and make the edits. Raises ``Refused`` or ``OSError``; then nothing has changed."""
    base = site.base()
    made = files.files_of(app, base)
    with laying.staging(app.folder) as stage:
        folder = stage / app.folder.name
        laying.write(folder, made)
        migration = f"migrations/{trial.INITIAL}.py"
        made[migration] = trial.try_out(app, stage)
        laying.write(folder, {migration: made[migration]})
        if app.folder.exists():
            _keep(app.folder, folder)
        laying.put_in_place(stage, app.folder, edits)
    return Generated(tuple(app.folder / name for name in sorted(made)), base.note)


def _keep(old: Path, new: Path) -> None:
    """Take over from an app that is overwritten whatever this command does not write."""
    for path in old.rglob("*"):
        twin = new / path.relative_to(old)
        if path.is_dir():
            twin.mkdir(exist_ok=True)
        elif not twin.exists() and "__pycache__" not in path.parts:
            shutil.copy2(path, twin)
