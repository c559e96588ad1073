"""Granting and revoking roles, and asking who holds them.

What is written is what Django and guardian would write; ``watching`` puts each change on record. Must not know
what a role allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import router
from django.db.models import Model
from django.utils import timezone

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.actors import System, is_user
from fsm_lifecycle.access.codenames import (
    concrete,
    declared_role,
    group_name,
    role_codename,
    subject_of,
)
from fsm_lifecycle.access.current import required_actor
from fsm_lifecycle.access.event import AccessEvent, Because, Change, because, record
from fsm_lifecycle.access.grant import Grant, GrantTerm
from fsm_lifecycle.access.granting import for_update, lock, require_future, require_may_grant, require_user
from fsm_lifecycle.access.policy import held_roles
from fsm_lifecycle.access.sync import hold_role, own_group
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Role
from fsm_lifecycle.exceptions import InvalidGrant
from fsm_lifecycle.transactions import writing


def grant_role(
    holder: Any,
    role: Role | str,
    *,
    on: type[Model] | Model,
    by: Any = None,
    until: datetime | None = None,
    reason: str = "",
) -> AccessEvent | None:
    """Give a user or group a role on all records of a model, or on one.

    ``by``: who grants, by default the current actor: ``System``, a superuser, or a user with
    ``fsm_lifecycle.grant_roles`` and the right to change the model or record. ``until``: an aware datetime from
    which on the grant counts for nothing; without it, there is no end. Granting again moves the end.

    Returns what was put on record, or ``None`` when nothing changed. Raises ``InvalidGrant`` for what makes no
    sense, ``AccessDenied`` when ``by`` may not, ``ActorRequired`` when nobody acts.
    """
    request = _Request(holder, role, on, by)
    if until is not None:
        require_future(until)
    with request.changing(reason=reason, until=until, keeps_terms=True) as why:
        request.see_record()
        _grant(request, until, why)
    return why.written[-1] if why.written else None


def revoke_role(
    holder: Any, role: Role | str, *, on: type[Model] | Model, by: Any = None, reason: str = ""
) -> AccessEvent | None:
    """Take back what ``grant_role`` gave; a permission ``role_…`` that was given directly, too.

    Returns what was put on record, or ``None`` when there was nothing to take. Raises as ``grant_role``; also
    ``InvalidGrant`` when the role is held through a group alone, which revoking from one member cannot change.
    """
    request = _Request(holder, role, on, by, may_be_inactive=True)
    with request.changing(reason=reason) as why:
        request.take()
        if not why.written and (groups := request.groups_that_give()):
            raise InvalidGrant(
                f"{holder} holds the role {request.role.value} through the group {', '.join(groups)}. Take the user "
                f"out of the group, or revoke the role of the group."
            )
    return why.written[-1] if why.written else None


def roles_of(user: Any, *, on: type[Model] | Model) -> set[str]:
    """The roles that a user holds now, also through groups and delegation: on all records, or on one as well.

    Empty for a deactivated user. A superuser passes without roles and has those that were granted.
    """
    model, record_ = subject_of(on)
    if not is_user(user):
        raise InvalidGrant(f"roles_of({user!r}): name a user.")
    if not user.is_authenticated or user.pk is None:
        return set()
    return set(held_roles(user, model, record_))


class _Request:
    """One role of one holder on one subject, and who changes it."""

    def __init__(
        self, holder: Any, role: Role | str, on: Any, by: Any, *, may_be_inactive: bool = False
    ) -> None:
        self.model, self.record = subject_of(on)
        self.role = declared_role(self.model, role)
        self.holder = holder
        self.of_user = not isinstance(holder, Group)
        if self.of_user:
            require_user(holder, may_be_inactive=may_be_inactive)
        elif holder.pk is None:
            raise InvalidGrant("This group has not been saved, so it can hold no role.")
        self.actor = required_actor(by)
        require_may_grant(self.actor, self.model, self.record)
        self.using = stores.alias_of(holder)
        self.codename = role_codename(self.role)
        self._group: Group | None = None
        self.object_pk = "" if self.record is None else key_text(self.record.pk)
        if self.record is not None and not self.object_pk:
            raise InvalidGrant(
                f"The key of this {self.model._meta.verbose_name} is an empty text, by which no grant can name it."
            )
        home = router.db_for_write(type(self.record), instance=self.record) if self.record else self.using
        if not stores.grants_reach(self.model, home, self.using):
            kind = self.model._meta.verbose_name
            raise InvalidGrant(
                f"{holder} is in the database {self.using!r} and this {kind} in {home!r}, which has "
                f"grants of its own. Name a user or group of {home!r}."
            )

    @contextmanager
    def changing(self, **why: Any) -> Iterator[Because]:
        """A transaction in which this holder's grants are changed by nobody else."""
        with writing(self.using, savepoint=True), because(self.actor, road="api", **why) as reason:
            self.holder = lock(self.holder, self.using)
            yield reason

    def see_record(self) -> None:
        """Hold the record: it must not be deleted while somebody is given a role on it."""
        if self.record is None:
            return
        using = router.db_for_write(type(self.record), instance=self.record)
        rows = stores.all_of(concrete(self.model), using).filter(pk=self.record.pk).order_by()
        if using == self.using:
            rows = for_update(rows, using)
        if rows.values_list("pk", flat=True).first() is None:
            raise InvalidGrant(
                f"This {self.model._meta.verbose_name} is no longer in the database, so nobody can hold a role on it."
            )

    @property
    def permission(self) -> Permission:
        return stores.permission_of(self.model, self.codename, self.using)

    def grant(self, permission: Permission) -> Grant:
        """How the grant is named; for a user's role on all records that is a membership."""
        who = stores.text_of(self.holder.pk)
        label = concrete(self.model)._meta.label_lower
        if not self.of_user:
            return Grant(group=who, model=label, codename=self.codename, object_pk=self.object_pk)
        if self.object_pk:
            return Grant(user=who, model=label, codename=self.codename, object_pk=self.object_pk)
        return Grant(user=who, group=stores.text_of(self.group(permission).pk))

    def group(self, permission: Permission) -> Group:
        """The group whose members have the role on all records."""
        if self._group is None:
            self._group = role_group(self.model, self.role, permission, self.using)
        return self._group

    def give(self, permission: Permission) -> bool:
        """Write the grant. False when it is there already."""
        if self.record is not None:
            return stores.give_on_record(permission, self.holder, self.record, self.using)
        if self.of_user:
            group = self.group(permission)
            if self.holder.groups.filter(pk=group.pk).exists():
                return False
            self.holder.groups.add(group)
            return True
        if self.holder.permissions.filter(pk=permission.pk).exists():
            return False
        self.holder.permissions.add(permission)
        return True

    def take(self) -> None:
        """Remove the grant, and with it the same permission given directly."""
        permission = self.permission
        if self.record is not None:
            rows = stores.user_rows(self.model) if self.of_user else stores.group_rows(self.model)
            name = "user" if self.of_user else "group"
            found = stores.rows_on(rows, self.model, self.record.pk, self.using)
            found.filter(**{name: self.holder.pk, "permission": permission}).delete()
        elif self.of_user:
            if (own := own_group(self.model, self.role.value, self.using)) is not None:
                self.holder.groups.remove(own)
            self.holder.user_permissions.remove(permission)
        else:
            self.holder.permissions.remove(permission)

    def groups_that_give(self) -> list[str]:
        """The groups through which a user still holds the role here."""
        if not self.of_user:
            return []
        groups = self.holder.groups.filter(permissions=self.permission)
        names = set(groups.values_list("name", flat=True))
        if self.record is not None:
            rows = stores.rows_on(stores.group_rows(self.model), self.model, self.record.pk, self.using)
            held = rows.filter(permission=self.permission).values_list("group_id", flat=True)
            names |= set(self.holder.groups.filter(pk__in=list(held)).values_list("name", flat=True))
        return sorted(names)


