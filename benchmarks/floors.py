"""The floors: what the same work costs by hand, once on the driver's cursor and once with the ORM.

Both are written as a careful person would: in a transaction, safe against a second writer, guard checked on
what the database holds, with a log row. Must not know any state machine package.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from benchmarks.plain_models import PlainInvoice, PlainLog
from benchmarks.settings import CurrentDatabase
from benchmarks.subjects import Refused, Subject

RAW = "raw SQL on the driver's cursor"
ORM = "hand-written ORM"

_UPDATE = (
    "UPDATE benchmarks_plaininvoice SET state = {0}, state_since = {0}"
    " WHERE id = {0} AND state = {0} AND amount > 0"
)
_INSERT = (
    'INSERT INTO benchmarks_plainlog ("table", object_id, event, from_state, to_state, by_id, at)'
    " VALUES ({0}, {0}, {0}, {0}, {0}, {0}, {0})"
)
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}


def raw_move(record: PlainInvoice, user: Any, event: str, source: str, target: str) -> None:
    """One UPDATE that compares and sets, one INSERT, four calls of the driver and nothing of Django's."""
    wrapper = connections[CurrentDatabase.alias]
    now: Any = timezone.now()
    if wrapper.vendor == "sqlite":
        mark, now = "?", now.strftime("%Y-%m-%d %H:%M:%S.%f")
    else:
        mark = "%s"
    cursor = wrapper.connection.cursor()
    cursor.execute(_BEGIN[wrapper.vendor])
    try:
        cursor.execute(_UPDATE.format(mark), (target, now, record.pk, source))
        if cursor.rowcount != 1:
            raise Refused(event)
        cursor.execute(_INSERT.format(mark), ("plaininvoice", record.pk, event, source, target, user.pk, now))
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def orm_move(record: PlainInvoice, user: Any, event: str, source: str, target: str) -> None:
    """Lock and read the row, check state and guard on it, save two fields, create the log row."""
    with transaction.atomic(using=CurrentDatabase.alias):
        fresh = PlainInvoice.objects.select_for_update().get(pk=record.pk)
        if fresh.state != source or not fresh.amount > 0:
            raise Refused(event)
        fresh.state = target
        fresh.state_since = timezone.now()
        fresh.save(update_fields=["state", "state_since"])
        PlainLog.objects.create(
            table="plaininvoice",
            object_id=fresh.pk,
            event=event,
            from_state=source,
            to_state=target,
            by=user,
            at=fresh.state_since,
        )


RAW_SUBJECT = Subject(
    name=RAW,
    model=PlainInvoice,
    send=lambda record, user: raw_move(record, user, "send_invoice", "draft", "sent"),
    recall=lambda record, user: raw_move(record, user, "recall", "sent", "draft"),
)
ORM_SUBJECT = Subject(
    name=ORM,
    model=PlainInvoice,
    send=lambda record, user: orm_move(record, user, "send_invoice", "draft", "sent"),
    recall=lambda record, user: orm_move(record, user, "recall", "sent", "draft"),
)
SUBJECTS = [RAW_SUBJECT, ORM_SUBJECT]
