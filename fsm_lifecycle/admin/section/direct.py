"""Owns the permissions of a lifecycle that somebody was given without a role: they count too, and are shown apart.

Must not know how a page shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.codenames import is_lifecycle_codename
from fsm_lifecycle.admin.section.holders import Holders
from fsm_lifecycle.admin.section.search import name_of

#: How many are shown of each kind.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Direct:
    """One permission that was given directly."""

    name: str
    """Who has it."""
    is_group: bool
    codename: str
    means: str
    """What auth calls it."""
    object_pk: str = ""


def direct(holders: Holders, shown: int = SHOWN) -> tuple[list[Direct], bool]:
    """The permissions given directly, newest first of each kind, and whether there are more."""
    found: list[Direct] = []
    more = False
    known = {
        p.pk: p
        for p in Permission.objects.using(holders.using).filter(content_type=holders.ctype)
        if is_lifecycle_codename(holders.model, p.codename)
    }
    for rows, name, is_group in _roads(holders, known):
        kept = list(rows.order_by("-pk")[: shown + 1])
        more = more or len(kept) > shown
        kept = kept[:shown]
        people = stores.all_of(Group if is_group else get_user_model(), holders.using).in_bulk(
            {getattr(row, f"{name}_id") for row in kept}
        )
        found += [
            Direct(
                name_of(holder),
                is_group,
                known[row.permission_id].codename,
                known[row.permission_id].name,
                stores.object_text(row) if hasattr(row, "content_object") else "",
            )
            for row in kept
            if (holder := people.get(getattr(row, f"{name}_id"))) is not None
        ]
    return found, more


def _roads(holders: Holders, known: dict[int, Any]) -> Iterator[tuple[QuerySet[Any], str, bool]]:
    using, everything = holders.using, list(known)
    others = [key for key, p in known.items() if not p.codename.startswith("role_")]
    if stores.has_groups():
        user: Any = get_user_model()
        name = str(user.user_permissions.field.m2m_field_name())
        given = stores.all_of(user.user_permissions.through, using)
        yield given.filter(permission__in=everything), name, False
        yield (
            stores.all_of(Group.permissions.through, using).filter(permission__in=others),
            "group",
            True,
        )
    for model, name in (
        (stores.user_rows(holders.model), "user"),
        (stores.group_rows(holders.model), "group"),
    ):
        rows = stores.all_of(model, using).filter(permission__in=others)
        if stores.is_generic(model):
            rows = rows.filter(content_type=holders.ctype)
        yield rows, name, name == "group"
