"""Owns the page of one entry: everything the log keeps of it, but for fields that its model's admin has not opened.

Must not know how entries are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.utils import flatten_fieldsets
from django.http import Http404

from fsm_lifecycle.admin.section.links import allowed_url
from fsm_lifecycle.admin.section.log import VIEW_LOG
from fsm_lifecycle.admin.section.log_row import rows_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.seen import Seen
from fsm_lifecycle.engine.visible_log import Sight, owners, sight
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.presentation.timeline import Fact, History

_LARGEST: Final = 2**63 - 1
#: So many of the entries that it caused are shown, of so many that were recorded next.
_CAUSED: Final = 20
_AMONG: Final = 10_000


@dataclass(frozen=True, slots=True)
class Seal:
    """Where an entry stands in the tree."""

    leaf: int
    checkpoint: Checkpoint | None
    """The first checkpoint that vouches for it."""


class EntryPage(Page):
    """One entry."""

    name = "entry"
    route = "log/<int:pk>/"
    permission = VIEW_LOG
    title = "Entry"
    under = "log"
    template_name = "admin/fsm_lifecycle/section/entry.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        pk = int(kwargs["pk"])
        seen = sight(self.request.user)
        entry = None
        if pk <= _LARGEST:
            entry = seen.entries(TransitionLog.objects.filter(pk=pk)).first()
        if entry is None:
            raise Http404("There is no such entry, or you may not see it.")
        model = next((one for one in owners() if one._lifecycle.label == entry.model_label), None)
        around = {
            one.sequence - entry.sequence: self.url("entry", pk=one.pk)
            for one in TransitionLog.objects.filter(
                model_label=entry.model_label,
                object_pk=entry.object_pk,
                sequence__in=[entry.sequence - 1, entry.sequence + 1],
            ).only("pk", "sequence")
        }
        seal = self._seal(entry)
        caused, more, edge = self._caused(entry, seen)
        row, *effects = rows_of([entry, *caused], self._site, seen, Seen(self.request.user))
        return super().get_context_data(
            title=f"{row.record}, entry {entry.sequence}",
            entry=entry,
            row=row,
            seal=seal,
            checkpoint_url=allowed_url(self, "checkpoint", pk=seal.checkpoint.pk)
            if seal and seal.checkpoint
            else "",
            redact_url=allowed_url(self, "redact_entry"),
            before_url=around.get(-1, ""),
            after_url=around.get(1, ""),
            effects=effects,
            more_effects=more,
            looked_among=_AMONG if edge else 0,
            log_url=f"{self.url('log')}?model={entry.model_label}",
            caused_url=f"{self.url('log')}?cause={entry.entry_hash}",
            **self._body(entry, model),
            **kwargs,
        )

    @staticmethod
    def _seal(entry: TransitionLog) -> Seal | None:
        leaf = LogLeaf.objects.filter(entry_id=entry.pk).values_list("leaf_index", flat=True).first()
        if leaf is None:
            return None
        return Seal(leaf, Checkpoint.objects.filter(tree_size__gt=leaf).order_by("tree_size", "id").first())

    @staticmethod
    def _caused(entry: TransitionLog, seen: Sight) -> tuple[list[TransitionLog], bool, datetime | None]:
        """The entries that it caused: looked for among those recorded next, since nothing leads there but time."""
        later = TransitionLog.objects.filter(recorded_at__gte=entry.recorded_at).order_by("recorded_at", "id")
        edge: datetime | None = later.values_list("recorded_at", flat=True)[_AMONG : _AMONG + 1].first()
        if edge is not None:
            later = later.filter(recorded_at__lte=edge)
        found = list(seen.entries(later.filter(cause=entry.entry_hash))[: _CAUSED + 1])
        return found[:_CAUSED], len(found) > _CAUSED, edge

    def _body(self, entry: TransitionLog, model: Any) -> dict[str, Any]:
        """What stands in its body, as far as the admin of its model shows such fields."""
        try:
            fields = entry.fields
        except BodyMismatch:
            return {"unreadable": True}
        found: dict[str, Any] = {
            "redacted": sorted(name for name, field in fields.items() if field.redacted),
            "reason": entry.reason,
            "snapshot_reason": entry.snapshot_reason,
        }
        if model is None:
            return found
        opened = self._opened(model)
        item = History(model._lifecycle, opened, self.request.user).items([entry])[0]
        snapshot, metadata = entry.snapshot, entry.metadata
        return found | {
            "item": item,
            "snapshot": _snapshot(snapshot, opened) if isinstance(snapshot, dict) else [],
            "metadata": _metadata(metadata, opened) if isinstance(metadata, dict) else [],
        }

    def _opened(self, model: Any) -> Opened:
        admin: Any = self._site._registry.get(model)
        if admin is None:
            return Opened.nothing(model)
        if hasattr(admin, "opened"):
            found: Opened = admin.opened(self.request)
            return found
        shown = flatten_fieldsets(admin.get_fieldsets(self.request))
        return Opened.of(model, [*shown, *admin.get_list_display(self.request)])


def _snapshot(values: dict[str, Any], opened: Opened) -> list[Fact]:
    return [_fact(name, value, opened, opened.shows_field(name)) for name, value in values.items()]


def _metadata(values: dict[str, Any], opened: Opened) -> list[Fact]:
    found = []
    for name, kept in values.items():
        value = opened.inside(kept)
        found.append(_fact(name, value, opened, opened.shows(name) and bool(value or not kept)))
    return found


def _fact(name: str, value: Any, opened: Opened, shown: bool) -> Fact:
    return Fact(opened.label(name), opened.text(name, value) if shown else "", hidden=not shown)
