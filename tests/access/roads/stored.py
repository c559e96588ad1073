"""Owns what grants a database holds, what its access events say it holds, and whether the two agree.

Reads the tables of auth and guardian as they are. Must not know by which road a grant arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import models
from guardian.models import GroupObjectPermission, UserObjectPermission

from fsm_lifecycle.models import AccessEvent
from fsm_lifecycle.registry import lifecycles
from tests.testapp.offices import Binder, BinderGroupPermission, BinderUserPermission, Claim


@dataclass(frozen=True, order=True)
class Grant:
    """One thing that one holder has."""

    kind: str
    """``user`` or ``group``: what the holder is."""
    holder: str
    group: str
    """The key of the group a membership is of; else empty."""
    permission: str
    """The codename; empty for a membership."""
    model: str = ""
    pk: str = ""
    """The record; empty for all of them."""


def _watched() -> set[tuple[str, str]]:
    """The models whose permissions count here: app and name."""
    concrete = [model._meta.concrete_model._meta for model in lifecycles()]  # type: ignore[union-attr]
    return {(str(meta.app_label), str(meta.model_name)) for meta in concrete}


def _held(kind: str, model: Any, field: str, using: str) -> Iterator[Grant]:
    """What the rows of one table say; without a column for the record they are about all of them."""
    columns = {column.attname for column in model._meta.concrete_fields}
    key = next((name for name in ("object_pk", "content_object_id") if name in columns), None)
    permission = [
        f"permission__{name}" for name in ("codename", "content_type__app_label", "content_type__model")
    ]
    watched = _watched()
    rows = model._base_manager.using(using).values_list(field, *permission, *([key] if key else []))
    for holder, codename, app, name, *pk in rows:
        if (app, name) in watched:
            yield Grant(kind, str(holder), "", codename, f"{app}.{name}", str(pk[0]) if pk else "")


def stored(using: str = "default") -> Counter[Grant]:
    """Every membership, and every permission of a lifecycle model, that somebody holds."""
    memberships = User.groups.through._base_manager.using(using).values_list("user_id", "group_id")
    found = [Grant("user", str(user), str(group), "") for user, group in memberships]
    found += _held("user", User.user_permissions.through, "user_id", using)
    found += _held("group", Group.permissions.through, "group_id", using)
    for of_user in (UserObjectPermission, BinderUserPermission):
        found += _held("user", of_user, "user_id", using)
    for of_group in (GroupObjectPermission, BinderGroupPermission):
        found += _held("group", of_group, "group_id", using)
    return Counter(found)


def grant_of(event: AccessEvent) -> Grant:
    """What an event is about. A role is its permission, or the membership of a group that holds it."""
    group = str(event.group_id or "")
    permission = "" if group else event.permission or f"role_{event.role}"
    model, pk = ("", "") if group else (event.model_label, event.object_pk)
    return Grant(event.holder_kind, str(event.holder_id), group, permission, model, pk)


def events(using: str = "default", after: int = 0) -> list[AccessEvent]:
    """The events of grants, oldest first, without those of delegations."""
    found = AccessEvent.objects.using(using).filter(pk__gt=after).order_by("pk")
    return [event for event in found if not str(event.delegate_id or "")]


def delegations(after: int = 0) -> list[AccessEvent]:
    """The events of delegations, oldest first."""
    found = AccessEvent.objects.filter(pk__gt=after).order_by("pk")
    return [event for event in found if str(event.delegate_id or "")]


def last(using: str = "default") -> int:
    """The key of the newest event; 0 when there is none."""
    newest: int | None = AccessEvent.objects.using(using).aggregate(last=models.Max("pk"))["last"]
    return newest or 0


@dataclass
class Seen:
    """What a block did to the grants that are stored."""

    gained: Counter[Grant]
    lost: Counter[Grant]
    events: list[AccessEvent]

    @property
    def event(self) -> AccessEvent:
        """The only one."""
        assert len(self.events) == 1, [str(event.__dict__) for event in self.events]
        return self.events[0]

    def agree(self, *, of: int | None = None) -> None:
        """One event for each grant that came or went, so many of them, and none beside."""
        assert {event.action for event in self.events} <= {"granted", "revoked", "expired"}
        gained = Counter(grant_of(event) for event in self.events if event.action == "granted")
        lost = Counter(grant_of(event) for event in self.events if event.action != "granted")
        assert (gained, lost) == (self.gained, self.lost)
        if of is not None:
            assert self.gained.total() + self.lost.total() == of


@contextmanager
def watching(using: str = "default") -> Iterator[Seen]:
    """What the block changes, once it has ended."""
    seen = Seen(Counter(), Counter(), [])
    before, mark = stored(using), last(using)
    yield seen
    after = stored(using)
    seen.gained, seen.lost, seen.events = after - before, before - after, events(using, mark)


def folded(start: Counter[Grant], using: str = "default", after: int = 0) -> Counter[Grant]:
    """What is held when all that the events say has happened, in their order, to what was held at first.

    The last word on each grant counts: what came silently may be revoked before anybody has told of it.
    """
    held = dict(start)
    for event in events(using, after):
        held[grant_of(event)] = int(event.action == "granted")
    return Counter({grant: count for grant, count in held.items() if count})


def reconcile(using: str = "default") -> None:
    """What a site runs every few minutes."""
    call_command("lifecycle_roles", reconcile=True, database=using, verbosity=0, stdout=_Silence())


class _Silence:
    def write(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass


def permission(codename: str, model: type[models.Model] = Claim, using: str = "default") -> Permission:
    """A permission of a model."""
    return Permission.objects.using(using).get(
        content_type__app_label=model._meta.app_label,
        content_type__model=model._meta.concrete_model._meta.model_name,  # type: ignore[union-attr]
        codename=codename,
    )


def role_group(role: str, model: type[models.Model] = Claim, using: str = "default") -> Group:
    """The group whose members hold the role for all records."""
    return Group.objects.using(using).get(name=f"{model._meta.label_lower}:{role}")


def object_rows(model: type[models.Model], *, user: bool) -> Any:
    """The table in which guardian keeps the grants on a model's records."""
    if model is Binder:
        return BinderUserPermission if user else BinderGroupPermission
    return UserObjectPermission if user else GroupObjectPermission


def again(user: User) -> User:
    """The user as another request would load it."""
    return User.objects.using(user._state.db or "default").get(pk=user.pk)
