"""The throw-away databases a run measures on: where they are, how they are made and dropped.

Every run makes its own (`fsm_bench_<pid>`) and drops them at the end; it never opens one that exists.
Must not know what is measured. Django need not be configured to import this module.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

#: Alias to Django database settings, as `settings.DATABASES` wants it. Plain data: worker processes receive it.
Databases = dict[str, dict[str, Any]]

ENGINES = ("sqlite", "postgres")

#: What each alias is called in tables. Both PostgreSQL aliases open the same database.
LABELS = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL, synchronous_commit=on",
    "postgres_async": "PostgreSQL, synchronous_commit=off",
}


class DatabaseUnavailable(RuntimeError):
    """A database server did not answer or refused to make a database; the message names the remedy."""


@contextmanager
def temporary_databases(engines: Sequence[str]) -> Iterator[Databases]:
    """Make one empty database per engine and drop them all on the way out, also after an error."""
    name = f"fsm_bench_{os.getpid()}"
    with ExitStack() as stack:
        databases: Databases = {}
        if "sqlite" in engines:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=name))
            databases["sqlite"] = sqlite_settings(Path(folder) / "bench.sqlite3")
        if "postgres" in engines:
            stack.enter_context(_postgres_database(name))
            databases["postgres"] = postgres_settings(name, synchronous_commit="on")
            databases["postgres_async"] = postgres_settings(name, synchronous_commit="off")
        yield databases


def sqlite_settings(path: Path) -> dict[str, Any]:
    """SQLite as the package recommends it: WAL, synchronous=NORMAL, IMMEDIATE, a timeout of 20 s."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def postgres_settings(name: str, synchronous_commit: str) -> dict[str, Any]:
    """PostgreSQL with Django's defaults, reached through the usual PGHOST, PGPORT, PGUSER, PGPASSWORD."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": f"-c synchronous_commit={synchronous_commit}"},
    }


@contextmanager
def _postgres_database(name: str) -> Iterator[None]:
    import psycopg
    from psycopg import sql

    settings = postgres_settings(name, synchronous_commit="on")
    identifier = sql.Identifier(name)

    def run(statement: sql.Composed) -> None:
        with psycopg.connect(
            host=settings["HOST"],
            port=settings["PORT"],
            user=settings["USER"],
            password=settings["PASSWORD"],
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(statement)

    try:
        run(sql.SQL("CREATE DATABASE {}").format(identifier))
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            f"PostgreSQL at {settings['HOST']}:{settings['PORT']} did not make the database {name}: {error}\n"
            "Set PGHOST, PGPORT, PGUSER and PGPASSWORD to a server where that user may create databases, "
            "or leave it out with --database sqlite."
        ) from error
    try:
        yield
    finally:
        run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
