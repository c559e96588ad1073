"""The four roads by which a user holds a permission, as SQL: given, through a group, and both on one record.

Written once per database and model; whoever asks adds what to select and for whom. A grant that has ended is left
out by each. Must not know what a permission means.

PostgreSQL spends longer on planning these statements than on running them, and most of that on joins. So terms and
delegators' accounts are asked about in subqueries that it cannot make joins of, and for whom a user acts is one
common table (``acting``), at which all roads begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.utils import timezone

from fsm_lifecycle.access import stores
from fsm_lifecycle.access.codenames import content_type
from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.grant import GrantTerm


@dataclass(frozen=True, slots=True)
class Term:
    """By which columns rows of ``GrantTerm`` name the grants of a road, or its memberships."""

    table: str
    grant: tuple[str, ...]
    term: tuple[str, ...]

    @property
    def counts(self) -> str:
        """The condition that it has not ended by a moment.

        What has ended is read once, before any grant: there is little of it, since a sweep removes it. Asked grant
        by grant, somebody with many grants that end would pay for each pair of them.
        """
        # Who is named, and whether a permission is, tells a user's grant, a group's and a membership apart.
        named = " AND ".join(f"{column} IS NOT NULL" for column in self.term[:2])
        return (
            f"({', '.join(self.grant)}) NOT IN (SELECT {', '.join(self.term)} FROM {self.table} t "
            f"WHERE t.until <= %s AND {named})"
        )


@dataclass(frozen=True, slots=True)
class Branch:
    """One road. Grants are called ``h`` and memberships ``m``."""

    model: type[Model]
    holder: str
    """The column of the user who holds."""
    grants: str
    """The table of the grants."""
    members: str
    """The table of the memberships by which they reach users; empty for users' own."""
    terms: tuple[Term, ...]
    key: str
    """The record's key as text; empty where it is for all records."""
    raw_key: str = ""
    """The record's key as it is stored."""
    generic: bool = False

    def select(
        self,
        connection: BaseDatabaseWrapper,
        columns: str,
        *,
        codenames: Sequence[str] | None = None,
        holders: Sequence[Any] | None = None,
        keys: Sequence[str] | None = None,
        delegated: Sequence[tuple[str, str]] | None = None,
        acting: str = "",
        ended: bool = False,
    ) -> tuple[str, list[Any]]:
        """A SELECT and its parameters.

        ``holders``: keys of users as the driver takes them. ``keys``: the records asked about, as text; ``None``
        for all. ``delegated``: pairs of codename and role; then it selects what is held by those who delegate,
        with the delegation as ``d``. ``acting``: the table made by ``acting()``, which says who and what.
        ``ended``: also what has ended.
        """
        ctype = content_type(self.model, connection.alias).pk
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        params: list[Any] = []
        where: list[str] = []
        if acting:
            # CROSS keeps the order on SQLite, which would begin with the grants and read all those of the model.
            members = f" CROSS JOIN {self.members} m" if self.members else ""
            text = f"{acting} x{members} CROSS JOIN {self.grants} h"
            where.append(f"{self.holder} = x.user_id AND h.permission_id = x.permission_id")
            if self.members:
                where.append("h.group_id = m.group_id")
        else:
            text = f"{self.grants} h"
            if self.members:
                # From the memberships, where their user is known: SQLite would read the grants of every group.
                known = holders is not None
                text = (
                    f"{self.members} m CROSS JOIN {text}" if known else f"{text} CROSS JOIN {self.members} m"
                )
                where.append("h.group_id = m.group_id")
            if codenames is not None or delegated is not None:
                permissions = _table(connection, Permission)
                text += f" JOIN {permissions} p ON p.id = h.permission_id AND p.content_type_id = %s"
                params.append(ctype)
        if delegated is not None:
            text += f" JOIN {_table(connection, Delegation)} d ON d.from_user_id = {self.holder}"
            where.append(_delegates(connection, delegated))
            params += [now, *chain.from_iterable(delegated)]
        if codenames is not None:
            where.append(f"p.codename IN ({_marks(codenames)})" if codenames else "1 = 0")
            params += codenames
        if holders is not None:
            where.append(f"{self.holder} IN ({_marks(holders)})")
            params += holders
        if self.key and self.generic:
            where.append("h.content_type_id = %s AND h.object_pk <> ''")
            params.append(ctype)
        if self.key and keys is not None:
            where.append(f"{self.raw_key} IN ({_marks(keys)})")
            params += keys if self.generic else [_raw(connection, self.model, key) for key in keys]
        for term in () if ended else self.terms:
            where.append(term.counts)
            params.append(now)
        return f"SELECT {columns} FROM {text} WHERE {' AND '.join(where)}", params


