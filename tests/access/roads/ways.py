"""Owns the roads by which a grant comes and goes: our API, auth's relations, guardian's functions, the bare tables.

Each way gives something to Ada or to the group Finance and takes it away again. Must not know what is expected of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from guardian import shortcuts
from guardian.models import GroupObjectPermission, UserObjectPermission

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role, revoke_role
from tests.access.roads.stored import object_rows, permission, role_group
from tests.testapp.offices import Binder, BinderUserPermission, Claim, Dossier, Plate

SYSTEM = System("tests")

# Their types know of one record at a time.
assign_perm: Any = shortcuts.assign_perm
remove_perm: Any = shortcuts.remove_perm


@dataclass
class Cast:
    """Whom and what the ways are about."""

    ada: User
    bob: User
    finance: Group
    claim: Claim
    dossier: Dossier
    plate: Plate
    binder: Binder


Act = Callable[[Cast], Any]


@dataclass(frozen=True)
class Way:
    """One road, there and back."""

    give: Act
    take: Act
    road: str
    """What the events say of it when nothing else has to find it."""
    changes: int = 1
    """How many grants it gives."""
    late: tuple[bool, bool] = (False, False)
    """Whether giving, and taking, send no signal and are found by reconciling."""


def _sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _table(model: Any) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _insert(model: Any, **values: Any) -> None:
    columns = ", ".join(connection.ops.quote_name(name) for name in values)
    marks = ", ".join(["%s"] * len(values))
    _sql(f"INSERT INTO {_table(model)} ({columns}) VALUES ({marks})", *values.values())


def _delete(model: Any, **values: Any) -> None:
    where = " AND ".join(f"{connection.ops.quote_name(name)} = %s" for name in values)
    _sql(f"DELETE FROM {_table(model)} WHERE {where}", *values.values())


def insert_membership(user: User, group: Group) -> None:
    """Past everything that could notice."""
    _insert(User.groups.through, user_id=user.pk, group_id=group.pk)


def delete_membership(user: User, group: Group) -> None:
    """Past everything that could notice."""
    _delete(User.groups.through, user_id=user.pk, group_id=group.pk)


def _object_row(model: Any, holder: Any, record: Any, codename: str) -> dict[str, Any]:
    row = {
        "permission_id": permission(codename, type(record)).pk,
        "user_id" if isinstance(holder, User) else "group_id": holder.pk,
    }
    if hasattr(model, "object_pk"):
        row["object_pk"] = str(record.pk)
        row["content_type_id"] = ContentType.objects.get_for_model(type(record)).pk
    else:
        row["content_object_id"] = record.pk
    return row


def insert_object(holder: Any, record: Any, codename: str) -> None:
    """Past everything that could notice."""
    model = object_rows(type(record), user=isinstance(holder, User))
    _insert(model, **_object_row(model, holder, record, codename))


def delete_object(holder: Any, record: Any, codename: str) -> None:
    """Past everything that could notice."""
    model = object_rows(type(record), user=isinstance(holder, User))
    _delete(model, **_object_row(model, holder, record, codename))


def _api(holder: Callable[[Cast], Any], role: str, on: Callable[[Cast], Any]) -> Way:
    return Way(
        lambda cast: grant_role(holder(cast), role, on=on(cast), by=SYSTEM),
        lambda cast: revoke_role(holder(cast), role, on=on(cast), by=SYSTEM),
        "api",
    )


def _guardian(holder: Callable[[Cast], Any], codename: str, on: Callable[[Cast], Any]) -> Way:
    return Way(
        lambda cast: assign_perm(codename, holder(cast), on(cast)),
        lambda cast: remove_perm(codename, holder(cast), on(cast)),
        "object",
    )


def _approvers(cast: Cast) -> Group:
    return role_group("approver")


def _membership(give: Callable[[Any, Any], Any], take: Callable[[Any, Any], Any]) -> Way:
    return Way(
        lambda cast: give(cast.ada, _approvers(cast)),
        lambda cast: take(cast.ada, _approvers(cast)),
        "membership",
    )


def _of_group(give: Callable[[Any, Any], Any], take: Callable[[Any, Any], Any]) -> Way:
    return Way(
        lambda cast: give(cast.finance, permission("role_approver")),
        lambda cast: take(cast.finance, permission("role_approver")),
        "permission",
    )


def _of_user(give: Callable[[Any, Any], Any], take: Callable[[Any, Any], Any]) -> Way:
    return Way(
        lambda cast: give(cast.ada, permission("fire_approve")),
        lambda cast: take(cast.ada, permission("fire_approve")),
        "permission",
    )


def _ada(cast: Cast) -> User:
    return cast.ada


def _finance(cast: Cast) -> Group:
    return cast.finance


WAYS: Mapping[str, Way] = {
    # Ours.
    "grant_role: a user, all records": _api(_ada, "approver", lambda cast: Claim),
    "grant_role: a user, one record": _api(_ada, "approver", lambda cast: cast.claim),
    "grant_role: a user, one record with a UUID": _api(_ada, "approver", lambda cast: cast.dossier),
    "grant_role: a user, one record with a text key": _api(_ada, "approver", lambda cast: cast.plate),
    "grant_role: a user, one record with direct foreign keys": _api(_ada, "clerk", lambda cast: cast.binder),
    "grant_role: a group, all records": _api(_finance, "approver", lambda cast: Claim),
    "grant_role: a group, one record": _api(_finance, "approver", lambda cast: cast.claim),
    "grant_role: a group, one record with direct foreign keys": _api(
        _finance, "clerk", lambda cast: cast.binder
    ),
    # Memberships, from both ends.
    "user.groups.add, remove": _membership(lambda u, g: u.groups.add(g), lambda u, g: u.groups.remove(g)),
    "user.groups.add, clear": _membership(lambda u, g: u.groups.add(g), lambda u, g: u.groups.clear()),
    "user.groups.set": _membership(lambda u, g: u.groups.set([g]), lambda u, g: u.groups.set([])),
    "group.user_set.add, remove": _membership(
        lambda u, g: g.user_set.add(u), lambda u, g: g.user_set.remove(u)
    ),
    "group.user_set.add by key, remove by key": _membership(
        lambda u, g: g.user_set.add(u.pk), lambda u, g: g.user_set.remove(u.pk)
    ),
    "group.user_set.add, clear": _membership(lambda u, g: g.user_set.add(u), lambda u, g: g.user_set.clear()),
    "group.user_set.set": _membership(lambda u, g: g.user_set.set([u]), lambda u, g: g.user_set.set([])),
    "a membership of any group": Way(
        lambda cast: cast.ada.groups.add(cast.finance),
        lambda cast: cast.ada.groups.remove(cast.finance),
        "membership",
    ),
    "two memberships at once": Way(
        lambda cast: cast.ada.groups.set([cast.finance, _approvers(cast)]),
        lambda cast: cast.ada.groups.set([]),
        "membership",
        changes=2,
    ),
    "two members at once": Way(
        lambda cast: _approvers(cast).user_set.add(cast.ada, cast.bob),
        lambda cast: _approvers(cast).user_set.clear(),
        "membership",
        changes=2,
    ),
    # Permissions of groups, from both ends.
    "group.permissions.add, remove": _of_group(
        lambda g, p: g.permissions.add(p), lambda g, p: g.permissions.remove(p)
    ),
    "group.permissions.add, clear": _of_group(
        lambda g, p: g.permissions.add(p), lambda g, p: g.permissions.clear()
    ),
    "group.permissions.set": _of_group(
        lambda g, p: g.permissions.set([p]), lambda g, p: g.permissions.set([])
    ),
    "permission.group_set.add, remove": _of_group(
        lambda g, p: p.group_set.add(g), lambda g, p: p.group_set.remove(g)
    ),
    # Permissions of users, from both ends.
    "user.user_permissions.add, remove": _of_user(
        lambda u, p: u.user_permissions.add(p), lambda u, p: u.user_permissions.remove(p)
    ),
    "user.user_permissions.add, clear": _of_user(
        lambda u, p: u.user_permissions.add(p), lambda u, p: u.user_permissions.clear()
    ),
    "user.user_permissions.set": _of_user(
        lambda u, p: u.user_permissions.set([p]), lambda u, p: u.user_permissions.set([])
    ),
    "permission.user_set.add, remove": _of_user(
        lambda u, p: p.user_set.add(u), lambda u, p: p.user_set.remove(u)
    ),
    "permission.user_set.set, clear": _of_user(
        lambda u, p: p.user_set.set([u]), lambda u, p: p.user_set.clear()
    ),
    "several permissions at once": Way(
        lambda cast: cast.ada.user_permissions.add(
            permission("role_approver"), permission("view_claim"), permission("fire_close", Binder)
        ),
        lambda cast: cast.ada.user_permissions.clear(),
        "permission",
        changes=3,
    ),
    "assign_perm without a record": Way(
        lambda cast: assign_perm("testapp.fire_hurry", cast.ada),
        lambda cast: remove_perm("testapp.fire_hurry", cast.ada),
        "permission",
    ),
    # guardian's own functions.
    "assign_perm: a user": _guardian(_ada, "role_approver", lambda cast: cast.claim),
    "assign_perm: an event": _guardian(_ada, "fire_approve", lambda cast: cast.claim),
    "assign_perm: reading": _guardian(_ada, "view_dossier", lambda cast: cast.dossier),
    "assign_perm: a text key": _guardian(_ada, "role_approver", lambda cast: cast.plate),
    "assign_perm: direct foreign keys": _guardian(_ada, "role_clerk", lambda cast: cast.binder),
    "assign_perm: a group": _guardian(_finance, "role_approver", lambda cast: cast.claim),
    "assign_perm: a group, direct foreign keys": _guardian(_finance, "role_clerk", lambda cast: cast.binder),
    "guardian's rows, one by one": Way(
        lambda cast: UserObjectPermission.objects.create(
            permission=permission("role_approver"), user=cast.ada, content_object=cast.claim
        ),
        lambda cast: UserObjectPermission.objects.get(user=cast.ada).delete(),
        "object",
    ),
    "guardian's rows, a queryset": Way(
        lambda cast: BinderUserPermission.objects.create(
            permission=permission("role_clerk", Binder), user=cast.ada, content_object=cast.binder
        ),
        lambda cast: BinderUserPermission.objects.filter(user=cast.ada).delete(),
        "object",
    ),
    # guardian's bulk functions send no signal when they assign.
    "assign_perm: many records": Way(
        lambda cast: assign_perm("role_approver", cast.ada, Claim.objects.all()),
        lambda cast: remove_perm("role_approver", cast.ada, Claim.objects.all()),
        "object",
        late=(True, False),
    ),
    "assign_perm: many records of a group": Way(
        lambda cast: assign_perm("role_clerk", cast.finance, Binder.objects.all()),
        lambda cast: remove_perm("role_clerk", cast.finance, Binder.objects.all()),
        "object",
        late=(True, False),
    ),
    "assign_perm: many users": Way(
        lambda cast: assign_perm("role_approver", [cast.ada, cast.bob], cast.claim),
        lambda cast: remove_perm("role_approver", [cast.ada, cast.bob], cast.claim),
        "object",
        changes=2,
        late=(True, False),
    ),
    "assign_perm: many groups": Way(
        lambda cast: assign_perm("role_approver", Group.objects.filter(pk=cast.finance.pk), cast.plate),
        lambda cast: remove_perm("role_approver", Group.objects.filter(pk=cast.finance.pk), cast.plate),
        "object",
        late=(True, False),
    ),
    # The bare tables.
    "SQL: a membership": Way(
        lambda cast: insert_membership(cast.ada, _approvers(cast)),
        lambda cast: delete_membership(cast.ada, _approvers(cast)),
        "reconcile",
        late=(True, True),
    ),
    "SQL: a permission of a user": Way(
        lambda cast: _insert(
            User.user_permissions.through, user_id=cast.ada.pk, permission_id=permission("role_approver").pk
        ),
        lambda cast: _delete(User.user_permissions.through, user_id=cast.ada.pk),
        "reconcile",
        late=(True, True),
    ),
    "SQL: a permission of a group": Way(
        lambda cast: _insert(
            Group.permissions.through,
            group_id=cast.finance.pk,
            permission_id=permission("fire_close", Binder).pk,
        ),
        lambda cast: _delete(Group.permissions.through, group_id=cast.finance.pk),
        "reconcile",
        late=(True, True),
    ),
    "SQL: one record of a user": Way(
        lambda cast: insert_object(cast.ada, cast.claim, "role_approver"),
        lambda cast: delete_object(cast.ada, cast.claim, "role_approver"),
        "reconcile",
        late=(True, True),
    ),
    "SQL: one record with a UUID": Way(
        lambda cast: insert_object(cast.ada, cast.dossier, "role_approver"),
        lambda cast: delete_object(cast.ada, cast.dossier, "role_approver"),
        "reconcile",
        late=(True, True),
    ),
    "SQL: one record of a group": Way(
        lambda cast: insert_object(cast.finance, cast.claim, "view_claim"),
        lambda cast: delete_object(cast.finance, cast.claim, "view_claim"),
        "reconcile",
        late=(True, True),
    ),
    "SQL: one record with direct foreign keys": Way(
        lambda cast: insert_object(cast.ada, cast.binder, "role_clerk"),
        lambda cast: delete_object(cast.ada, cast.binder, "role_clerk"),
        "reconcile",
        late=(True, True),
    ),
    "SQL: one record of a group with direct foreign keys": Way(
        lambda cast: insert_object(cast.finance, cast.binder, "role_clerk"),
        lambda cast: delete_object(cast.finance, cast.binder, "role_clerk"),
        "reconcile",
        late=(True, True),
    ),
    "rows between users and groups": Way(
        lambda cast: User.groups.through.objects.create(user_id=cast.ada.pk, group_id=_approvers(cast).pk),
        lambda cast: User.groups.through.objects.filter(user_id=cast.ada.pk).delete(),
        "reconcile",
        late=(True, True),
    ),
    "rows between groups and permissions": Way(
        lambda cast: Group.permissions.through.objects.bulk_create(
            [
                Group.permissions.through(
                    group_id=cast.finance.pk, permission_id=permission("role_approver").pk
                )
            ]
        ),
        lambda cast: Group.permissions.through.objects.get(group_id=cast.finance.pk).delete(),
        "reconcile",
        late=(True, True),
    ),
    "guardian's rows in bulk": Way(
        lambda cast: GroupObjectPermission.objects.bulk_create(
            [
                GroupObjectPermission(
                    permission=permission("role_approver"),
                    group=cast.finance,
                    content_type=ContentType.objects.get_for_model(Claim),
                    object_pk=str(cast.claim.pk),
                )
            ]
        ),
        lambda cast: GroupObjectPermission.objects.all()._raw_delete("default"),
        "reconcile",
        late=(True, True),
    ),
}

#: Those that end in an event at once, both ways.
AT_ONCE = [name for name, way in WAYS.items() if way.late == (False, False)]


def permissions_of(model: Any) -> list[Permission]:
    """Everything that can be granted on a model."""
    return list(
        Permission.objects.filter(content_type=ContentType.objects.get_for_model(model)).order_by("codename")
    )
