"""Which keys can still turn up: nothing that is committed late is forgotten, nothing is waited for in vain."""

from __future__ import annotations

from random import Random

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from fsm_lifecycle.ledger import horizon as module
from fsm_lifecycle.ledger.horizon import GIVEN_UP_AFTER, Gaps, Horizon, Range, Watch, look
from fsm_lifecycle.models import SealProgress, TransitionLog
from tests.ledger.waiting import seen_at_last
from tests.testapp.models import Light

ranges_and_keys = st.sets(st.integers(1, 60)).flatmap(
    lambda keys: st.tuples(st.just(_ranges(keys)), st.sets(st.integers(1, 60)))
)


def _ranges(keys: set[int]) -> list[Range]:
    found: list[Range] = []
    for key in sorted(keys):
        if found and found[-1][1] == key - 1:
            found[-1] = (found[-1][0], key)
        else:
            found.append((key, key))
    return found


def _keys(ranges: list[Range]) -> set[int]:
    return {key for first, last in ranges for key in range(first, last + 1)}


@given(ranges_and_keys, st.integers(1, 5))
def test_gaps_are_what_was_asked_for_and_not_seen(case: tuple[list[Range], set[int]], piece: int) -> None:
    ranges, there = case
    gaps = Gaps(ranges)
    keys = sorted(there)
    for start in range(0, len(keys), piece):
        gaps.saw(keys[start : start + piece])
    left = gaps.left()
    assert left is not None
    assert left == sorted(left)
    assert _keys(left) == _keys(ranges) - there


def test_too_many_gaps_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_COUNTED", 10)
    gaps = Gaps([(1, 1000)])
    for key in range(2, 1000, 2):
        gaps.saw([key])
    assert gaps.left() is None


class Server:
    """A database in small: transactions that take keys, hold them, and commit or roll back in any order."""

    def __init__(self, seed: int, *, tells: bool) -> None:
        self.chance = Random(seed)
        self.tells = tells
        self.next_key = 1
        self.next_transaction = 1
        self.open: dict[str, list[int]] = {}
        self.committed: set[int] = set()
        self.now = 0.0

    def act(self) -> None:
        """One thing happens."""
        self.now += self.chance.choice([0.1, 1, 60])
        what = self.chance.random()
        if what < 0.3 or not self.open:
            self.open[f"t{self.next_transaction}"] = []
            self.next_transaction += 1
        elif what < 0.7:
            self.open[self.chance.choice(sorted(self.open))].append(self.next_key)
            self.next_key += 1
        else:
            keys = self.open.pop(self.chance.choice(sorted(self.open)))
            if self.chance.random() < 0.7:
                self.committed.update(keys)

    def watch(self) -> Watch:
        writers = frozenset(name for name, keys in self.open.items() if keys)
        return Watch(top=max(self.committed, default=0), open=writers if self.tells else None, at=self.now)


@pytest.mark.parametrize("tells", [1, 0.6])
@pytest.mark.parametrize("most", [0, 2, 2000])
@pytest.mark.parametrize("seed", range(40))
def test_every_committed_key_is_read_once_it_is_there(
    seed: int, most: int, tells: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random transactions, and passes between them: whatever was committed before a pass has been read after it."""
    monkeypatch.setattr(module, "_MOST_GAPS", most)
    monkeypatch.setattr(module, "_MOST_GENERATIONS", 3)
    server, horizon, sealed = Server(seed, tells=True), Horizon(), set[int]()
    for _ in range(60):
        for _ in range(server.chance.randint(0, 6)):
            server.act()
        server.tells = server.chance.random() < tells
        watch = server.watch()
        for _ in range(server.chance.randint(0, 3)):
            server.act()  # between the look and the reading
        wanted = server.committed & set(range(1, watch.top + 1))
        ranges = horizon.unread(watch)
        assert ranges == sorted(ranges)
        gaps = Gaps(ranges)
        there = sorted(server.committed & _keys(ranges))
        gaps.saw(there)
        sealed.update(there)
        assert wanted <= sealed
        horizon = horizon.advanced(watch, gaps.left())
        progress = SealProgress()
        horizon.store(progress)
        assert Horizon.of(progress) == horizon
    server.open.clear()
    server.tells = True
    for _ in range(3):
        watch = server.watch()
        horizon = horizon.advanced(watch, [])
    assert horizon == Horizon(watch.top)


def test_where_nobody_tells_who_is_at_work_a_gap_is_given_up_after_an_hour() -> None:
    horizon = Horizon().advanced(Watch(top=10, open=None, at=0), [(4, 6)])
    assert horizon.settled == 0
    for minute in range(1, 60):
        watch = Watch(top=10 + minute, open=None, at=minute * 60)
        assert (4, 6) in horizon.unread(watch)
        horizon = horizon.advanced(watch, [(4, 6)])
    assert len(horizon.generations) < 15
    late = Watch(top=69, open=None, at=GIVEN_UP_AFTER + 3600)
    horizon = horizon.advanced(late, [(4, 6)])
    assert horizon == Horizon(69)


def test_one_long_transaction_makes_one_generation() -> None:
    horizon = Horizon()
    for top in range(10, 1000, 10):
        watch = Watch(top=top, open=frozenset({"long"}), at=top)
        horizon = horizon.advanced(watch, [(top - 5, top - 5)])
    assert len(horizon.generations) == 1
    assert horizon.unread(watch)[:2] == [(985, 985)]
    assert horizon.settled == 0


def look_until_nobody_is_at_work() -> Watch:
    """MariaDB counts a connection that is just ending, whosever it is, and is silent while many ask."""
    watch = look(connection)

    def nobody() -> bool:
        nonlocal watch
        watch = look(connection)
        return watch.open == frozenset()

    seen_at_last(nobody)
    return watch


@pytest.mark.django_db
def test_one_s_own_transaction_is_not_waited_for() -> None:
    Light.objects.create()
    watch = look_until_nobody_is_at_work()
    assert watch.top == TransitionLog.objects.latest("pk").pk
    assert watch.open == frozenset()


@pytest.mark.django_db
def test_an_empty_log_has_no_highest_key() -> None:
    assert look(connection).top == 0


@pytest.mark.django_db(transaction=True)
def test_nobody_is_asked_for_twice_below_the_same_entry(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    Light.objects.create()
    asked: list[int] = []
    real = module.open_writers

    def open_writers(connection: BaseDatabaseWrapper) -> frozenset[str] | None:
        asked.append(1)
        return real(connection)

    monkeypatch.setattr(module, "open_writers", open_writers)
    first = look_until_nobody_is_at_work()
    asked.clear()
    with django_assert_num_queries(1):
        again = look(connection)
    assert (again.top, again.open) == (first.top, frozenset())
    assert asked == []
    Light.objects.create()
    assert look(connection).top > first.top
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_another_entry_under_the_same_key_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    light = Light.objects.create()
    assert look_until_nobody_is_at_work().open == frozenset()
    key = light.log.get().pk
    monkeypatch.setattr(module, "open_writers", lambda connection: frozenset({"somebody"}))
    assert look(connection).open == frozenset()
    monkeypatch.setattr(module, "_newest", lambda connection: (key, "another"))
    assert look(connection).open == frozenset({"somebody"})


@pytest.mark.django_db(transaction=True)
def test_who_may_hold_a_lower_key_is_asked_about_until_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    Light.objects.create()
    answers = [frozenset({"somebody"}), None, frozenset()]
    monkeypatch.setattr(module, "open_writers", lambda connection: answers.pop(0))
    assert [look(connection).open for _ in range(4)] == [{"somebody"}, None, frozenset(), frozenset()]
