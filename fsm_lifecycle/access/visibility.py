"""Which records a user may see, and who may do what to a record: the same rules as a decision's, as one statement.

The forms were chosen by measuring (``benchmarks``): ``key IN (subquery)`` with the assignment's side cast and never
the key, and every road begun at the user and walked by index. Must not know how a page shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, Q
from django.db.models.expressions import RawSQL

from fsm_lifecycle.access import answers, branches, holdings, policy, stores
from fsm_lifecycle.access.actors import AgentActor, System, is_user
from fsm_lifecycle.access.codenames import (
    Codes,
    codes_of,
    crud_codename,
    event_codename,
    subject_of,
)
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import CRUD, Event

if TYPE_CHECKING:
    from django.db.models import QuerySet


def visible(queryset: QuerySet[Any], actor: Any) -> QuerySet[Any]:
    """The records of a queryset that an actor may read."""
    if isinstance(actor, System):
        return queryset.all()
    user = actor.user if isinstance(actor, AgentActor) else actor
    if not is_user(user) or not user.is_authenticated or not user.is_active:
        return queryset.none()
    model: Any = queryset.model
    codes = codes_of(model)
    if not codes.table.roles:
        return queryset.all()
    using = stores.alias_of(user)
    known = policy.rights(user, queryset.model) if answers.kept(using) is not None else None
    if known is not None and (known.refusal or known.allows(CRUD.READ)):
        return queryset.none() if known.refusal else queryset.all()
    asked = _Asked(connections[using], codes, user)
    if queryset.db != using:
        return _across(queryset, asked)
    granted = Q(pk__in=RawSQL(*asked.keys()))
    return queryset.filter(granted if known is not None else asked.all_or(granted))


def fireable(queryset: QuerySet[Any], actor: Any, event: Event | str) -> QuerySet[Any]:
    """The records of a queryset on which an actor has the right to an event, whatever their state.

    Raises ``InvalidGrant`` for an event that the lifecycle does not have.
    """
    model: Any = queryset.model
    codes = codes_of(model)
    name = policy.event_of(codes, event).name
    if isinstance(actor, System):
        return queryset.all()
    rights = policy.fresh_model_rights(actor, model)
    if rights.refusal or (rights.only is not None and name not in rights.only):
        return queryset.none()
    if rights.allows(name):
        return queryset.all()
    user = actor.user if isinstance(actor, AgentActor) else actor
    using = stores.alias_of(user)
    asked = _Asked(connections[using], codes, user, name)
    if queryset.db != using:
        return _across(queryset, asked)
    return queryset.filter(Q(pk__in=RawSQL(*asked.keys())))


def _across(queryset: QuerySet[Any], asked: _Asked) -> QuerySet[Any]:
    """Where grants are in another database than the records, their keys have to be carried over."""
    with asked.connection.cursor() as cursor:
        wide, params = asked.everything()
        cursor.execute(f"SELECT 1 WHERE {wide}", params)
        if cursor.fetchone():
            return queryset.all()
        if not stores.grants_reach(asked.model, queryset.db, asked.connection.alias):
            return queryset.none()
        cursor.execute(*asked.keys())
        field = branches.key_field(asked.model)
        return queryset.filter(pk__in=[field.to_python(row[0]) for row in cursor.fetchall()])


class _Asked:
    """One user's question about all records of a model."""

    def __init__(self, connection: BaseDatabaseWrapper, codes: Codes, user: Any, event: str = "") -> None:
        """``event``: which records it may be fired on, by right; without one, which may be read."""
        self.connection = connection
        self.codes = codes
        self.model = codes.concrete
        self.user = holdings.user_key(connection, user)
        giving = codes.giving(event=event) if event else codes.giving(crud=CRUD.READ)
        delegated = [(name, codes.meanings[name].role) for name in giving if codes.meanings[name].role]
        self._acting = branches.acting(connection, self.model, self.user, giving, delegated)

    def all_or(self, granted: Q) -> Q:
        """The condition that every record may be read, or this one by a grant on it."""
        everything, params = self.everything()
        if self.connection.vendor != "sqlite":
            # First: where it holds, the grants on records are not read.
            return Q(RawSQL(everything, params, output_field=models.BooleanField())) | granted
        # As a range of keys: SQLite searches the index for each side of OR then; for a bare condition it would try
        # every record. Where the condition does not hold, the range is empty.
        pk: Any = self.model._meta.pk
        smallest = f"SELECT MIN({self.connection.ops.quote_name(pk.column)}) FROM {self._table(self.model)}"
        return granted | Q(pk__gte=RawSQL(f"CASE WHEN {everything} THEN ({smallest}) END", params))

    def everything(self) -> tuple[str, list[Any]]:
        """The condition that every record may be read."""
        acting, params = self._acting
        parts = [
            branch.select(self.connection, "1", acting="acting")
            for branch in branches.model_wide(self.connection, self.model)
        ]
        if superuser := branches.superuser_column(self.connection, "u"):
            parts.append(branches.account(self.connection, "1", self.user, superuser))
        if not parts:
            return "1 = 0", []
        sql = f"EXISTS (WITH acting AS ({acting}) {' UNION ALL '.join(text for text, _ in parts)})"
        return sql, [*params, *chain.from_iterable(values for _, values in parts)]

    def keys(self) -> tuple[str, list[Any]]:
        """A SELECT of the keys of the records that may be read by a grant on each."""
        acting, params = self._acting
        parts = [
            branch.select(
                self.connection,
                self._cast(branch.raw_key) if branch.generic else branch.raw_key,
                acting="acting",
            )
            for branch in branches.on_records(self.connection, self.model)
        ]
        sql = f"WITH acting AS ({acting}) {' UNION ALL '.join(text for text, _ in parts)}"
        if self.connection.vendor == "mysql":
            # A bare UNION inside IN is run once for each row there; a derived table is run once.
            sql = f"SELECT * FROM ({sql}) x"
        return sql, [*params, *chain.from_iterable(values for _, values in parts)]

    def _cast(self, column: str) -> str:
        """An assignment's text as the key that it names, in the type and collation of the key's column."""
        field = branches.key_field(self.model)
        vendor = self.connection.vendor
        if isinstance(field, models.UUIDField):
            if self.connection.features.has_native_uuid_field:
                return f"CAST({column} AS uuid)"
            return f"REPLACE({column}, '-', '')"
        if isinstance(field, models.IntegerField):
            return f"CAST({column} AS {'signed' if vendor == 'mysql' else 'bigint'})"
        collation = getattr(field, "db_collation", None) or field.db_parameters(self.connection).get(
            "collation"
        )
        return f"{column} COLLATE {self.connection.ops.quote_name(collation)}" if collation else column

    def _table(self, model: type[Model]) -> str:
        return self.connection.ops.quote_name(model._meta.db_table)


