"""Owns tasks that run under other settings of the connection: another file, isolation level or time limit.

Must not know what the tests expect of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection, transaction

from fsm_lifecycle import System
from fsm_lifecycle.ledger import definitions
from fsm_lifecycle.models import LifecycleModel
from tests.concurrency import races
from tests.concurrency.outcomes import Outcome, attempt
from tests.concurrency.racers import COUNT, Place
from tests.concurrency.wholeness import faults


@dataclass(frozen=True)
class Elsewhere:
    """How a racer connects instead."""

    options: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    """Another database file; empty for the test's own database."""
    keep: bool = True
    """Whether the usual options hold beside these."""

    @contextmanager
    def connected(self) -> Iterator[None]:
        before = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict["OPTIONS"] = {**(before["OPTIONS"] if self.keep else {}), **self.options}
        connection.settings_dict["NAME"] = self.name or before["NAME"]
        definitions.forget("default")
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(before)


class _Lost(Exception):
    """Leaves the caller's transaction after a lost attempt."""


def within(place: Place, where: Elsewhere, task: Any, *args: Any, **kwargs: Any) -> Any:
    """Another task, connected elsewhere."""
    with where.connected():
        return task(place, *args, **kwargs)


def alone(where: Elsewhere, task: Any, *args: Any, **kwargs: Any) -> Any:
    """A task of one process, connected elsewhere."""
    with where.connected():
        return task(*args, **kwargs)


def prepare(model: type[LifecycleModel], count: int, events: Sequence[str] = (), **values: Any) -> list[Any]:
    """New records on which these events were fired."""
    keys = [record.pk for record in model.objects.bulk_create(model(**values) for _ in range(count))]
    for event in events:
        assert model.objects.filter(pk__in=keys).fire(event, actor=System("prepare")).failed == 0
    return keys


def judged() -> list[str]:
    """What is not whole there."""
    return faults()


def fire_inside(place: Place, model: type[LifecycleModel], keys: Sequence[Any], event: str) -> list[Outcome]:
    """Each inside a transaction of its own caller, who has read before all of them fire."""
    results = []
    for key in keys:
        place.ready()
        outcome = Outcome(key, False, error="commit")
        try:
            with transaction.atomic():
                copy = model._default_manager.get(pk=key)
                place.ready()
                tried = attempt(copy, lambda copy=copy: copy.fire(event, actor=races.RACER))  # type: ignore[misc]
                if not tried.won:
                    outcome = tried
                    raise _Lost
            outcome = tried
        except _Lost:
            pass
        except DatabaseError:
            # The COMMIT is the caller's own, and the database may refuse it to him.
            pass
        results.append(outcome)
    return results


def fire_own(place: Place, model: type[LifecycleModel], keys: Sequence[Any], event: str) -> list[str]:
    """Every eighth record is this racer's alone: what came of each, empty when it was done."""
    mine = keys[place.number :: COUNT]
    place.ready()
    return [fire_once(model, key, event) for key in mine]


def fire_once(model: type[LifecycleModel], key: Any, event: str, **kwargs: Any) -> str:
    """What comes of one firing: empty when it was done, else the class of the exception."""
    copy = model._default_manager.get(pk=key)
    return attempt(copy, lambda: copy.fire(event, actor=races.RACER, **kwargs)).error
