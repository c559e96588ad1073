"""Letting one user act for another, and ending it. Must not know what roles allow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.actors import System
from fsm_lifecycle.access.codenames import codes_of, lifecycle_models
from fsm_lifecycle.access.current import actor_meant
from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.event import AccessEvent, because
from fsm_lifecycle.access.granting import known_user, lock, require_future, require_user
from fsm_lifecycle.definition import Role
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant
from fsm_lifecycle.transactions import writing


def delegate(
    from_user: Any,
    to_user: Any,
    role: Role | str | None = None,
    until: datetime | None = None,
    reason: str = "",
    *,
    by: Any = None,
) -> Delegation:
    """Let ``to_user`` act with the roles of ``from_user``, or with one of them, until ``until``.

    What is fired like this names both in the log. Roles that ``from_user`` has by delegation are not passed on.
    ``by``: by default the current actor, else ``from_user``; anybody but ``from_user`` needs
    ``fsm_lifecycle.grant_roles``. Delegating the same again moves the end.

    Raises ``InvalidGrant`` for what makes no sense, ``AccessDenied`` when ``by`` may not.
    """
    require_user(from_user)
    require_user(to_user)
    if from_user.pk == to_user.pk:
        raise InvalidGrant(f"{from_user} has these roles already. Delegate them to somebody else.")
    if until is None:
        raise InvalidGrant("A delegation ends: give until=..., an aware datetime.")
    require_future(until)
    name = _role_name(role)
    actor = _require_may_delegate(by, from_user)
    using = stores.alias_of(from_user)
    with writing(using, savepoint=True), because(actor, road="api", reason=reason):
        giver = lock(from_user, using)
        found = stores.all_of(Delegation, using).filter(from_user=giver.pk, to_user=to_user.pk, role=name)
        delegation: Delegation | None = found.first()
        if delegation is None:
            delegation = Delegation(from_user=giver, to_user_id=to_user.pk, role=name)
        elif delegation.until == until and delegation.reason == reason:
            return delegation
        delegation.from_label = str(giver)[:255]
        delegation.until, delegation.reason = until, reason
        delegation.save(using=using)
    return delegation


def revoke_delegation(
    delegation: Any, to_user: Any = None, role: Role | str | None = None, *, by: Any = None, reason: str = ""
) -> AccessEvent | None:
    """End a delegation: the object that ``delegate`` returned, or from whom, to whom and which role.

    Returns what was put on record, or ``None`` where it had ended already. Raises ``AccessDenied`` when ``by`` may not.
    """
    if isinstance(delegation, Delegation):
        from_user = delegation.from_user
        using = stores.alias_of(from_user)
        found = stores.all_of(Delegation, using).filter(pk=delegation.pk)
    else:
        from_user = delegation
        require_user(from_user, may_be_inactive=True)
        require_user(to_user, may_be_inactive=True)
        using = stores.alias_of(from_user)
        found = stores.all_of(Delegation, using).filter(
            from_user=from_user.pk, to_user=to_user.pk, role=_role_name(role)
        )
    actor = _require_may_delegate(by, from_user)
    with writing(using, savepoint=True), because(actor, road="api", reason=reason) as why:
        lock(from_user, using)
        found.delete()
    return why.written[-1] if why.written else None


def _role_name(role: Role | str | None) -> str:
    if role is None or role == "":
        return ""
    name = getattr(role, "value", role)
    known = {value for model in lifecycle_models() for value in codes_of(model).table.roles}
    if name not in known:
        raise InvalidGrant(
            f"No lifecycle has a role {name!r}. There are: {', '.join(sorted(known)) or 'none'}."
        )
    return str(name)


def _require_may_delegate(by: Any, from_user: Any) -> Any:
    actor = actor_meant(by)
    if actor is None:
        actor = from_user
    if isinstance(actor, System):
        return actor
    user = known_user(actor)
    if user is not None and (
        user.pk == from_user.pk or user.is_superuser or user.has_perm("fsm_lifecycle.grant_roles")
    ):
        return actor
    raise AccessDenied(
        f"Only {from_user} may delegate these roles, or somebody with the permission fsm_lifecycle.grant_roles."
    )


def ended(using: str) -> models.QuerySet[Delegation]:
    """The delegations whose time has come."""
    return stores.all_of(Delegation, using).filter(until__lte=timezone.now())
