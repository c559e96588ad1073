"""The records and grants that access is measured on: many rows, written past every package.

Each model has the same people with the same grants: some on one record, some through groups, some of a role that
does not let one read, and grants of others that must not be seen. Must not know what is asked about them.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connections, models
from guardian.models import GroupObjectPermission, UserObjectPermission

from benchmarks.models import IntegerClaim, QuietClaim, TextClaim, UuidClaim
from benchmarks.settings import CurrentDatabase, on_database
from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role

#: The models by what their keys are called in tables.
KINDS: dict[str, type[models.Model]] = {"integer": IntegerClaim, "UUID": UuidClaim, "text": TextClaim}

READERS = ("owner", "examiner", "approver", "auditor", "manager")
"""The roles that let one read; a cashier may not."""
ROLES = (*READERS, "cashier")

BUSY, FEW, NONE, WIDE = "busy", "few", "none", "wide"
LADEN, LIGHT = "laden", "light"
PAGE = 50
#: How many records of a page the laden and the light user hold, and how many the light one holds at all.
HELD = 10

_OTHERS = 10
_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Population:
    """What one model has in one database."""

    rows: int
    visible: dict[str, int]
    """By user: how many records that user may read."""


@dataclass(frozen=True)
class _Grant:
    holder: int
    role: str
    key: Any


def populate(alias: str, rows: int) -> Population:
    """Fill every model of `KINDS` with `rows` records and the grants on them. Once per database."""
    with on_database(alias):
        people = {name: User.objects.create(username=name) for name in (BUSY, FEW, NONE, WIDE, LADEN, LIGHT)}
        teams = {
            name: Group.objects.create(name=name) for name in ("first", "second", "third", "small", "idle")
        }
        people[BUSY].groups.add(teams["first"], teams["second"], teams["third"])
        people[FEW].groups.add(teams["small"])
        people[NONE].groups.add(teams["idle"])
        others = [User.objects.create(username=f"other {number}") for number in range(_OTHERS)]
        crews = [Group.objects.create(name=f"crew {number}") for number in range(_OTHERS)]
        for other, crew in zip(others, crews, strict=True):
            other.groups.add(crew)
        dice = random.Random(1)
        visible = rows * 109 // 1000
        for model in KINDS.values():
            grant_role(people[WIDE], "auditor", on=model, by=System("benchmark"))
            keys = _insert_records(model, rows, dice)
            own, through = _busy(people[BUSY], teams, dice.sample(keys, visible * 13 // 10), visible)
            few = dice.sample(keys, min(10, rows))
            half = len(few) // 2
            own += [_Grant(people[FEW].pk, "owner", key) for key in few[:half]]
            through += [_Grant(teams["small"].pk, "auditor", key) for key in few[half:]]
            for other, crew in zip(others, crews, strict=True):
                own += _some(other.pk, keys, dice)
                through += _some(crew.pk, keys, dice)
            if model is IntegerClaim:
                own += _laden_and_light(people, keys)
            _insert_grants(model, UserObjectPermission, "user_id", own)
            _insert_grants(model, GroupObjectPermission, "group_id", through)
        quiet = _insert_records(QuietClaim, PAGE, dice)[:HELD]
        _insert_grants(
            QuietClaim,
            UserObjectPermission,
            "user_id",
            [_Grant(people[LIGHT].pk, "examiner", key) for key in quiet],
        )
        _settle(alias)
    return Population(rows=rows, visible={BUSY: visible, FEW: len(few), NONE: 0, WIDE: rows})


def _busy(
    user: User, teams: dict[str, Group], keys: Sequence[Any], visible: int
) -> tuple[list[_Grant], list[_Grant]]:
    """Grants on `visible` records, nearly half of them the user's own, some double; and some that show nothing."""
    first = visible * 46 // 100
    double = visible * 14 // 100
    own = [_Grant(user.pk, READERS[number % 3], key) for number, key in enumerate(keys[:first])]
    through = [
        _Grant(teams[("first", "second")[number % 2]].pk, READERS[2 + number % 3], key)
        for number, key in enumerate(keys[first:visible])
    ]
    own += [_Grant(user.pk, "manager", key) for key in keys[:double]]
    through += [_Grant(teams["third"].pk, "examiner", key) for key in keys[:double]]
    unseen = keys[visible:]
    own += [_Grant(user.pk, "cashier", key) for key in unseen[::2]]
    through += [_Grant(teams["third"].pk, "cashier", key) for key in unseen[1::2]]
    return own, through


