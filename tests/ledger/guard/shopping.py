"""Owns the shop as tests run it: a database of its own, and processes of one version of its code after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from tests import databases
from tests.ledger import restoring

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "tests.ledger.guard.shop_project"


class Shop:
    """A host project with a database of its own."""

    def __init__(self, database: str, folder: Path) -> None:
        self.environment = {
            **os.environ,
            databases.RUN_FOLDER: str(folder),
            "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
            "DATABASE_NAME": database,
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *command: str, version: str = "titled", **more: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the shop."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**self.environment, "SHOP_VERSION": version, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def steps(self, version: str, *steps: str, **more: str) -> list[Any]:
        """What one process of this version answers to each step."""
        done = self.run("-m", f"{PROJECT}.steps", *steps, version=version, **more)
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout)
        assert isinstance(answers, list)
        return answers


@contextmanager
def new_shop(folder: Path) -> Iterator[Shop]:
    """A shop whose database is new and empty, and gone at the end. Outside a transaction."""
    if connection.vendor == "sqlite":
        yield Shop(str(folder / "shop.sqlite3"), folder)
        return
    name = f"fsm_lifecycle_shop_{uuid.uuid4().hex[:8]}"
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE {quoted}" + (" CHARACTER SET utf8mb4" if connection.vendor == "mysql" else "")
        )
    try:
        yield Shop(name, folder)
    finally:
        restoring.drop(name)
