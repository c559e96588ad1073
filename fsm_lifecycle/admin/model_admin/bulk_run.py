"""Owns the result of one event on many records, as the session of whoever asked keeps it.

The log has every entry for good; this is only the page after it. Must not know how it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

from django.utils import timezone

#: The session's key, and how many results it keeps.
_KEY: Final = "lifecycle_runs"
_KEPT: Final = 5


class Line(NamedTuple):
    """What became of one record."""

    pk: str
    label: str
    source: str | None
    """Its state before; ``None`` when it was not found."""
    target: str | None
    """Its state after; ``None`` when it was not moved."""
    reasons: tuple[str, ...]
    stale: bool
    """Whether somebody else was faster, so that trying again may help."""

    @property
    def outcome(self) -> str:
        """In one word."""
        return "moved" if self.target is not None else "changed" if self.stale else "refused"


@dataclass
class Run:
    """One event on many records."""

    id: str
    model: str
    event: str
    who: str
    at: datetime
    sent: str
    """What was typed, URL-encoded, to try again with."""
    seconds: float = 0
    batch: str = ""
    lines: list[Line] = field(default_factory=list)
    _began: float = 0

    @classmethod
    def begin(cls, model: str, event: str, user: Any, sent: str) -> Run:
        """A run that begins now."""
        who = user.get_full_name() or str(user)
        return cls(uuid4().hex[:8], model, event, who, timezone.now(), sent, _began=time.monotonic())

    @property
    def moved(self) -> list[Line]:
        """Those that were moved."""
        return [line for line in self.lines if line.target is not None]

    @property
    def stayed(self) -> int:
        """How many stayed as they were."""
        return len(self.lines) - len(self.moved)

    @property
    def total(self) -> int:
        """How many records there were."""
        return len(self.lines)

    @property
    def number_moved(self) -> int:
        """How many were moved."""
        return len(self.moved)

    @property
    def bar(self) -> list[dict[str, Any]]:
        """The parts of the bar."""
        return bar_of(moved=self.number_moved, refused=self.refused, changed=self.changed)

    @property
    def refused(self) -> int:
        """How many were refused for a reason that stays."""
        return sum(line.outcome == "refused" for line in self.lines)

    @property
    def changed(self) -> int:
        """How many somebody else changed meanwhile."""
        return sum(line.outcome == "changed" for line in self.lines)

    def groups(self) -> list[tuple[str, list[Line]]]:
        """Those that were not moved, by their reasons, the largest group first and the changed ones last."""
        found: dict[tuple[bool, str], list[Line]] = {}
        for line in self.lines:
            if line.target is None:
                found.setdefault((line.stale, " ".join(line.reasons)), []).append(line)
        ordered = sorted(found.items(), key=lambda group: (group[0][0], -len(group[1])))
        return [(reason, lines) for (_, reason), lines in ordered]

    def add(self, line: Line) -> None:
        """One more record."""
        self.lines.append(line)

    def finish(self, batch: str, session: Any) -> None:
        """Keep the run in the session, beside the newest few."""
        self.batch, self.seconds = batch, round(time.monotonic() - self._began, 1)
        kept = session.get(_KEY, [])[-(_KEPT - 1) :]
        session[_KEY] = [*kept, self._stored()]

    @classmethod
    def load(cls, session: Any, model: str, run: str) -> Run | None:
        """The run of this id that the session keeps for this model."""
        for one in session.get(_KEY, []):
            if one["id"] == run and one["model"] == model:
                lines = [
                    Line(pk, label, source, target, tuple(reasons), stale)
                    for pk, label, source, target, reasons, stale in one["lines"]
                ]
                return cls(**{**one, "at": datetime.fromisoformat(one["at"]), "lines": lines})
        return None

    def _stored(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "model": self.model,
            "event": self.event,
            "who": self.who,
            "at": self.at.isoformat(),
            "sent": self.sent,
            "seconds": self.seconds,
            "batch": self.batch,
            "lines": _plain(self.lines),
        }


def _plain(lines: Iterable[Line]) -> list[list[Any]]:
    return [[line.pk, line.label, line.source, line.target, list(line.reasons), line.stale] for line in lines]


def bar_of(*, moved: int, refused: int, changed: int, left: int = 0) -> list[dict[str, Any]]:
    """The parts of a bar, in records: each with its tone, where it begins, its length and its words."""
    parts = [("done", moved, "moved"), ("refused", refused, "refused")]
    parts += [("wait", changed, "changed meanwhile"), ("new", left, "not tried")]
    found, start = [], 0
    for tone, number, words in parts:
        if number:
            found.append({"tone": tone, "start": start, "number": number, "words": words})
        start += number
    return found
