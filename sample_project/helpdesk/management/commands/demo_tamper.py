"""`manage.py demo_tamper`: tamper with a copy of the database and show what is found. A thin shell over `tampering`."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from sample_project import tampering
from sample_project.helpdesk.report import aligned
from sample_project.settings import BASE_DIR


class Command(BaseCommand):
    help = (
        "Tampers with a copy of the database, as somebody could who owns it, and lets lifecycle_verify say what it "
        "finds. The database itself is not touched. SQLite only."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "sqlite":
            raise CommandError(
                "The demonstration copies a SQLite file. Run it with SAMPLE_DB=sqlite.", returncode=2
            )
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.sqlite3"
            self._demonstrate(copy)

    def _demonstrate(self, copy: Path) -> None:
        connection.ensure_connection()
        tampered = sqlite3.connect(copy)
        connection.connection.backup(tampered)
        refused = tampering.refused(tampered)
        tampering.drop_triggers(tampered)
        deeds = tampering.tamper(tampered)
        tampered.close()
        found = self._verified(copy)
        self._tell(refused, deeds, found)

    def _verified(self, copy: Path) -> dict[str, Any]:
        """What lifecycle_verify says of the copy, beside the checkpoints that are kept outside the database."""
        command = [sys.executable, "manage.py", "lifecycle_verify", "--deep", "--format", "json"]
        environment = {**os.environ, "SAMPLE_DB": "sqlite", "SAMPLE_DB_NAME": str(copy)}
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 1:
            raise CommandError(f"lifecycle_verify found nothing (exit {done.returncode}).\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _tell(
        self, refused: list[tuple[str, str]], deeds: list[tampering.Deed], found: dict[str, Any]
    ) -> None:
        lines = ["", "Tampering with a copy of the database", ""]
        lines += ["What its triggers refuse:", ""]
        lines += aligned([["Statement", "Answer"], *map(list, refused)], "<<", indent=2)
        lines += ["", "An owner of the database can drop the triggers. So they were, and then:", ""]
        findings = [f for f in found["findings"] if f["code"] != "PROTECTION_MISSING"]
        rows = [["Done", "Found, at entry"]]
        named = {deed.record for deed in deeds if deed.record}
        for deed in deeds:
            if deed.record:
                first, *more = _named(f for f in findings if f["record"] == deed.record)
            else:
                first, *more = _named(f for f in findings if f["record"] not in named)
            rows += [[deed.what, first], *(["", code] for code in more)]
        lines += aligned(rows, "<<", indent=2)
        dropped = len(found["findings"]) - len(findings)
        lines += [
            "",
            f"And that {dropped} triggers are missing. Exit code 1. The copy is gone; yours is whole.",
            "",
        ]
        self.stdout.write("\n".join(lines))


def _named(findings: Iterable[dict[str, Any]]) -> list[str]:
    """Each code once, with the entries that it was found at."""
    places: dict[str, list[str]] = {}
    for finding in findings:
        entries = places.setdefault(finding["code"], [])
        if finding["sequence"]:
            entries.append(str(finding["sequence"]))
    return [f"{code} at {', '.join(at)}" if at else code for code, at in places.items()] or ["nothing"]
