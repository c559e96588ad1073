"""Owns what is done to a copy of the demo's database to show what the ledger notices.

It works on the file with nothing but SQLite and the published format of entries, as somebody would who has the
database and not the signing key. Must not know how the findings are shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.hashing import entry_hash, genesis

LOG = "fsm_lifecycle_transitionlog"
TICKETS = "helpdesk_ticket"
LABEL = "helpdesk.ticket"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done."""

    what: str
    record: str
    """Whom it was done to, as findings name it; ``""`` where nothing is left to name."""


def refused(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """What the database refuses while its triggers are there: each statement with what it said."""
    said = []
    for statement in (
        f"UPDATE {TICKETS} SET state = 'new' WHERE id = (SELECT min(id) FROM {TICKETS} WHERE state <> 'new')",  # noqa: S608
        f"UPDATE {LOG} SET actor_id = '1' WHERE sequence = 2",  # noqa: S608
        f"DELETE FROM {LOG} WHERE sequence = 3",  # noqa: S608
    ):
        try:
            connection.execute(statement)
        except sqlite3.IntegrityError as error:
            said.append((statement.split(" WHERE", 1)[0], str(error)))
        connection.rollback()
    return said


def drop_triggers(connection: sqlite3.Connection) -> None:
    """What an owner of the database can do, and triggers cannot prevent."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.commit()


def tamper(connection: sqlite3.Connection) -> list[Deed]:
    """Do one thing of each kind, each to another ticket; what was done, in order."""
    keys = [
        str(key)
        for (key,) in connection.execute(
            f"SELECT object_pk FROM {LOG} WHERE model_label = ? GROUP BY object_pk "  # noqa: S608
            f"HAVING count(*) BETWEEN 5 AND 9 ORDER BY min(id) LIMIT ?",
            [LABEL, len(_DEEDS)],
        )
    ]
    done = [deed(connection, key) for deed, key in zip(_DEEDS, keys, strict=False)]
    connection.commit()
    return done


def _close_quietly(connection: sqlite3.Connection, key: str) -> Deed:
    state = connection.execute(f"SELECT state FROM {TICKETS} WHERE id = ?", [key]).fetchone()[0]  # noqa: S608
    other = "new" if state != "new" else "closed"
    connection.execute(f"UPDATE {TICKETS} SET state = ? WHERE id = ?", [other, key])  # noqa: S608
    return Deed(f"ticket {key} was set from {state} to {other}, without an event", f"{LABEL}:{key}")


def _blame_another(connection: sqlite3.Connection, key: str) -> Deed:
    connection.execute(
        f"UPDATE {LOG} SET actor_id = '1' WHERE model_label = ? AND object_pk = ? AND sequence = 3",  # noqa: S608
        [LABEL, key],
    )
    return Deed(f"entry 3 of ticket {key} names somebody else", f"{LABEL}:{key}")


def _drop_an_entry(connection: sqlite3.Connection, key: str) -> Deed:
    connection.execute(
        f"DELETE FROM {LOG} WHERE model_label = ? AND object_pk = ? AND sequence = 4",  # noqa: S608
        [LABEL, key],
    )
    return Deed(f"entry 4 of ticket {key} was removed", f"{LABEL}:{key}")


def _forget_a_ticket(connection: sqlite3.Connection, key: str) -> Deed:
    connection.execute(f"DELETE FROM {TICKETS} WHERE id = ?", [key])  # noqa: S608
    connection.execute(f"DELETE FROM {LOG} WHERE model_label = ? AND object_pk = ?", [LABEL, key])  # noqa: S608
    return Deed(f"ticket {key} was removed with all its entries", "")


def _rewrite_everything(connection: sqlite3.Connection, key: str) -> Deed:
    """Change the time of the second entry and compute every hash after it anew: the chain is whole again."""
    cursor = connection.execute(
        f"SELECT * FROM {LOG} WHERE model_label = ? AND object_pk = ? ORDER BY sequence",  # noqa: S608
        [LABEL, key],
    )
    names = [column[0] for column in cursor.description]
    head = genesis(LABEL, key)
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        if row["sequence"] == 2:
            row["recorded_at"] = row["recorded_at"].replace("20", "19", 1)
        row["prev_hash"], head = head, entry_hash(_hashed({**row, "prev_hash": head}))
        connection.execute(
            f"UPDATE {LOG} SET recorded_at = ?, prev_hash = ?, entry_hash = ? WHERE id = ?",  # noqa: S608
            [row["recorded_at"], row["prev_hash"], head, row["id"]],
        )
    connection.execute(f"UPDATE {TICKETS} SET lifecycle_head = ? WHERE id = ?", [head, key])  # noqa: S608
    return Deed(
        f"entry 2 of ticket {key} was dated back, and every hash after it made to fit", f"{LABEL}:{key}"
    )


def _hashed(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("recorded_at", "occurred_at"):
        if row[name] is not None:
            row[name] = datetime.fromisoformat(row[name]).replace(tzinfo=UTC)
    return hashed_values(row)


_DEEDS: tuple[Callable[[sqlite3.Connection, str], Deed], ...] = (
    _close_quietly,
    _blame_another,
    _drop_an_entry,
    _forget_a_ticket,
    _rewrite_everything,
)
