"""Owns how a form is answered: a browser without JavaScript gets a page, the chat's own script a line of JSON.

Must not know what was asked.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, JsonResponse

_JSON: Final = "application/json"


def wants_json(request: HttpRequest) -> bool:
    """Whether the chat's script asks."""
    return request.headers.get("Accept", "") == _JSON


def as_json(said: str = "", *, go: str = "", status: int = 200) -> JsonResponse:
    """What the script shows, and where it goes.

    Always 200, because a browser puts every other status on its console as a fault of the page's; ``status`` says what
    a form without the script would get.
    """
    return JsonResponse({"said": said, "go": go, "status": status}, headers={"Cache-Control": "no-store"})
