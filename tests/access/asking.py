"""Owns how tests of access ask: each function puts one question in one way, or in every way there is.

Must not know the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from fsm_lifecycle import AccessDenied, acting_as
from fsm_lifecycle.access import authorize
from fsm_lifecycle.models import LifecycleModel
from tests.access.matrix import (
    OFFICES,
    Model,
    World,
    bring,
    events_of,
    grant,
    new_user,
    populate,
)
from tests.acting import rolled_back, statements
from tests.testapp.offices import Binder, Claim

R = TypeVar("R", bound=LifecycleModel)

every_office = pytest.mark.parametrize("model", OFFICES, ids=lambda model: model.__name__)


def said(user: Any, codenames: Iterable[str], record: Any = None) -> frozenset[str]:
    """Those that ``has_perm`` says yes to."""
    return frozenset(name for name in codenames if user.has_perm(f"testapp.{name}", record))


def decided(actor: Any, record: LifecycleModel) -> frozenset[str]:
    """The events that ``decide`` does not refuse for want of a role, wherever the record stands."""
    refused = {
        event
        for event in events_of(type(record))
        if "access_denied" in [denial.code for denial in record.decide(event, actor).denials]
    }
    return frozenset(f"fire_{event}" for event in events_of(type(record)) if event not in refused)


def events_among(codenames: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in codenames if name.startswith("fire_"))


def compare(who: str, where: str, answer: frozenset[str], expected: frozenset[str]) -> list[str]:
    """What is wrong with an answer, for a message."""
    return [
        *(f"{who}: {name} {where} is allowed, the table says no" for name in sorted(answer - expected)),
        *(f"{who}: {name} {where} is denied, the table says yes" for name in sorted(expected - answer)),
    ]


def stored(record: R) -> R:
    """The record as another request would load it."""
    found: R = type(record)._default_manager.get(pk=record.pk)  # type: ignore[assignment]
    return found


def people_of(model: Model, *roles: str) -> World:
    """Enough of each table to meet every road; the matrix asks about the rest."""
    return populate(model, ["clerk", "chief"] if model is Binder else roles or ("owner", "manager"))


def standing(world: World) -> Iterable[str]:
    """Each event, with the record brought to a state where the table allows it."""
    model = world.model
    by_source: dict[str, list[str]] = {}
    for event in model.lifecycle.events.values():
        by_source.setdefault(str(event.sources[0]), []).append(event.name)
    for source, events in by_source.items():
        if source not in model.lifecycle.terminal:
            bring(world.record, source)
            yield from events
    for source in sorted(set(by_source) & {str(state) for state in model.lifecycle.terminal}):
        bring(world.record, source)
        yield from by_source[source]


def manager(name: str = "manager", model: Model = Claim) -> User:
    """Somebody who may fire everything, if the duties allow it."""
    user = new_user(name)
    grant(user, "manager", model)
    return user


def codes(record: LifecycleModel, event: str, actor: Any) -> list[str]:
    return [denial.code for denial in record.decide(event, actor).denials]


def barred(record: LifecycleModel, event: str, actor: Any) -> bool:
    """Whether the duties keep the actor from an event that the state allows. Every way to ask says the same."""
    found = codes(record, event, actor)
    assert found in ([], ["four_eyes"]), found
    answer = found == ["four_eyes"]
    assert record.can_fire(event, actor) is not answer
    assert (event in [e.name for e in record.available_events(actor)]) is not answer
    fresh = type(record)._default_manager.get(pk=record.pk)
    if answer:
        with pytest.raises(AccessDenied) as caught:
            fresh.fire(event, actor=actor)
        assert caught.value.code == "four_eyes"
        assert caught.value.decision is not None
        assert [d.code for d in caught.value.decision.denials] == ["four_eyes"]
        many = type(record)._default_manager.filter(pk=record.pk)
        result = many.fire(event, actor=actor)
        assert (result.succeeded, [d.code for d in result.results[0].denials]) == (0, ["four_eyes"])
    return answer


def in_an_hour() -> datetime:
    return timezone.now() + timedelta(hours=1)


def again(user: User) -> User:
    """The user as the next request has it."""
    return User.objects.get(pk=user.pk)


def sent_by(work: Callable[[], Any]) -> int:
    with statements() as sent:
        work()
    return len(sent)


def authorized(actor: Any, what: Any, on: Any) -> bool:
    try:
        authorize(actor, what, on)
    except AccessDenied:
        return False
    return True


def fires(record: LifecycleModel, event: str, actor: Any) -> bool:
    """Whether it really does, undone again."""
    answer = False
    fresh = stored(record)
    with rolled_back():
        try:
            answer = fresh.fire(event, actor=actor).event == event
        except AccessDenied as error:
            answer = error.code != "access_denied"
    return answer


def fires_as_current(record: LifecycleModel, event: str, actor: Any) -> bool:
    with acting_as(actor):
        return fires(record, event, None)


def permission(model: Model, codename: str) -> Permission:
    return Permission.objects.get(
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=True), codename=codename
    )
