"""Hashes: the published examples, the prefixes, and a quick entry that is byte for byte the slow one."""

import base64
import datetime as dt
import hashlib
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_lifecycle.ledger import hashing
from fsm_lifecycle.ledger.canonical import MAX_INTEGER, Unrecordable, canon
from tests.vectors import generate

pytestmark = pytest.mark.pure

ENTRY: dict[str, Any] = dict(generate.WORKED)


# --- the format's worked example ----------------------------------------------------------------------------


def test_the_worked_example_comes_out_to_the_letter() -> None:
    first = hashing.genesis("billing.invoice", "1")
    assert first == "92708ae62b07b310555d4e2706b0a2deaa658f62c112ff49e6a695c1288aee4e"
    digest = hashing.field_digest("actor", "zzgTck0JrSDzC1EiA7cN3A", {"label": "Alice Ångström"})
    assert digest == "b68cac20eaa882362eb0b2bb49bf127a3ebeacaa2b5baae91022f793e0ed826c"
    body = hashing.body_hash({"actor": digest})
    assert body == "a55a32539cf74a1a2770e6c496c7e1f5e17eed571bf1dd9a7e42dd81aa2e0c6c"
    entry = {
        "v": 1,
        "model": "billing.invoice",
        "pk": "1",
        "seq": 1,
        "kind": "created",
        "event": None,
        "from": None,
        "to": "draft",
        "at": hashing.microseconds(dt.datetime(2026, 11, 20, 9, 38, tzinfo=dt.UTC)),
        "occurred": None,
        "actor": "user:7",
        "definition": "c2e63accc082db1d8ffede4203f0458b01f2a4b8270204a3ed1e249eb4f19687",
        "compensating": False,
        "cause": None,
        "prev": first,
        "body": body,
    }
    assert hashing.entry_bytes(entry) == (
        b'{"actor":"user:7","at":1795167480000000,'
        b'"body":"a55a32539cf74a1a2770e6c496c7e1f5e17eed571bf1dd9a7e42dd81aa2e0c6c","cause":null,'
        b'"compensating":false,'
        b'"definition":"c2e63accc082db1d8ffede4203f0458b01f2a4b8270204a3ed1e249eb4f19687",'
        b'"event":null,"from":null,"kind":"created","model":"billing.invoice","occurred":null,"pk":"1",'
        b'"prev":"92708ae62b07b310555d4e2706b0a2deaa658f62c112ff49e6a695c1288aee4e","seq":1,"to":"draft","v":1}'
    )
    assert hashing.entry_hash(entry) == "af8fba4ac69c18377426847f2f1e01cc518ce1d286a12eda3a45a09e2ca092f2"


# --- golden vectors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", generate.read("fields.json"), ids=lambda row: row["name"])
def test_a_field_has_the_digest_of_its_vector(row: dict[str, Any]) -> None:
    assert hashing.field_digest(row["name"], row["salt"], row["value"]) == row["digest"]


@pytest.mark.parametrize("row", generate.read("bodies.json"), ids=lambda row: row["name"])
def test_digests_have_the_body_hash_of_their_vector(row: dict[str, Any]) -> None:
    assert hashing.body_hash(row["digests"]) == row["hash"]
    assert hashing.body_hash(dict(reversed(row["digests"].items()))) == row["hash"]


@pytest.mark.parametrize("row", generate.read("entries.json"), ids=lambda row: row["name"])
def test_an_entry_has_the_bytes_and_hash_of_its_vector(row: dict[str, Any]) -> None:
    assert hashing.entry_bytes(row["entry"]) == row["canonical"].encode()
    assert hashing.entry_hash(row["entry"]) == row["hash"]


@pytest.mark.parametrize("row", generate.read("genesis.json"), ids=lambda row: f"{row['model']} {row['pk']}")
def test_a_record_begins_with_the_hash_of_its_vector(row: dict[str, Any]) -> None:
    assert hashing.genesis(row["model"], row["pk"]) == row["hash"]


# --- the quick entry is the slow entry ----------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.integers(0, MAX_INTEGER)
moments = st.integers(-MAX_INTEGER, MAX_INTEGER)
entries = st.fixed_dictionaries(
    {
        **dict.fromkeys(("actor", "body", "definition", "kind", "model", "pk", "prev"), texts),
        **dict.fromkeys(("cause", "event", "from", "to"), st.none() | texts),
        "seq": numbers,
        "v": numbers,
        "at": moments,
        "occurred": st.none() | moments,
        "compensating": st.booleans(),
    }
)


@settings(max_examples=400)
@given(entries)
def test_entry_bytes_are_canonical_bytes(entry: dict[str, Any]) -> None:
    made = hashing.entry_bytes(entry)
    assert made == canon(entry)
    assert made == rfc8785.dumps(entry)
    assert made == generate.canonical(entry).encode()
    assert hashing.entry_hash(entry) == hashlib.sha256(b"\0" + made).hexdigest()


