"""Who may give and take roles, and to whom: asked from the database each time. Must not know how grants are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connections
from django.db.models import Model
from django.utils import timezone

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.actors import System, is_user
from fsm_lifecycle.access.policy import fresh_model_rights, fresh_rights
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant


def require_future(until: datetime) -> None:
    """Raise ``InvalidGrant`` for a time that is naive or has passed."""
    if not isinstance(until, datetime) or timezone.is_naive(until):
        raise InvalidGrant(
            f"until={until!r}: give an aware datetime, for example django.utils.timezone.now() + ..."
        )
    if until <= timezone.now():
        raise InvalidGrant(
            f"until={until:%Y-%m-%d %H:%M %Z} has passed. Give a time to come, or leave it out."
        )


def require_user(user: Any, *, may_be_inactive: bool = False) -> None:
    """Raise ``InvalidGrant`` for what is no saved, active user."""
    if not is_user(user) or not isinstance(user, get_user_model()):
        if is_user(user) and not user.is_authenticated:
            raise InvalidGrant("An anonymous visitor can hold no role. Name a user or a group.")
        if not is_user(user):
            raise InvalidGrant(f"{user!r} is neither a user nor a group, so it can hold no role.")
    if user.pk is None:
        raise InvalidGrant(f"The user {user} has not been saved, so it can hold no role.")
    if not may_be_inactive and not user.is_active:
        raise InvalidGrant(f"The account “{user}” is deactivated. Activate it first.")


def require_may_grant(actor: Any, model: type[Model], record_: Any) -> None:
    """Raise ``AccessDenied`` unless the actor may give and take roles here: asked from the database."""
    if isinstance(actor, System):
        return
    user = known_user(actor)
    if user is not None and user.is_superuser:
        return
    kind = model._meta.verbose_name if record_ is not None else model._meta.verbose_name_plural
    if user is not None and user.has_perm("fsm_lifecycle.grant_roles"):
        theirs = (
            fresh_model_rights(user, model)
            if record_ is None
            else fresh_rights(user, model, [record_.pk])[record_.pk]
        )
        if theirs.allows(CRUD.UPDATE):
            return
        raise AccessDenied(f"You may grant roles, but not on {kind} that you may not change.")
    raise AccessDenied(
        f"You may not grant or revoke roles on {kind}: that needs the permission fsm_lifecycle.grant_roles and the "
        f"right to change {'it' if record_ is not None else 'them'}."
    )


def known_user(actor: Any) -> Any:
    """The user as the database has it now; ``None`` for an agent, and for who is not active or not there."""
    if not isinstance(actor, get_user_model()) or actor.pk is None:
        # A lazily loaded user (request.user) passes isinstance through its class.
        return None
    found = stores.all_of(get_user_model(), stores.alias_of(actor)).filter(pk=actor.pk).first()
    return found if found is not None and found.is_active else None


def lock(holder: Any, using: str) -> Any:
    """The user or group as the database has it, held until the transaction ends."""
    kind: Any = Group if isinstance(holder, Group) else get_user_model()
    rows = stores.all_of(kind, using).filter(pk=holder.pk).order_by()
    found = for_update(rows, using).first()
    if found is None:
        raise InvalidGrant(f"{holder} is no longer in the database, so it can hold no role.")
    return found


def for_update(rows: Any, using: str) -> Any:
    """The rows, held until the transaction ends where the database can."""
    features = connections[using].features
    if not features.has_select_for_update:
        return rows
    return rows.select_for_update(no_key=features.has_select_for_no_key_update)
