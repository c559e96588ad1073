"""Bodies: salted fields, redaction that changes no hash, and readers that accept nothing else."""

import datetime as dt
import decimal
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm_lifecycle.ledger.body import (
    EMPTY,
    FIELD_NAMES,
    MAX_BYTES,
    BodyField,
    BodyMismatch,
    digests_of,
    hash_of,
    make_body,
    read_body,
    redacted,
)
from fsm_lifecycle.ledger.canonical import MAX_DEPTH, Unrecordable, canon, restore
from tests.vectors import generate

pytestmark = pytest.mark.pure

SALT = "zzgTck0JrSDzC1EiA7cN3A"
OTHER = "AAAAAAAAAAAAAAAAAAAAAA"
DIGEST = "b68cac20eaa882362eb0b2bb49bf127a3ebeacaa2b5baae91022f793e0ed826c"
TEXT = f'{{"actor":["{SALT}",{{"label":"Alice Ångström"}}]}}'
HASH = "a55a32539cf74a1a2770e6c496c7e1f5e17eed571bf1dd9a7e42dd81aa2e0c6c"


# --- writing ------------------------------------------------------------------------------------------------


def test_the_worked_example_comes_out_to_the_letter() -> None:
    assert make_body({"actor": {"label": "Alice Ångström"}}, {"actor": SALT}) == (TEXT, HASH)
    assert digests_of(TEXT) == {"actor": DIGEST}
    assert hash_of(TEXT) == HASH


@pytest.mark.parametrize("row", generate.read("bodies.json"), ids=lambda row: row["name"])
def test_a_body_has_the_digests_and_hash_of_its_vector(row: dict[str, Any]) -> None:
    assert digests_of(row["text"]) == row["digests"]
    assert hash_of(row["text"]) == row["hash"]
    fields = {field.name: field for field in read_body(row["text"]).values() if not field.redacted}
    if len(fields) == len(row["digests"]):
        salts = {name: field.salt or "" for name, field in fields.items()}
        made = make_body({name: field.value for name, field in fields.items()}, salts)
        assert made == (row["text"], row["hash"])


def test_a_body_without_fields_is_an_empty_object() -> None:
    assert make_body({}) == (EMPTY, generate.body_hash({}))
    assert hash_of("{}") == generate.body_hash({})
    assert dict(read_body("{}")) == {}
    assert digests_of("{}") == {}


def test_each_field_of_each_body_has_a_fresh_salt() -> None:
    bodies = [read_body(make_body({"reason": "same", "branch": "same"})[0]) for _ in range(50)]
    salts = {field.salt for body in bodies for field in body.values()}
    assert len(salts) == 100


def test_a_given_salt_is_used_and_the_others_are_fresh() -> None:
    body = read_body(make_body({"reason": "a", "branch": "b"}, {"reason": SALT})[0])
    assert body["reason"].salt == SALT
    assert body["branch"].salt not in {None, SALT}


good_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | good_texts | st.dates() | st.decimals("-1e9", "1e9", places=2)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(good_texts, inner, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(st.sampled_from(sorted(FIELD_NAMES)), values, max_size=4)


@settings(max_examples=200)
@given(bodies)
@example({"metadata": {"\U00010000": 1, "\uffff": {"$a": 2}}})
def test_a_body_reads_back_as_it_was_written(fields: dict[str, object]) -> None:
    text, hashed = make_body(fields)
    assert {name: field.value for name, field in read_body(text).items()} == fields
    tree = json.loads(text)
    assert text.encode() == rfc8785.dumps(tree)
    assert digests_of(text) == generate.field_digests(tree)
    assert hashed == hash_of(text) == generate.body_hash(generate.field_digests(tree))


def test_a_field_knows_its_salt_and_value() -> None:
    text, _ = make_body({"arguments": {"amount": decimal.Decimal("9.90")}}, {"arguments": SALT})
    assert read_body(text)["arguments"] == BodyField(
        name="arguments", salt=SALT, value={"amount": decimal.Decimal("9.90")}, redacted_digest=None
    )
    assert not read_body(text)["arguments"].redacted


def test_a_body_that_was_read_cannot_be_changed() -> None:
    body: Mapping[str, BodyField] = read_body(TEXT)
    with pytest.raises(TypeError):
        body["actor"] = body["actor"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"arguments": {"amount": math.nan}}, "arguments.amount"),
        ({"arguments": {"lines": [{}, {"price": decimal.Decimal("NaN")}]}}, "arguments.lines[1].price"),
        ({"metadata": {"tags": {"a"}}}, "metadata.tags"),
        ({"observations": [dt.datetime(2026, 1, 1)]}, "observations[0]"),  # noqa: DTZ001
        ({"reason": "\0"}, "reason"),
        ({"reason": "fine", "snapshot": {"photo": object()}}, "snapshot.photo"),
    ],
)
def test_a_refusal_names_the_field_and_the_place_in_it(fields: dict[str, object], place: str) -> None:
    with pytest.raises(Unrecordable, match="cannot be recorded") as caught:
        make_body(fields)
    assert caught.value.place == place


