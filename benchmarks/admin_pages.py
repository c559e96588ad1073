"""How long the pages of the lifecycle section take when the log is long, against a log that is empty or short.

The whole answer is timed, rendered, for a superuser. Must not know what is on a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.messages.storage.base import BaseStorage
from django.core.management import call_command
from django.db import connections
from django.test import RequestFactory

from benchmarks import ledger_rows
from benchmarks.databases import LABELS
from benchmarks.report import Section, Verdict
from benchmarks.settings import USER, bound_to, on_database
from benchmarks.timing import Samples, Spread, Task, interleave
from fsm_lifecycle.admin import LifecycleSection

#: Pages that show a part of the whole log.
PAGES = ("dashboard", "log")
#: The most that a page may take with the long log, as a multiple of the same page with an empty one.
TARGET = 2.0
#: Entries of the short log: enough to fill a page.
SHORT = 1000
CALLS = 5


class _NoMessages(BaseStorage):
    """A page asks for messages; here there are none."""

    def _get(self, *args: object, **kwargs: object) -> tuple[list[object], bool]:
        return [], True

    def _store(self, *args: object, **kwargs: object) -> list[object]:
        return []


def measure(aliases: Sequence[str], rounds: int, rows: int) -> list[Section]:
    """Each page with an empty, a short and a long log. It empties the databases."""
    return [_section(alias, rounds, rows) for alias in aliases if alias != "postgres_async"]


def _section(alias: str, rounds: int, rows: int) -> Section:
    found: dict[int, dict[str, Samples]] = {}
    for length in (0, SHORT, rows):
        _empty(alias)
        if length:
            ledger_rows.populate(alias, length)
        # The section shows the default database.
        connections["default"] = connections[alias]
        try:
            tasks = {name: bound_to(alias, _repeat(_asker(alias, name))) for name in PAGES}
            found[length] = interleave(tasks, rounds)
        finally:
            del connections["default"]
    lines: list[list[str]] = []
    verdicts: list[Verdict] = []
    where = LABELS[alias].partition(",")[0]
    for name in PAGES:
        empty, short, long = (found[length][name] for length in (0, SHORT, rows))
        ratio = _ratio(long, empty)
        spreads = (str(one.wall_spread().times(1000)) for one in (empty, short, long))
        lines.append([name, *spreads, f"{ratio.median:.2f}", f"{_ratio(long, short).median:.2f}"])
        verdicts.append(
            Verdict(
                target=f"The {name} page, against an empty log", where=where, limit=TARGET, measured=ratio
            )
        )
    return Section(
        title=f"Pages of the lifecycle section on {where}",
        about="Milliseconds for the whole answer, rendered: the median and the quartiles.",
        columns=[
            "page",
            "empty log",
            f"{SHORT:,} entries",
            f"{rows:,} entries",
            "long / empty",
            "long / short",
        ],
        rows=lines,
        verdicts=verdicts,
    )


def _ratio(one: Samples, other: Samples) -> Spread:
    """The medians' ratio. The two were measured one after the other, so rounds cannot be compared one by one."""
    middle = other.wall_spread().median
    return one.wall_spread().times(1 / middle)


def _asker(alias: str, name: str) -> Callable[[], object]:
    section = LifecycleSection.register(admin.site)
    page = next(one for one in section.pages if one.name == name)
    view = admin.site.admin_view(page.as_view(site=admin.site, pages=section.pages))
    user = get_user_model()._default_manager.using(alias).get(username=USER)
    factory = RequestFactory()

    def ask() -> object:
        request = factory.get("/admin/lifecycle/")
        request.user = user
        request._messages = _NoMessages(request)  # type: ignore[attr-defined]
        response = view(request)
        if hasattr(response, "render"):
            response.render()
        assert response.status_code == 200, response.status_code
        return response.content

    return ask


def _repeat(ask: Callable[[], object]) -> Task:
    def task() -> int:
        for _ in range(CALLS):
            ask()
        return CALLS

    return task


def _empty(alias: str) -> None:
    with on_database(alias):
        call_command("flush", database=alias, interactive=False, purge_lifecycle_log=True, verbosity=0)
        get_user_model()._default_manager.create(username=USER, is_staff=True, is_superuser=True)
