"""Owns Django's own notes on records: those that a firing leaves, and how they are told from edits of fields.

Must not know how an errand is carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet

from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.registry import get

#: How a note on a firing ends: with the entry, the batch or the run that it was part of.
_OF_A_FIRING: Final = r"\((entry [0-9]+|batch [^)]+|run [^)]+)\)\.$"


def edits(notes: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
    """The notes without those on firings, which the log of the lifecycle has."""
    return notes.exclude(change_message__regex=_OF_A_FIRING)


def note(errand: Errand, user: Any, event: Event, keys: Sequence[Any]) -> None:
    """One note for each record."""
    rows: QuerySet[Any] = QuerySet(get(errand.model_label), using=errand._state.db)
    words = f"{event.label}, in the background (run {errand.payload['code']})."
    LogEntry.objects.log_actions(user.pk, rows.filter(pk__in=keys), CHANGE, words)
