"""The purge of what retention lets go: each record looked at once more under the lock of its row, one transaction each.

Must not know who may purge, nor how a page or command shows what came of it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, IntegrityError, models
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.binding import SINCE, binding_of
from fsm_lifecycle.engine.eligibility import count_eligible, eligible_page, old_enough, retained, retention_of
from fsm_lifecycle.engine.purging import look, purge
from fsm_lifecycle.engine.redacting import author, stated
from fsm_lifecycle.exceptions import LifecycleError, NotEligible

logger = logging.getLogger("fsm_lifecycle")

#: How many outcomes a result keeps of each sort; all are counted.
KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class PurgeOutcome:
    """What came of one record."""

    model_label: str
    object_pk: str
    record: str
    """The record as messages name it: “Invoice 7”."""
    code: str
    """``purged``; ``eligible`` in a dry run; else why it stayed: ``legal_hold``, ``stale_state`` (changed meanwhile),
    ``not_eligible`` (no longer), ``protected`` (others refer to it), ``failed``, or another error's code."""
    reason: str = ""
    """For people; empty where it was purged."""
    entry_hash: str = ""
    """Of its ``purged`` entry."""

    @property
    def stayed(self) -> bool:
        """Whether the record is still there against the order."""
        return self.code not in ("purged", "eligible")


@dataclass
class PurgeResult:
    """What came of an order to purge. Counts are complete; of the outcomes the first ``KEPT`` of a sort are kept."""

    dry_run: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    """By code."""
    purged: list[PurgeOutcome] = field(default_factory=list)
    """What was purged, or would be."""
    stayed: list[PurgeOutcome] = field(default_factory=list)
    interrupted: bool = False
    """Whether it was told to stop before it was through."""

    @property
    def done(self) -> int:
        """How many records were purged, or would be."""
        return self.counts["purged"] + self.counts["eligible"]

    @property
    def failed(self) -> int:
        """How many records stayed."""
        return self.counts.total() - self.done

    def add(self, outcome: PurgeOutcome) -> None:
        """Count an outcome."""
        self.counts[outcome.code] += 1
        kept = self.stayed if outcome.stayed else self.purged
        if len(kept) < KEPT:
            kept.append(outcome)


# --- purging -------------------------------------------------------------------------------------------------


def purge_eligible(
    chosen: Iterable[type[models.Model]] | type[models.Model] | None = None,
    *,
    by: Any = None,
    reason: str = "retention",
    using: str = "default",
    now: datetime | None = None,
    limit: int | None = None,
    redact_bodies: bool = True,
    dry_run: bool = False,
    found: Callable[[PurgeOutcome], object] | None = None,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = bool,
) -> PurgeResult:
    """Purge every eligible record of these models, or of all with a retention; one transaction for each.

    Each record is looked at once more under the lock of its row: state, time, sequence and holds. What cannot go is
    reported, and the others go on. Can be stopped between two records, and run again.

    - ``by``, ``reason``, ``redact_bodies``: as ``purge()``.
    - ``limit``: at most so many records are tried.
    - ``dry_run``: only look.
    - ``found(outcome)`` is called with each outcome, ``progress(done, total)`` after each record; ``stopped()`` is
      asked before each.

    Raises ``NotEligible`` for a model without retention, ``ActorRequired``, ``NotRedactable`` (no reason).
    """
    wanted = retained(using) if chosen is None else [chosen] if isinstance(chosen, type) else list(chosen)
    moment = now or timezone.now()
    order = _Order(by, reason, using, moment, redact_bodies, dry_run, found)
    for model in wanted:
        retention_of(model)
    wanted = _referring_first(wanted)
    total = 0
    if progress is not None:
        for model in wanted:
            left = None if limit is None else limit - total
            total += count_eligible(model, using=using, now=moment, limit=left)
    records = (record for model in wanted for record in _all(model, using, moment))
    for tried, record in enumerate(records, start=1):
        if limit is not None and tried > limit:
            break
        if stopped():
            order.result.interrupted = True
            break
        order.carry_out(record)
        if progress is not None:
            progress(tried, max(total, tried))
    return order.result


def purge_some(
    records: Iterable[models.Model],
    *,
    by: Any = None,
    reason: str = "retention",
    using: str = "default",
    now: datetime | None = None,
    redact_bodies: bool = True,
    dry_run: bool = False,
) -> PurgeResult:
    """Purge these records as far as their retention lets them go; otherwise as ``purge_eligible``."""
    order = _Order(by, reason, using, now or timezone.now(), redact_bodies, dry_run, None)
    for record in records:
        order.carry_out(record)
    return order.result