def test_an_unknown_field_is_refused_with_those_there_are() -> None:
    with pytest.raises(Unrecordable, match=r"note cannot be recorded.*idempotency_key.*via") as caught:
        make_body({"note": "x"})
    assert caught.value.place == "note"


@pytest.mark.parametrize("filler", ["x", "é", "😀", '"'])
def test_the_largest_body_is_written_and_one_byte_more_is_not(filler: str) -> None:
    room = MAX_BYTES - len(f'{{"reason":["{SALT}",""]}}')
    each = len(canon(filler)) - 2
    full = filler * (room // each) + "x" * (room % each)
    text, hashed = make_body({"reason": full})
    assert len(text.encode()) == MAX_BYTES
    assert hash_of(text) == hashed
    with pytest.raises(
        Unrecordable, match=r"reason cannot be recorded: the entry.s body would take 1,048,577 bytes"
    ) as caught:
        make_body({"reason": full + "x"})
    assert caught.value.place == "reason"


@pytest.mark.parametrize(
    "salt", ["", "short", SALT[:-1], SALT + "A", SALT[:-1] + "B", SALT[:-1] + "=", '"' * 22]
)
def test_a_salt_that_is_none_is_refused(salt: str) -> None:
    with pytest.raises(ValueError, match="salt of reason"):
        make_body({"reason": "x"}, {"reason": salt})


@pytest.mark.parametrize("fields", [{}, {"reason": "x"}])
def test_a_salt_without_field_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="salts for actor"):
        make_body(fields, {"actor": SALT})


def test_as_many_levels_as_may_be_written_can_be_read() -> None:
    value: list[Any] = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    text, hashed = make_body({"arguments": value})
    assert read_body(text)["arguments"].value == value
    assert hash_of(text) == hashed


# --- redaction ----------------------------------------------------------------------------------------------


def test_redaction_leaves_the_digest_and_the_hash() -> None:
    gone = redacted(TEXT, ["actor"])
    assert gone == f'{{"actor":{{"redacted":"{DIGEST}"}}}}'
    assert hash_of(gone) == HASH
    assert read_body(gone)["actor"] == BodyField("actor", None, None, DIGEST)
    assert read_body(gone)["actor"].redacted


@settings(max_examples=100)
@given(bodies, st.data())
def test_any_redaction_keeps_digests_hash_and_the_other_fields(
    fields: dict[str, object], data: st.DataObject
) -> None:
    erasable = sorted(set(fields) - {"idempotency_key"})
    names = data.draw(st.sets(st.sampled_from(erasable))) if erasable else set()
    text, hashed = make_body(fields)
    gone = redacted(text, names)
    assert hash_of(gone) == hashed
    assert digests_of(gone) == digests_of(text)
    body = read_body(gone)
    assert {name for name, field in body.items() if field.redacted} == names
    assert {n: f.value for n, f in body.items() if not f.redacted} == {
        n: v for n, v in fields.items() if n not in names
    }
    assert redacted(gone, names) == gone


def test_a_field_that_is_not_there_cannot_be_redacted() -> None:
    with pytest.raises(ValueError, match=r"no field reason\. It has actor"):
        redacted(TEXT, ["actor", "reason"])
    with pytest.raises(ValueError, match="It has no fields"):
        redacted("{}", ["actor"])


def test_an_idempotency_key_cannot_be_redacted() -> None:
    text, _ = make_body({"idempotency_key": "order-17"})
    with pytest.raises(ValueError, match="idempotency_key cannot be redacted"):
        redacted(text, ["idempotency_key"])


# --- strictness ---------------------------------------------------------------------------------------------


def field(value: str, name: str = "reason", salt: str = SALT) -> str:
    return f'{{"{name}":["{salt}",{value}]}}'


