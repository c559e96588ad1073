"""Owns the judgement on a whole database: every record is what its log says, and every log has its record.

Reads the tables as they are, with nothing of the engine. Must not know how they came to be so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from django.db import connections, models, transaction

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.ledger.chain import hashed_values
from fsm_lifecycle.ledger.hashing import entry_hash, genesis
from fsm_lifecycle.models import LifecycleDefinition, TransitionLog
from fsm_lifecycle.registry import lifecycles

KINDS = {"created", "adopted", "transition", "redaction", "deleted", "purged"}


@contextmanager
def one_moment(using: str) -> Iterator[None]:
    """All reads inside see the database as it was at one moment, whoever else still writes."""
    connection = connections[using]
    level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute(level)
    with transaction.atomic(using=using):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(level)
        yield


def faults(using: str = "default") -> list[str]:
    """Everything in the database that is not whole, a sentence each. Call it outside any transaction."""
    found: list[str] = []
    with one_moment(using):
        rows = _rows(using)
        known = set(
            LifecycleDefinition.objects.using(using).values_list("model_label", "fingerprint").iterator()
        )
        entries = TransitionLog.objects.using(using).order_by("model_label", "object_pk", "sequence")
        for key, group in groupby(entries.iterator(), key=lambda e: (e.model_label, e.object_pk)):
            name = f"{key[0]}:{key[1]}"
            log = list(group)
            found += [f"{name} {fault}" for fault in _faults_of_log(log, known)]
            row = rows.pop(key, None)
            last = log[-1]
            if last.kind == "deleted" or last.to_state is None:
                if row is not None:
                    found.append(f"{name} is deleted in its log and still has a row")
            elif row is None:
                found.append(f"{name} has {len(log)} entries and no row")
            elif row != (last.to_state, last.sequence, last.entry_hash):
                found.append(f"{name} is {row}, and its last entry #{last.sequence} says {last.to_state}")
    return found + [f"{label}:{pk} has a row and no entry" for label, pk in rows]


def _rows(using: str) -> dict[tuple[str, str], tuple[str, int, str]]:
    """State, sequence and head of every record there is."""
    rows: dict[tuple[str, str], tuple[str, int, str]] = {}
    for model in lifecycles():
        binding: Any = model._lifecycle
        columns = ("pk", binding.state_name, "lifecycle_sequence", "lifecycle_head")
        for pk, *link in models.QuerySet(binding.owner, using=using).values_list(*columns).iterator():
            rows[binding.label, key_text(pk)] = tuple(link)
    return rows


def _faults_of_log(log: list[TransitionLog], known: set[tuple[str, str]]) -> Iterator[str]:
    state, head = None, genesis(log[0].model_label, log[0].object_pk)
    for number, entry in enumerate(log, start=1):
        if entry.sequence != number:
            yield f"has entry #{entry.sequence} where #{number} belongs"
        if entry.prev_hash != head:
            yield f"#{entry.sequence} does not name the hash of the entry before it"
        if entry.from_state != state:
            yield f"#{entry.sequence} comes from {entry.from_state}, and the entry before led to {state}"
        if entry.entry_hash != entry_hash(hashed_values(entry.__dict__)):
            yield f"#{entry.sequence} has another hash than its values"
        if entry.kind not in KINDS:
            yield f"#{entry.sequence} is of the kind {entry.kind}"
        if (entry.model_label, entry.definition) not in known:
            yield f"#{entry.sequence} names a definition that is not stored"
        state, head = entry.to_state, entry.entry_hash
