"""Sealing beside writers, other sealers and crashes: each entry once, and no tree that was not grown into."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from fsm_lifecycle import System
from fsm_lifecycle.ledger import horizon
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import LogLeaf, SealProgress, TransitionLog
from tests.concurrency import sealing
from tests.concurrency.racers import CONTEXT, COUNT, PATIENCE, Racers
from tests.ledger.whole_tree import faults, settle
from tests.testapp.models import Light

#: How long writers write beside sealers. The whole minute: SEALING_SECONDS=60.
SECONDS = float(os.environ.get("SEALING_SECONDS", "3"))
#: How many sealers are killed.
KILLS = 24
ACTOR = System("test")


def lights(count: int) -> list[Any]:
    return [light.pk for light in Light.objects.bulk_create(Light() for _ in range(count))]


def last_key() -> int:
    return TransitionLog.objects.latest("pk").pk


# --- sealers beside each other ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [7, 1000])
def test_sealers_at_once_seal_each_entry_once(racers: Racers, batch_size: int) -> None:
    keys = lights(150)
    Light.objects.filter(pk__in=keys).fire("switch_on", actor=ACTOR)
    sealed = racers.race(sealing.seal_once, batch_size)
    assert sum(sealed) == 300
    assert faults() == []
    settle()


@pytest.mark.timeout(SECONDS * 2 + 300)
def test_writers_and_two_sealers(racers: Racers, database: str) -> None:
    """Eight writers, of whose transactions a fifth is rolled back and a fifth held, beside two sealers."""
    own, shared = [lights(5) for _ in range(COUNT)], lights(3)
    before = TransitionLog.objects.count()
    done: list[Any] = []
    with sealing.sealers(database, 2, done):
        committed = sum(racers.race(sealing.write, own, shared, SECONDS))
    assert TransitionLog.objects.count() == before + committed
    rest = seal().sealed
    assert sum(done) + rest == before + committed, done
    assert faults() == []
    settle()
    keys = list(LogLeaf.objects.order_by("leaf_index").values_list("entry_id", flat=True))
    if connection.vendor != "sqlite":
        # What this is about has happened: keys that were rolled back and, given time, lower ones committed later.
        assert max(keys) - min(keys) + 1 > len(keys)
        assert keys != sorted(keys) or SECONDS < 30


# --- a lower key that is committed later --------------------------------------------------------------------


@contextmanager
def open_transaction(light: Any, *, commit: bool) -> Iterator[Callable[[], None]]:
    """Another connection fires on the light and does not end its transaction until it is told to."""
    fired, ended = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                light.fire("switch_on", actor=ACTOR)
                fired.set()
                ended.wait(PATIENCE)
                transaction.set_rollback(not commit)
        finally:
            fired.set()
            connections.close_all()

    def end() -> None:
        ended.set()
        thread.join(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    fired.wait(PATIENCE)
    try:
        yield end
    finally:
        end()


@pytest.fixture
def _several_writers(transactional_db: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, so keys are committed in their order")


@pytest.mark.usefixtures("_several_writers")
@pytest.mark.parametrize("tells", [True, False])
def test_a_lower_key_that_is_committed_later_is_sealed_later_and_once(
    tells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not tells:
        monkeypatch.setattr(horizon, "open_writers", lambda connection: None)
    late, soon = Light.objects.create(), Light.objects.create()
    seal()
    settled = last_key()
    with open_transaction(late, commit=True) as end:
        soon.fire("switch_on", actor=ACTOR)
        first = seal()
        assert first.sealed == 1
        assert first.checkpoint is not None
        seal()
        assert SealProgress.objects.get().settled_id <= settled
        soon.fire("blink", actor=ACTOR)
        assert seal().sealed == 1
        end()
    second = seal()
    assert second.sealed == 1
    late_key = TransitionLog.objects.get(object_pk=late.pk, sequence=2).pk
    assert LogLeaf.objects.latest("leaf_index").entry_id == late_key < last_key()
    assert faults() == []
    assert seal().sealed == 0
    if tells:
        settle()


@pytest.mark.usefixtures("_several_writers")
def test_a_writer_is_never_overlooked_where_somebody_asks_innodb_all_the_time() -> None:
    """InnoDB then goes on telling a list from before the writer began."""
    if connection.vendor != "mysql":
        pytest.skip("about InnoDB's list of transactions")
    stopped = threading.Event()

    def ask() -> None:
        try:
            with connection.cursor() as cursor:
                while not stopped.wait(0.01):
                    cursor.execute("SELECT COUNT(*) FROM information_schema.innodb_trx")
        finally:
            connections.close_all()

    light = Light.objects.create()
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        time.sleep(0.2)
        with open_transaction(light, commit=False):
            assert horizon.open_writers(connection) != frozenset()
    finally:
        stopped.set()
        asking.join(PATIENCE)


@pytest.mark.usefixtures("_several_writers")
def test_a_key_that_is_rolled_back_is_waited_for_and_then_given_up() -> None:
    late, soon = Light.objects.create(), Light.objects.create()
    with open_transaction(late, commit=False) as end:
        soon.fire("switch_on", actor=ACTOR)
        seal()
        assert SealProgress.objects.get().settled_id < last_key()
        end()
    settle()
    assert faults() == []


@pytest.mark.usefixtures("_several_writers")
def test_a_transaction_that_did_not_write_to_the_log_is_not_waited_for() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("MariaDB does not say what a transaction has written to")
    light = Light.objects.create()
    began, ended = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Light.objects.filter(pk=light.pk).update(name="held")
                began.set()
                ended.wait(PATIENCE)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    began.wait(PATIENCE)
    try:
        settle()
    finally:
        ended.set()
        thread.join(PATIENCE)


def test_where_the_database_does_not_tell_who_is_at_work_entries_are_sealed_all_the_same(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(horizon, "open_writers", lambda connection: None)
    lights(3)
    assert seal().sealed == 3
    lights(3)
    assert seal().sealed == 3
    assert seal().sealed == 0
    assert SealProgress.objects.get().settled_id == 0
    monkeypatch.setattr(horizon, "GIVEN_UP_AFTER", -1)
    settle()


# --- crashes ------------------------------------------------------------------------------------------------


def child(target: Callable[..., None], *args: Any) -> tuple[Any, Any]:
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=target, args=(args[0], theirs, *args[1:]), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def test_a_sealer_killed_in_the_middle_of_a_batch_leaves_a_whole_tree(
    database: str, tmp_path: Path, settings: Any
) -> None:
    """Killed before and after statements and commits; each next run goes on where the last batch ended."""
    settings.FSM_LIFECYCLE = {"LEDGER_CHECKPOINT_DIR": tmp_path}
    lights(6)
    process, ours = child(sealing.count_points, database, 2, str(tmp_path))
    most = ours.recv()
    process.join(PATIENCE)
    broken = 0
    for points in random.sample(range(1, most + 1), min(most, KILLS)):
        lights(6)
        process, ours = child(sealing.seal_until_killed, database, 2, str(tmp_path), points)
        assert ours.recv() == "begins"
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL, ours.recv()
        left = TransitionLog.objects.count() - LogLeaf.objects.count()
        broken += left not in (0, 6)
        assert faults(unsealed=left) == []
        assert seal().sealed == left
        assert faults() == []
    assert broken
