"""Random tables and random firings, in step with the reference: same answer, same state, a whole log."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fsm_lifecycle import LifecycleError, System
from tests.properties.conftest import machine
from tests.properties.reference import Reference
from tests.properties.tables import Members, wild

ACTOR = System("property test")

# Which event: the nth of those that leave the record's state, the nth of all, or one that does not exist.
names = st.tuples(st.sampled_from(["leaving", "leaving", "any"]), st.integers(0, 5)) | st.just(("unknown", 0))
copies = st.integers(0, 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), names, copies),
        st.tuples(st.just("fire"), names, copies),
        st.tuples(st.just("fire"), names, copies),
        st.tuples(st.just("fire fresh"), names, copies),
        st.tuples(st.just("fire fresh"), names, copies),
        st.tuples(st.just("fire many"), names, st.none()),
        st.tuples(st.just("refresh"), st.none(), copies),
        st.tuples(st.just("reload"), st.none(), copies),
        st.tuples(st.just("flag"), st.booleans(), st.none()),
        st.tuples(st.just("size"), st.integers(0, 6), st.none()),
    ),
    min_size=1,
    max_size=20,
)


class Pair:
    """The real record, held in two copies, beside the reference."""

    def __init__(self, members: Members) -> None:
        self.model = machine(members)
        self.reference = Reference(members)
        first = self.model.objects.create()
        self.copies: list[Any] = [first, self.load(first.pk)]

    def load(self, pk: Any = None) -> Any:
        return self.model._default_manager.get(pk=self.copies[0].pk if pk is None else pk)

    @property
    def rows(self) -> Any:
        return self.model.objects.filter(pk=self.copies[0].pk)

    def take(self, verb: str, what: Any, copy: Any) -> None:
        reference = self.reference
        if verb in ("refresh", "reload", "fire fresh"):
            if verb == "refresh":
                self.copies[copy].refresh_from_db()
            else:
                self.copies[copy] = self.load()
            reference.seen[copy] = len(reference.fired)
        if verb in ("fire", "fire fresh"):
            self.fire(self.named(*what), copy, fresh=verb == "fire fresh")
        elif verb == "fire many":
            self.fire_many(self.named(*what))
        elif verb in ("flag", "size"):
            # Behind the copies' backs: a guard sees the row, never what a copy remembers.
            self.rows.update(**{verb: what})
            setattr(reference, verb, what)

    def named(self, which: str, number: int) -> str:
        table = self.model.lifecycle
        leaving = (
            [each.name for each in table.events_from(self.reference.state)] if which == "leaving" else []
        )
        choice = ["nonsense"] if which == "unknown" else leaving or list(table.events)
        return choice[number % len(choice)]

    def fire(self, name: str, copy: int, *, fresh: bool) -> None:
        record = self.copies[copy]
        foreseen = record.decide(name)
        before = dict(record.__dict__)
        expected = self.reference.fire(name, copy)
        try:
            record.fire(name, actor=ACTOR)
            code = None
        except LifecycleError as error:
            code = error.code
            assert {k: v for k, v in record.__dict__.items() if k != "_state"} == {
                k: v for k, v in before.items() if k != "_state"
            }
        event(f"{code}")
        assert code == expected, (name, foreseen)
        if fresh:
            assert (foreseen.denials[0].code if foreseen.denials else None) == expected
        if code is None:
            assert record.state == self.reference.state

    def fire_many(self, name: str) -> None:
        if name not in self.model.lifecycle.events:
            return
        expected = self.reference.fire(name, None)
        (result,) = self.rows.fire(name, actor=ACTOR).results
        assert (result.denials[0].code if result.denials else None) == expected

    def agree(self) -> None:
        """The row, its log and its replay say what the reference says."""
        reference, row = self.reference, self.load()
        assert row.state == reference.state
        assert row.lifecycle_sequence == len(reference.fired) + 1
        entries = list(row.log)
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        assert [(e.event, e.from_state, e.to_state) for e in entries[1:]] == reference.fired
        assert entries[-1].entry_hash == row.lifecycle_head
        replayed = row.replay()
        assert replayed.whole, replayed.faults
        assert (replayed.state, replayed.sequence) == (row.state, row.lifecycle_sequence)
        assert {str(e) for e in row.available_events()} == {
            name for name in self.model.lifecycle.events if self.would_fire(name)
        }

    def would_fire(self, name: str) -> bool:
        trial = Reference(self.reference.members, *self._facts())
        return trial.fire(name, None) is None

    def _facts(self) -> tuple[str, bool, int]:
        return self.reference.state, self.reference.flag, self.reference.size


@pytest.mark.django_db
@pytest.mark.usefixtures("machines")
@settings(
    # The tables are as wild everywhere; what another database could do otherwise shows in fewer.
    max_examples=250 if connection.vendor == "sqlite" else 60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(members=wild(), taken=steps)
def test_a_record_is_in_step_with_the_reference(members: Members, taken: list[Any]) -> None:
    pair = Pair(members)
    for verb, what, copy in taken:
        pair.take(verb, what, copy)
    pair.agree()
