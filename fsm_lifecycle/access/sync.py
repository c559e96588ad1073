"""The permissions and groups that the tables ask for: made where they are missing, removed only when told to.

Must not know who holds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, router
from django.db.models import Model

from fsm_lifecycle.access.actors import System
from fsm_lifecycle.access.codenames import (
    codes_of,
    concrete,
    content_type,
    crud_codename,
    event_codename,
    family,
    group_name,
    lifecycle_models,
    role_codename,
)
from fsm_lifecycle.access.event import AccessEvent, because
from fsm_lifecycle.access.grant import Grant
from fsm_lifecycle.access.stores import text_of
from fsm_lifecycle.definition import CRUD, Role
from fsm_lifecycle.transactions import writing


@dataclass(slots=True)
class Synced:
    """What was done."""

    permissions: list[str] = field(default_factory=list)
    """Made: ``billing.fire_pay``."""
    groups: list[str] = field(default_factory=list)
    """Made."""
    restored: list[str] = field(default_factory=list)
    """Groups that had lost their role, and have it again."""
    powerless: list[str] = field(default_factory=list)
    """Groups named after a role that do not hold it, and were left alone."""
    pruned: list[str] = field(default_factory=list)
    """Permissions and groups that no table asks for any more, and were removed with all grants."""


def possible(using: str) -> bool:
    """Whether permissions and groups are kept on this database, and their tables exist."""
    kept = all(router.allow_migrate_model(using, model) for model in (Permission, Group, ContentType))
    tables = connections[using].introspection.table_names() if kept else []
    return kept and all(
        model._meta.db_table in tables
        for model in (Permission, Group, ContentType, Group.permissions.through)
    )


def sync(using: str, *, restore: bool = False, prune: bool = False) -> Synced:
    """Make what is missing. Repeating it changes nothing.

    ``restore``: give a role back to the group of its name that does not hold it; otherwise such a group is left
    alone, because it may have been made for something else. ``prune``: remove what no table asks for.
    """
    done = Synced()
    ContentType.objects.clear_cache()
    with writing(using, savepoint=True), because(System("roles of the table")):
        subjects = list(dict.fromkeys(concrete(m) for m in lifecycle_models()))
        ctypes = ContentType.objects.db_manager(using).get_for_models(*subjects)
        _permissions(ctypes, using, done)
        _groups(ctypes, using, restore, done)
        if prune:
            for model in subjects:
                _prune(model, using, done)
    return done


def wanted(model: type[Model]) -> dict[str, str]:
    """The permissions that the tables of a model and its proxies ask for, with what people call them."""
    names: dict[str, str] = {}
    kind = model._meta.verbose_name
    for member in family(model):
        table = codes_of(member).table
        for event in table.events.values():
            names[event_codename(event)] = f"Can fire “{event.label}” on {kind}"
        for role in table.roles.values():
            names[role_codename(role)] = f"Has the role {role.label} on {kind}"
    for flag, verb in (
        (CRUD.CREATE, "add"),
        (CRUD.READ, "view"),
        (CRUD.UPDATE, "change"),
        (CRUD.DELETE, "delete"),
    ):
        names[crud_codename(model, flag)] = f"Can {verb} {kind}"
    return names


def _roles(model: type[Model]) -> dict[str, Role]:
    return {value: role for member in family(model) for value, role in codes_of(member).table.roles.items()}


def _permissions(ctypes: Mapping[type[Model], ContentType], using: str, done: Synced) -> None:
    here = Permission.objects.using(using).filter(content_type__in=[ctype.pk for ctype in ctypes.values()])
    present = set(here.values_list("content_type_id", "codename"))
    new: list[Permission] = []
    for model, ctype in ctypes.items():
        for codename, name in wanted(model).items():
            if (ctype.pk, codename) not in present:
                new.append(Permission(content_type=ctype, codename=codename, name=name[:255]))
                done.permissions.append(f"{model._meta.app_label}.{codename}")
    # Another process may be migrating, too.
    Permission.objects.using(using).bulk_create(new, ignore_conflicts=True)


def _groups(ctypes: Mapping[type[Model], ContentType], using: str, restore: bool, done: Synced) -> None:
    """Make a group for each role that has none. Asked for all roles together: there may be many."""
    permissions = {
        (permission.content_type_id, permission.codename): permission
        for permission in Permission.objects.using(using).filter(
            content_type__in=[ctype.pk for ctype in ctypes.values()], codename__startswith="role_"
        )
    }
    roles = {
        group_name(model, role): (model, role.value, permissions[ctype.pk, role_codename(role)])
        for model, ctype in ctypes.items()
        for role in _roles(model).values()
    }
    through = Group.permissions.through.objects.using(using)
    held = set(
        through.filter(permission__in=list(permissions.values())).values_list("group__name", "permission_id")
    )
    held_at_all = {permission for _, permission in held}
    named = {g.name: g for g in Group.objects.using(using).filter(name__in=list(roles))}
    new: dict[str, Permission] = {}
    for name, (model, role, permission) in roles.items():
        if (name, permission.pk) in held:
            continue
        if permission.pk in held_at_all and own_group(model, role, using) is not None:
            continue  # renamed
        if name not in named:
            new[name] = permission
            done.groups.append(name)
        elif restore:
            named[name].permissions.add(permission)
            done.restored.append(name)
        else:
            done.powerless.append(name)
    if new:
        Group.objects.using(using).bulk_create([Group(name=name) for name in new], ignore_conflicts=True)
        # A group of a role holds its role: no grant to anybody, so it is not put on record.
        through.bulk_create(
            [
                Group.permissions.through(group_id=group.pk, permission_id=new[group.name].pk)
                for group in Group.objects.using(using).filter(name__in=list(new))
                if group.name in new  # MariaDB compares names without regard to case
            ],
            ignore_conflicts=True,
        )


def own_group(model: type[Model], role: str, using: str) -> Group | None:
    """The group that was made for a role: of its name; else, where it was renamed, the oldest one that holds this
    permission and no other and was never granted it.
    """
    permission = (
        Permission.objects.using(using)
        .filter(content_type=content_type(model, using), codename=role_codename(role))
        .first()
    )
    if permission is None:
        return None
    holding = Group.objects.using(using).filter(permissions=permission)
    named = holding.filter(name=group_name(model, role)).first()
    if named is not None:
        return named
    others = Permission.objects.using(using).exclude(pk=permission.pk)
    label = concrete(model)._meta.label_lower
    for group in holding.exclude(permissions__in=others).order_by("pk"):
        grant = Grant(group=text_of(group.pk), model=label, codename=permission.codename)
        if not AccessEvent.objects.using(using).filter(grant=grant.digest).exists():
            return group
    return None


def hold_role(group: Group, permission: Permission, using: str) -> None:
    """Let a role's own group hold its role. No grant to anybody, so it is not put on record."""
    through = Group.permissions.through
    through.objects.using(using).create(group_id=group.pk, permission_id=permission.pk)


