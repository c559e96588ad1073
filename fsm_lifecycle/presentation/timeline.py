"""Owns a record's history as people read it: what happened, who did it, what was said and what changed.

Must not know HTML, nor which values may be shown: ``Opened`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django import forms

from fsm_lifecycle.definition.member import in_words
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.badges import Badge, badge
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.presentation.people import Names, Who, names_of, who_did

#: What an entry that is no transition is called.
KINDS: Final = {
    "created": "Created",
    "adopted": "Adopted",
    "redaction": "Redacted",
    "remapped": "State renamed",
    "deleted": "Deleted",
    "purged": "Purged",
}

#: What is recorded that soon is recorded when it happened.
AT_THE_TIME: Final = timedelta(minutes=1)

_LED: Final = {"created": "created", "adopted": "adopted"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One argument of a firing."""

    label: str
    value: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs from the snapshot before."""

    label: str
    before: str
    after: str
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of the history."""

    entry: TransitionLog
    what: str
    at: datetime
    source: Badge | None
    target: Badge | None
    who: Who
    said: tuple[str, ...] = ()
    """The person's own words: long texts among the arguments, and stated reasons."""
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    cause: str = ""
    cause_url: str = ""

    @property
    def recorded(self) -> datetime | None:
        """When it was put on record, where that was not when it happened."""
        later = abs(self.entry.recorded_at - self.at) >= AT_THE_TIME
        return self.entry.recorded_at if later else None

    @property
    def tone(self) -> str:
        """How the entry looks: as the state it led to."""
        return self.target.tone if self.target else "new"

    @property
    def led_by(self) -> str:
        """How the record came to the state it led to, and by whom: ``moved by Ada``."""
        return f"{_LED.get(self.entry.kind, 'moved')} by {self.who.label}"

    @property
    def compensating(self) -> bool:
        """Whether it made good a final state."""
        return self.entry.compensating


