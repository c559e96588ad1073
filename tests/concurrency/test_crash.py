"""A process that fires is killed at random points: no state without its entry, no entry without its state."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator

from fsm_lifecycle.models import TransitionLog
from tests.concurrency.crashing import count_points, fire_until_killed
from tests.concurrency.outcomes import assert_whole
from tests.concurrency.racers import CONTEXT, PATIENCE
from tests.testapp.models import Invoice, Light

#: Processes killed from outside and by themselves, so many at the same time.
KILLS, AT_ONCE = 100, 4
#: Seconds after its first firing within which a process is killed from outside, and at most where those are too few.
LONGEST, AT_MOST = 0.15, 10


def prepare() -> None:
    Light.objects.bulk_create(Light(name="shared") for _ in range(20))


def batches() -> Iterator[range]:
    for start in range(0, KILLS, AT_ONCE):
        yield range(start, start + AT_ONCE)


EVENTS = {"switch_on", "blink", "send_invoice", "pay", "refund", "place", "activate", "finish", "end"}


def everything_was_done() -> bool:
    """Whether every kind of entry was being written, so that each kill could hit one."""
    log = TransitionLog.objects.all()
    kinds, events = (set(log.values_list(name, flat=True)) for name in ("kind", "event"))
    return kinds == {"created", "transition", "deleted"} and events >= EVENTS and log.count() > KILLS


def test_killed_at_a_hundred_moments(database: str) -> None:
    prepare()
    for batch in batches():
        kill_from_outside(database, batch, LONGEST)
    # A busy machine gets to less in that time: then some more live for longer.
    longest = LONGEST
    while not everything_was_done() and longest < AT_MOST:
        longest *= 2
        kill_from_outside(database, range(KILLS, KILLS + AT_ONCE), longest)
    assert everything_was_done()
    assert_whole(Light, Invoice)


def kill_from_outside(database: str, batch: range, longest: float) -> None:
    children = []
    for number in batch:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(
            target=fire_until_killed, args=(database, theirs, number, None), daemon=True
        )
        process.start()
        theirs.close()
        children.append((process, ours))
    for _, ours in children:
        assert ours.recv() == "begins"
    # One after the other, so that the rest goes on among what the killed ones left.
    for process, ours in children:
        time.sleep(random.uniform(0, longest / AT_ONCE * 2))
        process.kill()
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL, ours.recv()
        ours.close()


def test_killed_before_and_after_a_hundred_statements(database: str) -> None:
    prepare()
    ours, theirs = CONTEXT.Pipe(duplex=False)
    CONTEXT.Process(target=count_points, args=(database, theirs), daemon=True).start()
    most = ours.recv()
    assert most > KILLS
    points = random.sample(range(1, most + 1), KILLS)
    for batch in batches():
        children = []
        for number in batch:
            ours, theirs = CONTEXT.Pipe(duplex=False)
            process = CONTEXT.Process(
                target=fire_until_killed, args=(database, theirs, number, points[number]), daemon=True
            )
            process.start()
            theirs.close()
            children.append((process, ours))
        for process, ours in children:
            assert ours.recv() == "begins"
            process.join(PATIENCE)
            assert process.exitcode == -signal.SIGKILL, ours.recv()
            ours.close()
    assert everything_was_done()
    assert_whole(Light, Invoice)
