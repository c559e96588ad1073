"""The authentication backend: ``user.has_perm("billing.fire_pay", invoice)`` is right, wherever it is asked.

First in ``AUTHENTICATION_BACKENDS``, it answers for the permissions of lifecycle models with yes, or with
``PermissionDenied``, so that no later backend is asked: guardian would spend queries and count what has ended.
Everything else it leaves to them. Must not know rules of its own.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import Model, QuerySet

from fsm_lifecycle.access import branches, holdings, policy, stores
from fsm_lifecycle.access.actors import is_user
from fsm_lifecycle.access.codenames import Codes, codes_of, concrete, crud_codename, lifecycle_models
from fsm_lifecycle.access.visibility import holders_of
from fsm_lifecycle.definition import CRUD


class LifecycleBackend:
    """Put it first. It logs nobody in: it has no ``get_user``, so that ``login()`` and tests pick another."""

    def authenticate(self, request: Any, **credentials: Any) -> None:
        """Nobody."""
        return

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Yes, or ``PermissionDenied``; ``False`` only for what no lifecycle reads."""
        asked = _meant(perm, obj)
        if asked is None:
            return False
        for codes, codename, record in asked:
            theirs = policy.rights(user_obj, codes.model, record, perm)
            if theirs.holds(codename, codes):
                return True
        raise PermissionDenied

    async def ahas_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """``has_perm`` for async code."""
        return await sync_to_async(self.has_perm)(user_obj, perm, obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Whether a user may do anything with the lifecycle models of an app, also with a single record."""
        if not is_user(user_obj) or not user_obj.is_authenticated or not user_obj.is_active:
            return False
        for model in lifecycle_models():
            if model._meta.app_label != app_label or model._meta.proxy:
                continue
            theirs = policy.rights(user_obj, model)
            if theirs.everything or theirs.shares or _holds_somewhere(user_obj, model):
                return True
        return False

    async def ahas_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """``has_module_perms`` for async code."""
        return await sync_to_async(self.has_module_perms)(user_obj, app_label)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The lifecycle permissions that a user has: on all records, or on one."""
        if not is_user(user_obj) or not user_obj.is_authenticated or not user_obj.is_active:
            return set()
        if obj is not None and not _has_lifecycle(type(obj)):
            return set()
        models = [m for m in lifecycle_models() if not m._meta.proxy]
        asked: list[type[Model]] = models if obj is None else [type(obj)]
        said: dict[str, tuple[bool, bool]] = {}
        for model in asked:
            codes = codes_of(model)
            theirs = policy.rights(user_obj, model, obj, "all permissions")
            by_roles = bool(codes.table.roles)
            for name in codes.meanings:
                full = f"{concrete(model)._meta.app_label}.{name}"
                before = said.get(full, (False, False))
                said[full] = max(before, (by_roles, theirs.holds(name, codes)))  # as ``_meant``: roles decide
        return {name for name, (_, yes) in said.items() if yes}

    async def aget_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """``get_all_permissions`` for async code."""
        return await sync_to_async(self.get_all_permissions)(user_obj, obj)

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The same as ``get_all_permissions``: roles do not tell how they were given."""
        return self.get_all_permissions(user_obj, obj)

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Empty: what groups give is among ``get_all_permissions``."""
        return set()

    async def aget_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """``get_user_permissions`` for async code."""
        return await self.aget_all_permissions(user_obj, obj)

    async def aget_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """``get_group_permissions`` for async code."""
        return set()

    def with_perm(
        self, perm: Any, is_active: bool = True, include_superusers: bool = True, obj: Any = None
    ) -> QuerySet[Any]:
        """The users who have a lifecycle permission; for ``User.objects.with_perm(..., backend=...)``."""
        name = f"{perm.content_type.app_label}.{perm.codename}" if isinstance(perm, Permission) else perm
        return holders_of(_meant(name, obj) or [], is_active=is_active, include_superusers=include_superusers)


def _has_lifecycle(model: type[Any]) -> bool:
    return isinstance(model, type) and issubclass(model, Model) and hasattr(model, "_lifecycle")


def _meant(perm: str, obj: Any) -> list[tuple[Codes, str, Any]] | None:
    """The models and codenames that a permission names; ``None`` for one that no lifecycle reads."""
    label, _, codename = perm.rpartition(".")
    record = None if obj is None or isinstance(obj, type) else obj
    if obj is not None:
        model: Any = obj if isinstance(obj, type) else type(obj)
        if _has_lifecycle(model) and label in ("", concrete(model)._meta.app_label, model._meta.app_label):
            named = _codename(model, codename)
            if named is not None:
                return [(codes_of(model), named, record)]
    found = [
        (codes_of(model), named, None)
        for model in lifecycle_models()
        if model._meta.app_label == label and (named := _codename(model, codename)) is not None
    ]
    if not found:
        return None
    if obj is not None:
        return []  # of a lifecycle, but not of this object's: nobody has it on that
    # Where models of an app share the name of an event, one without roles would say yes to everybody.
    return [one for one in found if one[0].table.roles] or found


def _codename(model: type[Model], codename: str) -> str | None:
    """The codename under which the model's lifecycle reads a permission; a proxy's own four are its model's."""
    if codename in codes_of(model).meanings:
        return codename
    if model._meta.proxy:
        for flag in CRUD:
            if codename == f"{crud_codename(model, flag).partition('_')[0]}_{model._meta.model_name}":
                return crud_codename(model, flag)
    return None


def _holds_somewhere(user: Any, model: type[Model]) -> bool:
    """Whether a user holds anything on some record: one statement that stops at the first."""
    connection = connections[stores.alias_of(user)]
    codes = codes_of(model)
    key = holdings.user_key(connection, user)
    for branch in branches.on_records(connection, codes.concrete):
        sql, params = branch.select(connection, "1", holders=[key], codenames=list(codes.meanings))
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} LIMIT 1", params)
            if cursor.fetchone():
                return True
    return False
