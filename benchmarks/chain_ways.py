"""The ways of writing a transition with its entry that tell what a chain costs: with one, without, and one for all.

Two go through `fire()`, three are SQL by hand; all insert the same columns into the real log. The by-hand ways leave
next to nothing but the chain to pay for. Must not know how many processes run them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from django.db import connections, models
from django.utils import timezone

from benchmarks.models import UnguardedInvoice
from benchmarks.plain_models import PlainInvoice
from benchmarks.settings import CurrentDatabase
from benchmarks.subjects import Refused
from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.engine import statements
from fsm_lifecycle.ledger import chain
from fsm_lifecycle.ledger.body import make_body

_LABEL = "benchmarks.plaininvoice"
_NOTHING = "0" * 64
_EVENTS = {"draft": ("send_invoice", "sent"), "sent": ("recall", "draft")}
_INSERT = (
    f"INSERT INTO fsm_lifecycle_transitionlog ({', '.join(chain.COLUMNS)}) "
    f"VALUES ({', '.join(['%s'] * len(chain.COLUMNS))})"
)
_MOVE_LINKED = (
    "UPDATE benchmarks_plaininvoice SET state = %s, state_since = %s, revision = %s, head = %s"
    " WHERE id = %s AND revision = %s AND head = %s AND state = %s"
)
_MOVE = (
    "UPDATE benchmarks_plaininvoice SET state = %s, state_since = %s, revision = %s"
    " WHERE id = %s AND revision = %s AND state = %s"
)
#: The last hash of the one chain stands in this invoice's row. SQLite has one writer and no FOR UPDATE.
_LAST = {
    "sqlite": "SELECT head FROM benchmarks_plaininvoice WHERE id = %s",
    "postgresql": "SELECT head FROM benchmarks_plaininvoice WHERE id = %s FOR UPDATE",
}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way; a step moves a loaded record there or back and joins the open transaction."""

    name: str
    model: type[models.Model]
    step: Callable[[Any, Any, int], object]
    """Takes the record, the acting user, and the key of the row that one chain for all would hang on."""
    around: Callable[[], AbstractContextManager[None]] = nullcontext


# --- through the package ------------------------------------------------------------------------------------


def _fire(record: Any, user: Any, last: int) -> None:
    event = UnguardedInvoice.Lifecycle.send_invoice if record.is_draft else UnguardedInvoice.Lifecycle.recall
    record.fire(event, actor=user)


def _any_hash(row: object = None) -> str:
    """As scattered as a hash, so that the unique index has the same work, and without one's cost."""
    return f"{random.getrandbits(256):064x}"


def _move_unlinked(
    binding: Any, connection: Any, plan: Any, *, key: Any, before: Any, after: Any, arguments: Any
) -> bool:
    """What `statements.move` does, but for the head."""
    state, moment, sequence, _ = after
    since = connection.ops.adapt_datetimefield_value(moment)
    sql = (
        f"UPDATE {binding.owner._meta.db_table}"
        " SET state_since = CASE WHEN state = %s THEN state_since ELSE %s END, state = %s, lifecycle_sequence = %s"
        " WHERE id = %s AND lifecycle_sequence = %s AND state = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [state, since, state, sequence, key, before[1], before[0]])
        return bool(cursor.rowcount == 1)


@contextmanager
def _without_hashing() -> Iterator[None]:
    with patch.object(chain, "hashed_values", lambda row: row), patch.object(chain, "entry_hash", _any_hash):
        yield


@contextmanager
def _without_the_chain() -> Iterator[None]:
    """`fire()` as it would be without chaining: no hash of the entry, no head in the record's row."""
    with _without_hashing(), patch.object(statements, "move", _move_unlinked):
        yield


# --- by hand ------------------------------------------------------------------------------------------------


def _columns(record: Any, user: Any, prev: str) -> dict[str, Any]:
    """An entry with its hash."""
    event, target = _EVENTS[record.state]
    body, body_hash = make_body({"actor": {"label": user.username}})
    return chain.compose(
        model_label=_LABEL,
        object_pk=str(record.pk),
        sequence=record.revision + 1,
        prev_hash=prev,
        kind="transition",
        event=event,
        from_state=record.state,
        to_state=target,
        actor_kind="user",
        actor_id=str(user.pk),
        recorded_at=milliseconds(timezone.now()),
        definition=_NOTHING,
        body=body,
        body_hash=body_hash,
    )


def _write(record: Any, entry: dict[str, Any], *, linked: bool) -> None:
    connection = connections[CurrentDatabase.alias]
    state, sequence, now = entry["to_state"], entry["sequence"], entry["recorded_at"]
    since = connection.ops.adapt_datetimefield_value(now)
    if linked:
        sets, holds = [sequence, entry["entry_hash"]], [record.revision, record.head]
    else:
        sets, holds = [sequence], [record.revision]
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE_LINKED if linked else _MOVE, [state, since, *sets, record.pk, *holds, record.state]
        )
        if cursor.rowcount != 1:
            raise Refused(entry["event"])
        cursor.execute(_INSERT, list({**entry, "recorded_at": since}.values()))
    record.state, record.revision = state, sequence
    if linked:
        record.head = entry["entry_hash"]


def _chained(record: Any, user: Any, last: int) -> None:
    _write(record, _columns(record, user, record.head), linked=True)


def _unchained(record: Any, user: Any, last: int) -> None:
    _write(record, _columns(record, user, _NOTHING), linked=False)


def _one_chain(record: Any, user: Any, last: int) -> None:
    connection = connections[CurrentDatabase.alias]
    with connection.cursor() as cursor:
        cursor.execute(_LAST[connection.vendor], [last])
        entry = _columns(record, user, cursor.fetchone()[0])
        cursor.execute(
            "UPDATE benchmarks_plaininvoice SET head = %s WHERE id = %s", [entry["entry_hash"], last]
        )
    _write(record, entry, linked=False)


FIRED = Way(name="fire()", model=UnguardedInvoice, step=_fire)
FIRED_UNCHAINED = Way(
    name="fire() with the chain taken out", model=UnguardedInvoice, step=_fire, around=_without_the_chain
)
BY_HAND = Way(name="by hand, a chain per record", model=PlainInvoice, step=_chained)
BY_HAND_UNCHAINED = Way(
    name="by hand, no chain", model=PlainInvoice, step=_unchained, around=_without_hashing
)
ONE_CHAIN = Way(name="by hand, one chain for all", model=PlainInvoice, step=_one_chain)

WAYS = {way.name: way for way in (FIRED, FIRED_UNCHAINED, BY_HAND, ONE_CHAIN, BY_HAND_UNCHAINED)}
#: By name: the way whose rate is what each would have without its chain.
UNCHAINED = {
    FIRED.name: FIRED_UNCHAINED.name,
    BY_HAND.name: BY_HAND_UNCHAINED.name,
    ONE_CHAIN.name: BY_HAND_UNCHAINED.name,
}
