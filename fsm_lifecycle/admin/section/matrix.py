"""Owns the access matrix of a lifecycle: which role may do what, and how often a right was given without a role.

Must not know who holds a role, nor how the matrix is drawn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Count, Model

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.codenames import content_type, crud_codename, event_codename
from fsm_lifecycle.definition import CRUD

_VERBS = {CRUD.CREATE: "Create", CRUD.READ: "Read", CRUD.UPDATE: "Update", CRUD.DELETE: "Delete"}


@dataclass(frozen=True, slots=True)
class Right:
    """One row."""

    label: str
    roles: tuple[bool, ...]
    """For each role, whether it gives this."""
    direct: int
    """How many grants give it to a user or group without a role."""


def matrix(model: Any) -> list[Right]:
    """The rights on a model's records: creating to deleting, then its events."""
    table = model._lifecycle.table
    roles = tuple(table.roles.values())
    given = direct_grants(model)
    rows = [
        Right(label, tuple(flag in role.crud for role in roles), given[crud_codename(model, flag)])
        for flag, label in _VERBS.items()
    ]
    rows += [
        Right(
            str(event.label),
            tuple(name in {str(one) for one in role.may} for role in roles),
            given[event_codename(name)],
        )
        for name, event in table.events.items()
    ]
    return rows


def direct_grants(model: type[Model]) -> Counter[str]:
    """How often each permission on a model was given by itself, by codename. Four statements."""
    users: Any = get_user_model()
    using = users._default_manager.db
    ctype = content_type(model, using)
    found: Counter[str] = Counter()
    rows = [stores.all_of(stores.user_rows(model), using), stores.all_of(stores.group_rows(model), using)]
    if stores.has_groups():
        rows += [
            stores.all_of(users.user_permissions.through, using),
            stores.all_of(Group.permissions.through, using),
        ]
    for of_kind in rows:
        counted = (
            of_kind.filter(permission__content_type=ctype).order_by().values_list("permission__codename")
        )
        for codename, number in counted.annotate(number=Count("pk")):
            found[codename] += number
    return found
