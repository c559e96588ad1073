"""Sees every change of grants that Django announces, and puts it on record in the same transaction.

By whatever road it comes: our functions, the admin's group page, ``user.groups``, guardian, a deletion. What is
announced by no signal (bulk assignment, raw SQL) is found by ``reconcile``. Must not know who may make changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, models
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete

from fsm_lifecycle.access import answers, stores
from fsm_lifecycle.access.belongings import grant_of_row, role_in, told_by
from fsm_lifecycle.access.codenames import is_lifecycle_codename, lifecycle_models
from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.event import AccessEvent, Change, reason_now, record
from fsm_lifecycle.access.grant import Grant, GrantTerm


def connect() -> None:
    """Listen. Called once, by ``AppConfig.ready``."""
    user: Any = get_user_model()
    if stores.has_groups():
        m2m_changed.connect(_membership, sender=user.groups.through, dispatch_uid="fsm_lifecycle.membership")
        m2m_changed.connect(
            _user_permission,
            sender=user.user_permissions.through,
            dispatch_uid="fsm_lifecycle.user_permission",
        )
    m2m_changed.connect(
        _group_permission, sender=Group.permissions.through, dispatch_uid="fsm_lifecycle.group_permission"
    )
    pre_delete.connect(_user_goes, sender=user, dispatch_uid="fsm_lifecycle.user_goes")
    pre_delete.connect(_group_goes, sender=Group, dispatch_uid="fsm_lifecycle.group_goes")
    pre_delete.connect(_permission_goes, sender=Permission, dispatch_uid="fsm_lifecycle.permission_goes")
    post_save.connect(_user_changes, sender=user, dispatch_uid="fsm_lifecycle.user_changes")
    for rows in stores.object_models():
        name = rows._meta.label_lower
        post_save.connect(_row_comes, sender=rows, dispatch_uid=f"fsm_lifecycle.{name}.comes")
        post_delete.connect(_row_goes, sender=rows, dispatch_uid=f"fsm_lifecycle.{name}.goes")
    post_save.connect(_delegated, sender=Delegation, dispatch_uid="fsm_lifecycle.delegated")
    post_delete.connect(_undelegated, sender=Delegation, dispatch_uid="fsm_lifecycle.undelegated")


# Writing down


def _came(using: str, changes: Sequence[Change]) -> None:
    """A grant is new: a term that an earlier one left behind does not concern it."""
    if not changes:
        return
    if not reason_now().keeps_terms:
        forget_terms(using, changes)
    record(using, changes)


def _went(using: str, changes: Sequence[Change]) -> None:
    if not changes:
        return
    forget_terms(using, changes)
    record(using, changes)


def forget_terms(using: str, changes: Iterable[Change]) -> None:
    """Remove the terms of grants that are gone, or new."""
    digests = [change.grant.digest for change in changes]
    for start in range(0, len(digests), 500):
        stores.all_of(GrantTerm, using).filter(grant__in=digests[start : start + 500]).delete()


# Memberships


def _membership(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: set[Any] | None, using: str, **kwargs: Any
) -> None:
    if action == "post_add":
        _came(using, memberships(_pairs(instance, reverse, pk_set or (), using), "granted", using))
    elif action in ("pre_remove", "pre_clear"):
        # Read before, because afterwards nobody could tell who was in; recorded now, in the same transaction.
        held = stores.all_of(sender, using)
        group, user = ends(sender)
        held = held.filter(**{group if reverse else user: instance.pk})
        if action == "pre_remove":
            held = held.filter(**{f"{user if reverse else group}__in": list(pk_set or ())})
        others = list(held.values_list(user if reverse else group, flat=True))
        _went(using, memberships(_pairs(instance, reverse, others, using), "revoked", using))


def ends(through: Any) -> tuple[str, str]:
    """The attributes of a membership: of the group, and of the user."""
    user: Any = get_user_model()
    field = user.groups.field
    member = through._meta.get_field(field.m2m_field_name())
    group = through._meta.get_field(field.m2m_reverse_field_name())
    return group.attname, member.attname


def _pairs(instance: Any, reverse: bool, others: Iterable[Any], using: str) -> list[tuple[Any, Group]]:
    """Pairs of user and group."""
    if reverse:
        users = stores.all_of(get_user_model(), using).in_bulk(list(others))
        return [(user, instance) for _, user in sorted(users.items())]
    groups = stores.all_of(Group, using).in_bulk(list(others))
    return [(instance, group) for _, group in sorted(groups.items())]


def memberships(
    pairs: Sequence[tuple[Any, Group]], action: str, using: str, road: str = "membership"
) -> list[Change]:
    """Changes of memberships, from pairs of user and group."""
    groups = {group.pk: group for _, group in pairs}
    roles = {pk: _role_of_group(group, using) for pk, group in groups.items()}
    return [
        Change(
            action=action,
            road=road,
            grant=Grant(user=stores.user_text(user), group=stores.text_of(group.pk)),
            label=str(user),
            group_label=group.name,
            role=roles[group.pk][0],
            role_model=roles[group.pk][1],
        )
        for user, group in pairs
    ]


def _role_of_group(group: Group, using: str) -> tuple[str, str]:
    """The role and model that a group stands for; empty where it stands for none, or for several."""
    found = [
        (role_in(permission.codename), label)
        for permission in group.permissions.using(using).filter(codename__startswith="role_")
        if (label := label_of(permission)) is not None
    ]
    return found[0] if len(found) == 1 else ("", "")


# Permissions


def label_of(permission: Permission) -> str | None:
    """The model whose lifecycle reads this permission, or the permission to grant roles is of; ``None`` for others."""
    if permission.codename == "grant_roles" and _ctype(permission).model == AccessEvent._meta.model_name:
        return AccessEvent._meta.label_lower
    model = model_of(permission)
    return None if model is None else model._meta.label_lower


def model_of(permission: Permission) -> type[models.Model] | None:
    """The model whose lifecycle reads a permission; ``None`` for a permission that is none of ours."""
    ctype = _ctype(permission)
    model = _by_label().get(f"{ctype.app_label}.{ctype.model}")
    return model if model is not None and is_lifecycle_codename(model, permission.codename) else None


def _ctype(permission: Permission) -> ContentType:
    return ContentType.objects.db_manager(permission._state.db).get_for_id(permission.content_type_id)


@cache
def _by_label() -> dict[str, type[models.Model]]:
    return {m._meta.label_lower: m for m in lifecycle_models() if not m._meta.proxy}


def _user_permission(**kwargs: Any) -> None:
    _given(of_user=True, **kwargs)


def _group_permission(**kwargs: Any) -> None:
    _given(of_user=False, **kwargs)


def _given(
    *,
    of_user: bool,
    sender: Any,
    instance: Any,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    if action not in ("post_add", "pre_remove", "pre_clear"):
        return
    holder_model: Any = get_user_model() if of_user else Group
    field: Any = (holder_model.user_permissions if of_user else holder_model.permissions).field
    holder = sender._meta.get_field(field.m2m_field_name()).attname
    permission = sender._meta.get_field(field.m2m_reverse_field_name()).attname
    held = stores.all_of(sender, using).filter(**{permission if reverse else holder: instance.pk})
    if action != "pre_clear":
        held = held.filter(**{f"{holder if reverse else permission}__in": list(pk_set or ())})
    pairs = list(held.values_list(holder, permission))
    changes = permission_changes(pairs, of_user, "granted" if action == "post_add" else "revoked", using)
    (_came if action == "post_add" else _went)(using, changes)


def permission_changes(
    pairs: Sequence[tuple[Any, Any]], of_user: bool, action: str, using: str, road: str = "permission"
) -> list[Change]:
    """Changes of permissions held for all records; what no lifecycle reads is left out."""
    permissions = stores.all_of(Permission, using).in_bulk({p for _, p in pairs})
    labels = {pk: label_of(permission) for pk, permission in permissions.items()}
    ours = [(holder, p) for holder, p in pairs if labels.get(p) is not None]
    kind: Any = get_user_model() if of_user else Group
    holders = stores.all_of(kind, using).in_bulk({holder for holder, _ in ours}) if ours else {}
    return [
        Change(
            action=action,
            road=road,
            grant=Grant(
                user=stores.text_of(holder) if of_user else "",
                group="" if of_user else stores.text_of(holder),
                model=labels[p] or "",
                codename=permissions[p].codename,
            ),
            label=str(holders.get(holder, "")),
            role=role_in(permissions[p].codename),
        )
        for holder, p in ours
    ]


# Deletions


def _hold(instance: Any, using: str) -> None:
    """Hold the row of a holder that goes: who gives it something waits, and what is read now is all it has.

    A grant that came between would be removed with the holder, and no event would tell of it. Django deletes in a
    transaction.
    """
    if connections[using].features.has_select_for_update:
        rows = stores.all_of(type(instance), using).filter(pk=instance.pk).order_by()
        rows.select_for_update().first()


def _now(rows: Any, using: str) -> Any:
    """The rows as they are, also where the transaction still sees an older state (InnoDB's REPEATABLE READ)."""
    return rows.select_for_update() if connections[using].vendor == "mysql" else rows


def _user_goes(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    if not stores.has_groups():
        return
    _hold(instance, using)
    groups = list(_now(instance.groups.using(using), using))
    changes = memberships([(instance, group) for group in groups], "revoked", using, "deletion")
    through = type(instance).user_permissions.through
    field = type(instance).user_permissions.field
    holder = through._meta.get_field(field.m2m_field_name()).attname
    permission = through._meta.get_field(field.m2m_reverse_field_name()).attname
    given = _now(stores.all_of(through, using).filter(**{holder: instance.pk}), using)
    pairs = list(given.values_list(holder, permission))
    _went(using, changes + permission_changes(pairs, True, "revoked", using, "deletion"))


def _group_goes(sender: Any, instance: Group, using: str, **kwargs: Any) -> None:
    _hold(instance, using)
    users = _now(stores.all_of(get_user_model(), using).filter(groups=instance.pk), using)
    changes = memberships([(user, instance) for user in users], "revoked", using, "deletion")
    pairs = [(instance.pk, p) for p in instance.permissions.using(using).values_list("pk", flat=True)]
    _went(using, changes + permission_changes(pairs, False, "revoked", using, "deletion"))


def _permission_goes(sender: Any, instance: Permission, using: str, **kwargs: Any) -> None:
    if label_of(instance) is None:
        return
    changes: list[Change] = []
    groups = Group.objects.using(using).filter(permissions=instance.pk).values_list("pk", flat=True)
    changes += permission_changes([(g, instance.pk) for g in groups], False, "revoked", using, "deletion")
    if stores.has_groups():
        users = stores.all_of(get_user_model(), using).filter(user_permissions=instance.pk)
        pairs = [(u, instance.pk) for u in users.values_list("pk", flat=True)]
        changes += permission_changes(pairs, True, "revoked", using, "deletion")
    _went(using, changes)


def _user_changes(sender: Any, using: str, **kwargs: Any) -> None:
    answers.forget(using)  # perhaps the account was deactivated


# guardian's rows


def _row_comes(sender: Any, instance: Any, created: bool, raw: bool, using: str, **kwargs: Any) -> None:
    # A fixture brings the access events with it; what it does not bring is found by reconcile.
    if created and not raw:
        _came(using, _row_change(instance, "granted", using, kwargs.get("origin")))


def _row_goes(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    origin = kwargs.get("origin")
    told = told_by(origin)
    if (sender, instance.pk) in told:  # as its record went
        told.remove((sender, instance.pk))
        return
    _went(using, _row_change(instance, "revoked", using, origin, _road_of(origin, sender, "object")))


def _road_of(origin: Any, sender: type[Any], own: str) -> str:
    """Whether a row was removed for itself, or because something that it names is being deleted."""
    if origin is None or isinstance(origin, sender) or getattr(origin, "model", None) is sender:
        return own
    return "deletion"


def _row_change(row: Any, action: str, using: str, origin: Any, road: str = "object") -> list[Change]:
    permission = row.permission
    model = model_of(permission)
    if model is None:
        return []
    name = "user" if hasattr(row, "user_id") else "group"
    holder_id = getattr(row, f"{name}_id")
    kind: Any = get_user_model() if name == "user" else Group
    holder = row._state.fields_cache.get(name)
    if holder is None and isinstance(origin, kind) and origin.pk == holder_id:
        holder = origin
    if holder is None:
        holder = stores.all_of(kind, using).filter(pk=holder_id).first()
    return [
        Change(
            action=action,
            road=road,
            grant=grant_of_row(row, model, name == "user"),
            label=str(holder or ""),
            role=role_in(permission.codename),
        )
    ]


# Delegations


def _delegated(sender: Any, instance: Delegation, raw: bool, using: str, **kwargs: Any) -> None:
    if not raw:
        record(using, [delegation_change(instance, "delegated")])


def _undelegated(sender: Any, instance: Delegation, using: str, **kwargs: Any) -> None:
    road = _road_of(kwargs.get("origin"), sender, "api")
    record(using, [delegation_change(instance, "undelegated", road)])


def delegation_change(delegation: Delegation, action: str, road: str = "api") -> Change:
    """How a delegation is put on record."""
    using = stores.alias_of(delegation.from_user) if delegation._state.db is None else delegation._state.db
    to = stores.all_of(get_user_model(), using).filter(pk=delegation.to_user_id).first()
    return Change(
        action=action,
        road=road,
        grant=Grant(
            user=stores.text_of(delegation.from_user_id),
            delegate=stores.text_of(delegation.to_user_id),
            delegation=str(delegation.pk),
        ),
        label=delegation.from_label,
        role=delegation.role,
        delegate_label=str(to or ""),
        until=delegation.until if action == "delegated" else None,
    )
