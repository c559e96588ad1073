"""Owns the expected answers: who may do what, read from the declared tables and from nothing else.

Also peoples a model with everybody who could hold something. Must not ask the code that judges access.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth.models import AnonymousUser, Group, User
from django.utils import timezone

from fsm_lifecycle import CRUD, System
from fsm_lifecycle.access import delegate, grant_role
from fsm_lifecycle.models import GrantTerm, LifecycleModel
from fsm_lifecycle.registry import lifecycles
from tests.testapp.offices import Binder, Claim, Dossier, Plate, UrgentClaim

Model = type[LifecycleModel]

#: One for each kind of key and of storage; each generates a matrix.
OFFICES: tuple[Model, ...] = (Claim, UrgentClaim, Dossier, Plate, Binder)

ADMIN = System("the tests' administrator")

NOTHING: frozenset[str] = frozenset()

CRUD_OF = {"add": CRUD.CREATE, "view": CRUD.READ, "change": CRUD.UPDATE, "delete": CRUD.DELETE}

_numbers = itertools.count(1)


# --- what the table says ---------------------------------------------------------------------------------------------


def concrete(model: Model) -> str:
    """The name that codenames carry: a proxy has its parent's permissions."""
    meta: Any = model._meta.concrete_model._meta  # type: ignore[union-attr]
    return str(meta.model_name)


def crud_codename(model: Model, flag: CRUD) -> str:
    return next(f"{verb}_{concrete(model)}" for verb, crud in CRUD_OF.items() if crud is flag)


def events_of(model: Model) -> list[str]:
    return list(model.lifecycle.events)


def roles_in(model: Model) -> list[str]:
    return list(model.lifecycle.roles)


def all_codenames(model: Model) -> frozenset[str]:
    """Everything that can be asked about a record: each event, each of CRUD, each role."""
    return frozenset(
        [
            *(f"fire_{event}" for event in events_of(model)),
            *(crud_codename(model, flag) for flag in CRUD_OF.values()),
            *(f"role_{role}" for role in roles_in(model)),
        ]
    )


def plain_codenames(model: Model) -> frozenset[str]:
    """Those that mean one thing without a record.

    ``testapp.fire_pay`` may be of a claim or of an invoice, and Django tells permissions by app and codename alone.
    """
    taken: set[str] = set()
    for other in lifecycles():
        if other._meta.app_label == model._meta.app_label and not set(other.lifecycle.roles) & set(
            roles_in(model)
        ):
            taken.update(f"fire_{event}" for event in events_of(other))
    return all_codenames(model) - taken


def meaning(model: Model, *roles: str) -> frozenset[str]:
    """The codenames that these roles are worth, by the table."""
    found: set[str] = set()
    for name in roles:
        role = model.lifecycle.roles[name]
        found.add(f"role_{name}")
        found.update(f"fire_{event if isinstance(event, str) else event.name}" for event in role.may)
        found.update(crud_codename(model, flag) for flag in CRUD_OF.values() if flag in role.crud)
    return frozenset(found)


def roles_among(codenames: Iterable[str]) -> set[str]:
    return {name.removeprefix("role_") for name in codenames if name.startswith("role_")}


def path_to(model: Model, source: str, target: str) -> list[str]:
    """The events that lead from one state to another."""
    ways: dict[str, list[str]] = {source: []}
    waiting = deque([source])
    while target not in ways:
        state = waiting.popleft()
        for event in model.lifecycle.events_from(state):
            for after in event.targets:
                if after not in ways:
                    ways[after] = [*ways[state], event.name]
                    waiting.append(after)
    return ways[target]


def bring(record: LifecycleModel, state: str) -> None:
    """Move the record to a state. A program does it, whom separated duties do not concern."""
    for event in path_to(type(record), record.state, state):
        record.fire(event, actor=ADMIN)


# --- who there is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Somebody, and what the table says about them."""

    name: str
    """How they came by what they hold, for the messages of failed tests."""
    user: Any
    here: frozenset[str] = NOTHING
    """What they may do to the record the grants are on."""
    everywhere: frozenset[str] = NOTHING
    """What they may do to every other record, and to the model as a whole."""


@dataclass
class World:
    """A model's record, another one beside it, and everybody."""

    model: Model
    record: LifecycleModel
    other: LifecycleModel
    people: list[Person] = field(default_factory=list)

    def questions(self) -> Iterator[tuple[Person, LifecycleModel, frozenset[str]]]:
        """Everybody with either record and what they may do to it."""
        for person in self.people:
            yield person, self.record, person.here
            yield person, self.other, person.everywhere


def new_record(model: Model) -> LifecycleModel:
    """A record that nobody made, so that nobody was given the default role."""
    number = next(_numbers)
    fields: dict[str, Any] = {"code": f"Plate {number}/é"} if model is Plate else {"title": f"No. {number}"}
    return model._default_manager.create(**fields)


def new_user(name: str = "somebody", **fields: Any) -> User:
    return User.objects.create(username=f"{name} #{next(_numbers)}"[:150], **fields)


def new_group(*members: User) -> Group:
    group = Group.objects.create(name=f"A group, #{next(_numbers)}")
    group.user_set.add(*members)
    return group


def grant(holder: User | Group, role: str, on: Any, **kwargs: Any) -> None:
    grant_role(holder, role, on=on, by=ADMIN, **kwargs)


