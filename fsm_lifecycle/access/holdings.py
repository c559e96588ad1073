"""What the database says of one user: whether the account is active, for whom it acts, which permissions it holds.

Two statements: one about the user, one about the grants on as many records as are asked about. Nothing but the
asked records' grants is read. Must not know what a permission means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.expressions import Col
from django.utils import timezone

from fsm_lifecycle.access import branches, stores
from fsm_lifecycle.access.codenames import content_type
from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.grant import GrantTerm

#: How many records one statement asks about.
AT_ONCE: Final = 500

#: Which terms a grant ``x`` has: its own, where it is a user's or a group's, and that of the membership.
_GRANTED: Final = "t.permission_id = x.permission_id AND t.object_pk = x.object_pk"
_TERMS: Final = (
    f"x.group_id = 0 AND t.user_id = x.user_id AND t.group_id IS NULL AND {_GRANTED}",
    f"t.group_id = x.group_id AND t.user_id IS NULL AND {_GRANTED}",
    "t.user_id = x.user_id AND t.group_id = x.group_id",
)


class Acting(NamedTuple):
    """One delegation to the user: for whom it may act."""

    delegation: int
    user: Any
    """The delegator's key as the database returns it."""
    id: str
    """The delegator's key as grants and the log name it."""
    label: str
    role: str
    """The one role that is delegated; empty for all."""
    until: datetime


class Standing(NamedTuple):
    """What is known of a user before any grant."""

    active: bool
    superuser: bool
    acting: tuple[Acting, ...]


class Held(NamedTuple):
    """One permission that a user holds."""

    user: str
    """The holder's key as grants and the log name it."""
    codename: str
    object_pk: str
    """Empty for all records."""
    until: datetime | None


def standing(connection: BaseDatabaseWrapper, user: Any) -> Standing | None:
    """What is known of a user; ``None`` when there is no such user."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_standing_sql(connection.alias, connection.vendor), [now, user_key(connection, user)])
        rows = cursor.fetchall()
    if not rows:
        return None
    to_moment = _moments(connection)
    acting = tuple(
        Acting(row[2], row[3], _user_text(row[3]), row[4], row[5] or "", to_moment(row[6]))
        for row in sorted((r for r in rows if r[2] is not None and r[7]), key=lambda r: r[2])
    )
    return Standing(bool(rows[0][0]), bool(rows[0][1]), acting)


def held_by(
    connection: BaseDatabaseWrapper, users: Sequence[Any], model: type[Model], keys: Sequence[str]
) -> list[Held]:
    """The permissions on the model's records that ``users`` hold: model-wide, and on the records with these keys.

    Grants that have ended are left out. Each 500 keys cost a statement; none costs one.
    """
    found: list[Held] = []
    for start in range(0, max(1, len(keys)), AT_ONCE):
        found += _held(connection, users, model, keys[start : start + AT_ONCE], model_wide=not start)
    return found


def _held(
    connection: BaseDatabaseWrapper,
    users: Sequence[Any],
    model: type[Model],
    keys: Sequence[str],
    *,
    model_wide: bool,
) -> list[Held]:
    parts: list[str] = []
    params: list[Any] = []
    empty = "''"
    asked_for = branches.model_wide(connection, model) if model_wide else ()
    for branch in (*asked_for, *(branches.on_records(connection, model) if keys else ())):
        columns = (
            f"{branch.holder} AS user_id, {'h.group_id' if branch.members else '0'} AS group_id, "
            f"h.permission_id AS permission_id, {branch.key or empty} AS object_pk"
        )
        text, values = branch.select(connection, columns, holders=users, keys=keys, ended=True)
        parts.append(text)
        params += values
    if not parts:
        return []
    # Permissions and terms are looked up once for all roads: PostgreSQL plans that in half the time.
    quote = connection.ops.quote_name
    untils = ", ".join(
        f"(SELECT MIN(t.until) FROM {quote(GrantTerm._meta.db_table)} t WHERE {which})" for which in _TERMS
    )
    sql = (
        f"SELECT x.user_id, p.codename, x.object_pk, {untils} FROM ({' UNION ALL '.join(parts)}) x "
        f"JOIN {quote(Permission._meta.db_table)} p ON p.id = x.permission_id AND p.content_type_id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, content_type(model, connection.alias).pk])
        rows = cursor.fetchall()
    to_moment, asked, now = _moments(connection), set(keys), timezone.now()
    found = []
    for user, codename, object_pk, *ends in rows:
        # MariaDB compares without regard to case; a key is what it is, byte for byte.
        if object_pk and object_pk not in asked:
            continue
        until = min((to_moment(moment) for moment in ends if moment is not None), default=None)
        if until is None or until > now:
            found.append(Held(_user_text(user), codename, object_pk, until))
    return found


# Values as the driver takes and gives them


def user_key(connection: BaseDatabaseWrapper, user: Any) -> Any:
    """A user's key as the driver takes it."""
    return _pk_field().get_db_prep_value(user.pk, connection, prepared=False)


def _pk_field() -> Any:
    return get_user_model()._meta.pk


def _user_text(raw: Any) -> str:
    return stores.text_of(_pk_field().to_python(raw))


def _moments(connection: BaseDatabaseWrapper) -> Callable[[Any], datetime]:
    """What turns the driver's value of a time column into an aware datetime."""
    expression: Any = Col("t", GrantTerm._meta.get_field("until"))
    converters = connection.ops.get_db_converters(expression)

    def convert(value: Any) -> datetime:
        for converter in converters:
            value = converter(value, expression, connection)
        return value  # type: ignore[no-any-return]

    return convert


@lru_cache(maxsize=8)
def _standing_sql(alias: str, vendor: str) -> str:
    connection = connections[alias]
    quote = connection.ops.quote_name
    users, key = quote(get_user_model()._meta.db_table), quote(str(_pk_field().column))
    active = branches.active_column(connection, "u") or "1"
    delegator_active = branches.active_column(connection, "f") or f"f.{key}"
    superuser = branches.superuser_column(connection, "u") or "0"
    return (
        f"SELECT {active}, {superuser}, d.id, d.from_user_id, d.from_label, d.role, d.until, {delegator_active} "
        f"FROM {users} u "
        f"LEFT JOIN {quote(Delegation._meta.db_table)} d ON d.to_user_id = u.{key} AND d.until > %s "
        f"LEFT JOIN {users} f ON f.{key} = d.from_user_id WHERE u.{key} = %s"
    )