def _some(holder: int, keys: Sequence[Any], dice: random.Random) -> list[_Grant]:
    return [_Grant(holder, dice.choice(ROLES), key) for key in dice.sample(keys, len(keys) // 50)]


def _laden_and_light(people: dict[str, User], keys: Sequence[Any]) -> list[_Grant]:
    """One holds as many grants as there are records, one holds ten; of the newest page both hold the same ten."""
    newest, rest = keys[-PAGE:], keys[:-PAGE]
    laden, light = people[LADEN].pk, people[LIGHT].pk
    grants = [_Grant(holder, "examiner", key) for holder in (laden, light) for key in newest[:HELD]]
    grants += [_Grant(laden, "examiner", key) for key in rest]
    return grants + [_Grant(laden, "auditor", key) for key in rest[: PAGE - HELD]]


def _insert_records(model: type[models.Model], count: int, dice: random.Random) -> list[Any]:
    """One record by the package, and its row copied under other keys."""
    keys = _keys(model, count, dice)
    first = model(pk=keys[0], amount=Decimal("99.50"), client_name="Client")
    first.save(using=CurrentDatabase.alias)
    connection = connections[CurrentDatabase.alias]
    quote = connection.ops.quote_name
    pk: Any = model._meta.pk
    others = ", ".join(quote(str(f.column)) for f in model._meta.concrete_fields if f is not pk)
    key, table = quote(pk.column), quote(model._meta.db_table)
    with connection.cursor() as cursor:
        for portion in _portions(keys[1:]):
            marks = ", ".join(["(%s)"] * len(portion))
            prepared = [pk.get_db_prep_value(value, connection) for value in portion]
            cursor.execute(
                f"INSERT INTO {table} ({key}, {others}) SELECT k.column1, {others} "
                f"FROM (VALUES {marks}) k, {table} WHERE {key} = %s",
                [*prepared, pk.get_db_prep_value(keys[0], connection)],
            )
    return keys


def _keys(model: type[models.Model], count: int, dice: random.Random) -> list[Any]:
    if model is UuidClaim:
        return [uuid.UUID(int=dice.getrandbits(128), version=4) for _ in range(count)]
    if model is TextClaim:
        return [f"CLAIM-{number:08}" for number in range(count)]
    return list(range(1, count + 1))


def _insert_grants(
    model: type[models.Model], rows: type[models.Model], holder: str, grants: Iterable[_Grant]
) -> None:
    connection = connections[CurrentDatabase.alias]
    kind = ContentType.objects.get_for_model(model).pk
    ids = dict(Permission.objects.filter(content_type_id=kind).values_list("codename", "pk"))
    unique = {(grant.holder, ids[f"role_{grant.role}"], str(grant.key)) for grant in grants}
    with connection.cursor() as cursor:
        for portion in _portions(sorted(unique)):
            marks = ", ".join(["(%s, %s, %s, %s)"] * len(portion))
            cursor.execute(
                f"INSERT INTO {connection.ops.quote_name(rows._meta.db_table)} "
                f"({holder}, permission_id, object_pk, content_type_id) VALUES {marks}",
                [value for row in portion for value in (*row, kind)],
            )


def _portions(items: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while portion := list(islice(rest, _BATCH)):
        yield portion


def _settle(alias: str) -> None:
    """PostgreSQL would do this by itself sooner or later; in the middle of a measurement it should not."""
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
