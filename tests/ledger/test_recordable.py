"""Recordable values: what each type becomes, what is refused, and how a refusal names the place."""

import datetime as dt
import decimal
import enum
import math
import pickle
import uuid
from collections import OrderedDict, namedtuple
from types import MappingProxyType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils.datastructures import MultiValueDict
from django.utils.functional import SimpleLazyObject, lazystr
from django.utils.safestring import mark_safe

from fsm_lifecycle.ledger.canonical import canon
from fsm_lifecycle.ledger.recordable import MAX_DEPTH, Json, Unrecordable, plain

pytestmark = pytest.mark.pure

UUID = uuid.UUID("1b4e28ba-2fa1-11d2-883f-0016d3cca427")
OSLO = ZoneInfo("Europe/Oslo")
Point = namedtuple("Point", "x y")


class Text(str):
    """Like a State: a str that presents itself differently."""

    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


class Colour(str, enum.Enum):  # noqa: UP042 - as Django's TextChoices
    RED = "red"

    def __str__(self) -> str:
        return "not this"


class Level(enum.IntEnum):
    HIGH = 3


class Plain(enum.Enum):
    PAIR = (1, "a")


class Odd(enum.Enum):
    NUMBER = math.nan


class Whole(int):
    def __repr__(self) -> str:
        return "not this"


class FakeRecord:
    """Has what a Django model instance has, as far as the log looks."""

    def __init__(self, label: str, pk: object) -> None:
        own = SimpleNamespace(label_lower=label, concrete_model=None)
        concrete = SimpleNamespace(_meta=own)
        # A proxy's own label differs from that of its concrete model, which is the one to record.
        self._meta = SimpleNamespace(label_lower="app.proxy", concrete_model=concrete)
        self.pk = pk


