"""Owns throwaway models: a lifecycle model made inside a test, which no registry keeps.

Must not know what is tested with them. Their app is the tests' own, so `Model._meta.label` reads as usual.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.test.utils import isolate_apps

from fsm_lifecycle.definition import Table
from fsm_lifecycle.models import LifecycleModel


def declare(
    lifecycle: type | None,
    *bases: type[models.Model],
    name: str = "Thing",
    meta: dict[str, Any] | None = None,
    **attributes: Any,
) -> type[LifecycleModel]:
    """A lifecycle model with this nested class, these attributes and this `class Meta`."""
    given = dict(attributes)
    if lifecycle is not None:
        given["Lifecycle"] = lifecycle
    given["Meta"] = type("Meta", (), {"app_label": "testapp", **(meta or {})})
    given["__module__"] = "tests.testapp.models"
    with isolate_apps("tests.testapp"):
        return type(name, bases or (LifecycleModel,), given)


def table(**members: Any) -> Table:
    """The table of a nested class with these members, without a model."""
    return Table(lifecycle(**members))


def lifecycle(*bases: type, **members: Any) -> type:
    """A nested class with these members."""
    return type("Lifecycle", bases, members)
