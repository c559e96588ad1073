"""Owns what a record's page says of the legal holds on it. Must not know HTML."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from fsm_lifecycle.engine.legal_hold import LegalHold
from fsm_lifecycle.presentation.people import full_names

#: Who may read by whom a hold was placed, and why.
_MAY_READ = ("fsm_lifecycle.view_legalhold", "fsm_lifecycle.purge_records")


def holds_on(record: Any, viewer: Any) -> tuple[str, ...]:
    """The holds in force, a sentence each, oldest first.

    That a record has to stay is told to everybody who sees it; by whom and why, to those who may read holds.
    """
    found = list(LegalHold.objects.using(record._state.db or "default").for_record(record).active())
    if not found:
        return ()
    stays = "It stays until the hold is released."
    if not any(viewer.has_perm(one) for one in _MAY_READ):
        return (f"Under a legal hold since {_day(found[0])}. {stays}",)
    names = full_names(one.actor_id for one in found if one.actor_kind == "user" and one.actor_label)
    return tuple(
        f"Under a legal hold since {_day(one)}, placed by {names.get(one.actor_id, one.placed_by)}: "
        f"“{one.reason}”. {stays}"
        for one in found
    )


def _day(hold: LegalHold) -> str:
    return str(date_format(timezone.localtime(hold.placed_at), "j M Y"))