# --- types --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "tree"),
    [
        (Text("draft"), "draft"),
        (mark_safe("<b>"), "<b>"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Plain.PAIR, [1, "a"]),
        (Whole(7), 7),
        (Whole(2**60), {"$int": str(2**60)}),
        (True, True),
        ({"on": False}, {"on": False}),
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ({Text("key"): 1, Colour.RED: 2}, {"key": 1, "red": 2}),
        ({Text("$key"): 1}, {"$$key": 1}),
        (bytearray(b"\xff"), {"$bytes": "_w"}),
        (memoryview(b"\xff"), {"$bytes": "_w"}),
        (lazystr("later"), "later"),
        (SimpleLazyObject(lambda: "later"), "later"),
        (SimpleLazyObject(lambda: decimal.Decimal("1.0")), {"$decimal": "1.0"}),
        (SimpleLazyObject(lambda: FakeRecord("auth.user", 7)), {"$record": ["auth.user", "7"]}),
        (FakeRecord("billing.invoice", 7), {"$record": ["billing.invoice", "7"]}),
        (FakeRecord("billing.invoice", Whole(7)), {"$record": ["billing.invoice", "7"]}),
        (FakeRecord("billing.invoice", UUID), {"$record": ["billing.invoice", str(UUID)]}),
        (FakeRecord("billing.invoice", Text("Case 1 ")), {"$record": ["billing.invoice", "Case 1 "]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_subclass_or_stand_in_is_recorded_as_what_it_stands_for(value: object, tree: Json) -> None:
    found = plain(value)
    assert found == tree
    assert type(found) is type(tree)


def test_plain_text_is_of_the_exact_type() -> None:
    [(key, text)] = plain({Text("key"): Text("draft")}).items()  # type: ignore[union-attr]
    assert type(key) is str
    assert type(text) is str


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    first = dt.datetime(2026, 10, 25, 2, 30, tzinfo=OSLO)
    assert plain(first) == {"$datetime": "2026-10-25T00:30:00.000000Z"}
    assert plain(first.replace(fold=1)) == {"$datetime": "2026-10-25T01:30:00.000000Z"}


# --- refusals -----------------------------------------------------------------------------------------------


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def in_objects(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


circular: list[Any] = []
circular.append({"again": circular})

REFUSED: list[tuple[str, object, str, str]] = [
    ("NaN", {"price": math.nan}, ".price", "not a finite number"),
    ("infinity", {"lines": [1, {"price": math.inf}]}, ".lines[1].price", "not a finite number"),
    ("negative infinity", [-math.inf], "[0]", "not a finite number"),
    ("decimal NaN", [decimal.Decimal("NaN")], "[0]", "not a finite number"),
    ("signalling NaN", [decimal.Decimal("sNaN")], "[0]", "not a finite number"),
    ("decimal infinity", (decimal.Decimal("-Infinity"),), "[0]", "not a finite number"),
    ("naive datetime", {"at": dt.datetime(2026, 1, 1)}, ".at", "no time zone"),  # noqa: DTZ001
    (
        "datetime out of range",
        {"at": dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1)))},
        ".at",
        "outside the years",
    ),
    ("time with a zone", {"at": dt.time(1, tzinfo=dt.UTC)}, ".at", "time zone but no date"),
    ("set", {"tags": {"a"}}, ".tags", "set has no order"),
    ("frozen set", {"tags": frozenset("a")}, ".tags", "frozenset has no order"),
    ("integer key", {"by_id": {7: "x"}}, ".by_id", "has the key 7 (int)"),
    ("null key", {None: "x"}, "", "has the key None (NoneType)"),
    ("U+0000", {"note": "a\0b"}, ".note", "U+0000"),
    (
        "U+0000 in a key",
        {"note": {"a\0": 1}},
        ".note",
        r"its key 'a\x00' is not valid text: it contains U+0000",
    ),
    ("U+0000 in a str subclass", [Text("a\0")], "[0]", "U+0000"),
    ("lone surrogate", {"note": "\ud800"}, ".note", "lone surrogate"),
    ("surrogate pair in pieces", {"note": "\ud83d\ude00"}, ".note", "lone surrogate"),
    ("lone surrogate in a key", {"\udfff": 1}, "", r"its key '\udfff' is not valid text: it contains a lone"),
    ("too deep", nested(MAX_DEPTH + 1), "[0]" * MAX_DEPTH, "more than 64 levels"),
    ("too deep by objects", in_objects(MAX_DEPTH + 1), ".a" * MAX_DEPTH, "more than 64 levels"),
    ("circular", circular, "[0].again" * (MAX_DEPTH // 2), "more than 64 levels"),
    ("object", {"thing": object()}, ".thing", "type object has no form"),
    ("class", {"thing": FakeRecord}, ".thing", "type type has no form"),
    ("function", [print], "[0]", "type builtin_function_or_method has no form"),
    ("generator", {"rows": iter([])}, ".rows", "has no form"),
    ("range", {"rows": range(2)}, ".rows", "type range has no form"),
    ("several values for a key", {"form": MultiValueDict({"a": ["1", "2"]})}, ".form", "several values"),
    ("complex number", {"z": 1j}, ".z", "type complex has no form"),
    ("huge integer", {"n": 10**5000}, ".n", "more digits"),
    (
        "unsaved record",
        {"client": FakeRecord("crm.client", None)},
        ".client",
        "crm.client has no primary key",
    ),
    (
        "record with a float key",
        [FakeRecord("crm.client", 1.0)],
        "[0]",
        "primary key of crm.client is a float",
    ),
    (
        "record with a true key",
        [FakeRecord("crm.client", True)],
        "[0]",
        "primary key of crm.client is a bool",
    ),
    ("record with U+0000 in its key", [FakeRecord("crm.client", "\0")], "[0]", "U+0000"),
    ("form-like object", {"form": SimpleNamespace(_meta=SimpleNamespace())}, ".form", "has no form"),
    ("odd key", {"odd key": {"a-b": {"ok": math.nan}}}, '["odd key"]["a-b"].ok', "not a finite number"),
    ("user key with a dollar", {"$ref": math.nan}, '["$ref"]', "not a finite number"),
    (
        "bad enumeration",
        [MappingProxyType({"a": Odd.NUMBER})],
        "[0].a",
        "finite",
    ),
]


@pytest.mark.parametrize(("value", "step", "why"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_a_value_without_canonical_form_is_refused_by_place(value: object, step: str, why: str) -> None:
    with pytest.raises(Unrecordable) as caught:
        plain(value, "arguments")
    assert caught.value.place == "arguments" + step
    assert why in caught.value.why
    assert str(caught.value) == (
        f"{caught.value.place} cannot be recorded: {caught.value.why}. {caught.value.remedy}."
    )


@pytest.mark.parametrize(("value", "step", "why"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_canon_refuses_the_same(value: object, step: str, why: str) -> None:
    with pytest.raises(Unrecordable) as caught:
        canon(value)
    assert caught.value.place == "value" + step


def test_the_message_does_not_repeat_the_value() -> None:
    with pytest.raises(Unrecordable) as caught:
        plain({"iban": "NO93\0"}, "arguments")
    assert "NO93" not in str(caught.value)


def test_a_refusal_survives_pickling() -> None:
    with pytest.raises(Unrecordable) as caught:
        plain(math.nan, "arguments.amount")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.place == "arguments.amount"
