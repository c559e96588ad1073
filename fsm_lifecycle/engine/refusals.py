"""Refusals: who wanted what, and why it was not done. Kept beside the log, which holds only what happened.

Must not know how a refusal is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import DatabaseError, connections, models, transaction
from django.utils import timezone

from fsm_lifecycle.access.actors import UNKNOWN, identify
from fsm_lifecycle.append_only import key_text, milliseconds
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.exceptions import ActorRequired

logger = logging.getLogger("fsm_lifecycle")


class RefusedAttempt(models.Model):
    """One firing that was refused: who, what, why, when, through which surface."""

    model_label = ExactTextField(max_length=100)
    object_pk = ExactTextField(max_length=255)
    event = models.CharField(max_length=100)
    state = ExactTextField(max_length=64)
    actor_kind = ExactTextField(max_length=8)
    actor_id = ExactTextField(max_length=255)
    actor_label = models.CharField(max_length=255, blank=True)
    code = ExactTextField(max_length=32)
    reason = models.TextField()
    denials = models.JSONField(default=list)
    surface = ExactTextField(max_length=32)
    recorded_at = models.DateTimeField()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "refused attempt"
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["recorded_at", "id"], name="fsm_lifecycle_refused_time"),
            models.Index(fields=["model_label", "object_pk"], name="fsm_lifecycle_refused_record"),
        ]

    def __str__(self) -> str:
        return f"{self.model_label}:{self.object_pk} {self.event} refused: {self.code}"


@dataclass
class _Collector:
    surface: str
    waiting: list[tuple[str, RefusedAttempt]] = field(default_factory=list)


_collector: ContextVar[_Collector | None] = ContextVar("fsm_lifecycle_refusals", default=None)


@contextmanager
def collecting(surface: str = "") -> Iterator[None]:
    """Keep refusals until the block ends, then write them.

    A surface wraps its own transaction in this, so that a rollback does not swallow them. Inside another such
    block it changes nothing: the outermost one writes.
    """
    if _collector.get() is not None:
        yield
        return
    collector = _Collector(surface or "code")
    token = _collector.set(collector)
    try:
        yield
    finally:
        _collector.reset(token)
        if collector.waiting:
            _write(collector.waiting)


def refuse(record: Any, actor: Any, decision: Decision, using: str) -> None:
    """Put a refusal on record: now, or when the surface's ``collecting`` block ends.

    Never raises for a database that cannot take it: the refusal that the caller is about to see matters more.
    """
    binding = record._lifecycle
    try:
        who = UNKNOWN if actor is None else identify(actor)
    except ActorRequired:
        who = UNKNOWN
    first = decision.denials[0]
    collector = _collector.get()
    name = decision.event.name if decision.event else first.name
    attempt = RefusedAttempt(
        model_label=binding.label,
        object_pk=key_text(binding.key_of(record)),
        event=_storable(name)[:100],
        state=str(decision.source)[:64],
        actor_kind=who.kind,
        actor_id=who.id[:255],
        actor_label=who.label[:255],
        code=first.code,
        reason=_storable(first.reason),
        denials=[
            {"code": d.code, "name": _storable(d.name), "reason": _storable(d.reason)}
            for d in decision.denials
        ],
        surface=collector.surface if collector else "code",
        recorded_at=milliseconds(timezone.now()),
    )
    if collector is not None:
        collector.waiting.append((using, attempt))
    else:
        _write([(using, attempt)])


def _storable(text: str) -> str:
    """A text that may hold what was asked for, without the characters that no database takes."""
    return text.replace("\0", "?").encode(errors="replace").decode()


def _write(waiting: list[tuple[str, RefusedAttempt]]) -> None:
    for using in dict.fromkeys(alias for alias, _ in waiting):
        attempts = [attempt for alias, attempt in waiting if alias == using]
        if connections[using].needs_rollback:
            logger.warning(
                "%d refusals were not recorded: the open transaction has to roll back.", len(attempts)
            )
            continue
        try:
            with transaction.atomic(using=using):
                RefusedAttempt.objects.using(using).bulk_create(attempts, batch_size=500)
        except DatabaseError:
            logger.exception("%d refusals could not be recorded.", len(attempts))
