"""What comes and goes with a record: its creator's default role, and every grant on it.

Must not know who may grant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import router
from django.db.models import Model

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.codenames import codes_of, concrete, role_codename
from fsm_lifecycle.access.event import Change, because, record
from fsm_lifecycle.access.grant import Grant, GrantTerm
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.transactions import writing


def grant_default(model: type[Model], owners: Iterable[tuple[Any, Any]], records_on: str) -> None:
    """Give each new record's creator the table's default role on it: pairs of record's key and user, in bulk.

    By key, because a multi-table child has none of its own yet when the row that holds its state is inserted.
    """
    role = codes_of(model).table.default_role
    if role is None:
        return
    by_alias: dict[str, list[tuple[Any, Any]]] = {}
    for key, user in owners:
        using = stores.alias_of(user)
        if key_text(key) and stores.grants_reach(model, records_on, using):
            by_alias.setdefault(using, []).append((key, user))
    for using, pairs in by_alias.items():
        permission = stores.permission_of(model, role_codename(role), using)
        with writing(using, savepoint=False), because(road="default"):
            stores.give_on_records(permission, model, pairs, using)
            label = concrete(model)._meta.label_lower
            record(
                using,
                [
                    Change(
                        action="granted",
                        road="default",
                        grant=Grant(
                            user=stores.user_text(user),
                            model=label,
                            codename=permission.codename,
                            object_pk=key_text(key),
                        ),
                        label=str(user),
                        role=role.value,
                    )
                    for key, user in pairs
                ],
            )


def forget_record(model: type[Model], key: Any, using: str, origin: Any = None) -> None:
    """Remove every grant on a record that goes, so that a reused key inherits nothing.

    ``origin`` is the deletion that takes the record, as Django's signals name it.
    """
    for rows, of_user in ((stores.user_rows(model), True), (stores.group_rows(model), False)):
        if not stores.is_generic(rows):
            continue  # goes with the record by its foreign key, and is seen by its own signals
        # Where the record's database has no grants of its own, they are where a router puts them.
        alias = using if router.allow_migrate_model(using, rows) else router.db_for_write(rows)
        told_by(origin).update(_forget(model, key, rows, of_user, alias))


def told_by(origin: Any) -> set[Any]:
    """The rows, by model and key, that were put on record while the same deletion took their record.

    The deletion may take them for another reason as well: a user who goes takes both his grants and his records.
    """
    told: set[Any] = set() if origin is None else vars(origin).setdefault("_lifecycle_told", set())
    return told


def _forget(model: type[Model], key: Any, rows: type[Any], of_user: bool, using: str) -> Iterable[Any]:
    name = "user_id" if of_user else "group_id"
    found = list(stores.rows_on(rows, model, key, using).select_related("permission"))
    if not found:
        return []
    holders = stores.all_of(get_user_model() if of_user else Group, using).in_bulk(
        {getattr(row, name) for row in found}
    )
    changes = [
        Change(
            action="revoked",
            road="deletion",
            grant=grant_of_row(row, model, of_user),
            label=str(holders.get(getattr(row, name), "")),
            role=role_in(row.permission.codename),
        )
        for row in found
    ]
    with writing(using, savepoint=False):
        stores.rows_on(rows, model, key, using)._raw_delete(using)
        stores.all_of(GrantTerm, using).filter(grant__in=[c.grant.digest for c in changes]).delete()
        record(using, changes)
    return [(rows, row.pk) for row in found]


def grant_of_row(row: Any, model: type[Model], of_user: bool) -> Grant:
    """How guardian's row is named as a grant."""
    holder = stores.text_of(row.user_id if of_user else row.group_id)
    return Grant(
        user=holder if of_user else "",
        group="" if of_user else holder,
        model=concrete(model)._meta.label_lower,
        codename=row.permission.codename,
        object_pk=stores.object_text(row),
    )


def role_in(codename: str) -> str:
    """The role that a permission stands for; empty for another permission."""
    return codename[len("role_") :] if codename.startswith("role_") else ""
