"""The redact gate: a body may lose values and keep their digests, labels may be emptied, and nothing else changes.

What a digest should be is for ``verify`` to say; what a redaction looks like is for the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from fsm_lifecycle.append_only import ImmutableEntry
from fsm_lifecycle.ledger.body import make_body, redacted
from fsm_lifecycle.ledger.protection import gate
from fsm_lifecycle.models import AccessEvent, TransitionLog
from tests.ledger.guard.growing import (
    GROWING,
    another,
    column_of,
    contents,
    execute,
    plain,
    quoted,
    refused,
    stored,
)
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db

DIGEST = "0123456789abcdef" * 4
FIELDS = ["actor", "idempotency_key", "metadata", "reason"]


@pytest.fixture
def entry(filled: None) -> TransitionLog:
    """An entry whose body has a text, numbers, nested values and an idempotency key."""
    metadata = {
        "n": 1,
        "big": 2**40,
        "deep": {"list": [1, "two", None, True]},
        "ü": "Ångström ☃ 😀",
        "q": "\"\\/'",
    }
    body, body_hash = make_body(
        {"actor": {"label": "Ada"}, "idempotency_key": "a key", "metadata": metadata, "reason": "because"}
    )
    row = plain(TransitionLog).order_by("-pk")[0]
    row.pk, row.sequence, row.entry_hash = None, row.sequence + 1, "ab" * 32
    row.body, row.body_hash, row.idempotency_key = body, body_hash, "a key"
    (entry,) = plain(TransitionLog).bulk_create([row])
    assert isinstance(entry, TransitionLog)
    return plain(TransitionLog).get(entry_hash="ab" * 32)  # type: ignore[no-any-return]


def canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def rewrite(entry: TransitionLog, body: str) -> int:
    return execute(f"UPDATE {quoted(TransitionLog)} SET body = %s WHERE id = %s", [body, entry.pk])


def stored_body(entry: TransitionLog) -> str:
    return str(plain(TransitionLog).values_list("body", flat=True).get(pk=entry.pk))


@pytest.mark.parametrize("names", [["actor"], ["metadata"], ["reason"], ["actor", "metadata", "reason"]])
def test_a_redaction_passes(entry: TransitionLog, names: list[str]) -> None:
    body = redacted(entry.body, names)
    with gate(connection, "redact"):
        assert rewrite(entry, body) == 1
    assert stored_body(entry) == body


def test_one_redaction_after_the_other_passes(entry: TransitionLog) -> None:
    body = entry.body
    for name in ("metadata", "actor", "reason"):
        body = redacted(body, [name])
        with gate(connection, "redact"):
            rewrite(entry, body)
    assert stored_body(entry) == body


def test_any_digest_passes_that_looks_like_one(entry: TransitionLog) -> None:
    fields = {**json.loads(entry.body), "metadata": {"redacted": DIGEST}}
    with gate(connection, "redact"):
        rewrite(entry, canonical(fields))


def test_a_body_without_fields_stays_what_it_is(filled: None) -> None:
    light = Light.objects.create()
    entry = light.log.get()
    assert isinstance(entry, TransitionLog)
    with gate(connection, "redact"):
        rewrite(entry, entry.body)
        for body in ("", "[]", "null", '{"actor":{"redacted":"' + DIGEST + '"}}', '{"actor":[]}'):
            if body != entry.body:
                with refused_somehow():
                    rewrite(entry, body)


@contextmanager
def refused_somehow() -> Iterator[None]:
    """Refused by us, or by the database's own reading of JSON and of columns."""
    with pytest.raises(DatabaseError), transaction.atomic():
        yield


def _with(name: str, value: Any) -> Callable[[dict[str, Any]], str]:
    return lambda fields: canonical({**fields, name: value})


def _changed(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], str]:
    return lambda fields: canonical({**fields, name: change(fields[name])})


def _without(*names: str) -> Callable[[dict[str, Any]], str]:
    return lambda fields: canonical({k: v for k, v in fields.items() if k not in names})


def _text(before: str, after: str) -> Callable[[dict[str, Any]], str]:
    def made(fields: dict[str, Any]) -> str:
        text = canonical(fields)
        assert before in text
        return text.replace(before, after, 1)

    return made