def _prune(model: type[Model], using: str, done: Synced) -> None:
    asked_for, roles = wanted(model), _roles(model)
    prefix = group_name(model, "")
    for group in Group.objects.using(using).filter(name__startswith=prefix).order_by("pk"):
        role = group.name.removeprefix(prefix)
        if group.name.startswith(prefix) and role not in roles and _means_only(group, role_codename(role)):
            done.pruned.append(group.name)
            group.delete()
    for permission in (
        Permission.objects.using(using).filter(content_type=content_type(model, using)).order_by("pk")
    ):
        if permission.codename.startswith(("fire_", "role_")) and permission.codename not in asked_for:
            done.pruned.append(f"{model._meta.app_label}.{permission.codename}")
            permission.delete()


def _means_only(group: Group, codename: str) -> bool:
    return set(group.permissions.values_list("codename", flat=True)) <= {codename}


def summary(using: str) -> Iterator[tuple[str, Role, int]]:
    """Each model's roles, and by how many users each is held on all records."""
    user: Any = get_user_model()
    for model in dict.fromkeys(concrete(m) for m in lifecycle_models()):
        for role in _roles(model).values():
            held = user._default_manager.using(using).filter(
                groups__permissions__codename=role_codename(role),
                groups__permissions__content_type=content_type(model, using),
            )
            yield model._meta.label, role, held.distinct().count()
