"""Canonical bytes: the one form of a value, the way back, and what is refused."""

import ast
import datetime as dt
import decimal
import math
import sys
import uuid
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm_lifecycle.ledger import canonical, hashing
from fsm_lifecycle.ledger.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    Json,
    RecordRef,
    canon,
    dump,
    plain,
    restore,
)
from tests.vectors import generate

pytestmark = pytest.mark.pure

UUID = uuid.UUID("1b4e28ba-2fa1-11d2-883f-0016d3cca427")
OSLO = ZoneInfo("Europe/Oslo")


# One value for each name in tests/vectors/tagged.json.
VALUES: dict[str, object] = {
    "decimal": decimal.Decimal("1.50"),
    "decimal with an exponent": decimal.Decimal("1E+5"),
    "negative zero as decimal": decimal.Decimal("-0.00"),
    "datetime": dt.datetime(2026, 11, 20, 9, 38, tzinfo=dt.UTC),
    "datetime of another zone": dt.datetime(2026, 11, 20, 9, 38, 0, 123456, tzinfo=OSLO),
    "datetime of an early year": dt.datetime(987, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    "date": dt.date(2026, 11, 20),
    "time": dt.time(9, 38),
    "time with microseconds": dt.time(23, 59, 59, 999999),
    "duration": dt.timedelta(seconds=90, microseconds=1),
    "negative duration": dt.timedelta(microseconds=-1),
    "longest duration": dt.timedelta.max,
    "uuid": UUID,
    "float": 0.1,
    "whole float": 1.0,
    "large float": 1e22,
    "negative zero as float": -0.0,
    "integer beyond the range": 2**53,
    "negative integer beyond the range": -(2**53),
    "bytes": b"\x00\xff\xfe",
    "bytes without padding": b"\x00",
    "no bytes": b"",
    "record": RecordRef("billing.invoice", "7"),
    "record with a uuid": RecordRef("billing.contract", str(UUID)),
    "user key with a dollar": {"$decimal": "1.50"},
    "user key with two dollars": {"$$": {"$a": 1, "b$": 2}},
}


def by_name(rows: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in rows]


# --- golden vectors -----------------------------------------------------------------------------------------


def test_checked_in_vectors_are_those_the_generator_makes() -> None:
    for name, rows in generate.vectors().items():
        assert (generate.HERE / name).read_text(encoding="utf-8") == generate.text_of(rows), name


@pytest.mark.parametrize("row", by_name(generate.read("canonical.json") + generate.read("tagged.json")))
def test_a_tree_has_the_bytes_of_its_vector(row: dict[str, Any]) -> None:
    expected = row["canonical"].encode()
    assert dump(row["tree"]) == expected
    assert rfc8785.dumps(row["tree"]) == expected


@pytest.mark.parametrize("row", by_name(generate.read("canonical.json")))
def test_a_value_of_json_types_is_its_own_tree_but_for_tags(row: dict[str, Any]) -> None:
    assert plain(row["tree"]) == row["tree"] or row["name"] == "nested"


@pytest.mark.parametrize("row", by_name(generate.read("tagged.json")))
def test_a_tagged_value_has_the_bytes_of_its_vector_and_comes_back(row: dict[str, Any]) -> None:
    value = VALUES[row["name"]]
    assert canon(value) == row["canonical"].encode()
    assert restore(row["tree"]) == value
    assert type(restore(row["tree"])) is type(value)


def test_every_tag_has_a_vector() -> None:
    assert {row["name"] for row in generate.read("tagged.json")} == set(VALUES)


# --- an independent implementation as oracle ----------------------------------------------------------------

# Where the order by code point and the order by UTF-16 unit disagree, and the characters that need escapes.
awkward = st.text(
    st.sampled_from('a$"\\/\b\x00\x1f\x7f\u2028\ud7ff\ue000\uffff\U00010000\U0010ffff'), max_size=4
)
texts = st.text() | awkward
trees: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=400)
@given(trees)
@example({"\ufb33": 1, "\U0001f600": 2})
@example([{"a": {"\uffff": 1, "\U00010000": "\U00010000"}}])
def test_dump_agrees_with_rfc8785(tree: Json) -> None:
    assert dump(tree) == rfc8785.dumps(tree)
    assert dump(tree) == generate.canonical(tree).encode()


