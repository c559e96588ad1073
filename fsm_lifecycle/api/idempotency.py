"""Idempotency keys: the same POST again gets the first answer, and does nothing.

The row is written first, in the transaction of the work. Who comes second waits for it, because the row is unique, and
is given what the first one got. What was refused leaves no row: nothing was done, and it may be asked again.
After the IETF's draft on the Idempotency-Key header. Must not know what the work is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.response import Response

from fsm_lifecycle import conf
from fsm_lifecycle.access.stores import user_text
from fsm_lifecycle.api.models import IdempotentRequest
from fsm_lifecycle.api.problem import MEDIA_TYPE, Problem, busy, unreadable
from fsm_lifecycle.api.rendering import LifecycleJSONRenderer
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.encryption import Undecryptable, UnusableKeys, decrypt, encrypt
from fsm_lifecycle.transactions import writing

#: How often a request comes back to a row that was there and is gone when it looks.
TRIES: Final = 5
#: Headers that belong to the answer, and are given again with it.
KEPT_HEADERS: Final = ("ETag", "Location")

_is_key = re.compile("[\x21-\x7e]{1,255}").fullmatch


class _Taken(Exception):
    """The row is there already."""


class Once:
    """One POST with its key. False where it has none."""

    def __init__(
        self, request: Any, body: Any, *, label: str, object_pk: str = "", sealed: bool = False
    ) -> None:
        """``object_pk``: the record, also set by the work that makes it.

        ``sealed``: the answer may hold a secret, so it is kept encrypted.
        """
        self.key = request.headers.get("Idempotency-Key")
        if self.key is None:
            return
        if not _is_key(self.key):
            raise unreadable("Idempotency-Key", "Give 1 to 255 printable ASCII characters, without blanks.")
        self.sealed = sealed
        self.label = label
        self.object_pk = object_pk
        self.user = user_text(request.user)
        self.method = request.method
        self.path = request.path
        self.lookup = _digest([self.user, self.method, self.path, self.key])
        self.body_digest = _digest(body)

    def __bool__(self) -> bool:
        return self.key is not None

    def earlier(self, using: str) -> IdempotentRequest | None:
        """What the same key got before, also what counts no more."""
        return _rows(using).filter(lookup=self.lookup).first()

    def is_same(self, row: IdempotentRequest) -> bool:
        """Whether the row is of the same body."""
        return bool(row.body_digest == self.body_digest)

    def run(self, using: str, work: Callable[[], Response], again: Callable[[Any], None]) -> HttpResponse:
        """Do the work and keep its answer, or give the answer of who was first.

        ``again(row)`` is called before an answer is repeated and may raise. Raises 409 for a key of another body.
        """
        for _ in range(TRIES):
            row = self.earlier(using)
            if row is not None and not _counts(row):
                _rows(using).filter(pk=row.pk).delete()
            elif row is not None:
                again(row)
                return self.repeated(row)
            try:
                with writing(using, savepoint=True):
                    return self._first(using, work)
            except _Taken:
                continue
        raise busy()

    def _first(self, using: str, work: Callable[[], Response]) -> HttpResponse:
        row = IdempotentRequest(
            lookup=self.lookup,
            user_id=self.user,
            method=self.method,
            path=self.path,
            key=self.key,
            body_digest=self.body_digest,
            model_label=self.label,
            object_pk=self.object_pk,
            created_at=milliseconds(timezone.now()),
        )
        try:
            with transaction.atomic(using=using):
                row.save(using=using, force_insert=True)
        except IntegrityError as error:
            raise _Taken from error
        response = work()
        row.status = response.status_code
        row.object_pk = self.object_pk
        text = LifecycleJSONRenderer().render(response.data).decode()
        row.body = encrypt(text) if self.sealed else text
        row.headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
        row.save(using=using, update_fields=["status", "object_pk", "body", "headers"])
        return _answer(row, text)

    def repeated(self, row: IdempotentRequest) -> HttpResponse:
        """The answer that a row keeps, once more."""
        if not self.is_same(row):
            raise Problem(
                "idempotency_conflict",
                "This Idempotency-Key was used here with another body. Use a new key for a new request.",
            )
        if not row.body:
            raise not_repeated()
        try:
            response = _answer(row, decrypt(row.body) if self.sealed else row.body)
        except (UnusableKeys, Undecryptable) as error:
            raise not_repeated() from error
        response["Idempotency-Replayed"] = "true"
        return response


def not_repeated() -> Problem:
    """The answer was erased, or is not for this user any more."""
    return Problem(
        "idempotency_conflict",
        "This request was carried out. Its answer is not kept any more, or not for you, so it cannot be repeated.",
    )


def _answer(row: IdempotentRequest, text: str) -> HttpResponse:
    """Both the first answer and its repetitions come from the row, so that they are the same bytes."""
    kind = "application/json" if row.status < 400 else MEDIA_TYPE
    return HttpResponse(text.encode(), status=row.status, headers=row.headers, content_type=kind)


def _counts(row: IdempotentRequest) -> bool:
    days = conf.retention_days("idempotency")
    return days is None or row.created_at >= timezone.now() - timedelta(days=days)


def _rows(using: str) -> QuerySet[IdempotentRequest]:
    return QuerySet(IdempotentRequest, using=using)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
