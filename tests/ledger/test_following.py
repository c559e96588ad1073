"""Every entry that commits comes to a follower, and none that rolled back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection, connections, transaction

from fsm_lifecycle import System
from fsm_lifecycle.ledger import horizon
from fsm_lifecycle.ledger.following import begin, follow
from fsm_lifecycle.models import LogCursor, TransitionLog
from tests.concurrency.conftest import transactional_db
from tests.ledger.waiting import seen_at_last
from tests.testapp.models import Light

__all__ = ["transactional_db"]

pytestmark = pytest.mark.usefixtures("transactional_db")

ACTOR = System("test")


class Follower:
    """Keeps what it was handed."""

    def __init__(self, name: str = "test", **options: Any) -> None:
        self.name, self.options = name, options
        self.seen: list[int] = []

    def handle(self, connection: Any, entries: Sequence[TransitionLog]) -> None:
        self.seen += [entry.pk for entry in entries]

    def go(self, **options: Any) -> int:
        return follow("default", self.name, self.handle, **{**self.options, **options})

    def catch_up(self, **options: Any) -> None:
        while self.go(**options):
            pass


def keys() -> list[int]:
    return list(TransitionLog.objects.order_by("pk").values_list("pk", flat=True))


def test_a_new_follower_begins_with_what_comes() -> None:
    Light.objects.create()
    follower = Follower()
    begin("default", "test")
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    follower.catch_up()
    assert follower.seen == keys()[-2:]


def test_a_follower_from_the_start_gets_all_of_it() -> None:
    for _ in range(5):
        Light.objects.create()
    follower = Follower(from_start=True)
    follower.catch_up()
    assert follower.seen == keys()


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_it_comes_in_batches_in_order_and_once(batch_size: int) -> None:
    Light.objects.bulk_create(Light() for _ in range(10))
    follower = Follower(from_start=True)
    follower.catch_up(batch_size=batch_size)
    assert follower.seen == keys()
    assert follower.go() == 0


def test_two_followers_have_places_of_their_own() -> None:
    Light.objects.create()
    first, second = Follower("first", from_start=True), Follower("second", from_start=True)
    first.catch_up()
    Light.objects.create()
    second.catch_up()
    first.catch_up()
    assert first.seen == second.seen == keys()


def test_what_was_rolled_back_never_comes() -> None:
    follower = Follower(from_start=True)
    with transaction.atomic():
        Light.objects.create()
        transaction.set_rollback(True)
    Light.objects.create()
    follower.catch_up()
    assert follower.seen == keys()
    assert len(follower.seen) == 1


def test_what_a_follower_does_and_its_place_stand_or_fall_together() -> None:
    Light.objects.create()
    follower = Follower(from_start=True)

    def fail(connection: Any, entries: Sequence[TransitionLog]) -> None:
        Light.objects.create(name="of the follower")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        follow("default", "test", fail, from_start=True)
    assert not Light.objects.filter(name="of the follower").exists()
    follower.catch_up()
    assert follower.seen == keys()


class Slow:
    """Another connection with a transaction that stays open until it is told to end."""

    def __init__(self, *, commit: bool) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.commit = commit
        self.failure: list[BaseException] = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        assert self.began.wait(120)

    def run(self) -> None:
        try:
            with transaction.atomic():
                Light.objects.create(name="slow")
                self.began.set()
                self.go_on.wait(240)
                transaction.set_rollback(not self.commit)
        except BaseException as error:
            self.failure.append(error)
        finally:
            self.began.set()
            connections.close_all()

    def end(self) -> None:
        self.go_on.set()
        self.thread.join()
        assert self.failure == []


one_writer = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")


@one_writer
@pytest.mark.parametrize("known_before", [True, False])
def test_a_lower_key_that_commits_later_comes_then_and_once(known_before: bool) -> None:
    follower = Follower(from_start=True)
    if known_before:
        Light.objects.create()
        follower.catch_up()
    slow = Slow(commit=True)
    Light.objects.create()
    follower.catch_up()
    early = list(follower.seen)
    slow.end()
    follower.catch_up()
    assert sorted(follower.seen) == keys()
    assert len(follower.seen) == len(early) + 1
    assert follower.seen[-1] < max(early)


@one_writer
def test_a_follower_that_begins_while_an_older_transaction_is_open_gets_what_that_commits() -> None:
    Light.objects.create()
    slow = Slow(commit=True)
    Light.objects.create()
    begin("default", "test")
    slow.end()
    follower = Follower()
    follower.catch_up()
    assert [TransitionLog.objects.get(pk=key).object_pk for key in follower.seen] == [
        str(Light.objects.get(name="slow").pk)
    ]


@one_writer
def test_a_gap_is_forgotten_once_nobody_can_fill_it() -> None:
    follower = Follower(from_start=True)
    slow = Slow(commit=False)
    Light.objects.create()
    follower.catch_up()
    assert LogCursor.objects.get().barrier is not None
    slow.end()
    Light.objects.create()

    def place() -> tuple[Any, int]:
        follower.go()
        cursor = LogCursor.objects.get()
        return cursor.barrier, cursor.settled_id

    # MariaDB counts a connection that is just ending, whosever it is.
    assert seen_at_last(lambda: place() == (None, max(keys()))), place()
    assert follower.seen == keys()


def test_four_at_once_hand_over_each_entry_once() -> None:
    Light.objects.bulk_create(Light() for _ in range(120))
    followers = [Follower(from_start=True) for _ in range(4)]
    failures: list[BaseException] = []

    def work(follower: Follower) -> None:
        try:
            misses = 0
            while misses < 4:
                misses = 0 if follower.go(batch_size=7) else misses + 1
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    begin("default", "test", from_start=True)
    threads = [threading.Thread(target=work, args=(one,)) for one in followers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(key for follower in followers for key in follower.seen) == keys()


def test_an_emptied_log_is_followed_from_its_new_beginning() -> None:
    begin("default", "test")
    LogCursor.objects.update(settled_id=10**9)
    light = Light.objects.create()
    follower = Follower()
    follower.catch_up()
    assert follower.seen == [light.log.get().pk]


def test_where_too_many_keys_are_missing_the_stretch_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then an entry may come twice, and none is missed."""
    monkeypatch.setattr(horizon.Gaps, "left", lambda self: None)
    Light.objects.bulk_create(Light() for _ in range(5))
    follower = Follower(from_start=True)
    follower.go()
    Light.objects.create()
    follower.go()
    assert set(follower.seen) == set(keys())
