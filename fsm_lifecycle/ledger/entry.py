"""The log entry: one immutable row for each thing that happened to a record.

Owns the table, the query helpers and how an entry's body is read. Must not know who may see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.base import ModelState
from django.utils import timezone

from fsm_lifecycle.append_only import AppendOnly, AppendOnlyQuerySet, key_text
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.ledger.body import BodyField, read_body
from fsm_lifecycle.null_index import NullIndex

#: Why an entry can keep a snapshot.
REASONS = ("every", "nth", "interval", "terminal", "manual")

#: What stands in the body of every entry with a snapshot: the end of its values, and the name after them.
SNAPSHOT_MARK = '}],"snapshot_reason":'

#: How the body of an entry with a snapshot ends. ``snapshot_reason`` may be redacted, ``via`` too, or be missing.
_REDACTED = r'\{"redacted":"[0-9a-f]{64}"\}'
SNAPSHOT_END = (
    r'\}\],"snapshot_reason":(\["[A-Za-z0-9_-]{22}","(' + "|".join(REASONS) + r')"\]|' + _REDACTED + r")"
    r'(,"via":(\["[A-Za-z0-9_-]{22}","([^"\\]|\\.)*"\]|' + _REDACTED + r"))?\}$"
)

#: Every kind of entry there is.
KINDS = ("created", "adopted", "transition", "redaction", "remapped", "deleted", "purged")

#: The times an entry can hold: microseconds since 1970 within ±(2^53 - 1).
FIRST_MOMENT = datetime(1684, 7, 28, 0, 12, 26, tzinfo=UTC)
LAST_MOMENT = datetime(2255, 6, 5, 23, 47, 34, tzinfo=UTC)


class TransitionLogQuerySet(AppendOnlyQuerySet["TransitionLog"]):
    """Query helpers. Orders are ``(recorded_at, id)``; a record's own entries go by ``sequence``."""

    def for_record(self, record: models.Model) -> Self:
        """The entries of one record, oldest first."""
        binding = type(record)._lifecycle  # type: ignore[attr-defined]
        pk = binding.key_of(record)
        if pk is None:
            return self.none()
        return self.filter(model_label=binding.label, object_pk=key_text(pk)).order_by("sequence")

    def for_model(self, model: type[models.Model]) -> Self:
        """The entries of all records of a model."""
        return self.filter(model_label=model._lifecycle.label)  # type: ignore[attr-defined]

    def by_event(self, *events: Any) -> Self:
        """The entries of these events (names or ``Event`` objects)."""
        return self.filter(event__in=[getattr(event, "name", event) for event in events])

    def by_actor(self, actor: Any) -> Self:
        """What a user did, alone or through an agent, or what ``System("reason")`` did."""
        reason = getattr(actor, "reason", None)
        if isinstance(reason, str):
            return self.filter(actor_kind="system", actor_id=reason)
        return self.filter(actor_kind__in=["user", "agent"], actor_id=str(actor.pk))

    def by_people(self) -> Self:
        """What users did themselves."""
        return self.filter(actor_kind="user")

    def by_agents(self) -> Self:
        """What agents did for users."""
        return self.filter(actor_kind="agent")

    def by_system(self) -> Self:
        """What programs did."""
        return self.filter(actor_kind="system")

    def with_snapshot(self) -> Self:
        """The entries that keep field values; not those whose values were redacted.

        Found by how the body's text ends: ``snapshot``, ``snapshot_reason`` and ``via``, a text, are the last of its
        names. Nothing recorded inside another field can end a body like this.
        """
        return self.filter(body__contains=SNAPSHOT_MARK, body__regex=SNAPSHOT_END)

    def recent(self, within: timedelta | None = None) -> Self:
        """Newest first; with ``within``, only what was recorded that lately."""
        found = self if within is None else self.filter(recorded_at__gte=timezone.now() - within)
        return found.order_by("-recorded_at", "-id")

    def before(self, recorded_at: datetime, pk: int) -> Self:
        """The next keyset page of ``recent()``, after the entry with this time and key.

        Written so that the index serves it: the naive form scans.
        """
        return self.filter(Q(recorded_at__lte=recorded_at) & (Q(recorded_at__lt=recorded_at) | Q(id__lt=pk)))