class Short:
    """An end that has come when the block is left: moved there, so that a slow machine cannot miss it."""

    def __enter__(self) -> Short:
        self.end = timezone.now() + timedelta(days=7)
        return self

    def __call__(self) -> datetime:
        return self.end

    def __exit__(self, kind: object, *exc: object) -> None:
        if kind is None:
            GrantTerm.objects.filter(until=self.end).update(until=timezone.now())


def populate(model: Model, roles: Iterable[str] | None = None, *, every: int = 1) -> World:
    """Each role by each road, and those who hold none. ``every=2``: each role by half of the roads, in turn."""
    world = World(model, new_record(model), new_record(model))
    names = roles_in(model) if roles is None else list(roles)
    with Short() as short:
        for (place, role), (number, road) in itertools.product(enumerate(names), enumerate(ROADS)):
            if (place + number) % every == 0:
                world.people.append(road(world, role, short))
        world.people += _others(world, names)
    # As a request would have them: nothing remembered from the making.
    fresh = User.objects.in_bulk([p.user.pk for p in world.people if p.user.pk is not None])
    world.people = [Person(p.name, fresh.get(p.user.pk, p.user), p.here, p.everywhere) for p in world.people]
    return world


# --- the roads -------------------------------------------------------------------------------------------------------

Road = Callable[[World, str, Short], Person]


def _of_all(world: World, role: str, short: Short, *, ended: bool = False, group: bool = False) -> Person:
    user, worth = new_user(), meaning(world.model, role)
    grant(new_group(user) if group else user, role, world.model, **({"until": short()} if ended else {}))
    name = f"{role} of all{', through a group' if group else ''}{', expired' if ended else ''}"
    return Person(name, user) if ended else Person(name, user, worth, worth)


def _of_record(world: World, role: str, short: Short, *, ended: bool = False, group: bool = False) -> Person:
    user, worth = new_user(), meaning(world.model, role)
    grant(new_group(user) if group else user, role, world.record, **({"until": short()} if ended else {}))
    name = f"{role} of the record{', through a group' if group else ''}{', expired' if ended else ''}"
    return Person(name, user) if ended else Person(name, user, worth)


def _of_both(world: World, role: str, short: Short) -> Person:
    user, worth = new_user(), meaning(world.model, role)
    grant(user, role, world.record)
    grant(new_group(user), role, world.model)
    return Person(f"{role} of the record, and of all through a group", user, worth, worth)


def _of_record_only_by_now(world: World, role: str, short: Short) -> Person:
    user = new_user()
    grant(user, role, world.model, until=short())
    grant(user, role, world.record, until=timezone.now() + timedelta(hours=1))
    return Person(f"{role} of all, expired, and of the record for an hour", user, meaning(world.model, role))


def _deactivated(world: World, role: str, short: Short) -> Person:
    user = new_user()
    grant(user, role, world.model)
    grant(user, role, world.record)
    User.objects.filter(pk=user.pk).update(is_active=False)
    return Person(f"{role} of all and of the record, deactivated", user)


def _delegate(world: World, role: str, short: Short, *, of_all: bool, chain: bool = False) -> Person:
    until = timezone.now() + timedelta(hours=1)
    boss, user, third = new_user(), new_user(), new_user()
    grant(boss, role, world.model if of_all else world.record)
    delegate(boss, user, role, until=until, by=ADMIN)
    worth = meaning(world.model, role)
    name = f"delegate of a {role} of {'all' if of_all else 'the record'}"
    if not chain:
        return Person(name, user, worth, worth if of_all else NOTHING)
    delegate(user, third, None, until=until, by=ADMIN)
    return Person(f"delegate of a {name}", third)


def _delegate_of_who_is_gone(world: World, role: str, short: Short) -> Person:
    boss, user = new_user(), new_user()
    grant(boss, role, world.model)
    delegate(boss, user, None, until=timezone.now() + timedelta(hours=1), by=ADMIN)
    User.objects.filter(pk=boss.pk).update(is_active=False)
    return Person(f"delegate of a deactivated {role} of all", user)


ROADS: tuple[Road, ...] = (
    _of_all,
    partial(_of_all, group=True),
    _of_record,
    partial(_of_record, group=True),
    partial(_of_all, ended=True),
    partial(_of_all, ended=True, group=True),
    partial(_of_record, ended=True),
    partial(_of_record, ended=True, group=True),
    _of_both,
    _of_record_only_by_now,
    _deactivated,
    partial(_delegate, of_all=True),
    partial(_delegate, of_all=False),
    partial(_delegate, of_all=True, chain=True),
    _delegate_of_who_is_gone,
)


def _others(world: World, names: list[str]) -> Iterator[Person]:
    model, everything = world.model, all_codenames(world.model)
    yield Person("nobody in particular", new_user())
    yield Person("member of an empty group", new_group_member())
    yield Person("staff without a role", new_user(is_staff=True))
    yield Person("superuser", new_user(is_superuser=True), everything, everything)
    yield Person("deactivated superuser", new_user(is_superuser=True, is_active=False))
    yield Person("anonymous", AnonymousUser())

    if len(names) > 1:
        first, last = names[0], names[-1]
        user = new_user()
        grant(user, first, model)
        grant(user, last, world.record)
        both = meaning(model, first, last)
        yield Person(f"{first} of all and {last} of the record", user, both, meaning(model, first))

        user = new_user()
        grant(user, first, new_record(model))
        yield Person(f"{first} of a third record", user)

    stranger = Binder if model is not Binder else Dossier
    user = new_user()
    for role in roles_in(stranger):
        grant(user, role, stranger)
    yield Person(f"holder of every role of {stranger.__name__}", user)


def new_group_member() -> User:
    user = new_user()
    new_group(user)
    return user
