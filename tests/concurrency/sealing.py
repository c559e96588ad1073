"""Owns what writers and sealers do at the same time, each in a process of its own.

Must not know what the tests expect of the tree. Imports nothing of Django at its top, because a process imports it
before Django is set up.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from tests.concurrency.racers import CONTEXT, PATIENCE, Place, join

#: The part of the writers' transactions that is rolled back, and the part that is held open for a while.
ROLLED_BACK, HELD = 0.2, 0.3


def seal_once(place: Place, batch_size: int) -> int:
    """All at once: how many entries this process has sealed."""
    from fsm_lifecycle.ledger.sealing import seal

    place.ready()
    return seal(batch_size=batch_size).sealed


def write(place: Place, own: Sequence[Sequence[Any]], shared: Sequence[Any], seconds: float) -> int:
    """Transactions with one to five entries each, until the time is up. How many entries were committed."""
    from django.db import OperationalError, connection, transaction

    from fsm_lifecycle.exceptions import LifecycleError
    from fsm_lifecycle.transactions import is_busy
    from tests.testapp.models import Light

    chance = random.Random(os.urandom(8))
    # SQLite has one writer: who holds its transaction there holds up everybody.
    longest = 0.02 if connection.vendor == "sqlite" else 0.5
    mine = own[place.number]
    committed = _fire(Light.objects.get(pk=mine[0]))
    place.ready()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        keep = chance.random() >= ROLLED_BACK
        entries = 0
        try:
            with transaction.atomic():
                for _ in range(chance.randint(1, 3)):
                    entries += _fire(Light.objects.get(pk=chance.choice(mine)))
                if chance.random() < 0.1:
                    entries += _fire(Light.objects.get(pk=chance.choice(shared)))
                if chance.random() < HELD:
                    time.sleep(chance.uniform(0, longest))
                if chance.random() < 0.1:
                    Light.objects.bulk_create([Light(), Light()])
                    entries += 2
                transaction.set_rollback(not keep)
        except LifecycleError:
            continue  # another writer was faster with the shared one
        except OperationalError as error:
            if not is_busy(error):
                raise
            continue  # SQLite let everybody else go first, so that the transaction did not even begin
        committed += entries if keep else 0
    return committed


def _fire(light: Any) -> int:
    from fsm_lifecycle import System

    light.fire("switch_off" if light.is_on else "switch_on", actor=System("writer"))
    return 1


def seal_until_told(database: str, end: Connection) -> None:
    """Seal in batches of any size until something comes through the pipe. Sends how many entries were sealed."""
    join(database)
    from fsm_lifecycle.ledger.sealing import seal

    chance = random.Random(os.urandom(8))
    sealed = seal().sealed
    end.send("begins")
    try:
        while not end.poll(chance.uniform(0, 0.05)):
            sealed += seal(batch_size=chance.choice([2, 20, 200])).sealed
        end.send(sealed)
    except BaseException as error:
        end.send(f"{type(error).__name__}: {error}")
        raise


@contextmanager
def sealers(database: str, count: int, done: list[Any]) -> Iterator[None]:
    """Inside, so many processes seal; ``done`` gets what each has sealed."""
    children: list[tuple[BaseProcess, Connection]] = []
    for _ in range(count):
        ours, theirs = CONTEXT.Pipe()
        process: BaseProcess = CONTEXT.Process(target=seal_until_told, args=(database, theirs), daemon=True)
        process.start()
        theirs.close()
        children.append((process, ours))
    for _, ours in children:
        assert ours.recv() == "begins"
    yield
    for _, ours in children:
        ours.send("end")
    for process, ours in children:
        done.append(ours.recv())
        process.join(PATIENCE)


# --- crashes ------------------------------------------------------------------------------------------------


def seal_until_killed(database: str, end: Connection, batch_size: int, folder: str, points: int) -> None:
    """Seal, and be killed by oneself before or after a statement or commit: the one at that point."""
    join(database)
    from tests.concurrency.crashing import _Countdown

    run = _sealing(batch_size, folder)
    end.send("begins")
    try:
        sys.settrace(_Countdown(points).trace)
        run()
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGKILL)
    except BaseException as error:
        sys.settrace(None)
        end.send(f"{type(error).__name__}: {error}")
        raise


def count_points(database: str, end: Connection, batch_size: int, folder: str) -> None:
    """Send how many points a run passes."""
    join(database)
    from tests.concurrency.crashing import _Countdown

    run = _sealing(batch_size, folder)
    counter = _Countdown(sys.maxsize)
    sys.settrace(counter.trace)
    run()
    sys.settrace(None)
    end.send(sys.maxsize - counter.left)


def _sealing(batch_size: int, folder: str) -> Any:
    from django.conf import settings
    from django.db import connection

    from fsm_lifecycle.ledger.sealing import seal

    settings.FSM_LIFECYCLE = {"LEDGER_CHECKPOINT_DIR": folder}
    connection.ensure_connection()
    return lambda: seal(batch_size=batch_size)
