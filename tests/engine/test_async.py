"""The same from async code."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncRequestFactory

from fsm_lifecycle import ActorRequired, GuardFailed, System, acting_as
from fsm_lifecycle.middleware import ActorMiddleware
from tests.acting import ACTOR
from tests.testapp.gates import Gate
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db


def test_afire_is_fire() -> None:
    light = Light.objects.create()

    async def go() -> Any:
        return await light.afire("switch_on", actor=ACTOR, metadata={"a": 1}, expected_sequence=1)

    entry = async_to_sync(go)()
    assert (entry.event, entry.sequence, entry.metadata) == ("switch_on", 2, {"a": 1})
    assert light.state == "on"


def test_adecide_is_decide() -> None:
    gate = Gate.objects.create(mode="false")

    async def go() -> Any:
        return (
            await gate.adecide("unlock"),
            await gate.adecide("push", ACTOR, {"load": 1}),
            await gate.adecide("close", expected_state="shut"),
        )

    unlock, push, close = async_to_sync(go)()
    assert [d.code for d in unlock.denials] == ["guard_failed"]
    assert push.failed_guards == ("is_unlocked", "is_noted")
    assert [d.code for d in close.denials] == ["wrong_state"]


def test_errors_come_through() -> None:
    gate = Gate.objects.create(mode="false")

    async def go() -> None:
        await gate.afire("unlock", actor=ACTOR)

    with pytest.raises(GuardFailed):
        async_to_sync(go)()


def test_the_current_actor_comes_along_and_each_task_has_its_own() -> None:
    lights = [Light.objects.create() for _ in range(4)]

    async def one(light: Light, name: str) -> Any:
        with acting_as(System(name)):
            await asyncio.sleep(0)
            return await light.afire("switch_on")

    async def go() -> list[Any]:
        return list(await asyncio.gather(*(one(light, f"task {n}") for n, light in enumerate(lights))))

    entries = async_to_sync(go)()
    assert [e.actor_id for e in entries] == ["task 0", "task 1", "task 2", "task 3"]


def test_nobody_acting_is_an_error_there_too() -> None:
    light = Light.objects.create()

    async def go() -> None:
        await light.afire("switch_on")

    with pytest.raises(ActorRequired):
        async_to_sync(go)()


def test_saving_and_loading_from_async_code() -> None:
    async def go() -> None:
        light = await Light.objects.acreate(name="a")
        light.name = "b"
        await light.asave()
        await light.arefresh_from_db()
        await light.afire("switch_on", actor=ACTOR)
        assert (await Light.objects.aget(pk=light.pk)).state == "on"
        await light.adelete()

    async_to_sync(go)()
    assert not Light.objects.exists()


def test_the_middleware_works_under_asgi(user: Any) -> None:
    from django.http import HttpResponse

    light = Light.objects.create()

    async def view(request: Any) -> HttpResponse:
        entry = await light.afire("switch_on")
        return HttpResponse(entry.actor_id)

    async def go() -> Any:
        request = AsyncRequestFactory().get("/")
        request.user = user
        return await ActorMiddleware(view)(request)  # type: ignore[misc]

    assert async_to_sync(go)().content.decode() == str(user.pk)