_gone = {"redacted": DIGEST}

FORGERIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "a value is changed": _changed("reason", lambda f: [f[0], "another"]),
    "a value is changed in case": _changed("reason", lambda f: [f[0], "Because"]),
    "a value gets a trailing blank": _changed("reason", lambda f: [f[0], "because "]),
    "a value becomes null": _changed("reason", lambda f: [f[0], None]),
    "a number is changed": _text('"n":1', '"n":2'),
    "a number is written otherwise": _text('"n":1', '"n":1.0'),
    "a number is written with an exponent": _text('"n":1', '"n":1e0'),
    "a number becomes a text": _text('"n":1', '"n":"1"'),
    "a number becomes true": _text('"n":1', '"n":true'),
    "true becomes 1": _text("null,true", "null,1"),
    "a nested value is changed": _text('"two"', '"too"'),
    "an accent is lost": _text("Ångström", "Angstrom"),
    "a salt is changed": _changed("reason", lambda f: ["A" * 22, f[1]]),
    "a salt is lost": _changed("reason", lambda f: [f[1]]),
    "a salt is changed in case": _changed("reason", lambda f: [f[0].swapcase(), f[1]]),
    "a salt is added": _changed("reason", lambda f: [*f, "more"]),
    "salt and value change places": _changed("reason", lambda f: f[::-1]),
    "two values change places": lambda f: canonical({**f, "reason": f["actor"], "actor": f["reason"]}),
    "a field is removed": _without("reason"),
    "every field is removed": _without(*FIELDS),
    "a field is added": _with("via", ["A" * 22, "web"]),
    "a redacted field is added": _with("via", _gone),
    "an unknown field is added": _with("other", ["A" * 22, 1]),
    "an unknown redacted field is added": _with("other", _gone),
    "a field is exchanged for another": lambda f: canonical(
        {"via": f["reason"], **{k: v for k, v in f.items() if k != "reason"}}
    ),
    "a field is renamed and redacted": lambda f: canonical(
        {"via": _gone, **{k: v for k, v in f.items() if k != "reason"}}
    ),
    "a field is renamed in case": lambda f: canonical(
        {"Reason": f["reason"], **{k: v for k, v in f.items() if k != "reason"}}
    ),
    "the idempotency key is redacted": _with("idempotency_key", _gone),
    "the idempotency key is changed": _changed("idempotency_key", lambda f: [f[0], "another"]),
    "a field becomes null": _with("reason", None),
    "a field becomes its digest alone": _with("reason", DIGEST),
    "a field becomes an empty list": _with("reason", []),
    "a field becomes an empty object": _with("reason", {}),
    "a digest is too short": _with("reason", {"redacted": DIGEST[1:]}),
    "a digest is too long": _with("reason", {"redacted": DIGEST + "0"}),
    "a digest is in capitals": _with("reason", {"redacted": DIGEST.upper()}),
    "a digest has a strange letter": _with("reason", {"redacted": "g" + DIGEST[1:]}),
    "a digest has a blank": _with("reason", {"redacted": DIGEST[1:] + " "}),
    "a digest ends its line": _with("reason", {"redacted": DIGEST + "\n"}),
    "a digest has a line end": _with("reason", {"redacted": DIGEST[1:] + "\n"}),
    "a digest has an umlaut": _with("reason", {"redacted": DIGEST[1:] + "ä"}),
    "a digest has a wide digit": _with("reason", {"redacted": DIGEST[1:] + "\uff11"}),
    "a digest of 32 wide characters": _with("reason", {"redacted": "ä" * 32}),
    "a digest is empty": _with("reason", {"redacted": ""}),
    "a digest is null": _with("reason", {"redacted": None}),
    "a digest is a number of 64 places": lambda f: canonical({**f, "reason": {"redacted": int("1" * 64)}}),
    "a digest is in a list": _with("reason", {"redacted": [DIGEST]}),
    "a digest is in an object": _with("reason", {"redacted": {"redacted": DIGEST}}),
    "a digest under another name": _with("reason", {"Redacted": DIGEST}),
    "a digest and something else": _with("reason", {"redacted": DIGEST, "note": "kept"}),
    "a digest and an empty name": _with("reason", {"redacted": DIGEST, "": "kept"}),
    "a digest in a list of objects": _with("reason", [{"redacted": DIGEST}]),
    "a digest inside the value": _changed("reason", lambda f: [f[0], {"redacted": DIGEST}]),
    "not JSON": lambda f: "gone",
    "half of JSON": lambda f: canonical(f)[:-1],
    "something behind the JSON": lambda f: canonical(f) + "x",
    "nothing": lambda f: "",
    "a list": lambda f: canonical(list(f.values())),  # type: ignore[arg-type]
    "a text": lambda f: '"gone"',
    "null": lambda f: "null",
}