def acting(
    connection: BaseDatabaseWrapper,
    model: type[Model],
    user: Any,
    codenames: Sequence[str],
    delegated: Sequence[tuple[str, str]],
) -> tuple[str, list[Any]]:
    """A SELECT of the users and permissions that count for a user: the own, and those of who delegates to it.

    Empty for an account that is not active.
    """
    permissions, ctype = _table(connection, Permission), content_type(model, connection.alias).pk
    mine = f"p.content_type_id = %s AND p.codename IN ({_marks(codenames)})"
    columns = f"u.{_user_key(connection)} AS user_id, p.id AS permission_id"
    text, params = account(connection, columns, user, mine, joined=f" CROSS JOIN {permissions} p")
    params += [ctype, *codenames]
    if delegated:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        active, values = account(connection, "1", user)
        text += (
            f" UNION ALL SELECT d.from_user_id, p.id FROM {_table(connection, Delegation)} d "
            f"CROSS JOIN {permissions} p WHERE d.to_user_id = %s AND p.content_type_id = %s "
            f"AND {_delegates(connection, delegated)} AND EXISTS ({active})"
        )
        params += [user, ctype, now, *chain.from_iterable(delegated), *values]
    return text, params


def account(
    connection: BaseDatabaseWrapper, columns: str, user: Any, condition: str = "", joined: str = ""
) -> tuple[str, list[Any]]:
    """A SELECT of a user's row ``u``, while the account is active."""
    conditions = [f"u.{_user_key(connection)} = %s", active_column(connection, "u"), condition]
    where = " AND ".join(part for part in conditions if part)
    return f"SELECT {columns} FROM {_table(connection, get_user_model())} u{joined} WHERE {where}", [user]


def _delegates(connection: BaseDatabaseWrapper, delegated: Sequence[tuple[str, str]]) -> str:
    """The condition that a delegation ``d`` reaches a permission ``p`` at a moment, for pairs of codename and role."""
    pairs = " OR ".join(["(p.codename = %s AND d.role IN ('', %s))"] * len(delegated))
    conditions = ["d.until > %s", f"({pairs or '1 = 0'})"]
    if active := active_column(connection, "f"):
        conditions.append(
            f"(SELECT {active} FROM {_table(connection, get_user_model())} f "
            f"WHERE f.{_user_key(connection)} = d.from_user_id)"
        )
    return " AND ".join(conditions)


def model_wide(connection: BaseDatabaseWrapper, model: type[Model]) -> tuple[Branch, ...]:
    """The roads on which a permission for all records is held."""
    return _branches(connection.alias, connection.vendor, model)[0]


def on_records(connection: BaseDatabaseWrapper, model: type[Model]) -> tuple[Branch, ...]:
    """The roads on which a permission on one record is held."""
    return _branches(connection.alias, connection.vendor, model)[1]