MALFORMED: list[tuple[str, str, str]] = [
    ("nothing", "", "not JSON"),
    ("not JSON", "{", "not JSON"),
    ("two documents", "{}{}", "not JSON"),
    ("null", "null", "NoneType, not an object"),
    ("array", "[]", "list, not an object"),
    ("number", "1", "int, not an object"),
    ("unknown field", field("1", name="note"), "field 'note'"),
    ("no name", field("1", name=""), "field ''"),
    ("field twice", f'{{"reason":["{SALT}",1],"reason":["{OTHER}",2]}}', "key 'reason' twice"),
    ("key twice inside", field('{"a":1,"b":{"x":1,"x":1}}'), "key 'x' twice"),
    ("key twice, once escaped", field('{"a":1,"\\u0061":2}'), "key 'a' twice"),
    ("float", field("1.5"), "number 1.5"),
    ("whole float", field("1.0"), "number 1.0"),
    ("exponent", field("1e3"), "number 1e3"),
    ("NaN", field("NaN"), "number NaN"),
    ("Infinity", field("-Infinity"), "number -Infinity"),
    ("integer beyond the range", field("9007199254740992"), "integer 9007199254740992"),
    ("negative integer beyond the range", field("-9007199254740992"), "integer -9007199254740992"),
    ("huge integer", field("9" * 10_000), "integer 9999"),
    ("negative zero", field("-0"), "canonical form"),
    ("field is a value", '{"reason":"x"}', "'reason' is neither"),
    ("field is null", '{"reason":null}', "'reason' is neither"),
    ("field is empty", '{"reason":[]}', "'reason' is neither"),
    ("no salt", '{"reason":["x"]}', "'reason' is neither"),
    ("too many parts", f'{{"reason":["{SALT}",1,2]}}', "'reason' is neither"),
    ("salt is a number", '{"reason":[1,"x"]}', "'reason' is neither"),
    ("short salt", field("1", salt=SALT[:-1]), "'reason' is neither"),
    ("salt with padding", field("1", salt=SALT[:-1] + "="), "'reason' is neither"),
    ("salt with a newline", field("1", salt=SALT[:-1] + "\\n"), "'reason' is neither"),
    ("salt with loose bits", field("1", salt=SALT[:-1] + "B"), "'reason' is neither"),
    ("redacted by null", '{"reason":{"redacted":null}}', "'reason' is neither"),
    ("redacted by a short digest", '{"reason":{"redacted":"ab"}}', "'reason' is neither"),
    ("redacted by capitals", f'{{"reason":{{"redacted":"{DIGEST.upper()}"}}}}', "'reason' is neither"),
    ("redacted and more", f'{{"reason":{{"by":1,"redacted":"{DIGEST}"}}}}', "'reason' is neither"),
    ("erased", '{"reason":{}}', "'reason' is neither"),
    ("redacted idempotency key", f'{{"idempotency_key":{{"redacted":"{DIGEST}"}}}}', "cannot be"),
    ("space before", " {}", "canonical form"),
    ("newline after", "{}\n", "canonical form"),
    ("space inside", field(" 1"), "canonical form"),
    ("keys out of order", field('{"b":1,"a":2}'), "canonical form"),
    ("fields out of order", f'{{"via":["{SALT}",1],"actor":["{SALT}",1]}}', "canonical form"),
    ("keys in code point order", field('{"\uffff":1,"\U00010000":2}'), "canonical form"),
    ("needless escape", field('"\\u0041"'), "canonical form"),
    ("escaped slash", field('"\\/"'), "canonical form"),
    ("escaped pair", field('"\\ud83d\\ude00"'), "canonical form"),
    ("capital escape", field('"\\u001F"'), "canonical form"),
    ("lone surrogate", field('"\\ud800"'), "lone surrogate"),
    ("byte order mark", "\ufeff{}", "not JSON"),
    ("bottomless", field("[" * 100_000 + "]" * 100_000), "too deep"),
]


@pytest.mark.parametrize("read", [read_body, digests_of, hash_of, lambda text: redacted(text, [])])
@pytest.mark.parametrize(("text", "why"), [pytest.param(*row[1:], id=row[0]) for row in MALFORMED])
def test_a_text_that_is_no_body_is_refused(read: Any, text: str, why: str) -> None:
    with pytest.raises(BodyMismatch) as caught:
        read(text)
    assert why in str(caught.value)
    assert caught.value.code == "BODY_MISMATCH"


@pytest.mark.parametrize(
    "value",
    [
        '{"$decimal":"NaN"}',
        '{"$decimal":1}',
        '{"$new":1}',
        '{"$a":1,"b":2}',
        '{"$int":"5"}',
        '"\\u0000"',
        "[" * 65 + "]" * 65,
    ],
    ids=lambda value: value[:20],
)
def test_a_body_with_a_value_that_cannot_be_is_not_restored(value: str) -> None:
    with pytest.raises(BodyMismatch, match="'reason' holds no recorded value"):
        read_body(field(value))


full, full_hash = make_body(
    {
        "actor": {"label": "Alice Ångström"},
        "arguments": {"amount": decimal.Decimal("9.90"), "$ref": [1, None, True]},
        "reason": 'She said "yes"\n',
    }
)


@settings(max_examples=500)
@given(
    st.integers(0, len(full) - 1),
    st.sampled_from(["", " ", "0", "1", "a", '"', ",", "\\", "{", "}", "é", "\ud800"]),
    st.integers(0, 2),
)
def test_no_edit_of_the_text_keeps_the_hash(place: int, new: str, drop: int) -> None:
    edited = full[:place] + new + full[place + drop :]
    if edited == full:
        return
    try:
        found = hash_of(edited)
    except BodyMismatch:
        return
    assert found != full_hash


def test_restoring_is_the_readers_business_not_the_hashs() -> None:
    """A value this version cannot read still has its digest, so the chain can be checked."""
    text = field('{"$later":1}')
    assert hash_of(text) == generate.body_hash(generate.field_digests(json.loads(text)))
    with pytest.raises(ValueError, match="not known"):
        restore({"$later": 1})
