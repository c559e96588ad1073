"""Owns the pages on which records are purged: what would go, the confirmation, and what came of it.

Must not know when a record may go, nor how it goes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django import forms
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from fsm_lifecycle import conf
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.retention import COUNTED, PURGE
from fsm_lifecycle.admin.section.seen import Seen, label_of, url_of_record
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine import purge_errand
from fsm_lifecycle.engine.binding import SINCE
from fsm_lifecycle.engine.eligibility import count_eligible, eligible_page, retained, retention_of
from fsm_lifecycle.engine.retention import PurgeOutcome, PurgeResult, purge_eligible
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.entry import TransitionLog

#: How many records are listed before they go.
LISTED: Final = 25
#: How many outcomes of a sort the result keeps. It lies in the session, which may be a cookie.
KEPT: Final = 15

_SESSION: Final = "fsm_lifecycle_purged"


class PurgeForm(forms.Form):
    """Why, and what becomes of the log's content."""

    reason = forms.CharField(
        label="Reason", max_length=200, initial="retention", help_text="Kept in the log. Nothing personal."
    )
    redact = forms.BooleanField(label="Erase the content of their log entries", required=False, initial=True)


class PurgePage(Page):
    """Purging what retention lets go of one lifecycle."""

    name = "purge"
    route = "retention/purge/<str:label>/"
    permission = PURGE
    title = "Purge"
    under = "retention"
    template_name = "admin/fsm_lifecycle/section/purge.html"
    form: PurgeForm | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.using = router.db_for_write(TransitionLog)
        self.now = timezone.now()
        self.model: Any = next(
            (m for m in retained(self.using) if m._meta.label_lower == kwargs["label"]), None
        )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._require()
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._require()
        form = self.form = PurgeForm(request.POST)
        moment = self._moment(request.POST.get("as_of", ""))
        if moment is None:
            form.add_error(None, "What was shown here is not known any more. Look again, then purge.")
        elif form.is_valid():
            reason, redact = form.cleaned_data["reason"], form.cleaned_data["redact"]
            try:
                if self._many(moment):
                    errand = purge_errand.order(
                        self.model,
                        user=request.user,
                        using=self.using,
                        reason=reason,
                        redact_bodies=redact,
                        as_of=moment,
                    )
                    return HttpResponseRedirect(self.url("purging", pk=errand.pk))
                result = purge_eligible(
                    self.model,
                    by=request.user,
                    reason=reason,
                    using=self.using,
                    now=moment,
                    limit=conf.admin_bulk_inline(),
                    redact_bodies=redact,
                )
            except LifecycleError as error:
                form.add_error(None, str(error))
            else:
                request.session[_SESSION] = _kept(self.model, result)
                return HttpResponseRedirect(self.url("purged"))
        return self.render_to_response(self.get_context_data())

    def _many(self, moment: datetime) -> bool:
        """Whether more may go than one request takes."""
        most = conf.admin_bulk_inline()
        return count_eligible(self.model, using=self.using, now=moment, limit=most + 1) > most

    def _require(self) -> None:
        if self.model is None:
            raise Http404("No lifecycle with a retention has this name.")

    def _moment(self, text: str) -> datetime | None:
        """As of when records were shown. What became eligible since then stays; never later than now."""
        try:
            moment = parse_datetime(text)
        except ValueError:
            return None
        if moment is None or timezone.is_naive(moment) or moment > self.now:
            return None
        return moment

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        model, meta = self.model, self.model._meta
        number = count_eligible(model, using=self.using, now=self.now, limit=COUNTED + 1)
        rows = eligible_page(model, using=self.using, now=self.now, size=LISTED)
        readable = Seen(self.request.user, self.using).records(
            (label_of(model), key_text(row.pk)) for row in rows
        )
        in_background = number > conf.admin_bulk_inline()
        policy = retention_of(model)
        return {
            **super().get_context_data(**kwargs),
            "title": f"Purge {meta.verbose_name_plural}",
            "kind": meta.verbose_name,
            "kinds": meta.verbose_name_plural,
            "label": meta.label,
            "after": policy.after,
            "number": min(number, COUNTED),
            "more": number > COUNTED,
            "in_background": in_background,
            "beyond": max(0, min(number, COUNTED) - len(rows)),
            "rows": [self._row(row, readable) for row in rows],
            "form": self.form or PurgeForm(),
            "as_of": self.now.isoformat(),
            "retention_url": self.url("retention"),
        }

    def _row(self, row: Any, readable: Any) -> dict[str, Any]:
        key = key_text(row.pk)
        record = readable.get((label_of(self.model), key))
        return {
            "key": key,
            "name": str(record) if record is not None else "",
            "url": url_of_record(self._site, record) if record is not None else "",
            "record": row,
            "since": getattr(row, SINCE),
        }


class PurgedPage(Page):
    """What came of the last purge of this session."""

    name = "purged"
    route = "retention/purged/"
    permission = PURGE
    title = "Purged"
    under = "retention"
    template_name = "admin/fsm_lifecycle/section/purged.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "result": self.request.session.get(_SESSION),
            "retention_url": self.url("retention"),
        }


def names_of(model: Any) -> tuple[str, str]:
    """What one record is called, and what many are."""
    return str(model._meta.verbose_name), str(model._meta.verbose_name_plural)


def _kept(model: Any, result: PurgeResult) -> dict[str, Any]:
    """What the session keeps of a result."""

    def told(outcome: PurgeOutcome) -> dict[str, str]:
        return {"record": outcome.record[:100], "reason": outcome.reason[:200]}

    kind, kinds = names_of(model)
    return {
        "kind": kind,
        "kinds": kinds,
        "done": result.done,
        "failed": result.failed,
        "total": result.done + result.failed,
        "purged": [told(one) for one in result.purged[:KEPT]],
        "stayed": [told(one) for one in result.stayed[:KEPT]],
    }
