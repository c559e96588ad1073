"""Owns what comes of one attempt in a race, and the rules that the outcomes of all racers must keep.

Must not know which database or which kind of race it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.exceptions import InvalidTransition, StaleState
from fsm_lifecycle.models import LifecycleModel, TransitionLog
from tests.concurrency.wholeness import faults


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt, small enough for a pipe."""

    pk: Any
    won: bool
    hash: str = ""
    """The hash of the entry that was returned."""
    error: str = ""
    """The class of a loser's exception; anything that a loser must not get begins with ``raw``."""


def attempt(record: LifecycleModel, act: Callable[[], TransitionLog]) -> Outcome:
    """Do it and say what came of it. A loser's copy must be what it was."""
    pk, before = record.pk, dict(record.__dict__)
    try:
        entry = act()
    except (StaleState, InvalidTransition) as error:
        if record.__dict__ != before:
            return Outcome(pk, False, error="raw: the copy in memory was changed")
        return Outcome(pk, False, error=type(error).__name__)
    except Exception as error:
        return Outcome(pk, False, error=f"raw {type(error).__name__}: {error}")
    if getattr(record, "lifecycle_head", "") != entry.entry_hash and not entry.idempotency_key:
        return Outcome(pk, True, error="raw: the copy in memory is not at its entry")
    return Outcome(pk, True, hash=entry.entry_hash)


def assert_fair(results: Sequence[Sequence[Outcome]], winners: int | None = 1) -> Counter[Any]:
    """No racer saw a raw error, and each record had this many winners. Returns the winners by record."""
    flat = [outcome for result in results for outcome in result]
    raw = Counter(o.error for o in flat if o.error.startswith("raw"))
    assert not raw, raw
    won = Counter({o.pk: 0 for o in flat})
    won.update(o.pk for o in flat if o.won)
    if winners is not None:
        assert set(won.values()) == {winners}
    return won


def assert_whole(*models: type[LifecycleModel], entries: int | None = None) -> None:
    """The whole database is whole, each record replays to what it is, each has so many entries."""
    found = faults()
    assert not found, found
    for model in models:
        for record in model._default_manager.all():
            replayed = record.replay()
            assert replayed.whole, replayed.faults
            assert (replayed.state, replayed.sequence, replayed.head) == (
                record.state,
                record.lifecycle_sequence,
                record.lifecycle_head,
            )
            if entries is not None:
                assert replayed.entries == entries