# --- round trip ---------------------------------------------------------------------------------------------

good_texts = texts.filter(lambda text: "\0" not in text)
# Fixed offsets only: a time in an hour that daylight saving skips or repeats equals no time of another zone.
zones = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-9, minutes=-30))])
values: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | good_texts
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.binary()
    | st.builds(RecordRef, good_texts, good_texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(good_texts, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=400)
@given(values)
@example(2**53)
@example(-0.0)
@example({"$decimal": "1"})
@example({"$$a": {"$b": [{"$int": 5}]}})
def test_what_plain_makes_restore_undoes(value: object) -> None:
    tree = plain(value)
    assert restore(tree) == value
    assert plain(restore(tree)) == tree
    assert dump(tree) == rfc8785.dumps(tree)


@given(st.datetimes(dt.datetime(2, 1, 1), timezones=st.just(OSLO)))  # noqa: DTZ001
@example(dt.datetime(2000, 3, 26, 2, tzinfo=OSLO))
@example(dt.datetime(2026, 10, 25, 2, 30, tzinfo=OSLO, fold=1))
def test_a_datetime_of_any_zone_comes_back_in_utc(moment: dt.datetime) -> None:
    assert restore(plain(moment)) == moment.astimezone(dt.UTC)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_every_bit(number: float) -> None:
    back = restore(plain(number))
    assert isinstance(back, float)
    assert (back, math.copysign(1, back)) == (number, math.copysign(1, number))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_its_digits_whatever_the_context(number: decimal.Decimal) -> None:
    with decimal.localcontext(decimal.Context(prec=2, capitals=0)):
        tree = plain(number)
    back = restore(tree)
    assert isinstance(back, decimal.Decimal)
    assert back.as_tuple() == number.as_tuple()
    assert tree == plain(number)


# --- restoring ----------------------------------------------------------------------------------------------


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_as_many_levels_as_allowed_are_recorded_and_come_back() -> None:
    deepest = nested(MAX_DEPTH)
    assert restore(plain(deepest)) == deepest


@pytest.mark.parametrize(
    "tree",
    [
        {"$unknown": 1},
        {"$": 1},
        {"$a": 1, "b": 2},
        {"a": 2, "$decimal": "1"},
        {"$decimal": 1},
        {"$decimal": "01"},
        {"$decimal": "NaN"},
        {"$decimal": "1e5"},
        {"$decimal": "x"},
        {"$datetime": "2026-11-20T09:38:00Z"},
        {"$datetime": "2026-11-20T09:38:00.000000"},
        {"$datetime": "2026-11-20T09:38:00.000000+00:00"},
        {"$date": "20261120"},
        {"$time": "09:38"},
        {"$duration": True},
        {"$duration": "1"},
        {"$duration": {"$int": "5"}},
        {"$duration": {}},
        {"$duration": 10**30},
        {"$uuid": str(UUID).upper()},
        {"$uuid": 5},
        {"$float": "1"},
        {"$float": "nan"},
        {"$float": "1e400"},
        {"$int": "5"},
        {"$int": 2**60},
        {"$int": " 9007199254740992"},
        {"$bytes": "AA=="},
        {"$bytes": "A"},
        {"$bytes": "AB"},
        {"$bytes": "+/"},
        {"$bytes": None},
        {"$record": "a.b"},
        {"$record": "ab"},
        {"$record": ["a.b"]},
        {"$record": ["a.b", 1]},
        {"$record": ["a.b", "1", "2"]},
        2**53,
        "\0",
        "\ud800",
        {"\0": 1},
        nested(MAX_DEPTH + 1),
        [0.5],
    ],
    ids=repr,
)
def test_a_tree_that_no_value_has_is_not_restored(tree: Any) -> None:
    with pytest.raises(ValueError, match=r"tag|number|text|nests"):
        restore(tree)


def test_the_byte_layer_needs_the_standard_library_alone() -> None:
    folder = Path(canonical.__file__).parent
    assert Path(hashing.__file__).parent == folder
    for name in ("recordable", "canonical", "hashing", "strict_json", "body"):
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                own = node.level == 1 and module in {"recordable", "canonical", "hashing", "strict_json"}
                assert own or module.partition(".")[0] in sys.stdlib_module_names