class EntryColumns(AppendOnly):
    """The columns of an entry: what the entry hash covers, beside ``body``, whose hash it covers.

    Times are UTC in whole milliseconds. Hashes are 64 lower-case hex characters.
    """

    redactable = ("body",)

    v = models.PositiveSmallIntegerField(default=1)
    model_label = ExactTextField(max_length=100)
    object_pk = ExactTextField(max_length=255)
    sequence = models.BigIntegerField()
    kind = ExactTextField(max_length=12)
    event = ExactTextField(max_length=100, null=True)
    from_state = ExactTextField(max_length=64, null=True)
    to_state = ExactTextField(max_length=64, null=True)
    compensating = models.BooleanField(default=False)
    actor_kind = ExactTextField(max_length=8)
    actor_id = ExactTextField(max_length=255)
    recorded_at = models.DateTimeField()
    occurred_at = models.DateTimeField(null=True)
    cause = ExactTextField(max_length=64, null=True)
    definition = ExactTextField(max_length=64)
    body = models.TextField()
    body_hash = ExactTextField(max_length=64)
    prev_hash = ExactTextField(max_length=64)
    entry_hash = ExactTextField(max_length=64, unique=True)
    idempotency_key = ExactTextField(max_length=255, null=True)
    idempotency_digest = ExactTextField(max_length=64, null=True)

    class Meta:
        abstract = True


class TransitionLog(EntryColumns):
    """One entry of the log. No foreign key to anything: it outlives its subject."""

    objects = models.Manager.from_queryset(TransitionLogQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "log entry"
        verbose_name_plural = "log entries"
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("view_all_entries", "Can view the entries of all records"),
            ("redact_entries", "Can redact entries"),
            ("view_settings", "Can view what is in force"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_label", "object_pk", "sequence"], name="fsm_lifecycle_log_sequence"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["recorded_at", "id"], name="fsm_lifecycle_log_time"),
            # Without the kind before it: what a user did alone and through agents comes in one order.
            models.Index(fields=["actor_id", "recorded_at", "id"], name="fsm_lifecycle_log_actor"),
            # The ends of records, few among many: what is left of those that are gone.
            NullIndex(fields=["to_state", "recorded_at", "id"], name="fsm_lifecycle_log_ends"),
        ]

    def __str__(self) -> str:
        what = self.event or self.kind
        return (
            f"{self.model_label}:{self.object_pk} #{self.sequence} {what} {self.from_state} → {self.to_state}"
        )

    @classmethod
    def inserted(cls, using: str, key: int, row: Mapping[str, Any]) -> TransitionLog:
        """The instance of a row that was just inserted: filled directly, on the path of each firing."""
        entry = cls.__new__(cls)
        state = ModelState()
        state.adding = False
        state.db = using
        entry.__dict__.update(_state=state, id=key, **row)
        return entry

    @cached_property
    def fields(self) -> Mapping[str, BodyField]:
        """The body, read strictly. Raises ``BodyMismatch`` when it is not a body."""
        return read_body(self.body)

    def _value(self, name: str, default: Any = None) -> Any:
        field = self.fields.get(name)
        return default if field is None or field.redacted else field.value

    @property
    def actor_label(self) -> str:
        """What the actor was called then; empty when unknown or redacted."""
        return str((self._value("actor") or {}).get("label", ""))

    @property
    def arguments(self) -> dict[str, Any]:
        """The cleaned arguments; empty when there were none or they were redacted."""
        return self._value("arguments") or {}

    @property
    def metadata(self) -> dict[str, Any]:
        """What the caller added; empty when nothing."""
        return self._value("metadata") or {}

    @property
    def snapshot(self) -> dict[str, Any] | None:
        """Field values as the UPDATE left them, or ``None``."""
        return self._value("snapshot")  # type: ignore[no-any-return]

    @property
    def snapshot_reason(self) -> str | None:
        """Why there is a snapshot: ``every nth interval terminal manual``; ``None`` without one."""
        return self._value("snapshot_reason")  # type: ignore[no-any-return]

    @property
    def observations(self) -> Any:
        """What was kept beside the snapshot, or ``None``."""
        return self._value("observations")

    @property
    def branch(self) -> str | None:
        """The guard whose branch was taken, ``"otherwise"``, or ``None`` where there was no choice."""
        return self._value("branch")  # type: ignore[no-any-return]

    @property
    def on_behalf_of(self) -> dict[str, Any] | None:
        """The user in whose name the actor fired by delegation: ``id`` and ``label``; ``None`` for one's own."""
        return self._value("on_behalf_of")  # type: ignore[no-any-return]

    @property
    def reason(self) -> str:
        """Why, where the entry was made for a stated reason (adoption, redaction)."""
        return str(self._value("reason") or "")

    @property
    def happened_at(self) -> datetime:
        """When it happened: ``occurred_at`` where it was given, else ``recorded_at``."""
        return self.occurred_at or self.recorded_at

    def causes(self) -> Iterator[TransitionLog]:
        """The entries that led to this one, nearest first, up to the root.

        One indexed look-up for each. A chain in a damaged log that comes back to itself ends there.
        """
        seen = {self.entry_hash}
        cause = self.cause
        manager = TransitionLog.objects.using(self._state.db or "default")
        while cause and cause not in seen:
            seen.add(cause)
            entry = manager.filter(entry_hash=cause).first()
            if entry is None:
                return
            yield entry
            cause = entry.cause