@lru_cache(maxsize=256)
def _branches(alias: str, vendor: str, model: type[Model]) -> tuple[tuple[Branch, ...], tuple[Branch, ...]]:
    connection = connections[alias]
    quote = connection.ops.quote_name
    terms = _table(connection, GrantTerm)
    wide: list[Branch] = []
    single: list[Branch] = []

    def term(column: str, holder: str, key: str = "''") -> Term:
        return Term(terms, (holder, "h.permission_id", key), (column, "t.permission_id", "t.object_pk"))

    own = stores.user_rows(model)
    key, raw = _key(connection, own, model)
    single.append(
        Branch(
            model=model,
            holder="h.user_id",
            grants=_table(connection, own),
            members="",
            terms=(term("t.user_id", "h.user_id", key),),
            key=key,
            raw_key=raw,
            generic=stores.is_generic(own),
        )
    )
    if not stores.has_groups():
        return (), tuple(single)

    user: Any = get_user_model()
    given, member = user.user_permissions.through, user.groups.through
    given_user = f"h.{quote(given._meta.get_field(user.user_permissions.field.m2m_field_name()).column)}"
    member_user = f"m.{quote(member._meta.get_field(user.groups.field.m2m_field_name()).column)}"
    membership = Term(terms, (member_user, "m.group_id"), ("t.user_id", "t.group_id"))
    wide.append(
        Branch(
            model=model,
            holder=given_user,
            grants=_table(connection, given),
            members="",
            terms=(term("t.user_id", given_user),),
            key="",
        )
    )
    wide.append(
        Branch(
            model=model,
            holder=member_user,
            grants=_table(connection, Group.permissions.through),
            members=_table(connection, member),
            terms=(membership, term("t.group_id", "h.group_id")),
            key="",
        )
    )
    through = stores.group_rows(model)
    key, raw = _key(connection, through, model)
    single.append(
        Branch(
            model=model,
            holder=member_user,
            grants=_table(connection, through),
            members=_table(connection, member),
            terms=(membership, term("t.group_id", "h.group_id", key)),
            key=key,
            raw_key=raw,
            generic=stores.is_generic(through),
        )
    )
    return tuple(wide), tuple(single)


def active_column(connection: BaseDatabaseWrapper, alias: str) -> str:
    """The column that says an account is active; empty where users have none and all are."""
    columns = {f.name: str(f.column) for f in get_user_model()._meta.concrete_fields}
    return f"{alias}.{connection.ops.quote_name(columns['is_active'])}" if "is_active" in columns else ""


def superuser_column(connection: BaseDatabaseWrapper, alias: str) -> str:
    """The column that says somebody is a superuser; empty where there are none."""
    columns = {f.name: str(f.column) for f in get_user_model()._meta.concrete_fields}
    return (
        f"{alias}.{connection.ops.quote_name(columns['is_superuser'])}" if "is_superuser" in columns else ""
    )


def key_field(model: type[Model]) -> models.Field[Any, Any]:
    """The field that holds a model's key, also where it is a link to a parent."""
    field: Any = model._meta.pk
    while field.remote_field is not None:
        field = field.target_field
    return field  # type: ignore[no-any-return]


def _raw(connection: BaseDatabaseWrapper, model: type[Model], key: str) -> Any:
    field = key_field(model)
    return field.get_db_prep_value(field.to_python(key), connection, prepared=False)


def _key(connection: BaseDatabaseWrapper, rows: type[Any], model: type[Model]) -> tuple[str, str]:
    if stores.is_generic(rows):
        return "h.object_pk", "h.object_pk"
    column = f"h.{connection.ops.quote_name(rows._meta.get_field('content_object').column)}"
    return as_text(connection, key_field(model), column), column


def as_text(connection: BaseDatabaseWrapper, field: models.Field[Any, Any], column: str) -> str:
    """A key column as the text that grants and the log name it by."""
    if isinstance(field, models.UUIDField) and not connection.features.has_native_uuid_field:
        parts = [f"SUBSTR({column}, {start}, {length})" for start, length in _HYPHENATED]
        if connection.vendor == "mysql":
            return "CONCAT_WS('-', " + ", ".join(parts) + ")"
        return "(" + " || '-' || ".join(parts) + ")"
    kind = {"mysql": "CHAR", "sqlite": "TEXT"}.get(connection.vendor, "varchar")
    return f"CAST({column} AS {kind})"


_HYPHENATED = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _table(connection: BaseDatabaseWrapper, model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _user_key(connection: BaseDatabaseWrapper) -> str:
    pk: Any = get_user_model()._meta.pk
    return connection.ops.quote_name(pk.column)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
