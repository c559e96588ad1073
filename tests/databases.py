"""Owns how the tests reach a database: which one, where, and under which name.

Must not know what the tests do with it, and imports nothing of Django: the runner of the whole suite asks here, too,
where the servers should be listening.

`DATABASE` chooses `sqlite` (the default), `postgres` or `mariadb`. PostgreSQL is found through libpq's own variables
(`PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`), MariaDB through `MARIADB_HOST`, `MARIADB_PORT`, `MARIADB_USER` and
`MARIADB_PASSWORD`; each has the usual local default. `DATABASE_NAME` names a database that exists already: a child
process that a test starts joins its parent's database that way.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
RUN_FOLDER = "FSM_LIFECYCLE_TEST_RUN"


def run_folder() -> Path:
    """The folder of this test run: made by its first process, shared by all it starts, removed when it ends."""
    if RUN_FOLDER not in os.environ:
        folder = tempfile.mkdtemp(prefix="fsm-lifecycle-")
        os.environ[RUN_FOLDER] = folder
        atexit.register(_remove, folder, os.getpid())
    return Path(os.environ[RUN_FOLDER])


def _remove(folder: str, owner: int) -> None:
    # A forked child ends before its parent does and must leave the folder alone.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def address(database: str) -> tuple[str, int]:
    """Host and port of a database server."""
    if database == "postgres":
        return os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))
    return os.environ.get("MARIADB_HOST", "127.0.0.1"), int(os.environ.get("MARIADB_PORT", "3306"))


def configured(database: str) -> dict[str, Any]:
    """The entry of Django's `DATABASES` for one of the three.

    Raises `ValueError` for any other name.
    """
    if database == "sqlite":
        return _sqlite()
    if database == "postgres":
        return _server(
            "postgres", user=os.environ.get("PGUSER", "postgres"), password=os.environ.get("PGPASSWORD", "")
        )
    if database == "mariadb":
        mariadb = _server(
            "mariadb",
            user=os.environ.get("MARIADB_USER", "root"),
            password=os.environ.get("MARIADB_PASSWORD", ""),
        )
        mariadb["OPTIONS"] = {"charset": "utf8mb4"}
        mariadb["TEST"] = {"CHARSET": "utf8mb4"}
        return mariadb
    raise ValueError(f"DATABASE={database!r} is not known. Use sqlite, postgres or mariadb.")


def second() -> dict[str, Any]:
    """A second database beside the one under test, for records that do not live in the default one."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(run_folder() / "other.sqlite3"),
        "TEST": {"NAME": str(run_folder() / "test-other.sqlite3"), "DEPENDENCIES": []},
        "OPTIONS": _SQLITE,
    }


def _sqlite() -> dict[str, Any]:
    # A file, not memory: threads and processes of one test must see one database.
    folder = run_folder()
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_NAME", str(folder / "lifecycle.sqlite3")),
        "TEST": {"NAME": str(folder / "test.sqlite3")},
        "OPTIONS": _SQLITE,
    }


def _server(database: str, *, user: str, password: str) -> dict[str, Any]:
    host, port = address(database)
    engines = {"postgres": "django.db.backends.postgresql", "mariadb": "django.db.backends.mysql"}
    # The folder's name is unique, so two runs at the same time keep out of each other's way.
    own = run_folder().name.replace("-", "_")
    return {
        "ENGINE": engines[database],
        "NAME": os.environ.get("DATABASE_NAME", own),
        "HOST": host,
        "PORT": port,
        "USER": user,
        "PASSWORD": password,
    }
