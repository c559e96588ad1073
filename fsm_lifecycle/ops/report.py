"""Owns the report: the figures of one period or of two, and whether the ledger they were read from is whole.

Must not know how it is set for a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.reading import reading
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.ops.figures import Figures, figures
from fsm_lifecycle.ops.period import Period
from fsm_lifecycle.registry import get, lifecycles

Progress = Callable[[int, int], Any]


class UnknownLog(LifecycleError, LookupError):
    """No model of that name has a lifecycle, and none has left a log."""

    code = "unknown_log"


@dataclass(frozen=True, slots=True)
class Checked:
    """What verification says of the whole ledger."""

    whole: bool
    """Whether nothing is wrong with what was checked."""
    checked: dict[str, int]
    not_checked: tuple[str, ...]
    found: dict[str, int]
    """How many findings of each code there were."""

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "whole": self.whole,
            "checked": self.checked,
            "not_checked": list(self.not_checked),
            "found": self.found,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """One or two periods, read at one moment."""

    database: str
    periods: tuple[Figures, ...]
    verification: Checked | None
    """``None`` when it was left out."""

    @property
    def document(self) -> dict[str, Any]:
        """As JSON. Durations are in seconds."""
        return {
            "database": self.database,
            "periods": [_document(found) for found in self.periods],
            "verification": None if self.verification is None else self.verification.document,
        }


def report(
    using: str,
    periods: Sequence[Period],
    *,
    labels: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Count each period, at one moment. ``labels`` limits it to the logs of these models."""
    with reading(using):
        total = 0
        if progress is not None:
            log = TransitionLog.objects.using(using)
            log = log.filter(model_label__in=labels) if labels else log
            total = sum(log.filter(period.recorded).count() for period in periods)
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, total)

        counted = tuple(figures(using, period, labels, told) for period in periods)
    return Report(using, counted, None)


def checked(using: str, progress: Progress | None = None) -> Checked:
    """Verify the ledger, bodies apart. Raises what ``verify`` raises when it cannot be read."""
    verification = verify(using, progress=progress)
    found: dict[str, int] = {}
    for finding in verification:
        found[finding.code] = found.get(finding.code, 0) + 1
    return Checked(verification.whole, verification.checked, tuple(verification.not_checked), found)


def label_of(name: str, using: str) -> str:
    """What the log calls a model: ``billing.Invoice``, or the label of a log that has outlived its model.

    Raises ``UnknownLog`` naming those there are.
    """
    try:
        return str(get(name)._lifecycle.label)
    except LookupError:
        pass
    log = TransitionLog.objects.using(using)
    if log.filter(model_label=name).exists():
        return name
    known = {model._lifecycle.label for model in lifecycles()}
    known.update(log.order_by().values_list("model_label", flat=True).distinct())
    raise UnknownLog(f"There is no log of {name!r}. There are those of {', '.join(sorted(known))}.")


def _document(found: Figures) -> dict[str, Any]:
    return {
        **found.period.document,
        "entries": found.entries,
        "by_event": [
            {"model": one.model, "kind": one.kind, "event": one.event or None, "entries": one.entries}
            for one in found.events
        ],
        "by_actor_kind": found.actors,
        "refused": [
            {"model": one.model, "event": one.event, "code": one.code, "attempts": one.attempts}
            for one in found.refusals
        ],
        "stays": [
            {
                "model": one.model,
                "state": one.state,
                "ended": one.ended,
                "median_seconds": None if one.median is None else one.median.total_seconds(),
                "left_out": one.left_out,
            }
            for one in found.stays
        ],
    }
