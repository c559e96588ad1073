"""Eligibility: which records have stayed as long as their retention asks, and are under no hold.

Must not know how they are purged.
"""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import Any, Final

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Replace
from django.utils import timezone

from fsm_lifecycle.access.branches import key_field
from fsm_lifecycle.definition import Retention
from fsm_lifecycle.engine.binding import SINCE, Binding, binding_of
from fsm_lifecycle.engine.families import children_with_own_table
from fsm_lifecycle.engine.legal_hold import LegalHold
from fsm_lifecycle.exceptions import NotEligible
from fsm_lifecycle.registry import lifecycles, lives_in

#: How many records are read at a time.
PAGE: Final = 200


def retained(using: str | None = None) -> list[type[models.Model]]:
    """The models whose lifecycle declares a retention, in the order of the apps; those of one database alone.

    A child that follows its parent's lifecycle is not among them: its records are the parent's.
    """
    return [
        model
        for model in lifecycles()
        if model.lifecycle.retention is not None
        and not _follows_parent(model)
        and (using is None or lives_in(model, using))
    ]


def _follows_parent(model: type[Any]) -> bool:
    declarations = [
        parent._lifecycle.table.declaration
        for parent in model._meta.get_parent_list()
        if hasattr(parent, "_lifecycle")
    ]
    return model._lifecycle.table.declaration in declarations


def eligible(
    model: type[models.Model], *, using: str = "default", now: datetime | None = None
) -> QuerySet[Any]:
    """The records that may be purged, oldest first: in a state of the retention, for long enough, under no hold.

    All rows of the table, whatever the model's managers show. Records of a child with a lifecycle of its own are
    left to that child's retention. Raises ``NotEligible`` for a model without retention.
    """
    binding, policy = binding_of(model), retention_of(model)
    rows: QuerySet[Any] = QuerySet(model, using=using)
    until = old_enough(policy, now)
    if until is None:
        return rows.none()
    rows = rows.filter(
        **{f"{binding.state_name}__in": [str(s) for s in policy.states], f"{SINCE}__lte": until}
    )
    for child in children_with_own_table(binding):
        rows = rows.filter(~Exists(QuerySet(child).filter(pk=OuterRef("pk"))))
    return rows.filter(~Q(pk__in=_held(binding, connections[using]))).order_by(SINCE, "pk")


def eligible_page(
    model: type[models.Model],
    *,
    using: str = "default",
    now: datetime | None = None,
    after: tuple[datetime, Any] | None = None,
    size: int = PAGE,
) -> list[Any]:
    """A keyset page of ``eligible()``: what comes after the record with this ``state_since`` and key.

    Reads each state by the index (state, state_since), so a page costs the same whatever the table holds.
    """
    binding, policy = binding_of(model), retention_of(model)
    rows = eligible(model, using=using, now=now)
    if after is not None:
        since, key = after
        rows = rows.filter(Q(**{f"{SINCE}__gte": since}) & (Q(**{f"{SINCE}__gt": since}) | Q(pk__gt=key)))
    pages = [rows.filter(**{binding.state_name: str(state)})[:size] for state in policy.states]
    merged = heapq.merge(*map(list, pages), key=lambda row: (getattr(row, SINCE), row.pk))
    return [row for row, _ in zip(merged, range(size), strict=False)]


def count_eligible(
    model: type[models.Model],
    *,
    using: str = "default",
    now: datetime | None = None,
    limit: int | None = 1000,
) -> int:
    """How many records may be purged, counted no further than ``limit``; ``None`` counts all."""
    return eligible(model, using=using, now=now).order_by()[:limit].count()


def retention_of(model: type[models.Model]) -> Retention:
    """The retention of a model. Raises ``NotEligible`` where there is none, naming the models that have one."""
    policy = binding_of(model).table.retention
    if policy is None:
        known = ", ".join(m._meta.label_lower for m in retained()) or "none yet"
        raise NotEligible(
            f"The lifecycle of {model._meta.label_lower} has no retention, so its records stay. Those with one: "
            f"{known}."
        )
    return policy


def old_enough(policy: Retention, now: datetime | None) -> datetime | None:
    """The newest ``state_since`` that is old enough; ``None`` before the first moment that there is."""
    try:
        return (now or timezone.now()) - policy.after
    except OverflowError:
        return None


def _held(binding: Binding, connection: BaseDatabaseWrapper) -> QuerySet[Any]:
    """The keys of the records under a hold, in the type of the key's column."""
    holds = LegalHold.objects.filter(model_label=binding.label).active()
    key = key_field(binding.owner)
    found: Any = F("object_pk")
    if isinstance(key, models.UUIDField):
        native = connection.features.has_native_uuid_field
        found = (
            Cast(found, models.UUIDField())
            if native
            else Replace(found, Value("-"), Value(""), output_field=models.CharField())
        )
    elif isinstance(key, models.IntegerField):
        found = Cast(found, BigIntegerField())
    return holds.annotate(held_key=found).values("held_key")
