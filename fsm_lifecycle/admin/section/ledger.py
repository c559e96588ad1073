"""Owns the page of the ledger: what is sealed and what waits, the checkpoints, the key and its copies.

Verifies nothing: that reads the whole log. Must not know how entries are sealed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import router
from django.utils import timezone

from fsm_lifecycle.admin.section.checkpoints import row_of
from fsm_lifecycle.admin.section.guarding import guarded, keeping, merge_delay
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.ledger.census import MOST, census
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.seal_progress import SealProgress

#: How many checkpoints a page has.
SIZE: Final = 15


class LedgerPage(Page):
    """What is sealed, and by whom."""

    name = "ledger"
    route = "ledger/"
    permission = "fsm_lifecycle.view_checkpoint"
    title = "Ledger"
    tab = "Ledger"
    template_name = "admin/fsm_lifecycle/section/ledger.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        using = router.db_for_read(TransitionLog)
        counted = census(using)
        delay = timedelta(seconds=merge_delay())
        page = slice_of(Checkpoint.objects.using(using).all(), self.request.GET, time="", size=SIZE)
        skipped = SealProgress.objects.using(using).values_list("skipped", flat=True).first() or []
        waits = timezone.now() - counted.waiting_since if counted.waiting_since else None
        return {
            **super().get_context_data(**kwargs),
            "census": counted,
            "in_all": counted.sealed + counted.waiting if counted.whole else None,
            "most": MOST,
            "waits": waits,
            "late": waits is not None and waits > delay,
            "delay": delay,
            "last": Checkpoint.objects.using(using).order_by("-tree_size", "-id").first(),
            "skipped": len(skipped),
            "guarded": guarded(using),
            "keeping": keeping(using),
            "slice": page,
            "checkpoints": [row_of(one, self.url("checkpoint", pk=one.pk)) for one in page.rows],
            "all_url": self.url("checkpoints"),
            "redacts": self.request.user.has_perm("fsm_lifecycle.redact_entries"),
            "entry_url": self.url("redact_entry"),
            "person_url": self.url("redact_person"),
        }
