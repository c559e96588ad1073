"""Owns what each racing process does. Every task is given its ``Place`` first and runs in all processes at once.

Must not know what the tests expect of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, OperationalError, connections, transaction

from fsm_lifecycle import System
from fsm_lifecycle.exceptions import LifecycleError, StaleState
from fsm_lifecycle.models import LifecycleModel
from tests.concurrency.outcomes import Outcome, attempt
from tests.concurrency.racers import Place

RACER = System("race")


def stale_copies(model: type[LifecycleModel], keys: Sequence[Any]) -> list[Any]:
    """Copies as they are now, in the order of the keys."""
    found = model._default_manager.in_bulk(keys)
    return [found[key] for key in keys]


def fire_each(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], events: Sequence[str], **kwargs: Any
) -> list[Outcome]:
    """All at once on each record, each process with the event of its number and the copy it loaded before."""
    event = events[place.number % len(events)]
    copies = stale_copies(model, keys)
    results = []
    for copy in copies:
        place.ready()
        results.append(attempt(copy, lambda copy=copy: copy.fire(event, actor=RACER, **kwargs)))  # type: ignore[misc]
    return results


def fire_on_new_connections(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], event: str
) -> list[Outcome]:
    """Each firing is the first thing on its connection: the copies were loaded on another."""
    results = []
    for copy in stale_copies(model, keys):
        connections.close_all()
        place.ready()
        results.append(attempt(copy, lambda copy=copy: copy.fire(event, actor=RACER)))  # type: ignore[misc]
    return results


def fire_with_key(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], event: str, arguments: Any
) -> list[Outcome]:
    """The same request with the same idempotency key from everywhere."""
    results = []
    for copy in stale_copies(model, keys):
        place.ready()
        results.append(
            attempt(
                copy,
                lambda copy=copy: copy.fire(  # type: ignore[misc]
                    event, actor=RACER, arguments=arguments, idempotency_key=f"request {copy.pk}"
                ),
            )
        )
    return results


def there_and_back(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], away: Sequence[str], event: str
) -> list[list[Outcome]]:
    """The first process takes each record away and back, while the others fire on the copy from before."""
    results: list[list[Outcome]] = []
    for copy in stale_copies(model, keys):
        place.ready()
        names = away if place.number == 0 else [event]
        tries: list[Outcome] = []
        for name in names:
            if not tries or tries[-1].won:
                tries.append(attempt(copy, lambda name=name, copy=copy: copy.fire(name, actor=RACER)))  # type: ignore[misc]
        results.append(tries)
    return results


def one_or_many(
    place: Place, model: type[LifecycleModel], chunks: Sequence[Sequence[Any]], event: str
) -> list[Outcome]:
    """Half of the processes fire on a queryset, half on each of its records."""
    results: list[Outcome] = []
    for chunk in chunks:
        copies = stale_copies(model, chunk)
        place.ready()
        if place.number % 2:
            if place.number % 4 == 1:
                copies.reverse()
            results += [attempt(c, lambda c=c: c.fire(event, actor=RACER)) for c in copies]  # type: ignore[misc]
        else:
            results += fire_many(model, chunk, event)
    return results


def fire_many(model: type[LifecycleModel], keys: Sequence[Any], event: str, **kwargs: Any) -> list[Outcome]:
    """``QuerySet.fire`` as outcomes of the single records."""
    try:
        done = model.objects.filter(pk__in=keys).fire(event, actor=RACER, **kwargs)
    except StaleState:
        # The database was too busy even to say which records these are.
        return [Outcome(pk, False, error="stale_state") for pk in keys]
    except Exception as fault:
        return [Outcome(pk, False, error=f"raw {type(fault).__name__}: {fault}") for pk in keys]
    allowed = {"stale_state", "wrong_state", "terminal_state", "not_attempted", "effect_failed"}
    results = []
    for result in done.results:
        codes = {denial.code for denial in result.denials}
        error = "" if result.ok else ", ".join(sorted(codes))
        if codes - allowed or result.ok == bool(codes):
            error = f"raw denials {codes}"
        results.append(Outcome(result.pk, result.ok, error=error))
    return results


def all_or_nothing(
    place: Place, model: type[LifecycleModel], chunks: Sequence[Sequence[Any]], event: str
) -> list[Outcome]:
    """All of them move each whole chunk or nothing of it."""
    results: list[Outcome] = []
    for chunk in chunks:
        place.ready()
        results += fire_many(model, chunk, event, all_or_nothing=True, batch_size=4)
    return results


def delete_or_fire(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], event: str
) -> list[Outcome]:
    """Two processes delete each record, the others fire on it."""
    results = []
    for copy in stale_copies(model, keys):
        place.ready()
        if place.number < 2:
            try:
                copy.delete()
                results.append(Outcome(None, False, error="deleted"))
            except LifecycleError as error:
                results.append(Outcome(None, False, error=type(error).__name__))
            except Exception as error:
                results.append(Outcome(None, False, error=f"raw {type(error).__name__}: {error}"))
        else:
            results.append(attempt(copy, lambda copy=copy: copy.fire(event, actor=RACER)))  # type: ignore[misc]
    return results


def empty_or_send(place: Place, keys: Sequence[Any], *, in_bulk: bool) -> list[tuple[Any, str]]:
    """Half of the processes send each invoice; the others take its total away while it is a draft."""
    from tests.testapp.models import Invoice

    results = []
    for copy in stale_copies(Invoice, keys):
        place.ready()
        if place.number % 2:
            with transaction.atomic():
                emptied = Invoice.objects.filter(pk=copy.pk, state="draft", amount__gt=0).update(amount=0)
            results.append((copy.pk, "emptied" if emptied else ""))
            continue
        if in_bulk:
            outcome = fire_many(Invoice, [copy.pk], "send_invoice")[0]
            outcome = Outcome(
                copy.pk, outcome.won, error=outcome.error.replace("raw denials {'guard_failed'}", "")
            )
        else:
            outcome = attempt(copy, lambda copy=copy: copy.fire("send_invoice", actor=RACER))  # type: ignore[misc]
        results.append((copy.pk, "sent" if outcome.won else outcome.error))
    return results


def own_of_each(
    place: Place, model: type[LifecycleModel], groups: Sequence[Sequence[Any]], event: str
) -> list[Outcome]:
    """Each process has a record of its own in each group."""
    results = []
    for copy in stale_copies(model, [group[place.number] for group in groups]):
        place.ready()
        results.append(attempt(copy, lambda copy=copy: copy.fire(event, actor=RACER)))  # type: ignore[misc]
    return results


def fire_after_the_way_back(
    place: Place, model: type[LifecycleModel], keys: Sequence[Any], away: Sequence[str], event: str
) -> list[Outcome]:
    """All keep their copies, the first takes every record away and back, then all fire."""
    copies = stale_copies(model, keys)
    place.ready()
    if place.number == 0:
        for name in away:
            assert model.objects.filter(pk__in=keys).fire(name, actor=RACER).failed == 0
    results = []
    for copy in copies:
        place.ready()
        results.append(attempt(copy, lambda copy=copy: copy.fire(event, actor=RACER)))  # type: ignore[misc]
    return results


def create_each(place: Place, codes: Sequence[str]) -> list[tuple[str, bool]]:
    """All insert a row with the same key; all but one are refused by the database."""
    results = []
    for code in codes:
        place.ready()
        results.append((code, insert(code) == "created"))
    return results


def create_open_and_remove(place: Place, codes: Sequence[str], rounds: int) -> list[str]:
    """Everybody creates, opens and deletes the same few doors."""
    from tests.testapp.models import Door

    results = []
    for turn in range(rounds):
        for code in codes:
            place.ready()
            try:
                door = Door.objects.filter(code=code).first()
                if door is None:
                    results.append(insert(code))
                elif (place.number + turn) % 2:
                    door.fire("close" if door.is_open else "open_up", actor=RACER)
                else:
                    door.delete()
            except LifecycleError as error:
                results.append(type(error).__name__)
            except Exception as error:
                results.append(f"raw {type(error).__name__}: {error}")
    return results


def insert(code: str) -> str:
    """Insert a door. A key that is there, and InnoDB's deadlock between two such inserts, are the host's to see."""
    from tests.testapp.models import Door

    try:
        Door.objects.create(code=code)
    except (IntegrityError, OperationalError) as error:
        return type(error).__name__
    return "created"
