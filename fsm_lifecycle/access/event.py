"""Access events: one immutable row for each grant, revocation, expiry and delegation.

Owns the table, why a change is made, and how rows are written. Must not know what grants there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from django.db import models
from django.utils import timezone

from fsm_lifecycle.access import answers
from fsm_lifecycle.access.actors import UNKNOWN, Identity, identify, is_user
from fsm_lifecycle.access.codenames import role_codename
from fsm_lifecycle.access.current import current_actor
from fsm_lifecycle.access.grant import Grant
from fsm_lifecycle.append_only import AppendOnly, AppendOnlyQuerySet, milliseconds
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.exceptions import ActorRequired

#: What happens to access.
ACTIONS: Final = ("granted", "revoked", "expired", "delegated", "undelegated")

#: By which road: our functions, the creation of a record, the membership of a group, a permission given directly,
#: guardian's rows, the deletion of what the grant named, the sweep of what has ended, or found afterwards.
ROADS: Final = ("api", "default", "membership", "permission", "object", "deletion", "sweep", "reconcile")


class AccessEvent(AppendOnly):
    """What became of one grant: what, who, on what, by whom, when, why. Refers to nothing, so it outlives all.

    ``grant`` is the same for all events of one grant: the newest says whether it is held.
    """

    redactable = ("holder_label", "group_label", "delegate_label", "actor_label", "reason")

    action = ExactTextField(max_length=12)
    road = ExactTextField(max_length=12)
    grant = ExactTextField(max_length=64)
    holder_kind = ExactTextField(max_length=5)
    holder_id = ExactTextField(max_length=255)
    holder_label = models.CharField(max_length=255, default="")
    role = ExactTextField(max_length=100, default="")
    permission = ExactTextField(max_length=100, default="")
    group_id = ExactTextField(max_length=255, default="")
    group_label = models.CharField(max_length=150, default="")
    model_label = ExactTextField(max_length=201, default="")
    object_pk = ExactTextField(max_length=255, default="")
    delegate_id = ExactTextField(max_length=255, default="")
    delegate_label = models.CharField(max_length=255, default="")
    actor_kind = ExactTextField(max_length=8)
    actor_id = ExactTextField(max_length=255)
    actor_label = models.CharField(max_length=255, default="")
    reason = models.TextField(default="")
    until = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "access event"
        base_manager_name = "objects"
        default_permissions = ("view",)
        permissions: ClassVar = [("grant_roles", "Can grant and revoke roles")]
        indexes: ClassVar = [
            models.Index(fields=["grant", "id"], name="fsm_lifecycle_access_grant"),
            models.Index(fields=["holder_kind", "holder_id", "id"], name="fsm_lifecycle_access_who"),
            models.Index(fields=["recorded_at", "id"], name="fsm_lifecycle_access_time"),
        ]

    def __str__(self) -> str:
        what = self.role or self.permission or self.group_label or "everything"
        return f"{what} {self.action}: {self.holder_label or self.holder_id}"


@dataclass(frozen=True, slots=True)
class Because:
    """Why a change is made; what the rows say that signals alone could not."""

    actor: Any = None
    road: str = ""
    reason: str = ""
    until: datetime | None = None
    """The end of what is granted, or of what has ended."""
    action: str = ""
    """What to call it, where signals could only tell that something was taken away."""
    keeps_terms: bool = False
    """Whether terms are seen to by whoever makes the change."""
    written: list[AccessEvent] = field(default_factory=list)
    """What has been recorded for this reason."""


_because: ContextVar[Because | None] = ContextVar("fsm_lifecycle_because", default=None)


@contextmanager
def because(actor: Any = None, **why: Any) -> Iterator[Because]:
    """Inside, changes are recorded as made by ``actor``, by this road, for this reason. See ``Because``."""
    reason = Because(actor, **why)
    token = _because.set(reason)
    try:
        yield reason
    finally:
        _because.reset(token)


def reason_now() -> Because:
    """Why changes are being made at this moment."""
    return _because.get() or Because()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one grant, before it is written down."""

    action: str
    road: str
    grant: Grant
    label: str = ""
    """What the holder is called."""
    group_label: str = ""
    role: str = ""
    role_model: str = ""
    """The model whose role a membership gives; a grant's own model otherwise."""
    delegate_label: str = ""
    until: datetime | None = None


def who_changes(actor: Any) -> Identity:
    """The actor given, else the current one, else unknown."""
    actor = current_actor() if actor is None else actor
    if actor is None or (is_user(actor) and not actor.is_authenticated):
        return UNKNOWN
    try:
        return identify(actor)
    except ActorRequired:
        return UNKNOWN


def event_of(change: Change, who: Identity, now: datetime) -> AccessEvent:
    """The row of a change."""
    grant, why = change.grant, reason_now()
    of_user = bool(grant.user)
    return AccessEvent(
        action=why.action or change.action,
        road=why.road or change.road,
        grant=grant.digest,
        holder_kind="user" if of_user else "group",
        holder_id=grant.user or grant.group,
        holder_label=change.label[:255],
        role=change.role,
        permission=grant.codename or (role_codename(change.role) if grant.group and change.role else ""),
        group_id=grant.group if of_user else "",
        group_label=change.group_label[:150],
        model_label=grant.model or change.role_model,
        object_pk=grant.object_pk,
        delegate_id=grant.delegate,
        delegate_label=change.delegate_label[:255],
        actor_kind=who.kind,
        actor_id=who.id[:255],
        actor_label=who.label[:255],
        reason=why.reason,
        until=change.until
        or (why.until if (why.action or change.action) in ("granted", "expired") else None),
        recorded_at=now,
    )


_loading: ContextVar[bool] = ContextVar("fsm_lifecycle_loading", default=False)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Inside, grants come with the access events that tell of them: a fixture. Reconcile afterwards."""
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)


def record(using: str, changes: Iterable[Change], digests: Sequence[str] | None = None) -> list[AccessEvent]:
    """Write changes down, in the transaction that makes them, and let go of the answers they make wrong.

    ``digests``: of the grants, where they are known and cannot be computed any more.
    """
    if _loading.get():
        answers.forget(using)
        return []
    who, now = who_changes(reason_now().actor), milliseconds(timezone.now())
    events = [event_of(change, who, now) for change in changes]
    for event, digest in zip(events, digests or (), strict=False):
        event.grant = digest
    if events:
        rows: models.QuerySet[Any] = models.QuerySet(
            AccessEvent, using=using
        )  # its own refuses, for everybody else
        rows.bulk_create(events, batch_size=500)
        reason_now().written.extend(events)
        answers.forget(using)
    return events
