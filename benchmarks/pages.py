"""What roles cost where a page of records is shown with their events, and whether many grants make it dearer.

Must not know how the grants came into the tables.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import connections
from django.test.utils import CaptureQueriesContext
from guardian.core import ObjectPermissionChecker

from benchmarks.databases import LABELS
from benchmarks.grants import BUSY, HELD, LADEN, LIGHT, PAGE, ROLES, Population
from benchmarks.models import IntegerClaim, QuietClaim, RolelessClaim
from benchmarks.report import Section, Verdict
from benchmarks.settings import as_without_us, bound_to, on_database
from benchmarks.subjects import make
from benchmarks.timing import Samples, Spread, Task, interleave
from fsm_lifecycle.access.answers import keeping_answers

#: The most permission queries of a page, and how much dearer many grants may make anything.
QUERIES = 2
MANY_GRANTS = 1.2

OURS = "available_events() of each"
IN_A_REQUEST = "the same in a request"
NO_ROLES = "the same, a model without roles"
HAS_PERM = "guardian: has_perm() of one permission each"
CHECKER = "guardian: ObjectPermissionChecker, prefetch_perms()"

#: The light user on a model with no other grants.
QUIET = "quiet"
DECIDE = "decide() on one record"
SHOW = f"a page of {PAGE} with all events"
_DECISIONS = 20


class WrongEvents(AssertionError):
    """The events of a page are not those that the roles on its records give."""


def measure(aliases: Sequence[str], rounds: int, populations: Mapping[str, Population]) -> list[Section]:
    """The page, and the user with many grants."""
    ways = {alias: _ways(alias) for alias in aliases}
    loads = {alias: _by_load(alias) for alias in aliases}
    tasks = {
        f"{alias} {name}": task
        for group in (ways, loads)
        for alias, found in group.items()
        for name, task in found.items()
    }
    gc.freeze()  # so that collecting before each task is quick
    try:
        samples = interleave(tasks, rounds)
    finally:
        gc.unfreeze()
    most = max(population.rows for population in populations.values())
    return [_page(aliases, ways, samples), _many_grants(aliases, samples, most)]


def _ways(alias: str) -> dict[str, Task]:
    with on_database(alias):
        loaded = User.objects.get(username=BUSY)
        readable = IntegerClaim.objects.visible_to(loaded)
        keys = list(readable.order_by("-pk").values_list("pk", flat=True)[:PAGE])
        make(RolelessClaim, len(keys))

    def user() -> User:
        """As a request loads it."""
        return copy.copy(loaded)

    def page() -> list[Any]:
        return list(IntegerClaim.objects.filter(pk__in=keys).order_by("-pk"))

    def events() -> list[list[str]]:
        actor = user()
        return [[event.name for event in record.available_events(actor)] for record in page()]

    def events_in_a_request() -> list[list[str]]:
        with keeping_answers():
            return events()

    def events_without_roles() -> None:
        actor = user()
        for record in RolelessClaim.objects.order_by("-pk")[: len(keys)]:
            record.available_events(actor)

    def has_perm() -> None:
        asker = user()
        for record in page():
            asker.has_perm("role_examiner", record)

    def checker() -> list[list[str]]:
        records: Any = page()
        known = ObjectPermissionChecker(user())
        known.prefetch_perms(records)
        return [[role for role in ROLES if known.has_perm(f"role_{role}", record)] for record in records]

    roles: list[list[str]] = []
    as_without_us(alias, _once(lambda: roles.extend(checker())))()
    expected = [_events_of(held) for held in roles]
    for ask in (events, events_in_a_request):
        with on_database(alias):
            if (found := ask()) != expected or not any(found):
                raise WrongEvents(f"{alias}: {found} instead of {expected}.")
    return {
        OURS: bound_to(alias, _once(events)),
        IN_A_REQUEST: bound_to(alias, _once(events_in_a_request)),
        NO_ROLES: bound_to(alias, _once(events_without_roles)),
        HAS_PERM: as_without_us(alias, _once(has_perm)),
        CHECKER: as_without_us(alias, _once(checker)),
    }


def _events_of(roles: Sequence[str]) -> list[str]:
    """What these roles may do to a claim that is filed, in the order of the table."""
    allowed = {
        "owner": {"withdraw"},
        "examiner": {"examine", "reject"},
        "approver": {"reject"},
        "manager": {"examine"},
    }
    may = set().union(*(allowed.get(role, set()) for role in roles))
    return [event for event in ("examine", "reject", "withdraw") if event in may]


def _by_load(alias: str) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    cases: list[tuple[str, str, Any]] = [
        (LADEN, LADEN, IntegerClaim),
        (LIGHT, LIGHT, IntegerClaim),
        (QUIET, LIGHT, QuietClaim),
    ]
    with on_database(alias):
        for case, name, model in cases:
            user = User.objects.get(username=name)
            page = model.objects.order_by("-pk")[:PAGE]
            may = [record for record in page if record.can_fire("examine", user)]
            if len(may) != HELD:
                raise WrongEvents(f"{alias}: {name} may examine {len(may)} of the page.")
            record = model.objects.get(pk=may[0].pk)
            tasks[f"{DECIDE}, {case}"] = bound_to(alias, _decide(record, user))
            tasks[f"{SHOW}, {case}"] = bound_to(alias, _show(model, user))
    return tasks


def _decide(record: Any, user: User) -> Task:
    def run() -> int:
        for _ in range(_DECISIONS):
            record.decide("examine", user)
        return _DECISIONS

    return run


def _show(model: Any, user: User) -> Task:
    def run() -> int:
        for record in model.objects.order_by("-pk")[:PAGE]:
            record.available_events(user)
        return 1

    return run


def _once(work: Callable[[], Any]) -> Task:
    def run() -> int:
        work()
        return 1

    return run


def _page(
    aliases: Sequence[str], ways: Mapping[str, Mapping[str, Task]], samples: Mapping[str, Samples]
) -> Section:
    rows, verdicts = [], []
    for alias in aliases:
        where = _where(alias)
        one_by_one, prefetched = samples[f"{alias} {HAS_PERM}"], samples[f"{alias} {CHECKER}"]
        for way, task in ways[alias].items():
            mine = samples[f"{alias} {way}"]
            asked = _statements(alias, task) - 1  # the one that loads the page
            rows.append(
                [
                    f"{where}, {way}",
                    str(asked),
                    _milliseconds(mine),
                    str(mine.ratio_to(one_by_one)),
                    str(mine.ratio_to(prefetched)),
                ]
            )
            if way in (OURS, IN_A_REQUEST):
                what = f"permission queries of a page of {PAGE}: {way}"
                verdicts.append(
                    Verdict(target=what, where=where, limit=QUERIES, measured=Spread.of([asked]), unit="")
                )
    return Section(
        title=f"A page of {PAGE} records with their events",
        about=(
            "Records that the busy user may read, loaded with one statement, which is not counted. Ours decide on "
            "states, guards and roles; guardian answers for roles alone: one permission of each record in a loop, or "
            f"all {len(ROLES)} roles of each once they are prefetched."
        ),
        columns=["way", "permission queries", "ms", "× has_perm()", "× prefetched"],  # noqa: RUF001
        rows=rows,
        verdicts=verdicts,
    )


def _many_grants(aliases: Sequence[str], samples: Mapping[str, Samples], most: int) -> Section:
    rows, verdicts = [], []
    for alias in aliases:
        for what in (DECIDE, SHOW):
            laden, light, quiet = (samples[f"{alias} {what}, {case}"] for case in (LADEN, LIGHT, QUIET))
            own, of_others = laden.ratio_to(light), light.ratio_to(quiet)
            rows.append(
                [
                    f"{_where(alias)}, {what}",
                    *(_milliseconds(found) for found in (laden, light, quiet)),
                    str(own),
                    str(of_others),
                ]
            )
            for target, ratio in (
                (f"{what}: {most:,} grants against {HELD}", own),
                (f"{what}: others have many grants, against none", of_others),
            ):
                verdicts.append(
                    Verdict(target=target, where=_where(alias), limit=MANY_GRANTS, measured=ratio)
                )
    return Section(
        title=f"A user with {most:,} grants on records",
        about=(
            f"Beside a user with {HELD}, on the same model; and that user on a model where nobody else has any. On the "
            f"page, and so on the record that is decided on, all hold {HELD}. Outside a request, so that each "
            "decision asks the database."
        ),
        columns=[
            "question",
            f"ms, {most:,} grants",
            f"ms, {HELD} grants",
            f"ms, {HELD} and no others",
            "by own grants",
            "by others' grants",
        ],
        rows=rows,
        verdicts=verdicts,
    )


def _statements(alias: str, task: Task) -> int:
    with CaptureQueriesContext(connections[alias]) as captured:
        task()
    return len(captured)


def _where(alias: str) -> str:
    return LABELS[alias].partition(",")[0]


def _milliseconds(samples: Samples) -> str:
    return f"{samples.wall_spread().median * 1000:.2f}"
