"""Owns the page of retention: what may be purged, which records are held, and what was purged.

Purges nothing itself. Must not know when a record may go, nor how it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from fsm_lifecycle.admin.section.keyset import slice_of
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.seen import Seen, url_of_record
from fsm_lifecycle.engine import purge_errand
from fsm_lifecycle.engine.eligibility import count_eligible, retained, retention_of
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.engine.legal_hold import LegalHold, release_hold, with_ends
from fsm_lifecycle.engine.visible_log import owners
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.presentation.badges import badge
from fsm_lifecycle.presentation.people import Names, full_names, names_of, who_did

#: Up to how many records are counted.
COUNTED: Final = 1000
#: How many holds and tombstones a page has.
SIZE: Final = 15

PURGE: Final = "fsm_lifecycle.purge_records"


class RetentionPage(Page):
    """What may go, what must stay, what is gone."""

    name = "retention"
    route = "retention/"
    permission = PURGE
    title = "Retention"
    tab = "Retention"
    template_name = "admin/fsm_lifecycle/section/retention.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.using = router.db_for_write(TransitionLog)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        hold = self._hold(request.POST.get("hold", ""))
        reason = request.POST.get("reason", "").strip()[:500]
        if hold is None:
            messages.warning(request, "This hold is not there, or was released already. Nothing was changed.")
        elif not reason:
            messages.error(request, "A release needs a reason. Nothing was changed.")
            return HttpResponseRedirect(f"{self.url('retention')}?release={hold.pk}#confirm")
        else:
            try:
                release_hold(hold, reason=reason, by=request.user)
            except LifecycleError as error:
                messages.error(request, f"{error} Nothing was changed.")
            else:
                messages.success(
                    request, f"The hold on {_named(hold)} is released. Its retention decides from now on."
                )
        return HttpResponseRedirect(self.url("retention"))

    def _hold(self, text: str) -> LegalHold | None:
        """The active hold with a key."""
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            return None
        return LegalHold.objects.using(self.using).active().filter(pk=int(text)).first()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        seen, params = Seen(self.request.user, self.using), self.request.GET
        holds = slice_of(
            LegalHold.objects.using(self.using).active(), params, time="placed_at", size=SIZE, prefix="h_"
        )
        # Asked like this an index can hold those alone: an end leads to no state.
        ends = TransitionLog.objects.using(self.using).filter(to_state__isnull=True, kind="purged")
        gone = slice_of(ends, params, size=SIZE, prefix="t_")
        asked = params.get("release", "")
        return {
            **super().get_context_data(**kwargs),
            "lifecycles": [self._lifecycle(model) for model in retained(self.using)],
            "holds": holds,
            "held": self._held(with_ends(holds.rows, self.using), seen),
            "releasing": self._hold(asked) if asked else None,
            "not_there": bool(asked) and self._hold(asked) is None,
            "gone": gone,
            "tombstones": self._tombstones(gone.rows),
            "hold_url": self.url("hold"),
            "purges": self._purges(),
        }

    def _purges(self) -> list[tuple[str, str]]:
        """Purges under way, by what goes, with their pages."""
        going = Errand.objects.using(self.using).filter(kind=purge_errand.KIND, status=Errand.GOING)
        return [
            (kind_of(one.model_label).lower(), self.url("purging", pk=one.pk))
            for one in going.order_by("-id")[:5]
        ]

    def _lifecycle(self, model: Any) -> dict[str, Any]:
        policy, table = retention_of(model), model._lifecycle.table
        number = count_eligible(model, using=self.using, limit=COUNTED + 1)
        return {
            "name": str(model._meta.verbose_name_plural),
            "kept": policy.after,
            "days": policy.after // timedelta(days=1),
            "states": [badge(table, state) for state in policy.states],
            "number": min(number, COUNTED),
            "more": number > COUNTED,
            "url": self.url("purge", label=model._meta.label_lower),
        }

    def _held(self, holds: Sequence[LegalHold], seen: Seen) -> list[dict[str, Any]]:
        records = seen.records((hold.model_label, hold.object_pk) for hold in holds)
        keys = [hold.actor_id for hold in holds if hold.actor_kind == "user"]
        names = full_names(keys, router.db_for_read(get_user_model()))
        found = []
        for hold in holds:
            by = names.get(hold.actor_id, hold.placed_by) if hold.actor_label else hold.placed_by
            record = records.get((hold.model_label, hold.object_pk))
            url = url_of_record(self._site, record) if record is not None else ""
            kind = kind_of(hold.model_label)
            name = hold.object_pk if record is None else str(record)
            called = name if name.lower().startswith(kind.lower()) else f"{kind} {name}"
            found.append({"hold": hold, "called": called, "url": url, "by": by})
        return found

    def _tombstones(self, entries: Sequence[TransitionLog]) -> list[dict[str, Any]]:
        names = names_of(entries)
        return [self._tombstone(entry, names) for entry in entries]

    def _tombstone(self, entry: TransitionLog, names: Names) -> dict[str, Any]:
        model = next((one for one in owners() if one._lifecycle.label == entry.model_label), None)
        table = model._lifecycle.table if model is not None else None
        may = self.request.user.has_perm("fsm_lifecycle.view_transitionlog")
        return {
            "entry": entry,
            "name": kind_of(entry.model_label),
            "state": badge(table, entry.from_state) if table is not None and entry.from_state else None,
            "who": who_did(entry, names),
            "url": self.url("entry", pk=entry.pk) if may else "",
        }


def kind_of(label: str) -> str:
    """What records with this label are called."""
    model = next((one for one in owners() if one._lifecycle.label == label), None)
    name = str(model._meta.verbose_name) if model is not None else label
    return f"{name[:1].upper()}{name[1:]}"


def _named(hold: LegalHold) -> str:
    return f"{kind_of(hold.model_label).lower()} {hold.object_pk}"
