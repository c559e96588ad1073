"""Owns databases of a test's own: made, filled with a history, dumped, restored elsewhere, dropped.

What a client program does is done by the client program. Must not know what is expected of a restored ledger.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.state import ProjectState

from fsm_lifecycle import RemapState
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog
from tests.ledger import ledger_to_damage

#: MariaDB's error when it has dropped every table and cannot remove the folder: now and then it forgets a copy of the
#: file that names a table's triggers (``….TRG-``).
LEFT_A_FILE = 1010


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Within, the default database is the one of this name."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def create(name: str) -> None:
    """An empty database; nothing to do where it is a file."""
    if connection.vendor != "sqlite":
        charset = " CHARACTER SET utf8mb4" if connection.vendor == "mysql" else ""
        _as_administrator(f"CREATE DATABASE {connection.ops.quote_name(name)}{charset}")


def drop(name: str) -> None:
    """The database with all that is in it."""
    if connection.vendor == "sqlite":
        for end in ("", "-wal", "-shm"):
            Path(f"{name}{end}").unlink(missing_ok=True)
    else:
        # A client that has just ended may still be connected for PostgreSQL.
        force = " WITH (FORCE)" if connection.vendor == "postgresql" else ""
        try:
            _as_administrator(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}{force}")
        except OperationalError as error:
            if error.args[0] != LEFT_A_FILE:
                raise


def _as_administrator(sql: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


def migrate() -> None:
    """Every table there is, and the protection."""
    call_command("migrate", verbosity=0, interactive=False)


def client(*words: str, stdin: IO[Any] | None = None, stdout: IO[Any] | None = None) -> None:
    """Run a program of the database's own, connected as the tests are. Raises what it says when it fails."""
    done = subprocess.run(
        _addressed(words), env=_environment(), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise AssertionError(f"{words[0]} ended with {done.returncode}: {done.stderr.decode()}")


def _addressed(words: tuple[str, ...]) -> list[str]:
    settings = connection.settings_dict
    if not words[0].startswith("mariadb"):
        return list(words)
    address = [
        "--host",
        str(settings["HOST"]),
        "--port",
        str(settings["PORT"]),
        "--user",
        str(settings["USER"]),
    ]
    return [words[0], *address, *words[1:]]


def _environment() -> Mapping[str, str]:
    settings = connection.settings_dict
    if connection.vendor == "mysql":
        return {**os.environ, "MYSQL_PWD": str(settings["PASSWORD"])}
    named = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    return {**os.environ, **{variable: str(settings.get(key, "")) for variable, key in named.items()}}


@dataclass(frozen=True)
class Source:
    """The database that is restored elsewhere."""

    name: str
    folder: Path
    """Where the key and the checkpoints outside are."""
    entries: int
    record: str
    """A record with four entries and a checkpoint over the first two."""
    kept: str
    """The first checkpoint."""

    @property
    def settings(self) -> dict[str, Any]:
        """What ``FSM_LIFECYCLE`` has to be wherever it is restored."""
        return ledger_to_damage.settings(self.folder)


def fill(name: str, folder: Path) -> Source:
    """Migrate the database and make a history in it, sealed three times. Call inside its settings."""
    with inside(name):
        migrate()
        ledger = ledger_to_damage.build(folder)
        remap = RemapState("testapp.Light", {"on": "off"}, reason="on is no state any more")
        editor: Any = SimpleNamespace(connection=connection)
        state: Any = ProjectState.from_apps(apps)
        remap.database_forwards("testapp", editor, state, state)
        assert TransitionLog.objects.filter(kind="remapped").exists()
        assert seal().checkpoint is not None
        count = TransitionLog.objects.count()
    return Source(name, folder, count, ledger.redacted[0], ledger.kept)


def verified(*options: str) -> tuple[int, dict[str, Any]]:
    """``lifecycle_verify --deep`` on the database at hand: exit code and what it found."""
    out = StringIO()
    code = 0
    try:
        call_command(
            "lifecycle_verify", "--deep", "--format", "json", *options, stdout=out, stderr=StringIO()
        )
    except CommandError as error:
        code = error.returncode
    return code, json.loads(out.getvalue())


def codes(document: dict[str, Any]) -> set[str]:
    """The kinds of findings."""
    return {finding["code"] for finding in document["findings"]}


def examined() -> tuple[int, set[str]]:
    """``lifecycle_doctor`` on the database at hand: exit code and the codes of what is wrong."""
    out = StringIO()
    code = 0
    try:
        call_command("lifecycle_doctor", "--json", stdout=out, stderr=StringIO())
    except CommandError as error:
        code = error.returncode
    return code, {problem["code"] for problem in json.loads(out.getvalue())["problems"]}
