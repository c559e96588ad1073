"""Owns how these tests ask the system checks about models that no registry keeps.

Must not know which answer is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.apps import apps
from django.core.checks import CheckMessage
from django.db import models

from fsm_lifecycle import Event, State
from fsm_lifecycle.checks import lifecycles as checks
from fsm_lifecycle.models import LifecycleModel
from tests.definition.declaring import declare, lifecycle


def messages(*found: type[models.Model]) -> list[CheckMessage]:
    """What the checks say where these are all the models there are."""
    with mock.patch.object(
        checks, "apps", SimpleNamespace(get_models=lambda: found, is_installed=apps.is_installed)
    ):
        return checks.check_lifecycles()


def ids(found: Iterable[CheckMessage]) -> list[str]:
    """The ids of messages, sorted, without the app's label."""
    return sorted(str(message.id).removeprefix("fsm_lifecycle.") for message in found)


def thing(**changes: Any) -> type[LifecycleModel]:
    """A sound model, a → b → c, whose nested class has these members besides or instead."""
    return declare(lifecycle(**{**sound_members(), **changes}))


def sound_members() -> dict[str, Any]:
    a, b, c = State("a", initial=True), State("b"), State("c", terminal=True)
    return {"a": a, "b": b, "c": c, "go": Event(a, to=b), "end": Event(b, to=c)}


def listed(found: Iterable[CheckMessage]) -> Iterator[str]:
    """Messages as a person meets them, for the output of a failed test."""
    for message in found:
        yield f"{message.id}: {message.msg}\n    HINT: {message.hint}"