def _grant(request: _Request, until: datetime | None, why: Because) -> None:
    permission = request.permission
    grant = request.grant(permission)
    terms = stores.all_of(GrantTerm, request.using)
    term = terms.filter(grant=grant.digest).first()
    new = request.give(permission)
    if not new:
        if (term.until if term else None) == until:
            return
        if term is not None and term.until <= timezone.now():
            with because(System("end of a grant"), road="sweep", action="expired", until=term.until):
                record(request.using, [_change(request, grant, "expired")])
        record(request.using, [_change(request, grant, "granted")])
    if until is None:
        terms.filter(grant=grant.digest).delete()
        return
    terms.update_or_create(
        grant=grant.digest,
        defaults={
            "user_id": request.holder.pk if request.of_user else None,
            "group_id": (
                grant.group
                if request.of_user and grant.group
                else None
                if request.of_user
                else request.holder.pk
            ),
            "permission": None if request.of_user and grant.group else permission,
            "object_pk": grant.object_pk,
            "until": until,
        },
    )


def _change(request: _Request, grant: Grant, action: str) -> Change:
    label = concrete(request.model)._meta.label_lower
    return Change(
        action=action,
        road="api",
        grant=grant,
        label=str(request.holder),
        group_label=group_name(request.model, request.role) if request.of_user and grant.group else "",
        role=request.role.value,
        role_model=label,
    )


def role_group(model: type[Model], role: Role, permission: Permission, using: str) -> Group:
    """The group whose members have a role on all records; made if it is missing.

    A group of the usual name that was made for something else gives its members nothing, so it is refused.
    """
    own = own_group(model, role.value, using)
    if own is not None:
        return own
    name = group_name(model, role)
    group, created = Group.objects.using(using).get_or_create(name=name)
    if not created:
        raise InvalidGrant(
            f"The group “{name}” does not hold the permission {permission.codename}, so its members have no role. If "
            f"it is meant to, run: manage.py lifecycle_roles --sync. Otherwise rename it."
        )
    hold_role(group, permission, using)
    return group