def test_entry_keys_are_in_canonical_order() -> None:
    assert list(hashing.ENTRY_KEYS) == sorted(ENTRY)


@pytest.mark.parametrize("key", hashing.ENTRY_KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    entry = {name: value for name, value in ENTRY.items() if name != key}
    with pytest.raises(ValueError, match=f"lacks {key}"):
        hashing.entry_hash(entry)


def test_a_superfluous_key_is_named() -> None:
    with pytest.raises(ValueError, match="has note, which"):
        hashing.entry_hash({**ENTRY, "note": "x"})


def test_a_key_in_place_of_another_is_found() -> None:
    entry = {**ENTRY, "note": "x"}
    del entry["cause"]
    with pytest.raises(ValueError, match="lacks cause"):
        hashing.entry_hash(entry)


WRONG: list[tuple[str, object]] = [
    *((key, 1) for key in ("actor", "body", "cause", "definition", "event", "from", "kind", "model", "pk")),
    *((key, None) for key in ("actor", "body", "compensating", "definition", "kind", "model", "pk", "prev")),
    *((key, None) for key in ("at", "seq", "v")),
    *((key, True) for key in ("at", "seq", "v", "occurred", "to")),
    *((key, 1.0) for key in ("at", "seq", "v", "occurred")),
    *((key, "1") for key in ("at", "seq", "v", "occurred", "compensating")),
    *((key, 2**53) for key in ("at", "seq", "v", "occurred")),
    *((key, -(2**53)) for key in ("at", "occurred")),
    *((key, -1) for key in ("seq", "v")),
    ("compensating", 0),
    ("compensating", 1),
    ("from", ["draft"]),
    ("pk", b"1"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_value_of_the_wrong_type_or_range_is_refused_by_key(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"\b{key}\b"):
        hashing.entry_hash({**ENTRY, key: value})


@pytest.mark.parametrize("key", ["actor", "pk", "from", "to", "event"])
@pytest.mark.parametrize(("text", "why"), [("a\0", r"U\+0000"), ("\ud800", "surrogate")])
def test_text_without_canonical_form_is_refused_by_key(key: str, text: str, why: str) -> None:
    with pytest.raises(Unrecordable, match=f"entry.{key} |" + rf'entry\["{key}"\] ') as caught:
        hashing.entry_bytes({**ENTRY, key: text})
    with pytest.raises(Unrecordable, match=why):
        hashing.entry_bytes({**ENTRY, key: text})
    assert key in caught.value.place


def test_a_value_cannot_imitate_its_neighbour() -> None:
    forged = {**ENTRY, "body": 'x","cause":"y', "cause": None}
    assert hashing.entry_bytes(forged) == canon(forged)


# --- the small ones -----------------------------------------------------------------------------------------


def test_every_kind_of_hash_has_its_own_prefix() -> None:
    prefixes = [hashing.LEAF, hashing.NODE, hashing.FIELD, hashing.BODY, hashing.GENESIS]
    assert prefixes == [bytes([number]) for number in range(5)]


def test_sha256_is_sha256() -> None:
    assert hashing.sha256(b"abc").hex() == hashing.sha256_hex(b"abc")
    assert hashing.sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_fingerprint_has_no_prefix() -> None:
    assert hashing.fingerprint({"b": [1], "a": None}) == hashlib.sha256(b'{"a":null,"b":[1]}').hexdigest()


def test_a_salt_is_sixteen_bytes_in_twenty_two_characters() -> None:
    salts = {hashing.new_salt() for _ in range(1000)}
    assert len(salts) == 1000
    for salt in salts:
        assert len(salt) == 22
        raw = base64.urlsafe_b64decode(salt + "==")
        assert len(raw) == 16
        assert base64.urlsafe_b64encode(raw).decode() == salt + "=="


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_microseconds_count_exactly(moment: dt.datetime) -> None:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert hashing.microseconds(moment) == (moment - epoch) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 0),
        (dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC), -1),
        (dt.datetime(2026, 11, 20, 10, 38, tzinfo=ZoneInfo("Europe/Oslo")), 1_795_167_480_000_000),
        (dt.datetime(1684, 7, 28, 0, 12, 25, 259009, tzinfo=dt.UTC), -MAX_INTEGER),
        (dt.datetime(2255, 6, 5, 23, 47, 34, 740991, tzinfo=dt.UTC), MAX_INTEGER),
    ],
)
def test_microseconds_since_the_epoch(moment: dt.datetime, count: int) -> None:
    assert hashing.microseconds(moment) == count


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        hashing.microseconds(dt.datetime(2026, 1, 1))  # noqa: DTZ001
