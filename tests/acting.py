"""Owns what tests about firing share: an actor for every test, the statements a block sends, a way to roll back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle import System

#: The actor of tests in which it does not matter who acts.
ACTOR = System("tests")

# Django writes an ``executemany`` down as "1000 times: UPDATE ...": one statement.
_DATA = re.compile(r"(\d+ times: )?\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


@contextmanager
def statements(using: str = "default") -> Iterator[list[str]]:
    """The statements on data that the block sends; what opens, marks and closes transactions is left out."""
    found: list[str] = []
    with CaptureQueriesContext(connections[using]) as captured:
        yield found
    found += [q["sql"] for q in captured.captured_queries if _DATA.match(q["sql"])]


class Undo(Exception):
    """Leaves a transaction that is meant to roll back."""


@contextmanager
def rolled_back(using: str = "default") -> Iterator[None]:
    """A transaction that comes to nothing."""
    try:
        with transaction.atomic(using=using):
            yield
            raise Undo
    except Undo:
        pass


def memory_of(record: Any) -> dict[str, Any]:
    """Everything the instance holds, for comparing before and after."""
    kept = {name: value for name, value in record.__dict__.items() if name != "_state"}
    kept["fields_cache"] = dict(record._state.fields_cache)
    kept["adding"], kept["db"] = record._state.adding, record._state.db
    kept["loaded"] = getattr(record._state, "lifecycle_loaded", None)
    return kept
