"""What kept answers tell of a record or a person, and what becomes of it when that is to go; and when they go anyway.

Registers itself when it is imported. Must not know the framework: it is imported in every process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.models import QuerySet

from fsm_lifecycle.api.models import IdempotentRequest
from fsm_lifecycle.engine.expiry import expires
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.clearing import Change, Erased, Subject

#: A request whose answer is empty is still known to have been carried out.
_EMPTIED: Final = {"body": ""}


def of_entries(using: str, erased: Sequence[Erased], /) -> Iterator[Change]:
    """Answers about the records of these entries, or that show one of them."""
    records = {(one.model_label, one.object_pk) for one in erased}
    hashes = [one.entry_hash for one in erased]
    columns = ("model_label", "object_pk", "body")
    for key, label, object_pk, body in clearing.rows_of(IdempotentRequest, using, *columns):
        if body and ((label, object_pk) in records or any(one in body for one in hashes)):
            yield IdempotentRequest, key, _EMPTIED


def of_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    """Answers about one record; about several at once they show no more than keys and states."""
    rows: QuerySet[Any] = QuerySet(IdempotentRequest, using=using)
    for key in rows.filter(model_label=model_label, object_pk=object_pk).exclude(body="").values_list("pk"):
        yield IdempotentRequest, key[0], _EMPTIED


def of_person(using: str, person: Subject, /) -> Iterator[Change]:
    """Answers that the person got, or that name the person."""
    for key, user, body in clearing.rows_of(IdempotentRequest, using, "user_id", "body"):
        if body and (user == person.id or _names(body, person)):
            yield IdempotentRequest, key, _EMPTIED


def _names(body: str, person: Subject) -> bool:
    try:
        return person.may_be_named_in(body) and any(map(person.named_in, _texts(json.loads(body))))
    except ValueError:
        return False  # encrypted: an endpoint's secret


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


clearing.register("answers", entries=of_entries, record=of_record, person=of_person)
expires("idempotency", IdempotentRequest, "created_at")
