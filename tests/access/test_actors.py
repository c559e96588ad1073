"""Who can be an actor, and how the log names each."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils.functional import SimpleLazyObject

from fsm_lifecycle import AccessDenied, ActorRequired, System, acting_as
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db


@pytest.fixture
def light() -> Light:
    return Light.objects.create()


def test_a_user_is_named_by_key_and_label(light: Light) -> None:
    alice = User.objects.create(username="alice")
    entry = light.fire("switch_on", actor=alice)
    assert (entry.actor_kind, entry.actor_id) == ("user", str(alice.pk))
    assert entry.actor_label == "alice"


def test_a_lazily_loaded_user_is_a_user(light: Light) -> None:
    alice = User.objects.create(username="alice")
    entry = light.fire("switch_on", actor=SimpleLazyObject(lambda: alice))
    assert (entry.actor_kind, entry.actor_id) == ("user", str(alice.pk))


def test_a_superuser_is_said_to_be_one(light: Light) -> None:
    root = User.objects.create(username="root", is_superuser=True)
    entry = light.fire("switch_on", actor=root)
    assert entry.fields["actor"].value == {"label": "root", "superuser": True}


def test_a_program_is_named_by_its_reason(light: Light) -> None:
    entry = light.fire("switch_on", actor=System("nightly-job"))
    assert (entry.actor_kind, entry.actor_id) == ("system", "nightly-job")
    assert str(System("nightly-job")) == "nightly-job"


def test_a_program_is_its_reason() -> None:
    assert System("x") == System("x")
    assert len({System("x"), System("x"), System("y")}) == 2
    with pytest.raises(AttributeError):
        System("x").reason = "y"  # type: ignore[misc]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, None, 5])
def test_a_program_must_say_what_it_is_for(reason: Any) -> None:
    with pytest.raises(ActorRequired, match="needs a reason of 1 to 200 characters for the log"):
        System(reason)


def test_a_reason_of_200_characters_is_kept_whole(light: Light) -> None:
    entry = light.fire("switch_on", actor=System("Ω" * 200))
    entry.refresh_from_db()
    assert entry.actor_id == "Ω" * 200


@pytest.mark.parametrize("actor", ["alice", 7, object(), Light, User])
def test_anything_else_is_no_actor(light: Light, actor: Any) -> None:
    with pytest.raises(ActorRequired, match=r"is not an actor\. Pass a user or System"):
        light.fire("switch_on", actor=actor)


@pytest.mark.parametrize("actor", ["alice", 7, User])
def test_asking_for_what_is_no_actor_is_told_the_same(light: Light, actor: Any) -> None:
    for ask in (light.decide, light.can_fire):
        with pytest.raises(ActorRequired, match="is not an actor"):
            ask("switch_on", actor)
    with pytest.raises(ActorRequired, match="is not an actor"):
        light.available_events(actor)


def test_a_user_that_was_never_saved_cannot_be_named(light: Light) -> None:
    with pytest.raises(ActorRequired, match=r"has not been saved.*Save it first"):
        light.fire("switch_on", actor=User(username="ghost"))


def test_nobody_is_no_actor_and_every_way_to_name_one_is_told(light: Light) -> None:
    with pytest.raises(ActorRequired) as caught:
        light.fire("switch_on")
    for way in ("actor=", "acting_as(user)", "ActorMiddleware", 'System("reason")'):
        assert way in str(caught.value)
    assert caught.value.code == "actor_required"


def test_anonymous_visitors_change_nothing(light: Light) -> None:
    with pytest.raises(AccessDenied, match="Log in first") as caught:
        light.fire("switch_on", actor=AnonymousUser())
    assert caught.value.code == "access_denied"
    assert light.log.count() == 1


def test_a_deactivated_account_changes_nothing(light: Light) -> None:
    gone = User.objects.create(username="gone", is_active=False)
    with pytest.raises(AccessDenied, match="“gone” is deactivated"):
        light.fire("switch_on", actor=gone)


def test_a_superuser_that_was_deactivated_changes_nothing(light: Light) -> None:
    gone = User.objects.create(username="gone", is_active=False, is_superuser=True)
    with acting_as(gone), pytest.raises(AccessDenied):
        light.fire("switch_on")


def test_refusals_leave_the_light_as_it_was(light: Light) -> None:
    for actor in (None, "alice", AnonymousUser()):
        with pytest.raises((ActorRequired, AccessDenied)):
            light.fire("switch_on", actor=actor)
    light.refresh_from_db()
    assert light.state == "off"