def _referring_first(chosen: Sequence[type[models.Model]]) -> list[type[models.Model]]:
    """The models so that what refers to others goes before them, as far as there is such an order."""
    ordered: list[type[models.Model]] = []
    seen: set[type[models.Model]] = set()

    def visit(model: type[models.Model]) -> None:
        if model in seen:
            return
        seen.add(model)
        for other in chosen:
            if any(f.related_model is model for f in other._meta.fields if f.is_relation):
                visit(other)
        ordered.append(model)

    for model in chosen:
        visit(model)
    return ordered


def _all(model: type[models.Model], using: str, now: datetime) -> Iterator[Any]:
    """Every eligible record, a page at a time: what stays is passed over, what comes in meanwhile is left."""
    after = None
    while page := eligible_page(model, using=using, now=now, after=after):
        last = page[-1]
        after = (getattr(last, SINCE), last.pk)
        yield from page


class _Order:
    """One order to purge: who, why, as of when."""

    def __init__(
        self,
        by: Any,
        reason: str,
        using: str,
        now: datetime,
        redact_bodies: bool,
        dry_run: bool,
        found: Callable[[PurgeOutcome], object] | None,
    ) -> None:
        author(by)  # who cannot be named, or gives no reason, is told before anything goes
        self.by = by
        self.reason = stated(reason)
        self.using = using
        self.now = now
        self.redact_bodies = redact_bodies
        self.found = found
        self.result = PurgeResult(dry_run)
        self.going: set[tuple[type, Any]] = set()
        """What would be purged, on a dry run."""

    def carry_out(self, record: Any) -> None:
        """Purge one record, and note what came of it."""
        binding = binding_of(type(record))
        place = binding.label, key_text(binding.key_of(record)), binding.describe(record)
        try:
            if self.result.dry_run:
                self.look(record)
                outcome = PurgeOutcome(*place, "eligible")
            else:
                last = purge(
                    record,
                    reason=self.reason,
                    by=self.by,
                    redact_bodies=self.redact_bodies,
                    unless=self.recheck,
                )
                outcome = PurgeOutcome(*place, "purged", entry_hash=last.entry_hash)
        except LifecycleError as error:
            outcome = PurgeOutcome(*place, error.code, str(error))
        except (ProtectedError, RestrictedError) as error:
            outcome = PurgeOutcome(*place, "protected", _referring(error))
        except IntegrityError:
            logger.warning("%s could not be purged.", place[2], exc_info=True)
            outcome = PurgeOutcome(*place, "protected", "The database says that other rows refer to it.")
        except DatabaseError:
            raise
        except Exception as error:  # the host's own code, at the deletion: the others go on
            logger.exception("%s could not be purged.", place[2])
            outcome = PurgeOutcome(
                *place,
                "failed",
                f"{type(error).__name__} was raised when it was to be deleted; see the site's log.",
            )
        self.result.add(outcome)
        if self.found is not None:
            self.found(outcome)

    def look(self, record: Any) -> None:
        """Raise where the record would stay. What refers to it, and would itself have gone before, keeps nothing."""
        try:
            look(record, unless=self.recheck)
        except (ProtectedError, RestrictedError) as error:
            if not all((type(row), row.pk) in self.going for row in _rows(error)):
                raise
        self.going.add((type(record), record.pk))

    def recheck(self, row: Any, using: str, /) -> None:
        """Raise ``NotEligible`` where the record, its row locked, may not go now."""
        binding = binding_of(type(row))
        policy, name = retention_of(type(row)), binding.describe(row)
        state = getattr(row, binding.state_name)
        if state not in policy.states:
            kept = ", ".join(binding.state_label(s) for s in policy.states)
            raise NotEligible(
                f"{name} is in {binding.state_label(state)}, and its retention speaks of {kept}. Nothing was purged."
            )
        until = old_enough(policy, self.now)
        if until is None or getattr(row, SINCE) > until:
            raise NotEligible(
                f"{name} is in {binding.state_label(state)} since {getattr(row, SINCE):%Y-%m-%d}, and stays for "
                f"{policy.after.days:,} days. Nothing was purged."
            )


def _rows(error: ProtectedError | RestrictedError) -> list[Any]:
    """The rows that hold a record back."""
    return list(error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects)


def _referring(error: ProtectedError | RestrictedError) -> str:
    """What holds a record back, in words, without naming the rows."""
    counts = Counter(row._meta for row in _rows(error))
    said = ", ".join(
        f"{number:,} {meta.verbose_name if number == 1 else meta.verbose_name_plural}"
        for meta, number in counts.items()
    )
    return f"Others refer to it: {said}. They have to go first." if said else "Others refer to it."
