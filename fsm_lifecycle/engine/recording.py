"""Owns writing entries into the log, and waking whoever follows it after the commit. Must not know what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.dispatch.waking import wake
from fsm_lifecycle.ledger import chain
from fsm_lifecycle.ledger.entry import TransitionLog


def record(connection: BaseDatabaseWrapper, row: dict[str, Any]) -> TransitionLog:
    """Insert one entry and return it."""
    entry = chain.insert(connection, row)
    wake(connection.alias)
    return entry


def record_many(connection: BaseDatabaseWrapper, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many entries with one statement."""
    chain.insert_many(connection, rows)
    wake(connection.alias)