#: The database may read these as the same JSON; but what was hashed, and what is read, is text.
RESPELLINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "a field stands there twice, the true one last": _text(
        '{"actor":', '{"reason":["' + "A" * 22 + '","a lie"],"actor":'
    ),
    "a field stands there twice, the true one first": lambda f: (
        canonical(f)[:-1] + ',"reason":["' + "A" * 22 + '","a lie"]}'
    ),
    "a redacted field stands there twice": lambda f: (
        canonical({**f, "reason": _gone})[:-1] + ',"reason":["' + "A" * 22 + '","a lie"]}'
    ),
    "a nested name stands there twice": _text('"n":1', '"n":"a lie","n":1'),
    "a digest stands there twice": lambda f: canonical({**f, "reason": _gone}).replace(
        '{"redacted"', '{"redacted":"a lie","redacted"'
    ),
    "blanks are added": lambda f: json.dumps(f, sort_keys=True, ensure_ascii=False),
    "blanks are added around a digest": lambda f: canonical({**f, "reason": _gone}).replace(
        '{"redacted":', '{ "redacted" : '
    ),
    "a line end follows": lambda f: canonical(f) + "\n",
    "the fields stand in another order": lambda f: json.dumps(
        dict(reversed(f.items())), separators=(",", ":"), ensure_ascii=False
    ),
    "letters are escaped": _text("Ångström", "\\u00c5ngstr\\u00f6m"),
    "a slash is escaped": _text("\\\\/", "\\\\\\/"),
    "a name is escaped": _text('"reason"', '"r\\u0065ason"'),
    "a digest is escaped": lambda f: canonical({**f, "reason": _gone}).replace("0123", "\\u0030123", 1),
    "nested names stand in another order": lambda f: (
        canonical(f).replace('"big":1099511627776,', "").replace('"n":1', '"n":1,"big":1099511627776')
    ),
}


WRITTEN_OTHERWISE_ON_MYSQL = [
    "blanks are added",
    "blanks are added around a digest",
    "a line end follows",
    "a digest is escaped",
]


def passed(entry: TransitionLog, bodies: dict[str, str]) -> list[str]:
    """Which of the bodies the database takes, with the gate open; each is undone."""
    found = []
    for name, body in bodies.items():
        assert body != entry.body, name
        try:
            with transaction.atomic():
                with gate(connection, "redact"):
                    rewrite(entry, body)
                transaction.set_rollback(True)
        except DatabaseError:
            continue
        found.append(name)
    assert stored_body(entry) == entry.body
    return found


def test_what_is_no_redaction_is_refused(entry: TransitionLog) -> None:
    fields = json.loads(entry.body)
    assert passed(entry, {name: forge(fields) for name, forge in FORGERIES.items()}) == []


def test_a_body_is_not_written_otherwise(entry: TransitionLog) -> None:
    """MariaDB and MySQL cannot compare the text: MySQL rewrites what it takes out of JSON. ``verify --deep`` can."""
    fields = json.loads(entry.body)
    found = passed(entry, {name: respell(fields) for name, respell in RESPELLINGS.items()})
    assert found == (WRITTEN_OTHERWISE_ON_MYSQL if connection.vendor == "mysql" else [])


def test_a_forgery_beside_a_redaction_is_refused(entry: TransitionLog) -> None:
    fields = {**json.loads(entry.body), "metadata": _gone}
    names = ("a value is changed", "a salt is changed", "a field is removed", "not JSON")
    assert passed(entry, {name: FORGERIES[name](fields) for name in names}) == []


