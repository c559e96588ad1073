"""Owns what the tests of access share: counting the rows that a block fetches, a request to ask in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from fsm_lifecycle.middleware import ActorMiddleware
from tests.testapp.offices import Claim

Counting = Callable[[], AbstractContextManager[list[int]]]
Requesting = Callable[..., Any]


class _Counting:
    """A cursor that tells how many rows were taken from it."""

    found: list[int]

    def fetchone(self) -> Any:
        row = self.cursor.fetchone()  # type: ignore[attr-defined]
        self.found.append(0 if row is None else 1)
        return row

    def fetchmany(self, *args: Any) -> Any:
        rows = self.cursor.fetchmany(*args)  # type: ignore[attr-defined]
        self.found.append(len(rows))
        return rows

    def fetchall(self) -> Any:
        rows = self.cursor.fetchall()  # type: ignore[attr-defined]
        self.found.append(len(rows))
        return rows

    def __iter__(self) -> Iterator[Any]:
        for row in self.cursor:  # type: ignore[attr-defined]
            self.found.append(1)
            yield row


@pytest.fixture
def claim(db: None) -> Claim:
    """A claim that nobody made and nobody holds a role on."""
    return Claim.objects.create(title="Broken window")


@pytest.fixture
def rows_fetched(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """``with rows_fetched() as found: ...``; afterwards ``sum(found)`` is the number of rows."""

    @contextmanager
    def counting() -> Iterator[list[int]]:
        taken: list[int] = []

        class Plain(_Counting, CursorWrapper):
            found = taken

        class Debug(_Counting, CursorDebugWrapper):
            found = taken

        with monkeypatch.context() as patch:
            patch.setattr(connection, "make_cursor", lambda cursor: Plain(cursor, connection))
            patch.setattr(connection, "make_debug_cursor", lambda cursor: Debug(cursor, connection))
            yield taken

    return counting


@pytest.fixture
def in_a_request(rf: RequestFactory) -> Requesting:
    """``in_a_request(user, work)`` calls ``work()`` inside the middleware and returns what it returned."""

    def call(user: User, work: Callable[[], Any]) -> Any:
        found: list[Any] = []

        def view(request: HttpRequest) -> HttpResponse:
            found.append(work())
            return HttpResponse()

        request = rf.get("/")
        request.user = user
        ActorMiddleware(view)(request)
        return found[0]

    return call
