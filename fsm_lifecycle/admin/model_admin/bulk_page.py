"""Owns one event on many records: asking for the answers, firing, and the page that says what became of each.

Every POST ends in a redirect, so that a reload fires nothing. Must not know how the result is kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from fsm_lifecycle import conf
from fsm_lifecycle.admin.model_admin import errand_page
from fsm_lifecycle.admin.model_admin.bulk_run import Line, Run
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.presentation.asking import event_form, raw_arguments
from fsm_lifecycle.presentation.badges import badge
from fsm_lifecycle.presentation.keys import readable
from fsm_lifecycle.presentation.outlook import outlook

if TYPE_CHECKING:
    from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin

#: So many records are listed under one reason.
LISTED = 20

#: What a list sends beside the action.
ASK: Final = "ask"

CHANGED = "Changed by someone else since the page was made."
GONE = "No longer there, or not for you to see."


def begin(
    admin: LifecycleAdmin, request: HttpRequest, name: str, chosen: QuerySet[Any]
) -> HttpResponseBase | None:
    """The list's action. The list's own form has it ask first: what will happen to how many, and why the others stay.

    A program that sends the action with all answers has been asked already. More than ``ADMIN_BULK_INLINE`` records
    are moved in the background.
    """
    event = _event(admin, name)
    most = conf.admin_bulk_inline()
    seen = [(str(pk), number) for pk, number in chosen.order_by().values_list("pk", SEQUENCE)[: most + 1]]
    if len(seen) > most:
        return errand_page.begin(admin, request, event, chosen)
    if ASK not in request.POST:
        form = event_form(plan_of(admin, event), request.POST, request.FILES)
        answered = not form.fields or not form.fields.keys().isdisjoint([*request.POST, *request.FILES])
        if answered and form.is_valid():
            return _fire(admin, request, event, seen, request.POST)
    return _ask(admin, request, event, seen, event_form(plan_of(admin, event)))


def asking(action_form: type[forms.Form]) -> type[forms.Form]:
    """The form in which a list offers its actions, so that events ask before they are fired."""
    field = forms.CharField(label="", required=False, initial="yes", widget=forms.HiddenInput)
    return type(action_form.__name__, (action_form,), {ASK: field})


def view(admin: LifecycleAdmin, request: HttpRequest, event: str) -> HttpResponseBase:
    """What the page that asks sends. A GET has nothing to show and leads back to the list."""
    found = _event(admin, event)
    if request.method != "POST":
        return HttpResponseRedirect(admin.url("changelist"))
    seen = list(_seen(request.POST.getlist("seen")))
    if len(seen) > conf.admin_bulk_inline():
        messages.error(request, "Too many records at once. Nothing was done.")
        return HttpResponseRedirect(admin.url("changelist"))
    form = event_form(plan_of(admin, found), request.POST, request.FILES)
    if not form.is_valid():
        return _ask(admin, request, found, seen, form)
    return _fire(admin, request, found, seen, request.POST)


def result(admin: LifecycleAdmin, request: HttpRequest, event: str, run: str) -> HttpResponseBase:
    """What became of each record. Reloading it does nothing again."""
    found = _event(admin, event)
    kept = Run.load(request.session, admin.binding.label, run)
    if kept is None or kept.event != event:
        messages.info(request, "That result is no longer kept. The log has every entry.")
        return HttpResponseRedirect(admin.url("changelist"))
    if request.GET.get("format") == "csv":
        return _as_csv(kept, admin)
    table = admin.binding.table
    stale = _sequences(admin, request, [line.pk for line in kept.lines if line.stale])
    return render(
        admin,
        request,
        found,
        "bulk_result",
        run=kept,
        target=badge(table, kept.moved[0].target) if kept.moved else None,
        groups=_grouped(admin, kept.groups()),
        moved=[_shown(admin, line) for line in kept.moved],
        number_again=len(stale),
        again=[f"{number}:{pk}" for pk, number in stale.items()],
        action=admin.url("bulk", event),
        sent=[(name, value) for name, values in QueryDict(kept.sent).lists() for value in values],
    )


def _event(admin: LifecycleAdmin, name: str) -> Event:
    found = next((one for one in admin.events() if one.name == name), None)
    if found is None:
        raise Http404(f"There is no event “{name}” here.")
    return found


def plan_of(admin: LifecycleAdmin, event: Event) -> Any:
    """The event with its form."""
    return admin.binding.plan(event)


def _seen(sent: Sequence[str]) -> Iterator[tuple[str, int]]:
    """What a page has seen of each record: ``sequence:key``."""
    for one in sent:
        number, _, key = one.partition(":")
        if number.isascii() and number.isdigit() and len(number) < 19 and key and "\0" not in key:
            yield key, int(number)


def _sequences(admin: LifecycleAdmin, request: HttpRequest, keys: Sequence[str]) -> dict[str, int]:
    return {str(one.pk): getattr(one, SEQUENCE) for one in records_of(admin, request, keys).values()}


def records_of(admin: LifecycleAdmin, request: HttpRequest, keys: Sequence[str]) -> dict[str, Any]:
    """Those of the records that the user may see, by their key as text."""
    visible = admin.get_queryset(request)
    found = readable(visible, keys)
    return {str(one.pk): one for one in visible.filter(pk__in=found)} if found else {}


def _fire(
    admin: LifecycleAdmin,
    request: HttpRequest,
    event: Event,
    seen: Sequence[tuple[str, int]],
    data: QueryDict,
) -> HttpResponseBase:
    records = records_of(admin, request, [key for key, _ in seen])
    unchanged = [
        one for key, number in seen if (one := records.get(key)) and getattr(one, SEQUENCE) == number
    ]
    run = Run.begin(admin.binding.label, event.name, request.user, arguments_sent(admin, event, data))
    # The database that the admin names for its records; where it names none, it is written where the routers say.
    rows: Any = admin.get_queryset(request)
    chosen = admin.model._default_manager.using(rows._db)
    with collecting("admin"):
        done = chosen.filter(pk__in=[one.pk for one in unchanged]).fire(
            event, actor=request.user, arguments=raw_arguments(plan_of(admin, event), data, request.FILES)
        )
    results = {str(one.pk): one for one in done.results}
    for key, _ in seen:
        record, one = records.get(key), results.get(key)
        if record is None:
            run.add(Line(key, key, None, None, (GONE,), False))
        elif one is None:
            state = getattr(record, admin.binding.state_name)
            run.add(Line(key, str(record), state, None, (CHANGED,), True))
        else:
            reasons = tuple(dict.fromkeys(denial.reason for denial in one.denials))
            stale = any(denial.code == "stale_state" for denial in one.denials)
            run.add(Line(key, str(record), one.from_state, one.to_state if one.ok else None, reasons, stale))
    moved = [records[line.pk] for line in run.moved]
    if moved:
        others = len(moved) - 1
        together = f", together with {others} other{'s' if others > 1 else ''}" if others else ""
        note = f"{event.label}{together} (batch {done.batch})."
        LogEntry.objects.log_actions(request.user.pk, moved, CHANGE, note)  # type: ignore[arg-type]
    run.finish(done.batch, request.session)
    return HttpResponseRedirect(admin.url("bulk_result", event.name, run.id))


def arguments_sent(admin: LifecycleAdmin, event: Event, data: QueryDict) -> str:
    """What was typed, to try the changed ones again; files are not kept."""
    names = set(event_form(plan_of(admin, event)).fields)
    kept = QueryDict(mutable=True)
    for name, values in data.lists():
        if name in names or name.rpartition("_")[0] in names:
            kept.setlist(name, values)
    return kept.urlencode()


def _ask(
    admin: LifecycleAdmin,
    request: HttpRequest,
    event: Event,
    seen: Sequence[tuple[str, int]],
    form: forms.BaseForm,
) -> HttpResponseBase:
    records = records_of(admin, request, [key for key, _ in seen])
    left: dict[str, list[Line]] = {}
    counted: dict[str, int] = {}
    for key, _ in seen:
        record = records.get(key)
        if record is None:
            left.setdefault(GONE, []).append(Line(key, key, None, None, (GONE,), False))
            continue
        state, decision = getattr(record, admin.binding.state_name), record.decide(event, actor=request.user)
        if decision.allowed:
            counted[state] = counted.get(state, 0) + 1
        else:
            reasons = tuple(dict.fromkeys(denial.reason for denial in decision.denials))
            left.setdefault(" ".join(reasons), []).append(Line(key, str(record), state, None, reasons, False))
    return render(
        admin,
        request,
        event,
        "bulk",
        form=form,
        multipart=form.is_multipart(),
        chosen=len(seen),
        number=sum(counted.values()),
        seen=[f"{number}:{key}" for key, number in seen],
        left=len(seen) - sum(counted.values()),
        groups=_grouped(admin, sorted(left.items(), key=lambda group: -len(group[1]))),
        states=[
            {"badge": badge(admin.binding.table, state), "number": number, "fits": True}
            for state, number in sorted(counted.items())
        ],
        targets=[badge(admin.binding.table, target) for target in event.targets],
        outlook=outlook(admin.binding, event, states=counted.keys()),
        action=admin.url("bulk", event.name),
    )


def _grouped(admin: LifecycleAdmin, groups: Iterable[tuple[str, Sequence[Line]]]) -> list[dict[str, Any]]:
    """Records by the reason why they stay; the first of each are listed."""
    return [
        {
            "reason": reason,
            "number": len(lines),
            "shown": [_shown(admin, line) for line in lines[:LISTED]],
            "more": max(0, len(lines) - LISTED),
        }
        for reason, lines in groups
    ]


def _shown(admin: LifecycleAdmin, line: Line) -> Mapping[str, Any]:
    table = admin.binding.table
    return {
        "label": line.label,
        "pk": line.pk,
        "url": admin.url("change", line.pk) if line.source is not None else "",
        "source": badge(table, line.source) if line.source else None,
        "target": badge(table, line.target) if line.target else None,
    }


def _as_csv(run: Run, admin: LifecycleAdmin) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{run.event}-{run.id}.csv"'
    response.write(csv_row(["key", "record", "from", "to", "outcome", "reasons"]))
    for line in run.lines:
        cells = [
            line.pk,
            line.label,
            line.source or "",
            line.target or "",
            line.outcome,
            " ".join(line.reasons),
        ]
        response.write(csv_row(cells))
    return response


def csv_row(cells: Sequence[str]) -> str:
    """A row in which no spreadsheet finds a formula."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula. https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{text}" if text.lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r")) else text


def render(
    admin: LifecycleAdmin, request: HttpRequest, event: Event, name: str, **context: Any
) -> HttpResponseBase:
    """A page of one event on many records."""
    plural = str(admin.opts.verbose_name_plural)
    return TemplateResponse(
        request,
        f"admin/fsm_lifecycle/record/{name}.html",
        {
            **admin.admin_site.each_context(request),
            "title": f"{event.label}, {plural}: result"
            if name == "bulk_result"
            else f"{event.label}: {plural}",
            "opts": admin.opts,
            "media": admin.media,
            "event": event,
            "kind": str(admin.opts.verbose_name),
            "plural": plural,
            "back": admin.url("changelist"),
            **context,
        },
    )
