"""Owns rows in every table that only grows, what such a table holds, and how a refusal is told from an error.

Must not know by which road somebody tries to change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction

from fsm_lifecycle.append_only import ImmutableEntry
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import AccessEvent, Checkpoint, LifecycleDefinition, LogLeaf, TransitionLog
from tests.acting import ACTOR
from tests.ledger.by_hand import seal_all
from tests.testapp.models import Parcel

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

#: Every table whose rows are never changed and never removed.
GROWING: list[Any] = [TransitionLog, AccessEvent, LifecycleDefinition, LogLeaf, Checkpoint]

each_table = pytest.mark.parametrize("model", GROWING, ids=lambda model: model.__name__)


def fill() -> None:
    """Put two rows at least into each of the tables."""
    for name in ("Ada", "Grace"):
        parcel = Parcel.objects.create()
        parcel.fire("ship", actor=ACTOR, metadata={"to": name}, idempotency_key=f"key of {name}")
        seal_all()
        plain(AccessEvent).bulk_create([grant_to(name)])
    for model in GROWING:
        assert len(contents(model)) >= 2, model


def grant_to(name: str) -> AccessEvent:
    """An access event that was not stored yet."""
    return AccessEvent(
        action="granted",
        road="api",
        grant=f"grant of {name}",
        holder_kind="user",
        holder_id=name,
        holder_label=f"{name} the First",
        role="owner",
        actor_kind="system",
        actor_id="tests",
        reason="for tests",
        until=NOON,
        recorded_at=NOON,
    )


def plain(model: type[models.Model]) -> models.QuerySet[Any]:
    """Django's own queryset, which knows nothing of rows that only grow."""
    return models.QuerySet(model, using="default")


def quoted(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def key_of(model: type[models.Model]) -> str:
    """The column of the primary key, quoted."""
    assert model._meta.pk is not None
    return connection.ops.quote_name(str(model._meta.pk.column))


def column_of(field: Any) -> str:
    """A field's column, quoted."""
    return connection.ops.quote_name(str(field.column))


def contents(model: type[models.Model]) -> list[tuple[Any, ...]]:
    """Everything the table holds, read without the ORM."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {quoted(model)} ORDER BY {key_of(model)}")
        return list(cursor.fetchall())


def execute(sql: str, parameters: Any = None) -> int:
    """Send a statement; return how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


@contextmanager
def refused(what: object = "") -> Iterator[None]:
    """The database itself refuses what the block sends, in our words. ``what`` names it where it does not."""
    refusal: Exception | None = None
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        refusal = error
    assert refusal is not None, f"It passed: {what}"
    assert protection.is_refusal(refusal), (what, refusal)


@contextmanager
def untouched(what: object = "") -> Iterator[None]:
    """The block ends with a refusal of the database or of the model, and no table has changed."""
    before = [contents(model) for model in GROWING]
    try:
        with refused(what):
            yield
    except ImmutableEntry:
        pass
    assert [contents(model) for model in GROWING] == before, what


def another(field: models.Field[Any, Any], value: Any) -> Any:
    """A value that a column of this kind may hold, and that is not ``value``."""
    if isinstance(field, models.BooleanField):
        return not value
    if isinstance(field, models.IntegerField):
        return (value or 0) + 1000
    if isinstance(field, models.DateTimeField):
        return (value or NOON) + timedelta(milliseconds=1)
    if isinstance(field, models.CharField | models.TextField):
        text = value or ""
        return text[:-1] + ("y" if text.endswith("x") else "x") if text else "x"
    raise AssertionError(f"{field!r}: say here how another value of it is made")


def stored(field: models.Field[Any, Any], value: Any) -> Any:
    """A value as the driver takes it."""
    return field.get_db_prep_save(value, connection)


@contextmanager
def undone() -> Iterator[None]:
    """What the block does is taken back."""
    sid = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(sid)
