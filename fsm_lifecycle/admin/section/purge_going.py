"""Owns the page of one purge in the background: how far it is, then what came of it.

Must not know how records go.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from fsm_lifecycle.admin.section.checking import asked_by
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.purging import names_of
from fsm_lifecycle.admin.section.retention import PURGE
from fsm_lifecycle.engine import errands, purge_errand
from fsm_lifecycle.engine.eligibility import retained
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.going import Going


class PurgingPage(Page):
    """One purge in the background: how far it is, then what came of it."""

    name = "purging"
    route = "retention/purging/<int:pk>/"
    permission = PURGE
    title = "Purge in the background"
    under = "retention"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.using = router.db_for_write(TransitionLog)

    def get_template_names(self) -> list[str]:
        name = "purged" if self.errand.is_over else "purging"
        return [f"admin/fsm_lifecycle/section/{name}.html"]

    @cached_property
    def errand(self) -> Errand:
        """The errand of the address. Raises ``Http404``."""
        pk = self.kwargs["pk"]
        rows = Errand.objects.using(self.using).filter(kind=purge_errand.KIND)
        found = rows.filter(pk=pk).first() if pk < 2**63 else None
        if found is None:
            raise Http404("There is no such purge, or its result is no longer kept.")
        return found

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("what") == "stop" and errands.stop(self.errand):
            messages.info(request, "It stops after the records that are at work now.")
        return HttpResponseRedirect(self.url("purging", pk=self.errand.pk))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        errand = self.errand
        model: Any = next(
            (m for m in retained(self.using) if m._meta.label_lower == errand.model_label), None
        )
        kind, kinds = ("record", "records") if model is None else names_of(model)
        result = errand.result
        done, failed = result.get("done", 0), result.get("failed", 0)
        return {
            **super().get_context_data(**kwargs),
            "title": f"Purge of {kinds}",
            "going": Going.of(errand, kinds),
            "by": asked_by(errand),
            "errand": errand,
            "result": {
                "kind": kind,
                "kinds": kinds,
                "done": done,
                "failed": failed,
                "total": done + failed,
                "purged": result.get("purged", []),
                "stayed": result.get("stayed", []),
            },
            "retention_url": self.url("retention"),
        }