def who_can(what: Event | str | CRUD, *, on: Any) -> QuerySet[Any]:
    """The active users who may fire an event, or have these CRUD rights, on all records of a model or on one.

    Superusers are among them. Raises ``InvalidGrant`` for an event that the lifecycle does not have.
    """
    model, record = subject_of(on)
    codes = codes_of(model)
    if not isinstance(what, CRUD):
        return holders_of([(codes, event_codename(policy.event_of(codes, what)), record)])
    users = holders_of([])
    for place, flag in enumerate(flag for flag in CRUD if flag in what):
        able = holders_of([(codes, crud_codename(model, flag), record)])
        users = able if not place else users.filter(pk__in=able.values("pk"))
    return users


def holders_of(
    asked: Sequence[tuple[Codes, str, Any]], *, is_active: bool | None = True, include_superusers: bool = True
) -> QuerySet[Any]:
    """The users who have one of these permissions: of a model, by codename, on a record or on all."""
    users = get_user_model()._default_manager.all()
    if not asked:
        return users.none()
    fields = {f.name for f in users.model._meta.concrete_fields}
    if is_active is not None and "is_active" in fields:
        users = users.filter(is_active=is_active)
    if is_active is False:
        return users.none()  # who is not active has no rights
    connection = connections[users.db]
    able = Q(pk__in=[])
    for codes, codename, record in asked:
        if not codes.table.roles:
            return users
        means = codes.meanings[codename]
        if means.role:
            codenames = [codename]
        elif means.crud:
            codenames = codes.giving(crud=means.crud)
        else:
            codenames = codes.giving(event=next(iter(means.events)))
        keys = [] if record is None else [text for text in [key_text(record.pk)] if text]
        able |= Q(pk__in=RawSQL(*_holders(connection, codes, codenames, keys)))
    if "is_superuser" in fields:
        everybody = able | Q(is_superuser=True)
        return users.filter(everybody) if include_superusers else users.filter(able, is_superuser=False)
    return users.filter(able)


def _holders(
    connection: BaseDatabaseWrapper, codes: Codes, codenames: Sequence[str], keys: Sequence[str]
) -> tuple[str, list[Any]]:
    """A SELECT of the users who hold one of these permissions, on all records or on those with these keys."""
    delegated = [(name, codes.meanings[name].role) for name in codenames if codes.meanings[name].role]
    parts: list[tuple[str, list[Any]]] = []
    wide = branches.model_wide(connection, codes.concrete)
    for branch in (*wide, *(branches.on_records(connection, codes.concrete) if keys else ())):
        parts.append(branch.select(connection, branch.holder, codenames=codenames, keys=keys))
        if delegated:
            parts.append(branch.select(connection, "d.to_user_id", keys=keys, delegated=delegated))
    sql = " UNION ALL ".join(text for text, _ in parts)
    if connection.vendor == "mysql":
        sql = f"SELECT * FROM ({sql}) x"
    return sql, [value for _, values in parts for value in values]
