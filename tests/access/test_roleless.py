"""Models that declare no roles: any active user may do everything the table allows, nobody else anything."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import models

from fsm_lifecycle import CRUD, AccessDenied, System
from fsm_lifecycle.access import authorize, roles_of, who_can
from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.exceptions import InvalidGrant
from fsm_lifecycle.models import LifecycleModel
from tests.access.matrix import ADMIN, Model, grant, new_user
from tests.acting import statements
from tests.testapp.models import Door, Light, Parcel
from tests.testapp.offices import Duty

pytestmark = [pytest.mark.once, pytest.mark.django_db]

without_roles = pytest.mark.parametrize("model", [Light, Duty, Parcel, Door], ids=lambda m: m.__name__)

VERBS = {"add": CRUD.CREATE, "view": CRUD.READ, "change": CRUD.UPDATE, "delete": CRUD.DELETE}


def make(model: Model) -> LifecycleModel:
    return model._default_manager.create(**({"code": "front"} if model is Door else {}))


def names(model: Model) -> list[str]:
    return [
        *(f"testapp.{verb}_{model._meta.model_name}" for verb in VERBS),
        *(f"testapp.fire_{event}" for event in model.lifecycle.events),
    ]


def nobodies() -> list[Any]:
    return [
        AnonymousUser(),
        new_user("gone", is_active=False),
        new_user("gone root", is_active=False, is_superuser=True),
    ]


def visible(model: Model, user: Any) -> models.QuerySet[Any]:
    return model._default_manager.all().visible_to(user)


@without_roles
def test_any_active_user_may_do_everything(model: Model) -> None:
    record, user = make(model), new_user()
    for name in names(model):
        assert user.has_perm(name, record), name
    for flag in VERBS.values():
        authorize(user, flag, record)
        authorize(user, flag, model)
    for event in model.lifecycle.events.values():
        authorize(user, event, record)
        assert "access_denied" not in [d.code for d in record.decide(event, user).denials]
    assert list(visible(model, user)) == [record]
    assert record.available_events(user) == record.available_events(ADMIN) != []


@without_roles
def test_any_active_user_may_do_everything_to_the_model_as_a_whole(model: Model) -> None:
    user = new_user()
    for verb in VERBS:
        assert user.has_perm(f"testapp.{verb}_{model._meta.model_name}"), verb


@without_roles
def test_anonymous_and_inactive_users_may_do_nothing(model: Model) -> None:
    record = make(model)
    for nobody in nobodies():
        for name in names(model):
            assert not nobody.has_perm(name, record), name
            assert not nobody.has_perm(name), name
        for flag in VERBS.values():
            with pytest.raises(AccessDenied):
                authorize(nobody, flag, record)
        for event in model.lifecycle.events.values():
            assert record.decide(event, nobody).denials[0].code == "access_denied"
            with pytest.raises(AccessDenied):
                record.fire(event, actor=nobody)
            with pytest.raises(AccessDenied):
                authorize(nobody, event, record)
        assert record.available_events(nobody) == []
        assert list(visible(model, nobody)) == []


@without_roles
def test_active_users_are_those_who_can(model: Model) -> None:
    record = make(model)
    for nobody in nobodies():
        assert nobody not in list(who_can(CRUD.READ, on=model))
    active = {new_user(), new_user(is_superuser=True)}
    for on in (model, record):
        assert set(who_can(CRUD.DELETE, on=on)) == active
        for event in model.lifecycle.events.values():
            assert set(who_can(event, on=on)) == set(who_can(event.name, on=on)) == active


def test_nobody_has_a_role_and_none_can_be_given() -> None:
    light, user = make(Light), new_user()
    assert roles_of(user, on=Light) == roles_of(user, on=light) == set()
    with pytest.raises(InvalidGrant):
        grant(user, "owner", Light)


def test_programs_and_agents_are_as_elsewhere() -> None:
    light, user, gone = make(Light), new_user(), new_user(is_active=False)
    assert light.can_fire("switch_on", System("x"))
    assert light.can_fire("switch_on", AgentActor("helper", user, None))
    assert light.can_fire("switch_on", AgentActor("helper", user, frozenset(["switch_on"])))
    assert not light.can_fire("switch_on", AgentActor("helper", user, frozenset(["switch_off"])))
    assert not light.can_fire("switch_on", AgentActor("helper", gone, None))


def test_asking_about_them_costs_no_statement() -> None:
    lights, user = [make(Light) for _ in range(3)], new_user()
    with statements() as sent:
        for light in lights:
            assert light.can_fire("switch_on", user)
            assert light.available_events(user)
            assert user.has_perm("testapp.view_light", light)
    assert sent == []


def test_firing_costs_no_statement_more_than_for_a_program() -> None:
    user = User.objects.get(pk=new_user().pk)
    make(Light).fire("switch_on", actor=ADMIN)  # the definition is in the log
    one, two = make(Light), make(Light)
    with statements() as by_program:
        one.fire("switch_on", actor=ADMIN)
    with statements() as by_user:
        two.fire("switch_on", actor=user)
    assert len(by_user) == len(by_program)
