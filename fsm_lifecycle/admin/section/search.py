"""Owns finding a user or group by a part of the name, and how they are called. Must not know what for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count, Q

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.codenames import codes_of, group_name, lifecycle_models

#: How many are offered to choose from.
OFFERED: Final = 10


@dataclass(frozen=True, slots=True)
class Offer:
    """A user or group that may be meant."""

    value: str
    """``user:7`` or ``group:3``."""
    label: str


def name_of(holder: Any) -> str:
    """What a user or group is called: the full name where there is one."""
    if isinstance(holder, Group):
        return str(holder.name)
    full = holder.get_full_name() if hasattr(holder, "get_full_name") else ""
    return str(full or holder)


def offer(holder: Any, people: int | None = None) -> Offer:
    """How a user or group is offered."""
    name = name_of(holder)
    if isinstance(holder, Group):
        count = f", {people:,} {'person' if people == 1 else 'people'}" if people is not None else ""
        return Offer(f"group:{holder.pk}", f"{name} (group{count})")
    username = str(holder.get_username())
    return Offer(f"user:{holder.pk}", name if username == name else f"{name} ({username})")


def matches_user(text: str, prefix: str = "") -> Q:
    """The condition that a user's name, user name or address has all of these words."""
    user: Any = get_user_model()
    own = {field.name for field in user._meta.concrete_fields}
    names = [n for n in (user.USERNAME_FIELD, "first_name", "last_name", "email") if n in own]
    return _each_word(text, [f"{prefix}{name}" for name in dict.fromkeys(names)])


def matches_group(text: str, prefix: str = "") -> Q:
    """The condition that a group's name has all of these words."""
    return _each_word(text, [f"{prefix}name"])


def _each_word(text: str, names: list[str]) -> Q:
    if "\0" in text:
        return Q(pk__in=[])
    found = Q()
    for word in text.split()[:8]:
        found &= reduce(or_, (Q(**{f"{name}__icontains": word}) for name in names))
    return found


def find(text: str, using: str, *, groups: bool = True) -> tuple[list[Offer], bool]:
    """Active users, and groups that were not made for a role, by a part of the name; and whether there are more."""
    if not text.strip():
        return [], False
    user: Any = get_user_model()
    people = stores.all_of(user, using).filter(matches_user(text))
    if any(field.name == "is_active" for field in user._meta.concrete_fields):
        people = people.filter(is_active=True)
    found = [offer(one) for one in people.order_by(user.USERNAME_FIELD)[: OFFERED + 1]]
    if groups and stores.has_groups():
        named = stores.all_of(Group, using).filter(matches_group(text)).exclude(name__in=_of_roles())
        counted = named.annotate(people=Count("user")).order_by("name")[: OFFERED + 1]
        found += [offer(one, one.people) for one in counted]
    return found[:OFFERED], len(found) > OFFERED


def chosen(value: str, using: str, *, groups: bool = True) -> Any:
    """The user or group that ``user:7`` or ``group:3`` names; ``None`` where there is none."""
    kind, _, text = value.partition(":")
    if kind not in ("user", "group") or (kind == "group" and not (groups and stores.has_groups())):
        return None
    model: Any = get_user_model() if kind == "user" else Group
    try:
        key = model._meta.pk.to_python(text)
        if "\0" in text or (isinstance(key, int) and abs(key) >= 2**63):
            return None
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
    return stores.all_of(model, using).filter(pk=key).first()


def _of_roles() -> list[str]:
    """The names of the groups that were made for a role: nobody means them."""
    return [group_name(model, role) for model in lifecycle_models() for role in codes_of(model).table.roles]
