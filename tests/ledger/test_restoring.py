"""A ledger that was dumped and restored elsewhere is the ledger it was: verified with what was kept outside."""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import Checkpoint, LogLeaf, TransitionLog
from tests.acting import ACTOR
from tests.ledger import restoring
from tests.ledger.ledger_to_damage import settings
from tests.ledger.restoring import Source, client, codes, examined, inside, verified
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light

sqlite_only = pytest.mark.skipif("connection.vendor != 'sqlite'")
postgres_only = pytest.mark.skipif("connection.vendor != 'postgresql'")
mariadb_only = pytest.mark.skipif("connection.vendor != 'mysql'")

Restore = Callable[[Source, str, Path], None]

# A database is made for each test, and migrated.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def source(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Source]:
    """A database with a history, which no test changes."""
    folder = tmp_path_factory.mktemp("source")
    name = _name(folder, "source")
    with django_db_blocker.unblock(), override_settings(FSM_LIFECYCLE=settings(folder)):
        restoring.create(name)
        try:
            yield restoring.fill(name, folder)
        finally:
            restoring.drop(name)


@pytest.fixture
def target(source: Source, tmp_path: Path) -> Iterator[str]:
    """The name of an empty database."""
    name = _name(tmp_path, "target")
    restoring.create(name)
    try:
        yield name
    finally:
        connection.close()
        restoring.drop(name)


def _name(folder: Path, what: str) -> str:
    if connection.vendor == "sqlite":
        return str(folder / f"{what}.sqlite3")
    # Each has a name of its own: MariaDB may keep the folder of the one before.
    return f"{connection.settings_dict['NAME']}_{what}_{uuid.uuid4().hex[:8]}"


# --- ways -------------------------------------------------------------------------------------------------


def by_loaddata(source: Source, target: str, folder: Path) -> None:
    dump = folder / "dump.json"
    with inside(source.name):
        call_command("dumpdata", output=str(dump), verbosity=0)
    with inside(target):
        restoring.migrate()
        call_command("loaddata", str(dump), verbosity=0)


def by_natural_loaddata(source: Source, target: str, folder: Path) -> None:
    dump = folder / "dump.json"
    chosen = {"exclude": ["contenttypes", "auth.permission"], "use_natural_foreign_keys": True}
    with inside(source.name):
        call_command("dumpdata", output=str(dump), verbosity=0, **chosen)
    with inside(target):
        restoring.migrate()
        call_command("loaddata", str(dump), verbosity=0)


def by_copying(source: Source, target: str, folder: Path) -> None:
    connection.close()
    shutil.copyfile(source.name, target)


def by_vacuum_into(source: Source, target: str, folder: Path) -> None:
    with inside(source.name), connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [target])


def by_backup(source: Source, target: str, folder: Path) -> None:
    before, after = sqlite3.connect(source.name), sqlite3.connect(target)
    before.backup(after)
    before.close()
    after.close()


def by_sqlite_dump(source: Source, target: str, folder: Path) -> None:
    before, after = sqlite3.connect(source.name), sqlite3.connect(target)
    after.executescript("\n".join(before.iterdump()))
    before.close()
    after.close()


