"""Owns the page of one event on very many records in the background: it asks, shows how far it is, and what came of it.

A POST begins, stops, or asks again for what had changed, and ends in a redirect. Must not know how it is carried out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase

from fsm_lifecycle.admin.model_admin import bulk_page
from fsm_lifecycle.admin.model_admin.bulk_run import bar_of
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine import bulk_errand, errands
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.presentation.asking import event_form, raw_arguments
from fsm_lifecycle.presentation.badges import badge
from fsm_lifecycle.presentation.going import Going
from fsm_lifecycle.presentation.outlook import outlook

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin


def begin(
    admin: LifecycleAdmin, request: HttpRequest, event: Event, chosen: QuerySet[Any], sent: str = ""
) -> HttpResponseBase:
    """Remember which records were chosen and how they were, and go to the page that asks."""
    columns = ("pk", SEQUENCE, admin.binding.state_name)
    errand = bulk_errand.ask(
        admin.model,
        event,
        chosen.order_by().values_list(*columns).iterator(chunk_size=2000),
        user=request.user,
        using=_database(admin),
        surface="admin",
        sent=sent,
    )
    return HttpResponseRedirect(admin.url("errand", errand.pk))


def view(admin: LifecycleAdmin, request: HttpRequest, errand: int) -> HttpResponseBase:
    """The page of an errand, for whoever asked for it."""
    found = _errand(admin, request, errand)
    event = next((one for one in admin.events() if found and one.name == found.payload["event"]), None)
    if found is None or event is None:
        messages.info(request, "There is nothing of yours under this address. The log has every entry.")
        return HttpResponseRedirect(admin.url("changelist"))
    page = _Page(admin, request, found, event)
    return page.post() if request.method == "POST" else page.get()


def _database(admin: LifecycleAdmin) -> str:
    return router.db_for_write(admin.model)


def _errand(admin: LifecycleAdmin, request: HttpRequest, key: int) -> Errand | None:
    if key >= 2**63:
        return None
    mine = Errand.objects.using(_database(admin)).filter(
        kind=bulk_errand.KIND,
        asked_by=key_text(request.user.pk),
        model_label=admin.model._meta.label_lower,
    )
    return mine.filter(pk=key).first()


class _Page:
    def __init__(self, admin: LifecycleAdmin, request: HttpRequest, errand: Errand, event: Event) -> None:
        self.admin, self.request, self.errand, self.event = admin, request, errand, event
        self.plan = bulk_page.plan_of(admin, event)

    def get(self) -> HttpResponseBase:
        errand = self.errand
        if errand.status == Errand.ASKED:
            sent = QueryDict(errand.payload.get("sent", ""))
            return self._ask(event_form(self.plan, sent) if sent else event_form(self.plan))
        if self.request.GET.get("format") == "csv":
            return self._csv()
        if not errand.is_over:
            return self._render("errand_going", going=Going.of(errand, self._plural), action=self._address)
        return self._over()

    def post(self) -> HttpResponseBase:
        what = self.request.POST.get("what", "")
        if what == "stop":
            if errands.stop(self.errand):
                messages.info(self.request, "It stops after the records that are at work now.")
            return self._back()
        if what == "again" and self.errand.is_over:
            return self._again()
        if self.errand.status == Errand.ASKED:
            return self._begin()
        return self._back()

    @property
    def _plural(self) -> str:
        return str(self.admin.opts.verbose_name_plural)

    @property
    def _address(self) -> str:
        return self.admin.url("errand", self.errand.pk)

    def _back(self) -> HttpResponseBase:
        return HttpResponseRedirect(self._address)

    # --- asking -----------------------------------------------------------------------------------------------

    def _begin(self) -> HttpResponseBase:
        data = self.request.POST
        form = event_form(self.plan, data, self.request.FILES)
        if self.request.FILES:
            form.add_error(None, "A file cannot wait for a run in the background. Choose fewer records.")
        if not form.is_valid():
            return self._ask(form)
        arguments = raw_arguments(self.plan, data)
        try:
            json.dumps(arguments)
        except TypeError:
            form.add_error(
                None, "These answers cannot wait for a run in the background. Choose fewer records."
            )
            return self._ask(form)
        bulk_errand.begin(self.errand, arguments, bulk_page.arguments_sent(self.admin, self.event, data))
        return self._back()

    def _ask(self, form: forms.BaseForm) -> HttpResponseBase:
        table, counted = self.admin.binding.table, self.errand.payload.get("states", {})
        fits = [str(source) for source in self.event.sources]
        return self._render(
            "bulk",
            form=form,
            multipart=False,
            in_background=True,
            number=self.errand.total,
            seen=[],
            states=[
                {"badge": badge(table, state), "number": number, "fits": state in fits}
                for state, number in sorted(counted.items())
            ],
            targets=[badge(table, target) for target in self.event.targets],
            outlook=outlook(self.admin.binding, self.event, states=counted.keys()),
            action=self._address,
        )

    # --- what came of it --------------------------------------------------------------------------------------

    def _over(self) -> HttpResponseBase:
        errand, admin = self.errand, self.admin
        result = errand.result
        groups = result.get("groups", [])
        named = [line[0] for line in result.get("named", [])]
        named += [line[0] for group in groups for line in group["records"]]
        self.records = bulk_page.records_of(admin, self.request, named)
        moved = result.get("moved", 0)
        targets = {line[2] for line in result.get("named", [])}
        return self._render(
            "bulk_result",
            run=_Result(errand),
            target=badge(admin.binding.table, targets.pop()) if len(targets) == 1 else None,
            groups=[
                {
                    "reason": group["reason"],
                    "number": group["number"],
                    "shown": [self._shown(key, source, None) for key, source in group["records"]],
                    "more": group["number"] - len(group["records"]),
                }
                for group in sorted(groups, key=lambda one: (one["stale"], -one["number"]))
            ],
            moved=[self._shown(key, source, target) for key, source, target in result.get("named", [])],
            more_moved=moved - len(result.get("named", [])),
            number_again=result.get("changed", 0),
            again=[],
            action=self._address,
            sent=[],
        )

    def _shown(self, key: str, source: str | None, target: str | None) -> dict[str, Any]:
        record, table = self.records.get(key), self.admin.binding.table
        return {
            "label": str(record) if record is not None else key,
            "pk": key,
            "url": self.admin.url("change", key) if record is not None else "",
            "source": badge(table, source) if source else None,
            "target": badge(table, target) if target else None,
        }

    def _again(self) -> HttpResponseBase:
        """Ask for the changed ones anew, as they are now and with the same answers."""
        errand = self.errand
        keys = list(bulk_errand.stale(errand))
        if not keys:
            return self._back()
        return _again(self.admin, self.request, self.event, keys, errand.payload.get("sent", ""))

    def _csv(self) -> HttpResponseBase:
        found = bulk_errand.lines(self.errand)
        answer = StreamingHttpResponse(_rows(found), content_type="text/csv; charset=utf-8")
        name = f"{self.event.name}-{self.errand.payload['code']}.csv"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _render(self, name: str, **context: Any) -> HttpResponseBase:
        return bulk_page.render(self.admin, self.request, self.event, name, **context)


class _Result:
    """The result of an errand, as ``bulk_result.html`` shows that of a run."""

    def __init__(self, errand: Errand) -> None:
        result = errand.result
        self.id = errand.payload["code"]
        self.total = errand.total
        self.number_moved = result.get("moved", 0)
        self.stayed = result.get("refused", 0) + result.get("changed", 0)
        self.left = errand.total - self.number_moved - self.stayed
        self.why = errand.why
        self.failed = errand.status == Errand.FAILED
        self.at = errand.asked_at
        self.until = errand.finished_at
        self.bar = bar_of(
            moved=self.number_moved,
            refused=result.get("refused", 0),
            changed=result.get("changed", 0),
            left=self.left,
        )


def _again(
    admin: LifecycleAdmin, request: HttpRequest, event: Event, keys: Sequence[str], sent: str
) -> HttpResponseBase:
    visible = admin.get_queryset(request).using(_database(admin))
    binding = admin.binding
    columns = ("pk", SEQUENCE, binding.state_name)

    def rows() -> Iterator[tuple[Any, int, str]]:
        for start in range(0, len(keys), 500):
            yield from visible.filter(pk__in=keys[start : start + 500]).order_by().values_list(*columns)

    errand = bulk_errand.ask(
        admin.model, event, rows(), user=request.user, using=_database(admin), surface="admin", sent=sent
    )
    return HttpResponseRedirect(admin.url("errand", errand.pk))


def _rows(found: Iterator[tuple[Sequence[Any], str]]) -> Iterator[str]:
    yield bulk_page.csv_row(["key", "from", "to", "outcome", "reasons"])
    for (key, source, target, _, stale), reason in found:
        outcome = "moved" if target is not None else "changed" if stale else "refused"
        yield bulk_page.csv_row([key, source or "", target or "", outcome, reason])
