"""Owns who holds which role on one lifecycle: read page by page from where grants are stored, with their terms.

Roads follow one another (groups on all records, people on all, groups on one record, people on one), each by its own
key, so that a page costs the same with thousands of grants. Must not know how a page shows them, nor who may change
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Max, Model, Q, QuerySet
from django.utils import timezone

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.codenames import (
    codes_of,
    concrete,
    content_type,
    family,
    group_name,
    role_codename,
)
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.access.grant import Grant, GrantTerm
from fsm_lifecycle.access.sync import own_group
from fsm_lifecycle.admin.section.search import matches_group, matches_user, name_of
from fsm_lifecycle.definition import Role

#: How many grants a page has.
SIZE: Final = 20
#: From how long before its end on a grant is said to end soon.
SOON: Final = timedelta(days=14)

_ROADS: Final = "abcd"
_LARGEST: Final = 2**63 - 1


@dataclass(slots=True)
class Holding:
    """One grant of a role."""

    ref: str
    """Where it is stored: ``b.17``."""
    holder: Any
    """The user or group."""
    role: str
    label: str
    """The role as people know it."""
    declared: bool
    """Whether the table still has it."""
    object_pk: str
    """Empty for all records."""
    digest: str
    """What access events call it."""
    people: int | None = None
    """How many are in the group; ``None`` for a person."""
    until: datetime | None = None
    event: AccessEvent | None = None
    """How it came about; ``None`` where nobody recorded that."""
    record: Any = None
    """The record, where the reader may see it."""
    called: str = ""
    """What the record is called: by its name where the reader may see it, else by its key."""
    url: str = ""
    """The record's page."""
    holder_url: str = ""
    """The page of the user or group, where the reader may see it."""
    by: str = ""
    """Who made it, in words."""

    @property
    def name(self) -> str:
        return name_of(self.holder)

    @property
    def detail(self) -> str:
        """The line under the name."""
        if self.people is not None:
            return f"group, {self.people:,} {'person' if self.people == 1 else 'people'}"
        username = str(self.holder.get_username())
        known = username if username != self.name else ""
        if not getattr(self.holder, "is_active", True):
            return f"{known}, deactivated" if known else "deactivated"
        return known

    @property
    def over(self) -> bool:
        """Whether its time has come, so that it counts for nothing."""
        return self.until is not None and self.until <= timezone.now()

    @property
    def soon(self) -> timedelta | None:
        """How long it lasts, where that is not long."""
        if self.until is None or self.over:
            return None
        left = self.until - timezone.now()
        return left if left <= SOON else None


@dataclass(frozen=True, slots=True)
class Held:
    """One page of grants."""

    rows: list[Holding]
    after: str = ""
    """The place of the next page; empty on the last one."""