def by_pg_dump_plain(source: Source, target: str, folder: Path) -> None:
    client("pg_dump", "--file", str(folder / "dump.sql"), source.name)
    client("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(folder / "dump.sql"), target)


def by_pg_dump_custom(source: Source, target: str, folder: Path) -> None:
    client("pg_dump", "--format=custom", "--file", str(folder / "dump"), source.name)
    client("pg_restore", "--exit-on-error", "--dbname", target, str(folder / "dump"))


def by_mariadb_dump(source: Source, target: str, folder: Path) -> None:
    client("mariadb-dump", "--single-transaction", f"--result-file={folder / 'dump.sql'}", source.name)
    with (folder / "dump.sql").open("rb") as dump:
        client("mariadb", target, stdin=dump)


WAYS = [
    by_loaddata,
    *(
        pytest.param(way, marks=sqlite_only)
        for way in (by_natural_loaddata, by_copying, by_vacuum_into, by_backup, by_sqlite_dump)
    ),
    *(pytest.param(way, marks=postgres_only) for way in (by_pg_dump_plain, by_pg_dump_custom)),
    pytest.param(by_mariadb_dump, marks=mariadb_only),
]


# --- what is restored ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("restore", WAYS)
def test_what_was_restored_is_whole_and_goes_on(
    restore: Restore, source: Source, target: str, tmp_path: Path
) -> None:
    restore(source, target, tmp_path)
    kept = tmp_path / "kept.note"
    kept.write_text(source.kept)
    with inside(target):
        assert TransitionLog.objects.count() == source.entries
        for options in ((), ("--against", str(kept))):
            code, document = verified(*options)
            assert (code, document["findings"]) == (0, [])
            assert document["checked"]["bodies"] == document["checked"]["leaves"] == source.entries
            assert document["not_checked"] == []
        assert protection.missing(connection) == []
        assert protection.outdated(connection) == []
        assert examined() == (0, set())
    assert_it_goes_on(source, target, tmp_path)


def assert_it_goes_on(source: Source, target: str, folder: Path) -> None:
    """It is protected, fires, seals and signs a tree that continues the one before."""
    # The source's own outside folder stays as it is.
    outside = folder / "outside"
    shutil.copytree(source.folder / "outside", outside)
    configured = {**source.settings, "LEDGER_CHECKPOINT_DIR": outside}
    with inside(target), override_settings(FSM_LIFECYCLE=configured):
        light = Light.objects.get(pk=source.record.partition(":")[2])
        for sql in (
            f"UPDATE {TransitionLog._meta.db_table} SET to_state = 'x'",
            f"DELETE FROM {LogLeaf._meta.db_table}",
            f"UPDATE {Checkpoint._meta.db_table} SET tree_size = 1",
            "UPDATE testapp_light SET state = 'nonsense'",
        ):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(sql)
        light.fire("switch_on", actor=ACTOR)
        Light.objects.create(name="new here")
        seal()
        code, document = verified()
        assert (code, document["findings"]) == (0, [])
        assert document["checked"]["leaves"] == source.entries + 2


# --- what is not as it was ----------------------------------------------------------------------------------


@sqlite_only
def test_a_dump_that_was_tampered_with_is_found(source: Source, target: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.json"
    with inside(source.name):
        call_command("dumpdata", output=str(dump), verbosity=0)
    rows: list[dict[str, Any]] = json.loads(dump.read_text())
    label, _, pk = source.record.partition(":")

    def entries() -> list[dict[str, Any]]:
        found = [row["fields"] for row in rows if row["model"] == "fsm_lifecycle.transitionlog"]
        return [row for row in found if (row["model_label"], row["object_pk"]) == (label, pk)]

    entries()[1]["recorded_at"] = "2020-01-01T00:00:00Z"
    entries()[0]["actor_id"] = "999"
    removed = entries()[2]
    rows = [row for row in rows if row["fields"] is not removed]
    dump.write_text(json.dumps(rows))
    with inside(target):
        restoring.migrate()
        call_command("loaddata", str(dump), verbosity=0)
        code, document = verified()
    assert code == 1
    assert codes(document) >= {"ENTRY_HASH", "SEQUENCE_GAP", "LEAF_WITHOUT_ENTRY"}
    assert {f["record"] for f in document["findings"] if f["code"] == "ENTRY_HASH"} == {source.record}


@pytest.mark.parametrize(
    "restore",
    [
        pytest.param(by_copying, marks=sqlite_only),
        pytest.param(by_pg_dump_plain, marks=postgres_only),
        pytest.param(by_mariadb_dump, marks=mariadb_only),
    ],
)
def test_what_is_older_than_the_checkpoints_outside_is_found(
    restore: Restore, source: Source, target: str, tmp_path: Path
) -> None:
    """Yesterday's backup in place of today's database: whole in itself, but it lacks what was signed since."""
    restore(source, target, tmp_path)
    log, leaves, notes = (m._meta.db_table for m in (TransitionLog, LogLeaf, Checkpoint))
    with inside(target):
        with unprotected(connection), connection.cursor() as cursor:
            cursor.execute(f"SELECT tree_size FROM {notes} ORDER BY tree_size DESC")
            newest = cursor.fetchone()[0]
            cursor.execute(f"DELETE FROM {notes} WHERE tree_size = %s", [newest])
            cursor.execute(f"DELETE FROM {leaves} WHERE leaf_index = %s", [newest - 1])
            cursor.execute(f"DELETE FROM {log} WHERE kind = 'remapped'")
        code, document = verified()
    assert code == 1
    assert "CHECKPOINT_FORK" in codes(document)


@postgres_only
def test_data_alone_with_triggers_disabled_says_so_and_migrate_mends_it(
    source: Source, target: str, tmp_path: Path
) -> None:
    """pg_dump --disable-triggers puts every trigger back as an ordinary one."""
    own = f"{target}_own"
    dump = str(tmp_path / "dump.sql")
    client("pg_dump", "--data-only", "--disable-triggers", "--inserts", "--file", dump, source.name)
    restoring.create(own)
    try:
        with inside(own):
            restoring.migrate()
            protection.remove(connection)
            with connection.cursor() as cursor:
                tables = ", ".join(map(connection.ops.quote_name, connection.introspection.table_names()))
                cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
            protection.install(connection)
        client("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, own)
        with inside(own):
            code, document = verified()
            assert code == 1
            assert codes(document) == {"PROTECTION_MISSING"}
            assert any("ALWAYS" in finding["found"] for finding in document["findings"])
            code, problems = examined()
            assert code == 1
            assert "PROTECTION_MISSING" in problems
            restoring.migrate()
            assert verified()[0] == 0
            assert examined() == (0, set())
    finally:
        restoring.drop(own)
