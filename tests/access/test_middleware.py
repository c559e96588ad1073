"""`ActorMiddleware`: the user of a request acts while the request lasts, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client

from fsm_lifecycle.access.current import current_actor
from fsm_lifecycle.middleware import ActorMiddleware
from tests.testapp.models import Light

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.access.urls")]


@pytest.fixture
def alice() -> User:
    return User.objects.create(username="alice")


@pytest.fixture
def light() -> Light:
    return Light.objects.create()


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    """Alice is logged in."""
    client.force_login(alice)
    return client


@pytest.fixture
def async_browser(alice: User) -> AsyncClient:
    """Alice is logged in."""
    client = AsyncClient()
    client.force_login(alice)
    return client


def get(client: AsyncClient, path: str) -> Any:
    """Ask an async view, on the connection of this test."""
    return async_to_sync(client.get)(path)


# --- WSGI -------------------------------------------------------------------------------------------------------


def test_the_user_of_the_request_fires(browser: Client, alice: User, light: Light) -> None:
    assert browser.get("/on/").json() == {"kind": "user", "id": str(alice.pk)}


def test_the_user_of_the_request_creates(browser: Client, alice: User) -> None:
    assert browser.get("/create/").json() == {"kind": "user", "id": str(alice.pk)}


def test_a_user_that_the_view_puts_in_counts(browser: Client, alice: User, light: Light) -> None:
    bob = User.objects.create(username="bob")
    assert browser.get("/on/later/?name=bob").json()["id"] == str(bob.pk)


def test_an_actor_that_is_named_comes_before_the_request(browser: Client, alice: User, light: Light) -> None:
    carol = User.objects.create(username="carol")
    assert browser.get("/on/by/?name=carol").json()["id"] == str(carol.pk)


def test_an_anonymous_visitor_is_refused(client: Client, light: Light) -> None:
    assert client.get("/on/").status_code == 403
    light.refresh_from_db()
    assert light.state == "off"


def test_an_anonymous_visitor_creates_as_nobody(client: Client) -> None:
    assert client.get("/create/").json() == {"kind": "unknown", "id": ""}


def test_a_deactivated_user_is_refused(browser: Client, alice: User, light: Light) -> None:
    alice.is_active = False
    alice.save()
    assert browser.get("/on/").status_code == 403


def test_nobody_acts_after_the_request(browser: Client) -> None:
    assert browser.get("/show/").content == b"alice"
    assert current_actor() is None


def test_nobody_acts_after_a_request_that_failed(browser: Client) -> None:
    with pytest.raises(RuntimeError, match="the view failed"):
        browser.get("/fail/")
    assert current_actor() is None
    browser.raise_request_exception = False
    assert browser.get("/fail/").status_code == 500
    assert current_actor() is None


def test_two_requests_do_not_see_each_other(browser: Client) -> None:
    other = Client()
    other.force_login(User.objects.create(username="bob"))
    assert [c.get("/show/").content for c in (browser, other, browser)] == [b"alice", b"bob", b"alice"]


def test_without_a_user_nobody_acts(settings: Any, client: Client) -> None:
    settings.MIDDLEWARE = ["fsm_lifecycle.middleware.ActorMiddleware"]
    assert client.get("/show/").content == b"nobody"


# --- ASGI -------------------------------------------------------------------------------------------------------


def test_the_user_of_an_async_request_fires(async_browser: AsyncClient, alice: User, light: Light) -> None:
    assert get(async_browser, "/async/on/").json() == {"kind": "user", "id": str(alice.pk)}


def test_a_sync_view_under_asgi_fires_too(async_browser: AsyncClient, alice: User, light: Light) -> None:
    assert get(async_browser, "/on/").json() == {"kind": "user", "id": str(alice.pk)}


def test_an_anonymous_async_visitor_is_refused(light: Light) -> None:
    assert get(AsyncClient(), "/async/on/").status_code == 403


def test_nobody_acts_after_an_async_request_that_failed(async_browser: AsyncClient) -> None:
    async def main() -> Any:
        with pytest.raises(RuntimeError, match="the view failed"):
            await async_browser.get("/async/fail/")
        return current_actor()

    assert async_to_sync(main)() is None
    assert current_actor() is None


def test_requests_that_take_turns_keep_their_own_user(async_browser: AsyncClient) -> None:
    other = AsyncClient()
    other.force_login(User.objects.create(username="bob"))

    async def main() -> list[bytes]:
        answers = await asyncio.gather(
            *(c.get("/async/show/") for c in (async_browser, other, async_browser))
        )
        return [answer.content for answer in answers]

    assert async_to_sync(main)() == [b"alice alice", b"bob bob", b"alice alice"]


# --- by itself --------------------------------------------------------------------------------------------------


def test_it_is_async_exactly_where_what_follows_is() -> None:
    async def later(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(ActorMiddleware(later))
    assert not iscoroutinefunction(ActorMiddleware(lambda request: HttpResponse()))


def test_the_user_is_read_only_when_somebody_asks() -> None:
    class Request(HttpRequest):
        @property
        def user(self) -> User:  # type: ignore[override]
            raise AssertionError("the user was read")

    assert ActorMiddleware(lambda request: HttpResponse("fine"))(Request()).content == b"fine"  # type: ignore[union-attr]
