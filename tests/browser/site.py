"""Owns the site that the browser visits: the sample project, served by a process of its own on a database of its own.

The database is made once for all workers of a run; each serves a copy and puts it back before every test. Must not
know what is in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "localhost/sample-sqlite3"
MAKE = f"""
import json, os, pathlib, django
from fsm_lifecycle.ledger import keys
keys.new_key(pathlib.Path(os.environ["SAMPLE_LEDGER"], "ledger.key"), {ORIGIN!r})
django.setup()
from tests.browser import dataset
print(json.dumps(dataset.make()))
"""
#: Seconds after which a process is given up: it begins beside all the others of a run.
PATIENCE = 200


@dataclass(frozen=True)
class Prepared:
    """The database as every test finds it."""

    folder: Path
    sessions: dict[str, str]
    """Of each user, by name."""

    @property
    def database(self) -> Path:
        return self.folder / "prepared.sqlite3"


def prepared(folder: Path) -> Prepared:
    """Make the database in a folder, or find the one that another worker made there."""
    folder.mkdir(exist_ok=True)
    sessions = folder / "sessions.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not sessions.exists():
            done = subprocess.run(
                [sys.executable, "-c", MAKE],
                cwd=ROOT,
                env=environment(folder, folder / "prepared.sqlite3"),
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
            assert done.returncode == 0, done.stderr
            # The e-mails of the demo's invoices are printed before it.
            sessions.write_text(done.stdout.splitlines()[-1])
    return Prepared(folder, json.loads(sessions.read_text()))


def environment(folder: Path, database: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "sample_project.settings",
        "SAMPLE_DB": "sqlite",
        "SAMPLE_DB_NAME": str(database),
        "SAMPLE_LEDGER": str(folder),
        # Nothing works beside a test but what it asks for: `Site.work`.
        "SAMPLE_DISPATCH": "command",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


class Site:
    """The sample project, answering."""

    #: Where it answers, once it does.
    url: str

    def __init__(self, made: Prepared, database: Path, variables: dict[str, str]) -> None:
        self.made = made
        self.database = database
        self.variables = variables

    def put_back(self) -> None:
        """Undo whatever the last test did: in the database, and in the ledger's folder beside it."""
        ledger = Path(self.variables["SAMPLE_LEDGER"])
        shutil.rmtree(ledger, ignore_errors=True)
        # A worker of the last test may be writing there.
        ledger.mkdir(exist_ok=True)
        for key in self.made.folder.glob("ledger.key*"):
            shutil.copy(key, ledger)
        shutil.copytree(self.made.folder / "checkpoints", ledger / "checkpoints", dirs_exist_ok=True)
        with closing(sqlite3.connect(self.made.database)) as kept, closing(self.connect()) as served:
            kept.backup(served)

    def work(self) -> None:
        """Do all background work that is due, in a process of its own."""
        manage(self.variables, "lifecycle_work", "--once")

    def connect(self) -> sqlite3.Connection:
        """The database beside the server; for looking and for what only time can do."""
        return sqlite3.connect(self.database, timeout=20)

    def count(self, table: str, where: str = "1", *values: object) -> int:
        """How many rows a table has."""
        with closing(self.connect()) as database:
            return int(database.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", values).fetchone()[0])

    def ticket(self, number: int) -> int:
        """The primary key of a ticket."""
        with closing(self.connect()) as database:
            found = database.execute("SELECT id FROM helpdesk_ticket WHERE number = ?", [number]).fetchone()
        return int(found[0])

    def state(self, number: int) -> str:
        """The stored state of a ticket."""
        with closing(self.connect()) as database:
            found = database.execute(
                "SELECT state FROM helpdesk_ticket WHERE number = ?", [number]
            ).fetchone()
        return str(found[0])


@contextmanager
def serving(
    made: Prepared, folder: Path, also: Mapping[str, str] | None = None, migrate: bool = False
) -> Iterator[Site]:
    """Serve a copy of the database until the block ends; ``also``: more for the environment."""
    database = folder / "served.sqlite3"
    # A ledger of its own: checkpoints of one copy of the database would look like a fork to another.
    variables = {**environment(folder / "ledger", database), **(also or {})}
    site = Site(made, database, variables)
    site.put_back()
    if migrate:
        manage(variables, "migrate", "--verbosity=0")
    said = folder / "server.log"
    with (
        said.open("w") as log,
        subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", "--skip-checks", "127.0.0.1:0"],
            cwd=ROOT,
            env=variables,
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            site.url = address_of(server, said, PATIENCE)
            yield site
        finally:
            server.terminate()


def manage(variables: dict[str, str], *arguments: str) -> None:
    """Run `manage.py` in an environment."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


def address_of(server: subprocess.Popen[bytes], said: Path, patience: float) -> str:
    """Where ``runserver`` answers: on a port that was free when it began, which it says in its log."""
    until = time.monotonic() + patience
    while time.monotonic() < until and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", said.read_text()):
            try:
                socket.create_connection(("127.0.0.1", int(found[1])), timeout=1).close()
            except OSError:
                pass
            else:
                return found[0].rstrip("/")
        time.sleep(0.1)
    raise AssertionError(f"The site does not answer.\n{said.read_text()}")