class History:
    """Turns entries of one model into items.

    ``viewer``: who reads them. ``url``: the address of an entry, or empty where it may not be seen.
    """

    def __init__(
        self,
        binding: Binding,
        opened: Opened,
        viewer: Any,
        *,
        url: Callable[[TransitionLog], str] = lambda entry: "",
    ) -> None:
        self.binding = binding
        self.opened = opened
        self.viewer = viewer
        self.url = url
        self._names: Names = {}

    def items(self, entries: Sequence[TransitionLog], before: TransitionLog | None = None) -> list[Item]:
        """The items of a record's entries, in the order given, newest first.

        ``before``: the record's newest entry with a snapshot that is older than these, to compare the oldest with.
        """
        causes, self._names = causes_of(entries, self.viewer), names_of(entries)
        changes: dict[int, tuple[Change, ...]] = {}
        last = _snapshot(before) if before is not None else None
        for entry in reversed(entries):
            kept = _snapshot(entry)
            if kept is not None:
                changes[entry.pk] = self._changes(last, kept) if last is not None else ()
                last = kept
        return [
            self._item(entry, changes.get(entry.pk, ()), causes.get(entry.cause or "")) for entry in entries
        ]

    def event_label(self, entry: TransitionLog) -> str:
        """What happened, in words."""
        return what_happened(self.binding, entry)

    def _item(self, entry: TransitionLog, changes: tuple[Change, ...], cause: TransitionLog | None) -> Item:
        table = self.binding.table
        said, facts, notes = self._told(entry)
        return Item(
            entry=entry,
            what=self.event_label(entry),
            at=entry.happened_at,
            source=badge(table, entry.from_state) if entry.from_state else None,
            target=badge(table, entry.to_state) if entry.to_state else None,
            who=who_did(entry, self._names),
            said=said,
            facts=facts,
            changes=changes,
            notes=notes,
            cause=caused_by(entry, cause),
            cause_url="" if cause is None else self.url(cause),
        )

    def _told(self, entry: TransitionLog) -> tuple[tuple[str, ...], tuple[Fact, ...], tuple[str, ...]]:
        """The words, the other arguments, and what has to be said of the entry itself."""
        try:
            body = entry.fields
        except BodyMismatch:
            return (), (), ("its content cannot be read; verify the ledger",)
        said: list[str] = []
        facts: list[Fact] = []
        notes: list[str] = []
        if entry.reason:
            said.append(entry.reason)
        field = body.get("arguments")
        if field is not None and field.redacted:
            notes.append("what was said was redacted")
        event = self.binding.table.events.get(entry.event or "")
        fields: Mapping[str, Any] = getattr(event.arguments, "base_fields", {}) if event is not None else {}
        for name, kept in entry.arguments.items():
            value = self.opened.inside(kept)
            label = str(getattr(fields.get(name), "label", None) or self.opened.label(name))
            if not self.opened.shows(name) or (kept and not value):
                facts.append(Fact(label, "", hidden=True))
            elif _is_text(fields.get(name), name) and isinstance(value, str):
                if value:
                    said.append(value)
            elif value not in (None, "", [], {}):
                facts.append(Fact(label, self.opened.text(name, value)))
        actor = body.get("actor")
        if actor is not None and isinstance(actor.value, dict) and actor.value.get("superuser"):
            notes.append("as superuser")
        return tuple(said), tuple(facts), tuple(notes)

    def _changes(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
        own = {self.binding.state_name, SINCE, SEQUENCE, HEAD}
        found: list[Change] = []
        for name, value in after.items():
            if name in own or name not in before or before[name] == value:
                continue
            if self.opened.shows_field(name):
                texts = self.opened.text(name, before[name]), self.opened.text(name, value)
                found.append(Change(self.opened.label(name), *texts))
            else:
                found.append(Change(self.opened.label(name), "", "", hidden=True))
        return tuple(found)


def history(
    record: Any,
    opened: Opened,
    viewer: Any,
    *,
    limit: int = 20,
    below: int | None = None,
    url: Callable[[TransitionLog], str] = lambda entry: "",
) -> tuple[list[Item], bool]:
    """A record's newest entries, and whether there are older ones. ``below``: only those with a lower sequence."""
    binding = type(record)._lifecycle
    entries = record.log.order_by("-sequence")
    if below is not None:
        entries = entries.filter(sequence__lt=below)
    found = list(entries[: limit + 1])
    shown, more = found[:limit], len(found) > limit
    before = None
    if more and any(_snapshot(entry) is not None for entry in shown):
        older = record.log.with_snapshot().filter(sequence__lt=shown[-1].sequence)
        before = older.order_by("-sequence").first()
    return History(binding, opened, viewer, url=url).items(shown, before), more


def led(items: Iterable[Item]) -> Item | None:
    """Of items, newest first: the one that led to the state, not those that let the record stay there."""
    return next((item for item in items if item.target and item.source != item.target), None)


def causes_of(entries: Iterable[TransitionLog], viewer: Any) -> dict[str, TransitionLog]:
    """The entries that caused these, by their hash, as far as the log shows them to the viewer."""
    wanted = {entry.cause: entry for entry in entries if entry.cause}
    if not wanted:
        return {}
    using = next(iter(wanted.values()))._state.db or "default"
    causes = TransitionLog.objects.using(using).filter(entry_hash__in=list(wanted))
    labels = set(causes.values_list("model_label", flat=True))
    seen = sight(viewer, using, among=labels)
    return {found.entry_hash: found for found in seen.entries(causes)}


def caused_by(entry: TransitionLog, cause: TransitionLog | None) -> str:
    """What led to an entry, in words: its cause, or, without one, that it is hidden."""
    if cause is not None:
        return f"caused by {described(cause)}"
    return "caused by an entry that is hidden from you" if entry.cause else ""


def what_happened(binding: Binding | None, entry: TransitionLog) -> str:
    """What an entry is called: its event's label, or its kind in words."""
    if entry.kind != "transition":
        return KINDS.get(entry.kind, in_words(entry.kind))
    event = binding.table.events.get(entry.event or "") if binding is not None else None
    return str(event.label) if event is not None else in_words(entry.event or "")


def described(entry: TransitionLog) -> str:
    """An entry from outside its record: ``Contract 77: Quote``."""
    from fsm_lifecycle.registry import lifecycles

    binding = next((m._lifecycle for m in lifecycles() if m._lifecycle.label == entry.model_label), None)
    name = (
        binding.describe(entry.object_pk) if binding is not None else f"{entry.model_label} {entry.object_pk}"
    )
    return f"{name}: {what_happened(binding, entry)}"


def _snapshot(entry: TransitionLog) -> Mapping[str, Any] | None:
    try:
        kept = entry.snapshot
    except BodyMismatch:
        return None
    return kept if isinstance(kept, dict) else None


def _is_text(field: Any, name: str) -> bool:
    """Whether an argument holds words rather than a value."""
    return isinstance(getattr(field, "widget", None), forms.Textarea) or name in ("reason", "note", "comment")