def test_what_is_redacted_stays_redacted(entry: TransitionLog) -> None:
    original = entry.body
    with gate(connection, "redact"):
        rewrite(entry, redacted(original, ["metadata", "reason"]))
        fields = json.loads(stored_body(entry))
        for body in (
            original,
            redacted(original, ["metadata"]),
            canonical({**fields, "reason": _gone}),
            canonical({**fields, "reason": ["A" * 22, "because"]}),
            canonical({**fields, "reason": {"redacted": fields["reason"]["redacted"].upper()}}),
            canonical({k: v for k, v in fields.items() if k != "reason"}),
        ):
            with refused():
                rewrite(entry, body)


def test_the_bodies_of_two_entries_do_not_change_places(entry: TransitionLog) -> None:
    other = plain(TransitionLog).exclude(pk=entry.pk).exclude(body=entry.body).order_by("-pk")[0]
    with gate(connection, "redact"), refused():
        rewrite(entry, other.body)


def test_one_forgery_among_many_redactions_undoes_all(entry: TransitionLog) -> None:
    before = contents(TransitionLog)
    with gate(connection, "redact"), refused(), connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {quoted(TransitionLog)} SET body = %s WHERE id = %s",
            [(redacted(entry.body, ["actor"]), entry.pk), ("{}", entry.pk)],
        )
    assert contents(TransitionLog) == before


def test_no_other_column_changes_with_the_body(entry: TransitionLog) -> None:
    body = redacted(entry.body, ["actor", "metadata", "reason"])
    for field in TransitionLog._meta.local_concrete_fields:
        if field.name == "body":
            continue
        column = column_of(field)
        for change in (body, entry.body):
            value = stored(field, another(field, getattr(entry, field.attname)))
            with gate(connection, "redact"), refused():
                execute(
                    f"UPDATE {quoted(TransitionLog)} SET body = %s, {column} = %s WHERE id = %s",
                    [change, value, entry.pk],
                )


@pytest.mark.usefixtures("filled")
def test_nothing_of_the_other_tables_is_redacted() -> None:
    for model in GROWING:
        row = plain(model).order_by("pk")[0]
        for field in model._meta.local_concrete_fields:
            if field.name in model.redactable:
                continue
            column, key = (
                column_of(field),
                column_of(model._meta.pk),
            )
            value = stored(field, another(field, getattr(row, field.attname)))
            with gate(connection, "redact"), refused():
                execute(f"UPDATE {quoted(model)} SET {column} = %s WHERE {key} = %s", [value, row.pk])
            if field.empty_strings_allowed and getattr(row, field.attname):
                with gate(connection, "redact"), refused():
                    execute(f"UPDATE {quoted(model)} SET {column} = '' WHERE {key} = %s", [row.pk])


@pytest.mark.usefixtures("filled")
def test_labels_of_an_access_event_are_emptied_and_not_rewritten() -> None:
    row = plain(AccessEvent).order_by("pk")[0]
    table = quoted(AccessEvent)
    for name in AccessEvent.redactable:
        with gate(connection, "redact"):
            for text in ("Somebody", " ", "ADA THE FIRST", None):
                with refused_somehow():
                    execute(f"UPDATE {table} SET {name} = %s WHERE id = %s", [text, row.pk])
            execute(f"UPDATE {table} SET {name} = '' WHERE id = %s", [row.pk])
            with refused():
                execute(f"UPDATE {table} SET {name} = 'Ada' WHERE id = %s", [row.pk])
            with refused():
                execute(f"UPDATE {table} SET {name} = '', holder_id = '' WHERE id = %s", [row.pk])
    stored_row = plain(AccessEvent).get(pk=row.pk)
    assert not any(getattr(stored_row, name) for name in AccessEvent.redactable)


def test_without_the_gate_no_redaction_passes(entry: TransitionLog) -> None:
    body = redacted(entry.body, ["actor"])
    with refused():
        rewrite(entry, body)
    for name in ("delete", "remap", "load"):
        with gate(connection, name), refused():
            rewrite(entry, body)
    entry.body = body
    with pytest.raises(ImmutableEntry):
        entry.save()
