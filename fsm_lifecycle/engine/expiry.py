"""Expiry: rows beside the log that are kept for some days (``RETENTION_DAYS``) and then removed.

Must not know when it is asked, nor what the rows tell.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import models, router
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.engine.refusals import RefusedAttempt
from fsm_lifecycle.transactions import writing

#: How many rows are removed in one transaction.
BATCH: Final = 1000

#: By kind and model: the column with the time, and which of the rows are meant.
_kept: dict[tuple[str, type[models.Model]], tuple[str, dict[str, Any]]] = {}


def expires(kind: str, model: type[models.Model], moment: str, **only: Any) -> None:
    """Have the rows of a model removed so many days after the time in the column ``moment``.

    ``kind`` is the key of ``RETENTION_DAYS``; several models may share one. ``only``: which rows are meant.
    """
    _kept[kind, model] = moment, only


expires("refusals", RefusedAttempt, "recorded_at")


def expired(
    kind: str, model: type[models.Model], *, using: str = "default", now: datetime | None = None
) -> QuerySet[Any]:
    """The rows of a kind and model whose days are over, oldest first."""
    moment, only = _kept[kind, model]
    rows: QuerySet[Any] = QuerySet(model, using=using).filter(**only).order_by(moment, "pk")
    days = conf.retention_days(kind)
    if days is None or not router.allow_migrate_model(using, model):
        return rows.none()
    return rows.filter(**{f"{moment}__lt": (now or timezone.now()) - timedelta(days=days)})


def remove_expired(
    *,
    using: str = "default",
    now: datetime | None = None,
    dry_run: bool = False,
    stopped: Callable[[], bool] = bool,
) -> dict[str, int]:
    """Remove the rows whose days are over, and say how many of each kind there were.

    In batches, each a transaction of its own; ``stopped()`` is asked before each. ``dry_run``: only count.
    """
    now = now or timezone.now()
    counts = {kind: 0 for kind, _ in _kept}
    for kind, model in _kept:
        rows = expired(kind, model, using=using, now=now)
        counts[kind] += rows.count() if dry_run else 0
        while not dry_run and not stopped():
            with writing(using, savepoint=False):
                keys = list(rows.values_list("pk", flat=True)[:BATCH])
                QuerySet(model, using=using).filter(pk__in=keys).delete()
            counts[kind] += len(keys)
            if len(keys) < BATCH:
                break
    return counts
