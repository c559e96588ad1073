"""``purge()``: remove a record for good. Its log stays, ends with a ``purged`` entry, and tells of nobody.

Must not know when a record may be purged: whoever has something against it registers a hook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.deletion import Collector

from fsm_lifecycle.access.actors import Identity
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.beginnings import ended
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding, binding_of
from fsm_lifecycle.engine.extending import ChainEnd
from fsm_lifecycle.engine.redacting import again, author, erase, note, stated
from fsm_lifecycle.exceptions import StaleState
from fsm_lifecycle.ledger import clearing, redaction
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.protection import gate
from fsm_lifecycle.transactions import busy_is_stale, writing

#: How many entries are redacted at a time.
PAGE: Final = 500


class Objection(Protocol):
    """Asked about a record that is about to be purged; objects by raising a ``LifecycleError``."""

    def __call__(self, row: Any, using: str, /) -> object: ...


_objections: dict[str, Objection] = {}


def before_purge(name: str, ask: Objection) -> Callable[[], None]:
    """Have ``ask(row, using)`` called before each purge; returns what takes it back.

    ``row`` is the record as the database holds it, its row locked. Whatever is raised stops the purge and leaves
    everything as it was. The same name again replaces what it stood for.
    """
    _objections[name] = ask

    def unregister() -> None:
        if _objections.get(name) is ask:
            del _objections[name]

    return unregister


def purge(
    record: models.Model,
    *,
    reason: str,
    by: Any = None,
    redact_bodies: bool = True,
    unless: Objection | None = None,
) -> TransitionLog:
    """Remove a record and return its last entry, of kind ``purged``.

    In one transaction, under the lock of its row: it must be what the caller believes (state, sequence), and nobody
    may object (``before_purge``). With ``redact_bodies`` every field of its entries is redacted first, an entry of
    kind ``redaction`` for each, and the package's other tables lose what they copied. Rows that depend on it go as
    with ``delete()``; a model's own ``delete()`` is not asked. ``unless`` is asked too, for
    this purge alone.

    Raises ``StaleState``, ``ActorRequired``, ``NotRedactable`` (no reason), Django's ``ProtectedError``, and whatever
    an objection raises. The record is then what it was before.
    """
    binding = binding_of(type(record))
    who, why = author(by), stated(reason)
    using = router.db_for_write(binding.model, instance=record)
    believed = _link(binding, record)

    def once() -> TransitionLog:
        with writing(using, savepoint=True) as connection:
            end = _ready(connection, record, believed, unless)
            if redact_bodies:
                _redact_all(end, who, why)
            purged = end.append("purged", who, {"reason": why}, gone=True)
            with ended(end.model_label, end.object_pk):
                models.Model.delete(end.row, using=using)
        return purged

    return again(using, once)


def look(record: models.Model, *, unless: Objection | None = None) -> None:
    """Raise what ``purge`` would raise, as far as that can be known before anything goes. Changes nothing."""
    binding = binding_of(type(record))
    using = router.db_for_write(binding.model, instance=record)
    believed = _link(binding, record)
    with busy_is_stale("The look at a record"), writing(using, savepoint=True) as connection:
        end = _ready(connection, record, believed, unless)
        Collector(using=using, origin=end.row).collect([end.row])


def _ready(
    connection: BaseDatabaseWrapper, record: Any, believed: tuple[str, int, str], unless: Objection | None
) -> ChainEnd:
    """Where the chain of a record that may go ends, held by a lock. Raises for one that may not."""
    binding = binding_of(type(record))
    end = ChainEnd(connection, binding.label, key_text(binding.key_of(record)))
    if not end.linked or _link(binding, end.row) != believed or end.state != believed[0]:
        raise StaleState(
            f"{binding.describe(record)} is gone, has changed since it was loaded, or is not what its log "
            f"says. Nothing was purged. Load it again before you decide."
        )
    for ask in [*_objections.values(), *([unless] if unless else [])]:
        ask(end.row, connection.alias)
    return end


def _link(binding: Binding, record: Any) -> tuple[str, int, str]:
    if record._state.adding or binding.key_of(record) is None:
        raise StaleState(f"{binding.describe_kind()} is not in the database, so it cannot be purged.")
    return getattr(record, binding.state_name), getattr(record, SEQUENCE), getattr(record, HEAD)


def _redact_all(end: ChainEnd, who: Identity, reason: str) -> None:
    """Redact every field of the entries there are, and clear what other tables copied from them."""
    entries: QuerySet[TransitionLog] = QuerySet(TransitionLog, using=end.connection.alias).filter(
        model_label=end.model_label, object_pk=end.object_pk
    )
    entries = entries.filter(sequence__lte=end.sequence).order_by("sequence")
    with gate(end.connection, "redact"):
        page = list(entries[:PAGE])
        while page:
            gone = erase(end.connection, page, redaction.everything)
            for one in gone:
                note(end, one, who, reason)
            clearing.clear_entries(end.connection, gone)
            page = list(entries.filter(sequence__gt=page[-1].sequence)[:PAGE])
        clearing.clear_record(end.connection, end.model_label, end.object_pk)
