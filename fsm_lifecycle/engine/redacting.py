"""``redact()``: erase fields of an entry, and say in its record's chain that it was done.

Must not evaluate who may: a surface asks first. Must not know how a body loses a field, nor whose tables hold copies.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

import fsm_lifecycle.engine.forgetting  # noqa: F401 - registers what engine and access have cleared
from fsm_lifecycle.access.actors import Identity, identify
from fsm_lifecycle.access.current import required_actor
from fsm_lifecycle.engine.extending import ChainEnd
from fsm_lifecycle.exceptions import ActorRequired
from fsm_lifecycle.ledger import clearing, redaction
from fsm_lifecycle.ledger.body import redacted
from fsm_lifecycle.ledger.canonical import Unrecordable, plain
from fsm_lifecycle.ledger.clearing import Erased
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.protection import gate
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.ledger.secure_delete import overwriting
from fsm_lifecycle.transactions import busy_is_stale, is_conflict, writing

#: How often what lost to another transaction is begun again before it becomes ``StaleState``.
TRIES: Final = 4

T = TypeVar("T")
#: Says which fields of an entry, as the database holds it, are to go.
Choose = Callable[[TransitionLog], tuple[str, ...]]


def redact(
    entry: TransitionLog, fields: Iterable[str], *, reason: str, by: Any = None
) -> TransitionLog | None:
    """Erase fields of an entry's body for good and return the ``redaction`` entry that says so.

    Value and salt are gone, the digest stays, and so do the entry's hash and every proof. In the same transaction
    the copies in the package's own tables are cleared.

    - ``fields``: names of the body, for example ``["actor", "metadata"]``. What is redacted already is passed over;
      where nothing is left to do, nothing is written and ``None`` returned.
    - ``reason``: why, for the log. It stays readable: put nothing personal into it.
    - ``by``: a user or ``System("reason")``; by default the current actor. No permission is asked for.

    Raises ``NotRedactable`` for an unknown field, one that must stay (``idempotency_key``, the ``arguments`` of a
    redaction) and for what is no stored entry; ``ActorRequired``; ``StaleState`` when another transaction is in the
    way. The record's sequence goes up by one, so copies of the record in memory are stale.
    """
    who, why = author(by), stated(reason)
    if not isinstance(entry, TransitionLog) or entry.pk is None or entry._state.adding:
        raise NotRedactable(f"{entry!r} is no stored log entry. Take one from record.log.")
    names = redaction.wanted(entry, fields)
    if not names:
        return None
    using = entry._state.db or "default"
    made = carry_out(using, [entry], lambda stored: redaction.wanted(stored, names), who, why)
    redaction.forget(entry, redacted(entry.body, names))
    return made[0] if made else None


def author(by: Any) -> Identity:
    """Who redacts, as the log names it. Raises ``ActorRequired`` when nobody is known."""
    who = identify(required_actor(by))
    if who.kind == "unknown":
        raise ActorRequired('Nobody redacts anonymously. Pass by=user or by=System("reason").')
    return who


def stated(reason: str) -> str:
    """The reason, stripped. Raises ``NotRedactable`` when there is none, or none that can be recorded."""
    if not isinstance(reason, str) or not reason.strip():
        raise NotRedactable("There is no reason, and the log needs one. Say why, without anything personal.")
    try:
        plain(reason, "reason")
    except Unrecordable as error:
        raise NotRedactable(str(error)) from None
    return reason.strip()


def carry_out(
    using: str, entries: Sequence[TransitionLog], choose: Choose, who: Identity, reason: str
) -> list[TransitionLog]:
    """In one transaction, redact what ``choose`` says of each entry; return the ``redaction`` entries."""

    def once() -> list[TransitionLog]:
        with writing(using, savepoint=True) as connection, gate(connection, "redact"):
            # In one order for all, so that two of these never wait for each other.
            places = sorted({(entry.model_label, entry.object_pk) for entry in entries})
            ends = {place: ChainEnd(connection, *place) for place in places}
            gone = erase(connection, entries, choose)
            made = [note(ends[one.model_label, one.object_pk], one, who, reason) for one in gone]
            clearing.clear_entries(connection, gone)
        return made

    return again(using, once)


def erase(connection: BaseDatabaseWrapper, entries: Iterable[TransitionLog], choose: Choose) -> list[Erased]:
    """Erase what ``choose`` says of entries of records whose chains are held; they are read again first."""
    given = sorted(entries, key=lambda entry: (entry.model_label, entry.object_pk, entry.sequence))
    stored = redaction.locked_entries(connection, [entry.pk for entry in given])
    chosen = []
    for entry in given:
        fresh = stored.get(entry.pk)
        if fresh is None or fresh.entry_hash != entry.entry_hash:
            raise NotRedactable(
                f"The log has no {redaction.name_of(entry)} with the hash {entry.entry_hash}. Load the entry again."
            )
        if names := choose(fresh):
            chosen.append((fresh, names))
    return redaction.rewrite(connection, chosen)


def note(end: ChainEnd, one: Erased, who: Identity, reason: str) -> TransitionLog:
    """Say in the record's chain what was erased in one of its entries."""
    arguments = {"entry": one.entry_hash, "fields": list(one.fields)}
    return end.append(redaction.KIND, who, {"arguments": arguments, "reason": reason})


def again(using: str, work: Callable[[], T]) -> T:
    """Erase by ``work``, once more where another transaction was in the way, and let the file keep nothing."""
    nested = connections[using].in_atomic_block
    with busy_is_stale("The redaction"), overwriting(using):
        for tries_left in reversed(range(TRIES)):
            try:
                return work()
            except DatabaseError as error:
                if nested or not tries_left or not is_conflict(error):
                    raise
                time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - spreads contenders, no secret
    raise AssertionError("unreachable")  # pragma: no cover
