"""Where grants are stored: the models of ``auth`` and guardian for one lifecycle model, and how they name records.

guardian keeps a record's key as text beside its content type, or in a table of the model's own with a foreign
key; here is the one place that knows which. Must not know what a permission means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models, router
from django.db.models import Model

from fsm_lifecycle.access.codenames import concrete, content_type
from fsm_lifecycle.append_only import key_text

if TYPE_CHECKING:
    from django.db.models import QuerySet


def alias_of(holder: Any) -> str:
    """The database where a user or group and its grants are."""
    # Not its type: request.user is wrapped.
    return router.db_for_write(Group if isinstance(holder, Group) else get_user_model(), instance=holder)


def all_of(model: Any, using: str) -> QuerySet[Any]:
    """All rows of a model on a database, whatever its own managers leave out."""
    found: QuerySet[Any] = models.QuerySet(model, using=using)
    return found


def user_text(user: Any) -> str:
    """A user's key as grants and the log name it."""
    return text_of(user.pk)


def text_of(key: Any) -> str:
    """A key as text; also keys that the log itself could not name, such as those of a host's own user model."""
    return key_text(key) if isinstance(key, int | str | UUID) else str(key)


def has_groups() -> bool:
    """Whether the project's users have Django's groups and permissions (``PermissionsMixin``)."""
    return hasattr(get_user_model(), "groups") and hasattr(get_user_model(), "user_permissions")


def object_models() -> list[type[Any]]:
    """Every concrete model in which guardian's object permissions are kept."""
    from guardian.models.models import BaseObjectPermission

    return [m for m in apps.get_models() if issubclass(m, BaseObjectPermission)]


def user_rows(model: type[Model]) -> type[Any]:
    """The model of guardian's rows for users on records of ``model``."""
    from guardian.utils import get_user_obj_perms_model

    subject: Any = concrete(model)
    found: type[Any] = get_user_obj_perms_model(subject)
    return found


def group_rows(model: type[Model]) -> type[Any]:
    """The model of guardian's rows for groups on records of ``model``."""
    from guardian.utils import get_group_obj_perms_model

    subject: Any = concrete(model)
    found: type[Any] = get_group_obj_perms_model(subject)
    return found


def is_generic(rows: type[Any]) -> bool:
    """Whether rows name their record by content type and text, rather than by a foreign key."""
    return bool(rows._default_manager.is_generic())


def grants_reach(model: type[Model], records_on: str, grants_on: str) -> bool:
    """Whether grants in one database are about the records of another: where that has no grants of its own.

    A grant names its record by key alone, so with grants in both it would mean two records.
    """
    return records_on == grants_on or not router.allow_migrate_model(records_on, user_rows(model))


def rows_on(rows: type[Any], model: type[Model], key: Any, using: str) -> QuerySet[Any]:
    """The rows on one record."""
    queryset = all_of(rows, using)
    if is_generic(rows):
        return queryset.filter(content_type=content_type(model, using), object_pk=key_text(key))
    return queryset.filter(content_object_id=key)


def object_text(row: Any) -> str:
    """The key of the record that a row is on."""
    return str(row.object_pk) if is_generic(type(row)) else text_of(row.content_object_id)


def permission_of(model: type[Model], codename: str, using: str) -> Permission:
    """The permission, made if it is missing."""
    found, _ = Permission.objects.using(using).get_or_create(
        content_type=content_type(model, using),
        codename=codename,
        defaults={"name": codename.replace("_", " ").capitalize()[:255]},
    )
    return found


def give_on_record(permission: Permission, holder: Any, record: Any, using: str) -> bool:
    """Write guardian's row for one record. False when it is there already."""
    of_user = not isinstance(holder, Group)
    rows = user_rows(type(record)) if of_user else group_rows(type(record))
    name = "user_id" if of_user else "group_id"
    values: dict[str, Any] = {name: holder.pk, "permission": permission}
    if is_generic(rows):
        values |= {
            "content_type": content_type(type(record), using),
            "object_pk": key_text(record.pk),
            "defaults": {"content_object": record},  # guardian looks at it, and need not load it
        }
    else:
        values["content_object"] = record
    return bool(all_of(rows, using).get_or_create(**values)[1])


def give_on_records(
    permission: Permission, model: type[Model], pairs: Sequence[tuple[Any, Any]], using: str
) -> None:
    """Write guardian's rows for pairs of a record's key and a user, in bulk and without signals."""
    if not pairs:
        return
    rows = user_rows(model)
    generic = is_generic(rows)
    ctype = content_type(model, using)
    new = [
        rows(
            permission=permission,
            user_id=user.pk,
            **(
                {"content_type": ctype, "object_pk": key_text(key)} if generic else {"content_object_id": key}
            ),
        )
        for key, user in pairs
    ]
    # What a record that vanished without Django left under the same key is no reason to fail.
    all_of(rows, using).bulk_create(new, batch_size=500, ignore_conflicts=True)
