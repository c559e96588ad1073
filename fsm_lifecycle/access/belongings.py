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


def grant_default(model: type[Model], records: Iterable[tuple[Any, Any]]) -> None:
    """Give each new record's creator the table's default role on it: pairs of record and user, in bulk."""
    role = codes_of(model).table.default_role
    if role is None:
        return
    by_alias: dict[str, list[tuple[Any, Any]]] = {}
    for record_, user in records:
        using = stores.alias_of(user)
        if key_text(record_.pk) and stores.grants_reach(model, record_._state.db or using, using):
            by_alias.setdefault(using, []).append((record_, user))
    for using, pairs in by_alias.items():
        permission = stores.permission_of(model, role_codename(role), using)
        with writing(using, savepoint=False), because(road="default"):
            stores.give_on_records(permission, pairs, using)
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
                            object_pk=key_text(record_.pk),
                        ),
                        label=str(user),
                        role=role.value,
                    )
                    for record_, user in pairs
                ],
            )


def forget_record(model: type[Model], key: Any, using: str) -> None:
    """Remove every grant on a record that goes, so that a reused key inherits nothing."""
    for rows, of_user in ((stores.user_rows(model), True), (stores.group_rows(model), False)):
        if not stores.is_generic(rows):
            continue  # goes with the record by its foreign key, and is seen by its own signals
        # Where the record's database has no grants of its own, they are where a router puts them.
        alias = using if router.allow_migrate_model(using, rows) else router.db_for_write(rows)
        _forget(model, key, rows, of_user, alias)


def _forget(model: type[Model], key: Any, rows: type[Any], of_user: bool, using: str) -> None:
    name = "user_id" if of_user else "group_id"
    found = list(stores.rows_on(rows, model, key, using).select_related("permission"))
    if not found:
        return
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
