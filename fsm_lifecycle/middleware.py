"""``ActorMiddleware``: the user of a request is the current actor while the request lasts.

Must not know what is fired.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from fsm_lifecycle.access.answers import keeping_answers
from fsm_lifecycle.access.current import enter, leave


class ActorMiddleware:
    """Place it after ``AuthenticationMiddleware``. Works under WSGI and ASGI.

    The user is read when something fires, not when the request begins, so that authentication which happens
    later (a token, Django REST Framework) counts. What pages ask about permissions is asked once in a request.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        token = enter(lambda: getattr(request, "user", None))
        try:
            with keeping_answers():
                return cast(HttpResponseBase, self.get_response(request))
        finally:
            leave(token)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        token = enter(lambda: getattr(request, "user", None))
        try:
            with keeping_answers():
                return cast(HttpResponseBase, await self.get_response(request))
        finally:
            leave(token)
