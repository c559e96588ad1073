"""What a trigger says when it refuses, the same on every database. MySQL allows 128 characters.

Must not know any dialect.
"""

from __future__ import annotations

from fsm_lifecycle.ledger.protection.trigger import REFUSAL


def changed(table: str) -> str:
    return f"{REFUSAL}rows of {_short(table)} are never changed."


def removed(table: str) -> str:
    return f"{REFUSAL}rows of {_short(table)} are never removed."


def replaced(table: str) -> str:
    return f"{REFUSAL}a row of {_short(table)} is never replaced."


def rekeyed(table: str) -> str:
    return f"{REFUSAL}the key of a row of {_short(table)} never changes."


def moved(table: str) -> str:
    return f"{REFUSAL}this UPDATE of {_short(table)} is no transition of its lifecycle."


def _short(table: str) -> str:
    return table if len(table) <= 50 else table[:49] + "…"
