"""``--api``: the app's REST API, which fields it opens, and its tests. Must not know the other files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_lifecycle.generator import code, tests_code
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.extra import Extra, Fill


def _files(app: Blueprint, fill: Fill) -> Mapping[str, str]:
    event = tests_code.first_event(app)
    fire = (
        ""
        if event is None
        else fill("tests/api_fire.py", event_route=event.name.replace("_", "-"), target=event.target)
    )
    create = fill("tests/api_create.py")
    return {
        "api.py": fill("api.py"),
        "tests/test_api.py": fill(
            "tests/test_api.py",
            **tests_code.grants(app),
            create=f"\n    {create}",
            fire=f"\n    {fire}" if fire else "",
        ),
    }


def _members(app: Blueprint) -> list[str]:
    names = [f'"{field.name}"' for field in app.fields]
    comment = "        # What programs may read, and write unless it says otherwise elsewhere: see api.py."
    return [comment, code.listing("api_fields = ", names, 8)]


def _routes(app: Blueprint) -> list[str]:
    return [f'    path("api/", include("{app.module}.api")),']


EXTRA: Final = Extra(
    help="also a REST API, each event with an address of its own, and its tests",
    apps=("rest_framework",),
    files=_files,
    members=_members,
    routes=_routes,
)
