"""Owns the views that these tests call: each fires, or shows who is acting."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from fsm_lifecycle.access.current import current_actor
from tests.testapp.models import Light


def _entry(entry: Any) -> JsonResponse:
    return JsonResponse({"kind": entry.actor_kind, "id": entry.actor_id})


def _first() -> Light:
    return Light.objects.get()


def switch_on(request: HttpRequest) -> HttpResponse:
    return _entry(_first().fire("switch_on"))


def switch_on_later(request: HttpRequest) -> HttpResponse:
    """Who the user is turns out only in the view, as with token authentication."""
    request.user = User.objects.get(username=request.GET["name"])
    return _entry(_first().fire("switch_on"))


def switch_on_by(request: HttpRequest) -> HttpResponse:
    """The actor is named in the call, whatever the request says."""
    return _entry(_first().fire("switch_on", actor=User.objects.get(username=request.GET["name"])))


def create(request: HttpRequest) -> HttpResponse:
    return _entry(Light.objects.create().log.get())


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the view failed")


def show(request: HttpRequest) -> HttpResponse:
    actor = current_actor()
    return HttpResponse(actor.get_username() if actor is not None else "nobody")


async def async_switch_on(request: HttpRequest) -> HttpResponse:
    light = await Light.objects.aget()
    return _entry(await light.afire("switch_on"))


async def async_fail(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    raise RuntimeError("the view failed")


async def async_show(request: HttpRequest) -> HttpResponse:
    """Says who acts before and after another request had its turn."""
    before = await _name()
    await asyncio.sleep(0.01)
    return HttpResponse(f"{before} {await _name()}")


async def _name() -> str:
    return str(await sync_to_async(lambda: current_actor().get_username())())


urlpatterns = [
    path("on/", switch_on),
    path("on/later/", switch_on_later),
    path("on/by/", switch_on_by),
    path("create/", create),
    path("fail/", fail),
    path("show/", show),
    path("async/on/", async_switch_on),
    path("async/fail/", async_fail),
    path("async/show/", async_show),
]
