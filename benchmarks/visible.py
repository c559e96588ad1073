"""Which records a user may see: `visible_to`, guardian's `get_objects_for_user`, and SQL by hand.

Must not know how the grants came into the tables.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connections, models
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import get_objects_for_user

from benchmarks.databases import LABELS
from benchmarks.grants import BUSY, FEW, KINDS, NONE, PAGE, READERS, WIDE, Population
from benchmarks.report import Section, Verdict
from benchmarks.settings import as_without_us, bound_to, on_database
from benchmarks.timing import Samples, Spread, Task, interleave
from fsm_lifecycle.access.answers import keeping_answers

#: The most that `visible_to` may cost, as a multiple of guardian's function; and how many statements.
TARGET = 1.0
STATEMENTS = 1

OURS = "visible_to()"
IN_A_REQUEST = "visible_to() in a request"
GUARDIAN = "guardian"
BY_HAND = "SQL by hand"
COUNT, FIRST_PAGE = "count", "first page"

_PEOPLE = (BUSY, FEW, NONE, WIDE)
_OF_OURS = (OURS, IN_A_REQUEST)


@dataclass(frozen=True)
class _Case:
    """One question of one user, asked one way."""

    alias: str
    kind: str
    user: str
    way: str
    question: str

    def __str__(self) -> str:
        return f"{self.alias} {self.kind} {self.user} {self.way} {self.question}"


class WrongAnswer(AssertionError):
    """A way does not see the records that it has to see."""


def measure(aliases: Sequence[str], rounds: int, populations: Mapping[str, Population]) -> list[Section]:
    """One section per database."""
    tasks: dict[_Case, Task] = {}
    statements: dict[_Case, int] = {}
    for alias in aliases:
        for kind, model in KINDS.items():
            for name in _PEOPLE:
                answers = set()
                for way, ask in _ways(alias, model, name).items():
                    bind = as_without_us if way == GUARDIAN else bound_to
                    for question in (COUNT, FIRST_PAGE):
                        case = _Case(alias, kind, name, way, question)
                        tasks[case] = bind(alias, _task(ask, question))
                        statements[case], answer = _asked(alias, bind, ask, question)
                        answers.add((question, answer))
                if len(answers) != 2 or (COUNT, populations[alias].visible[name]) not in answers:
                    raise WrongAnswer(f"{alias}, {kind}, {name}: the ways see {answers}.")
    gc.freeze()  # collecting before each of so many tasks would take longer than they do
    try:
        samples = interleave({str(case): task for case, task in tasks.items()}, rounds)
    finally:
        gc.unfreeze()
    return [
        _section(alias, {case: samples[str(case)] for case in tasks}, statements, populations[alias])
        for alias in aliases
    ]


#: Answers the two questions: how many, and the keys of the first page.
_Ask = Callable[[str], Any]


def _ways(alias: str, model: Any, name: str) -> dict[str, _Ask]:
    with on_database(alias):
        loaded = User.objects.get(username=name)

    def fresh() -> User:
        """As a request loads it: no permission is cached on it yet."""
        return copy.copy(loaded)

    def ours(question: str) -> Any:
        return _answer(model.objects.visible_to(fresh()), question)

    def in_a_request(question: str) -> Any:
        with keeping_answers():
            return ours(question)

    def guardian(question: str) -> Any:
        readable = get_objects_for_user(
            fresh(), [f"role_{role}" for role in READERS], klass=model, any_perm=True
        )
        return _answer(readable, question)

    return {
        OURS: ours,
        IN_A_REQUEST: in_a_request,
        GUARDIAN: guardian,
        BY_HAND: _by_hand(alias, model, loaded.pk),
    }


def _answer(readable: models.QuerySet[Any], question: str) -> Any:
    if question == COUNT:
        return readable.count()
    return tuple(record.pk for record in readable.order_by("-pk")[:PAGE])


def _by_hand(alias: str, model: Any, user: int) -> _Ask:
    """First whether the user may see all, then one statement for all or for the granted."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    with on_database(alias):
        kind = ContentType.objects.get_for_model(model).pk
        codenames = [f"role_{role}" for role in READERS]
        found = Permission.objects.filter(content_type_id=kind, codename__in=codenames)
        ids = ", ".join(str(pk) for pk in found.values_list("pk", flat=True))
    groups = f"SELECT group_id FROM auth_user_groups WHERE user_id = {user}"
    wide = (
        f"SELECT 1 FROM auth_user u WHERE u.id = {user} AND u.is_active AND (u.is_superuser"
        f" OR EXISTS (SELECT 1 FROM auth_user_user_permissions WHERE user_id = {user} AND permission_id IN ({ids}))"
        f" OR EXISTS (SELECT 1 FROM auth_group_permissions WHERE permission_id IN ({ids}) AND group_id IN ({groups})))"
    )
    key = _cast(connection.vendor, model._meta.pk)
    granted = " UNION ALL ".join(
        f"SELECT {key} FROM guardian_{holder}objectpermission WHERE {held}"
        f" AND content_type_id = {kind} AND permission_id IN ({ids})"
        for holder, held in (("user", f"user_id = {user}"), ("group", f"group_id IN ({groups})"))
    )
    table = quote(model._meta.db_table)
    columns = ", ".join(quote(f.column) for f in model._meta.concrete_fields)
    some = f" WHERE id IN ({granted})"

    def ask(question: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(wide)
            where = "" if cursor.fetchone() else some
            if question == COUNT:
                cursor.execute(f"SELECT COUNT(*) FROM {table}{where}")
                return cursor.fetchone()[0]
            cursor.execute(f"SELECT {columns} FROM {table}{where} ORDER BY id DESC LIMIT {PAGE}")
            place = model._meta.concrete_fields.index(model._meta.pk)
            return tuple(model._meta.pk.to_python(row[place]) for row in cursor.fetchall())

    return ask


def _cast(vendor: str, key: models.Field[Any, Any]) -> str:
    if isinstance(key, models.UUIDField):
        return "object_pk::uuid" if vendor == "postgresql" else "REPLACE(object_pk, '-', '')"
    return "CAST(object_pk AS bigint)" if isinstance(key, models.IntegerField) else "object_pk"


def _task(ask: _Ask, question: str) -> Task:
    def run() -> int:
        ask(question)
        return 1

    return run


def _asked(alias: str, bind: Callable[[str, Task], Task], ask: _Ask, question: str) -> tuple[int, Any]:
    """How many statements a question sends once everything is warm, and the answer."""
    answers: list[Any] = []

    def run() -> int:
        answers.append(ask(question))
        return 1

    task = bind(alias, run)
    if question == COUNT:  # asked first: it fills what is kept per process, as content types are
        task()
    with CaptureQueriesContext(connections[alias]) as captured:
        task()
    return len(captured), answers[-1]


def _section(
    alias: str, samples: Mapping[_Case, Samples], statements: Mapping[_Case, int], population: Population
) -> Section:
    rows, verdicts = [], []
    where = LABELS[alias].partition(",")[0]
    for kind in KINDS:
        for name in _PEOPLE:
            for way in _OF_OURS:
                row = [f"{kind}, {name}, {way.removeprefix(OURS).strip() or 'alone'}"]
                for question in (COUNT, FIRST_PAGE):
                    mine = _Case(alias, kind, name, way, question)
                    theirs = _Case(alias, kind, name, GUARDIAN, question)
                    floor = _Case(alias, kind, name, BY_HAND, question)
                    ratio = samples[mine].ratio_to(samples[theirs])
                    row += [
                        f"{statements[mine]} / {statements[theirs]}",
                        _milliseconds(samples[mine]),
                        _milliseconds(samples[theirs]),
                        str(ratio),
                        f"{samples[mine].ratio_to(samples[floor]).median:.2f}",
                    ]
                    if name == BUSY and way == OURS:
                        what = f"{OURS}: {question}, {kind} keys"
                        verdicts.append(
                            Verdict(
                                target=f"{what}, against guardian", where=where, limit=TARGET, measured=ratio
                            )
                        )
                rows.append(row)
    sent = [float(count) for case, count in statements.items() if case.way == OURS and case.alias == alias]
    verdicts.append(
        Verdict(
            target=f"{OURS}: the most statements",
            where=where,
            limit=STATEMENTS,
            measured=_always(max(sent)),
            unit="",
        )
    )
    seen = population.visible
    return Section(
        title=f"Which records a user may see, on {where}",
        about=(
            f"{population.rows:,} records per kind of key. The busy user may read {seen[BUSY]:,} of them, by own "
            f"grants and through three groups; another {seen[FEW]}, another none, and one all, by a role on the model. "
            "Alone: outside a request; in a request: with the middleware, where this is the first question. "
            "guardian: `get_objects_for_user` for the five roles that give READ with `any_perm=True`, otherwise its "
            "defaults, in a project with Django's and guardian's backends alone. By hand: one statement for the "
            "model-wide part, one for the records, permission ids known, nothing made of the rows. Statements are "
            "ours / guardian's; the first page is the newest 50 as instances."
        ),
        columns=[
            "keys, user, way",
            "count: statements",
            "ms",
            "guardian's ms",
            "× guardian",  # noqa: RUF001
            "× by hand",  # noqa: RUF001
            "first page: statements",
            "ms",
            "guardian's ms",
            "× guardian",  # noqa: RUF001
            "× by hand",  # noqa: RUF001
        ],
        rows=rows,
        verdicts=verdicts,
    )


def _always(value: float) -> Spread:
    return Spread(median=value, low=value, high=value)


def _milliseconds(samples: Samples) -> str:
    return f"{samples.wall_spread().median * 1000:.1f}"
