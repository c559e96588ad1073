"""The tables that entries were made under, kept so that old entries are judged by the table of their time.

Must not know how a table is declared.
"""

from __future__ import annotations

import threading
from typing import ClassVar

from django.db import IntegrityError, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from fsm_lifecycle.append_only import AppendOnly, AppendOnlyQuerySet, milliseconds
from fsm_lifecycle.definition import Table
from fsm_lifecycle.exact_text import ExactTextField

# (database, model label, fingerprint) of definitions that are known to be committed.
_known: set[tuple[str, str, str, str]] = set()
_lock = threading.Lock()


class LifecycleDefinition(AppendOnly):
    """One version of one model's table. ``json`` is exactly what ``fingerprint`` is the SHA-256 of."""

    fingerprint = ExactTextField(max_length=64)
    model_label = ExactTextField(max_length=100)
    json = models.TextField()
    first_seen = models.DateTimeField()

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "lifecycle definition"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_label", "fingerprint"], name="fsm_lifecycle_definition_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_label} {self.fingerprint[:8]}"


def _name(connection: BaseDatabaseWrapper) -> tuple[str, str]:
    return connection.alias, str(connection.settings_dict.get("NAME", ""))


def ensure(connection: BaseDatabaseWrapper, label: str, table: Table) -> None:
    """Store a table's definition unless it is stored. Remembered per process once it is committed."""
    key = (*_name(connection), label, table.fingerprint)
    if key in _known:
        return
    using = connection.alias
    found = LifecycleDefinition.objects.using(using).filter(model_label=label, fingerprint=table.fingerprint)
    if not found.exists():
        row = LifecycleDefinition(
            fingerprint=table.fingerprint,
            model_label=label,
            json=table.json,
            first_seen=milliseconds(timezone.now()),
        )
        try:
            with transaction.atomic(using=using):
                models.Model.save_base(row, using=using, force_insert=True)
        except IntegrityError:
            pass  # another process stored the same row first
        transaction.on_commit(lambda: remember(key), using=using)
    elif not connection.in_atomic_block:
        remember(key)
    else:
        transaction.on_commit(lambda: remember(key), using=using)


def remember(key: tuple[str, str, str, str]) -> None:
    """Take a definition for committed."""
    with _lock:
        _known.add(key)


def recall(connection: BaseDatabaseWrapper) -> None:
    """Look again: the database was migrated, flushed or replaced. What is still stored stays known."""
    stored = set(
        LifecycleDefinition.objects.using(connection.alias).values_list("model_label", "fingerprint")
    )
    mine = _name(connection)
    with _lock:
        _known.difference_update(
            {key for key in _known if key[0] == mine[0] and (key[:2] != mine or key[2:] not in stored)}
        )


def forget(alias: str) -> None:
    """Look again: the database behind ``alias`` was migrated, flushed or replaced."""
    with _lock:
        _known.difference_update({key for key in _known if key[0] == alias})