class Holders:
    """The grants of roles on one lifecycle, proxies of its model among them."""

    def __init__(self, model: type[Model], using: str) -> None:
        self.model = model
        self.using = using
        self.label = concrete(model)._meta.label_lower
        self.ctype = content_type(model, using)

    @cached_property
    def roles(self) -> Mapping[str, tuple[type[Model], Role]]:
        """Every role by value, with the model whose table has it."""
        return {
            value: (member, role)
            for member in reversed(family(self.model))
            for value, role in codes_of(member).table.roles.items()
        }

    @cached_property
    def permissions(self) -> Mapping[int, str]:
        """The roles' permissions: the role by the permission's key."""
        found = Permission.objects.using(self.using).filter(
            content_type=self.ctype, codename__startswith="role_"
        )
        return {p.pk: p.codename.removeprefix("role_") for p in found}

    @cached_property
    def own_groups(self) -> Mapping[Any, str]:
        """The groups that were made for a role, whose members have it on all records: the role by group."""
        if not stores.has_groups():
            return {}
        through = Group.permissions.through.objects.using(self.using)
        held: dict[str, dict[Any, str]] = {}
        for group, name, permission in through.filter(permission__in=list(self.permissions)).values_list(
            "group_id", "group__name", "permission_id"
        ):
            held.setdefault(self.permissions[permission], {})[group] = name
        found: dict[Any, str] = {}
        for role, groups in held.items():
            usual = group_name(self.model, role)
            own = next((key for key, name in groups.items() if name == usual), None)
            if own is None:
                renamed = own_group(self.model, role, self.using)
                own = renamed.pk if renamed is not None else None
            if own is not None:
                found[own] = role
        return found

    def page(self, after: str = "", search: str = "", size: int = SIZE) -> Held:
        """The grants after a place, newest first on each road; those whose holder's name has the text."""
        begin, last = _place(after)
        found: list[tuple[str, Any]] = []
        for road in _ROADS[_ROADS.index(begin) :]:
            rows = self._rows(road)
            if rows is None:
                continue
            rows = rows.filter(self._matching(road, search))
            if road == begin and last is not None:
                rows = rows.filter(pk__lt=last)
            found += [(road, row) for row in rows.order_by("-pk")[: size + 1 - len(found)]]
            if len(found) > size:
                road, row = found[size - 1]
                return Held(self._told(found[:size]), f"{road}.{row.pk}")
        return Held(self._told(found))

    def one(self, ref: str) -> Holding | None:
        """The grant that is stored at a place."""
        road, key = _place(ref)
        rows = self._rows(road) if key is not None else None
        row = rows.filter(pk=key).first() if rows is not None else None
        return self._told([(road, row)])[0] if row is not None else None

    # Roads

    def _rows(self, road: str) -> QuerySet[Any] | None:
        user: Any = get_user_model()
        if road in "ab" and not stores.has_groups():
            return None
        if road == "a":
            held = stores.all_of(Group.permissions.through, self.using)
            return held.filter(permission__in=list(self.permissions)).exclude(group__in=list(self.own_groups))
        if road == "b":
            return stores.all_of(user.groups.through, self.using).filter(group__in=list(self.own_groups))
        model = stores.group_rows(self.model) if road == "c" else stores.user_rows(self.model)
        rows = stores.all_of(model, self.using).filter(permission__in=list(self.permissions))
        return rows.filter(content_type=self.ctype) if stores.is_generic(model) else rows

    def _matching(self, road: str, search: str) -> Q:
        if not search:
            return Q()
        return (
            matches_group(search, "group__")
            if road in "ac"
            else matches_user(search, f"{self._user_name(road)}__")
        )

    def _user_name(self, road: str) -> str:
        user: Any = get_user_model()
        return str(user.groups.field.m2m_field_name()) if road == "b" else "user"

    # What is told of them

    def _told(self, found: Sequence[tuple[str, Any]]) -> list[Holding]:
        groups = stores.all_of(Group, self.using).in_bulk(
            {row.group_id for road, row in found if road in "ac"}
        )
        users = stores.all_of(get_user_model(), self.using).in_bulk(
            {self._user_key(road, row) for road, row in found if road in "bd"}
        )
        people = self._people(groups)
        told = [
            self._holding(road, row, holder, people)
            for road, row in found
            if (holder := groups.get(row.group_id) if road in "ac" else users.get(self._user_key(road, row)))
        ]
        self._add_terms(told)
        self._add_events(told)
        return told

    def _user_key(self, road: str, row: Any) -> Any:
        return getattr(row, f"{self._user_name(road)}_id")

    def _people(self, groups: Iterable[Any]) -> Mapping[Any, int]:
        keys = list(groups)
        if not keys:
            return {}
        user: Any = get_user_model()
        members = stores.all_of(user.groups.through, self.using).filter(group__in=keys).order_by()
        return dict(members.values_list("group_id").annotate(number=Count("pk")))

    def _holding(self, road: str, row: Any, holder: Any, people: Mapping[Any, int]) -> Holding:
        role = self.own_groups[row.group_id] if road == "b" else self.permissions[row.permission_id]
        object_pk = stores.object_text(row) if road in "cd" else ""
        key = stores.text_of(holder.pk)
        if road == "b":
            grant = Grant(user=key, group=stores.text_of(row.group_id))
        else:
            who = {"group": key} if road in "ac" else {"user": key}
            grant = Grant(**who, model=self.label, codename=role_codename(role), object_pk=object_pk)
        declared = role in self.roles
        return Holding(
            ref=f"{road}.{row.pk}",
            holder=holder,
            role=role,
            label=str(self.roles[role][1].label) if declared else role,
            declared=declared,
            object_pk=object_pk,
            digest=grant.digest,
            people=people.get(holder.pk, 0) if road in "ac" else None,
        )

    def _add_terms(self, told: Sequence[Holding]) -> None:
        terms = stores.all_of(GrantTerm, self.using).filter(grant__in=[one.digest for one in told])
        ends = dict(terms.values_list("grant", "until")) if told else {}
        for one in told:
            one.until = ends.get(one.digest)

    def _add_events(self, told: Sequence[Holding]) -> None:
        if not told:
            return
        events: QuerySet[Any] = QuerySet(AccessEvent, using=self.using)
        newest = (
            events.filter(grant__in=[one.digest for one in told], action="granted")
            .order_by()
            .values_list("grant")
            .annotate(newest=Max("pk"))
        )
        found = {event.grant: event for event in events.filter(pk__in=[key for _, key in newest])}
        for one in told:
            one.event = found.get(one.digest)


def _place(text: str) -> tuple[str, int | None]:
    """Road and key of a place; the beginning of all for anything unreadable."""
    road, _, key = text.partition(".")
    if len(road) == 1 and road in _ROADS and key.isascii() and key.isdigit() and len(key) < 20:
        return road, min(int(key), _LARGEST)
    return _ROADS[0], None
