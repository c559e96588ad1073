"""Owns checks of the ledger as pages tell them: the one under way, the last one, and what it found.

Must not know how anything is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db import router

from fsm_lifecycle.admin.section.choosing import home
from fsm_lifecycle.admin.section.links import allowed_url
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.admin.section.retention import kind_of
from fsm_lifecycle.admin.section.seen import Seen, url_of_record
from fsm_lifecycle.engine import check_errand
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.ledger.finding import MEANINGS, counted
from fsm_lifecycle.presentation.going import Going
from fsm_lifecycle.presentation.people import full_names

#: How many findings of one code a page lists.
LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Found:
    """All findings of one code."""

    code: str
    meaning: str
    number: int
    rows: list[dict[str, Any]]
    more: int


@dataclass(frozen=True, slots=True)
class Check:
    """A check that came to its end."""

    errand: Errand
    by: str
    whole: bool
    deep: bool
    number: int
    """How many findings there were."""
    checked: list[str]
    """What was looked at: “21,346 entries”."""
    not_checked: list[str]
    seconds: float
    found: list[Found]


def asked_by(errand: Errand) -> str:
    """Who asked for an errand, by the name of today."""
    names = full_names([errand.asked_by], router.db_for_read(get_user_model()))
    if errand.asked_by in names:
        return names[errand.asked_by]
    user: Any = get_user_model()
    try:
        found = user._default_manager.filter(pk=errand.asked_by).first()
    except ValueError:
        found = None
    return str(found) if found is not None else f"user {errand.asked_by}"


def going(using: str) -> Going | None:
    """The check that is under way."""
    errand = check_errand.under_way(using)
    return Going.of(errand, "entries and leaves") if errand is not None else None


def failed_after(using: str) -> Errand | None:
    """The newest check, where it was stopped or failed after the last one that came to its end."""
    errand = Errand.objects.using(using).filter(kind=check_errand.KIND).order_by("-id").first()
    return errand if errand is not None and errand.status in (Errand.STOPPED, Errand.FAILED) else None


def last_check(page: Page, using: str) -> Check | None:
    """The newest check that came to its end, with its findings as far as this user may see them."""
    errand = check_errand.last(using)
    if errand is None:
        return None
    result = errand.result
    counts: Mapping[str, int] = result.get("counts", {})
    return Check(
        errand=errand,
        by=asked_by(errand),
        whole=bool(result.get("whole")),
        deep=bool(errand.payload.get("deep")),
        number=sum(counts.values()),
        checked=[counted(number, what) for what, number in result.get("checked", {}).items()],
        not_checked=list(result.get("not_checked", [])),
        seconds=result.get("seconds", 0),
        found=list(_found(page, using, counts, result.get("findings", []))),
    )


def _found(
    page: Page, using: str, counts: Mapping[str, int], findings: list[dict[str, Any]]
) -> Iterable[Found]:
    seen = Seen(page.request.user, using)
    listed = {code: [one for one in findings if one["code"] == code][:LISTED] for code in counts}
    places = {_place(one) for rows in listed.values() for one in rows}
    records = seen.records(place for place in places if place[1])
    for code in [*(code for code in MEANINGS if code in counts), *(set(counts) - set(MEANINGS))]:
        rows = [_row(page, one, seen, records) for one in listed[code]]
        yield Found(code, MEANINGS.get(code, code), counts[code], rows, counts[code] - len(rows))


def _place(finding: Mapping[str, Any]) -> tuple[str, str]:
    label, _, key = (finding["record"] or "").partition(":")
    return label, key


def _row(page: Page, finding: Mapping[str, Any], seen: Seen, records: Mapping[Any, Any]) -> dict[str, Any]:
    label, key = _place(finding)
    record = records.get((label, key))
    may = not key or seen.everything or record is not None
    # The section shows one log. That of another database has its records' own pages.
    log = allowed_url(page, "log") if key and may and seen.using == home() else ""
    return {
        "what": f"{kind_of(label)} {key}".strip() if label else "",
        "sequence": finding["sequence"],
        "url": url_of_record(page._site, record) if record is not None else "",
        "log_url": f"{log}?{urlencode({'model': label, 'record': key})}" if log else "",
        "may": may,
        "expected": finding["expected"],
        "found": str(finding["found"]).rstrip("."),
    }
