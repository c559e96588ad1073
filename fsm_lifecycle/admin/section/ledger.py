"""Owns the page of a ledger: what is sealed and what waits, checkpoints, the key and its copies, the last check.

A check reads the whole log, so it is an errand. Must not know how entries are sealed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from fsm_lifecycle.admin.section import checking, choosing
from fsm_lifecycle.admin.section.checkpoints import row_of
from fsm_lifecycle.admin.section.guarding import guarded, keeping, merge_delay
from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.engine import check_errand, errands
from fsm_lifecycle.ledger.census import MOST, census
from fsm_lifecycle.ledger.checkpoint import Checkpoint
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

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        using = choosing.chosen(request.POST)
        what = request.POST.get("what", "")
        if what in ("check", "check_deep"):
            if check_errand.order(user=request.user, using=using, deep=what == "check_deep") is None:
                messages.info(request, "A check is under way already.")
        elif what == "stop":
            errand = check_errand.under_way(using)
            if errand is not None and errands.stop(errand):
                messages.info(request, "The check stops. What it found so far is not kept.")
        return HttpResponseRedirect(choosing.at(self.url("ledger"), using))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        using = choosing.chosen(self.request.GET)
        at_home = using == choosing.home()
        counted = census(using)
        delay = timedelta(seconds=merge_delay())
        page = slice_of(Checkpoint.objects.using(using).all(), self.request.GET, time="", size=SIZE)
        skipped = SealProgress.objects.using(using).values_list("skipped", flat=True).first() or []
        waits = timezone.now() - counted.waiting_since if counted.waiting_since else None
        return {
            **super().get_context_data(**kwargs),
            "databases": choosing.choices(),
            "using": using,
            "at_home": at_home,
            "census": counted,
            "in_all": counted.sealed + counted.waiting if counted.whole else None,
            "most": MOST,
            "waits": waits,
            "late": waits is not None and waits > delay,
            "delay": delay,
            "last": Checkpoint.objects.using(using).order_by("-tree_size", "-id").first(),
            "check": checking.last_check(self, using),
            "going": checking.going(using),
            "failed": checking.failed_after(using),
            "skipped": len(skipped),
            "guarded": guarded(using),
            "keeping": keeping(using),
            "slice": page,
            "checkpoints": [
                row_of(one, choosing.at(self.url("checkpoint", pk=one.pk), using)) for one in page.rows
            ],
            "all_url": choosing.at(self.url("checkpoints"), using),
            "redacts": at_home and self.request.user.has_perm("fsm_lifecycle.redact_entries"),
            "entry_url": self.url("redact_entry"),
            "person_url": self.url("redact_person"),
        }
