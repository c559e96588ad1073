"""Erasure: everything about one record, or about one person, found page by page and redacted in batches.

Each batch is a transaction of its own, so it can be interrupted and run again: what is gone is not found any more.
Must not know who asked, nor how a found entry is redacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max, QuerySet

from fsm_lifecycle.access.actors import Identity
from fsm_lifecycle.access.person import Person
from fsm_lifecycle.engine.redacting import Choose, again, author, carry_out, stated
from fsm_lifecycle.ledger import clearing, redaction
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.protection import gate
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.registry import lifecycles
from fsm_lifecycle.transactions import writing

#: How many entries are read at a time, and how many redacted in one transaction.
PAGE: Final = 1000
BATCH: Final = 200

Progress = Callable[[int, int], None]


@dataclass
class Redacted:
    """What was redacted, or would be in a dry run."""

    entries: int = 0
    fields: int = 0
    copies: int = 0
    """Rows of other tables that held copies."""
    stays: list[str] = field(default_factory=list)
    """Where the person is named and cannot be redacted, in words."""


class Erasure:
    """One order to redact much: who, why, in which database, and whether only to look."""

    def __init__(
        self,
        *,
        reason: str,
        by: Any = None,
        using: str = "default",
        dry_run: bool = False,
        found: Callable[[TransitionLog, tuple[str, ...]], object] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """``found(entry, fields)`` is called with everything that is found, before it is redacted.

        Otherwise as ``redact``, and raises what it raises.
        """
        self.who: Identity = author(by)
        self.reason = stated(reason)
        self.using = using
        self.dry_run = dry_run
        self.found = found
        self.progress = progress
        self.done = Redacted()

    def of_entry(self, entry_hash: str, fields: Sequence[str]) -> Redacted:
        """Redact fields of one entry. Raises ``NotRedactable`` when there is none with this hash."""
        entries = list(self._log.filter(entry_hash=entry_hash))
        if not entries:
            raise NotRedactable(f"The database “{self.using}” has no entry {entry_hash}.")
        redaction.wanted(entries[0], fields)
        self._redact(entries, lambda entry: redaction.wanted(entry, fields))
        return self.done

    def of_record(self, model_label: str, object_pk: str) -> Redacted:
        """Redact every field of every entry of a record, named as the log names it. Redactions themselves stay."""
        log = self._log.filter(model_label=model_label, object_pk=object_pk)
        self._clear(lambda c: clearing.clear_record(c, model_label, object_pk, write=not self.dry_run))
        self._redact(self._scan([log]), redaction.everything)
        return self.done

    def of_person(self, person: Person) -> Redacted:
        """Redact everything that tells of a person, in every entry of the database. See ``redaction.about``.

        Looks also for what the person was called in entries of their own. Those come last, so that an interrupted run
        leaves the names to be found again. Raises ``NotRedactable`` where the redaction itself would name the person.
        """
        own = self._log.filter(actor_kind__in=["user", "agent"], actor_id=person.id)
        person = person.also_called(_labels(own))
        if (self.who.kind in ("user", "agent") and self.who.id == person.id) or person.named_in(
            self.who.label
        ):
            raise NotRedactable(
                "A redaction's entry names who made it, so people cannot redact what tells of themselves. Let somebody "
                'else do it, or System("reason").'
            )
        if person.named_in(self.reason):
            raise NotRedactable(
                "The reason names the person, and it stays in the log. Word it without the name."
            )
        others = self._log.exclude(actor_kind__in=["user", "agent"], actor_id=person.id)
        self._clear(lambda c: clearing.clear_person(c, person, write=not self.dry_run))
        self._redact(self._scan([others, own], person), lambda entry: redaction.about(entry, person))
        return self.done

    @property
    def _log(self) -> QuerySet[TransitionLog]:
        return QuerySet(TransitionLog, using=self.using)

    def _scan(
        self, logs: Iterable[QuerySet[TransitionLog]], person: Person | None = None
    ) -> Iterator[TransitionLog]:
        """The entries there are now, page by page; what is appended meanwhile tells of nobody."""
        newest = self._log.aggregate(newest=Max("pk"))["newest"] or 0
        logs = [log.filter(pk__lte=newest) for log in logs]
        total = sum(log.count() for log in logs) if self.progress else 0
        seen = 0
        for log in logs:
            for page in _pages(log):
                for entry in page:
                    if person is not None:
                        self._remember_what_stays(entry, person)
                    yield entry
                seen += len(page)
                if self.progress:
                    self.progress(seen, total)

    def _remember_what_stays(self, entry: TransitionLog, person: Person) -> None:
        for column in redaction.stays(entry, person):
            self.done.stays.append(f"{column} of {redaction.name_of(entry)}")

    def _redact(self, entries: Iterable[TransitionLog], choose: Choose) -> None:
        batch: list[TransitionLog] = []
        for entry in entries:
            try:
                names = choose(entry)
            except NotRedactable as error:
                self.done.stays.append(str(error))
                continue
            if not names:
                continue
            if self.found is not None:
                self.found(entry, names)
            self.done.entries += 1
            self.done.fields += len(names)
            batch.append(entry)
            if len(batch) == BATCH:
                self._carry_out(batch, choose)
                batch = []
        self._carry_out(batch, choose)

    def _carry_out(self, batch: list[TransitionLog], choose: Choose) -> None:
        if batch and not self.dry_run:
            carry_out(self.using, batch, choose, self.who, self.reason)

    def _clear(self, clear: Callable[[BaseDatabaseWrapper], int]) -> None:
        """Clear copies, before entries are redacted: that clears the copies of each entry, too, and counts none."""

        def once() -> int:
            with writing(self.using, savepoint=True) as connection, gate(connection, "redact"):
                return clear(connection)

        self.done.copies = clear(connections[self.using]) if self.dry_run else again(self.using, once)


def named_record(text: str, using: str) -> tuple[str, str]:
    """What the log calls a record that somebody calls ``app.model:pk``.

    Raises ``LookupError`` when the log has no entry of such a record.
    """
    label, _, pk = text.partition(":")
    label = label.lower()
    for model in lifecycles():
        if model._meta.label_lower == label:
            label = model._lifecycle.label
    if not QuerySet(TransitionLog, using=using).filter(model_label=label, object_pk=pk).exists():
        raise LookupError(f"The log in the database “{using}” has no entry of {text!r}. Write app.model:pk.")
    return label, pk


def _pages(log: QuerySet[TransitionLog]) -> Iterator[list[TransitionLog]]:
    page = list(log.order_by("pk")[:PAGE])
    while page:
        yield page
        page = list(log.filter(pk__gt=page[-1].pk).order_by("pk")[:PAGE])


def _labels(own: QuerySet[TransitionLog]) -> set[str]:
    """What a person is called in entries of their own."""
    found: set[str] = set()
    for page in _pages(own):
        for entry in page:
            try:
                found.add(entry.actor_label)
            except ValueError:  # a damaged body; it is reported where it is looked into
                continue
    return found
