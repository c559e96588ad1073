"""The current actor: nested, in threads, in tasks, in generators, and gone when its block is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import AnonymousUser, User

from fsm_lifecycle import ActorRequired, System, acting_as
from fsm_lifecycle.access.current import current_actor
from tests.testapp.models import Light

OUTER, INNER = System("outer"), System("inner")


# --- blocks -------------------------------------------------------------------------------------------------------


def test_outside_every_block_nobody_acts() -> None:
    assert current_actor() is None


def test_inside_a_block_its_actor_acts() -> None:
    with acting_as(OUTER):
        assert current_actor() == OUTER
    assert current_actor() is None


def test_the_innermost_block_counts() -> None:
    with acting_as(OUTER):
        with acting_as(INNER):
            assert current_actor() == INNER
        assert current_actor() == OUTER


def test_a_block_that_raises_is_left() -> None:
    with pytest.raises(ZeroDivisionError), acting_as(OUTER):
        1 / 0  # noqa: B018
    assert current_actor() is None


def test_a_function_can_act_as_somebody() -> None:
    @acting_as(OUTER)
    def work() -> Any:
        return current_actor()

    assert work() == work() == OUTER
    assert current_actor() is None


@pytest.mark.parametrize("actor", [None, "alice", 7, User])
def test_only_an_actor_can_act(actor: Any) -> None:
    with pytest.raises(ActorRequired, match=r"acting_as\(.*\): pass a user or System"), acting_as(actor):
        pytest.fail("the block was entered")


def test_an_anonymous_user_may_be_the_one_who_is_refused() -> None:
    with acting_as(AnonymousUser()):
        assert not current_actor().is_authenticated


@pytest.mark.django_db
def test_the_actor_of_the_call_comes_before_the_current_one() -> None:
    light = Light.objects.create()
    with acting_as(OUTER):
        assert light.fire("switch_on", actor=INNER).actor_id == "inner"
        assert light.fire("switch_off").actor_id == "outer"
        assert Light.objects.fire("switch_on").succeeded == 1
    assert [entry.actor_id for entry in light.log] == ["", "inner", "outer", "outer"]


@pytest.mark.django_db
def test_who_creates_and_deletes_is_the_current_actor() -> None:
    with acting_as(OUTER):
        light = Light.objects.create()
        log = light.log
        light.delete()
    assert [(entry.kind, entry.actor_id) for entry in log] == [("created", "outer"), ("deleted", "outer")]


# --- threads and tasks -----------------------------------------------------------------------------------------------


def test_a_thread_begins_with_nobody() -> None:
    seen = []
    with acting_as(OUTER):
        thread = threading.Thread(target=lambda: seen.append(current_actor()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_threads_do_not_see_each_other() -> None:
    both = threading.Barrier(2, timeout=60)
    seen: dict[str, Any] = {}

    def work(name: str) -> None:
        with acting_as(System(name)):
            both.wait()
            seen[name] = str(current_actor())
            both.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"one": "one", "two": "two"}


def test_a_task_begins_with_who_started_it_and_keeps_its_own() -> None:
    async def work(name: str) -> tuple[Any, Any]:
        inherited = current_actor()
        with acting_as(System(name)):
            await asyncio.sleep(0.001)
            return inherited, str(current_actor())

    async def main() -> None:
        with acting_as(OUTER):
            found = await asyncio.gather(*(work(name) for name in ("one", "two", "three")))
            assert found == [(OUTER, "one"), (OUTER, "two"), (OUTER, "three")]
            assert current_actor() == OUTER
        assert current_actor() is None

    asyncio.run(main())


def test_sync_code_called_from_a_task_acts_as_the_task() -> None:
    async def main() -> Any:
        with acting_as(OUTER):
            return await sync_to_async(current_actor)()

    assert asyncio.run(main()) == OUTER


def test_async_code_called_from_a_block_acts_as_the_block() -> None:
    async def who() -> Any:
        return current_actor()

    with acting_as(OUTER):
        assert async_to_sync(who)() == OUTER


@pytest.mark.django_db
def test_afire_acts_as_the_task() -> None:
    light = Light.objects.create()

    async def main() -> Any:
        with acting_as(INNER):
            return await light.afire("switch_on")

    assert async_to_sync(main)().actor_id == "inner"


# --- generators ------------------------------------------------------------------------------------------------------


def numbers() -> Iterator[Any]:
    with acting_as(INNER):
        yield current_actor()
        yield current_actor()


def test_a_generator_that_ends_leaves_its_block() -> None:
    assert list(numbers()) == [INNER, INNER]
    assert current_actor() is None


def test_a_generator_that_is_given_up_leaves_its_block() -> None:
    generator = numbers()
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert current_actor() is None


def test_a_generator_that_is_used_up_inside_a_block_gives_the_block_back() -> None:
    with acting_as(OUTER):
        assert list(numbers()) == [INNER, INNER]
        assert current_actor() == OUTER


def test_an_async_generator_that_another_task_began_can_be_closed() -> None:
    async def parts() -> AsyncIterator[Any]:
        with acting_as(INNER):
            yield current_actor()
            yield current_actor()

    async def main() -> None:
        generator = parts()
        first: Any = await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
        assert first == INNER
        await generator.aclose()  # type: ignore[attr-defined]
        assert current_actor() is None

    asyncio.run(main())
