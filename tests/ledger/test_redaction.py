"""What of an entry may be erased, what tells of a person, and how other tables have their copies cleared."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.utils import timezone

from fsm_lifecycle.access.person import Person
from fsm_lifecycle.ledger import body, clearing, redaction, secure_delete
from fsm_lifecycle.ledger.canonical import RecordRef
from fsm_lifecycle.ledger.clearing import Erased
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.models import ArchivedEntry, TransitionLog

ANNA = Person("7", ("anna", "Anna Berg", "anna@example.org"))
ERASED = Erased("a" * 64, "testapp.light", "1", ("metadata",))


def entry(kind: str = "transition", by: tuple[str, str] = ("user", "1"), **fields: Any) -> TransitionLog:
    """An entry in memory with this body."""
    return TransitionLog(
        kind=kind,
        model_label="testapp.light",
        object_pk="1",
        sequence=3,
        actor_kind=by[0],
        actor_id=by[1],
        body=body.make_body(fields)[0],
    )


def redacted(one: TransitionLog, *names: str) -> TransitionLog:
    redaction.forget(one, body.redacted(one.body, names))
    return one


# --- what may be erased ---------------------------------------------------------------------------------------


def test_wanted_names_what_is_still_there_in_order() -> None:
    one = redacted(entry(metadata={"a": 1}, actor={"label": "x"}, arguments={}), "arguments")
    assert redaction.wanted(one, {"metadata", "arguments", "actor"}) == ("actor", "metadata")
    assert redaction.wanted(one, "metadata") == ("metadata",)
    assert redaction.wanted(one, ["arguments"]) == ()


@pytest.mark.parametrize(
    ("one", "names", "why"),
    [
        (entry(metadata={}), [], "No field is named"),
        (
            entry(metadata={}),
            ["snapshot"],
            "no field “snapshot” in entry 3 of testapp.light:1. It has metadata",
        ),
        (entry(), ["metadata"], "It has no fields"),
        (entry(idempotency_key="k"), ["idempotency_key"], "column of the entry holds it"),
        (entry("redaction", arguments={}), ["arguments"], "says what was redacted"),
    ],
)
def test_what_cannot_be_redacted_is_refused_by_name(one: TransitionLog, names: list[str], why: str) -> None:
    with pytest.raises(NotRedactable, match=why):
        redaction.wanted(one, names)


def test_a_damaged_body_is_not_redacted() -> None:
    one = entry()
    one.body = "{"
    with pytest.raises(NotRedactable, match=r"is damaged.*lifecycle_verify"):
        redaction.everything(one)


def test_everything_leaves_what_must_stay_and_redactions() -> None:
    one = redacted(entry(actor={"label": "x"}, metadata={}, reason="r", idempotency_key="k"), "metadata")
    assert redaction.everything(one) == ("actor", "reason")
    assert redaction.everything(entry("redaction", actor={"label": "x"}, arguments={})) == ()


# --- what tells of a person -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["user", "agent"])
def test_who_fired_is_the_person_by_key(kind: str) -> None:
    fields: dict[str, Any] = {"actor": {"label": "somebody"}, "metadata": {"a": 1}}
    assert redaction.about(entry(by=(kind, "7"), **fields), ANNA) == ("actor",)
    assert redaction.about(entry(by=("system", "7"), **fields), ANNA) == ()
    assert redaction.about(entry(by=(kind, "77"), **fields), ANNA) == ()


@pytest.mark.parametrize("name", ["on_behalf_of", "approval"])
def test_who_stood_behind_it_is_the_person_by_key(name: str) -> None:
    meant: list[Any] = [{"id": "7", "label": "x"}, {"id": 7}, {"by": [{"id": "7"}]}]
    other: list[Any] = [{"id": "8", "label": "7"}, "7", None]
    for value in meant + other:
        fields = {name: value}
        assert redaction.about(entry(**fields), ANNA) == ((name,) if value in meant else ())
    assert redaction.about(entry(metadata={"id": "7"}), ANNA) == ()


@pytest.mark.parametrize(
    "value",
    [
        "Anna Berg",
        {"note": ["so said anna."]},
        {"Anna Berg": 1},
        [[{"to": "ANNA@EXAMPLE.ORG"}]],
        {"who": RecordRef("auth.user", "anna")},
    ],
)
@pytest.mark.parametrize("name", ["actor", "metadata", "observations", "snapshot", "reason", "run", "via"])
def test_a_text_that_names_the_person_is_found_wherever_it_stands(name: str, value: Any) -> None:
    assert redaction.about(entry(**{name: value, "branch": "otherwise"}), ANNA) == (name,)


def test_what_is_gone_or_must_stay_is_not_found() -> None:
    one = redacted(entry(metadata="anna", observations="anna", idempotency_key="anna"), "metadata")
    assert redaction.about(one, ANNA) == ("observations",)
    one.idempotency_key, one.actor_id = "of anna", "anna's nightly job"
    assert redaction.stays(one, ANNA) == ("actor_id", "idempotency_key")


def test_a_name_with_signs_that_json_escapes_is_found() -> None:
    quoted = Person("7", ('An"na\\Berg',))
    assert redaction.about(entry(metadata={"by": 'an"na\\berg!'}), quoted) == ("metadata",)


# --- copies in other tables --------------------------------------------------------------------------------------


@pytest.fixture
def note(db: None) -> User:
    """A row of a table that nobody protects; it plays a delivery that copied an entry."""
    return User.objects.create_user("delivery", first_name="payload")


def test_copies_are_found_by_their_owner_and_written_here(note: User) -> None:
    asked: list[Any] = []

    def find(using: str, erased: Any, /) -> Any:
        asked.append((using, erased))
        yield User, note.pk, {"first_name": ""}

    unregister = clearing.register("test", entries=find)
    try:
        assert clearing.clear_entries(connection, [ERASED], write=False) == 1
        note.refresh_from_db()
        assert note.first_name == "payload"
        assert clearing.clear_entries(connection, [ERASED]) == 1
        assert clearing.clear_entries(connection, []) == 0
    finally:
        unregister()
    note.refresh_from_db()
    assert note.first_name == ""
    assert asked == [("default", [ERASED])] * 2
    assert clearing.clear_entries(connection, [ERASED]) == 0


def test_a_copy_may_be_removed_as_a_whole(note: User) -> None:
    def find(using: str, *what: Any) -> Any:
        yield User, note.pk, None

    unregister = clearing.register("test", record=find, person=find)
    try:
        assert clearing.clear_record(connection, "testapp.light", "1") == 1
        assert not User.objects.filter(pk=note.pk).exists()
        assert clearing.clear_person(connection, ANNA) == 1
    finally:
        unregister()


def test_the_same_name_again_replaces_what_it_stood_for(note: User) -> None:
    first = clearing.register("test", entries=lambda using, erased: iter([(User, note.pk, None)]))
    second = clearing.register("test", entries=lambda using, erased: ())
    try:
        assert clearing.clear_entries(connection, [ERASED]) == 0
        first()
        assert clearing.clear_entries(connection, [ERASED]) == 0
    finally:
        second()


def test_rows_come_page_by_page(db: None) -> None:
    made = [User.objects.create_user(f"u{n}") for n in range(7)]
    for size in (1, 3, 7, 100):
        assert [name for _, name in clearing.rows_of(User, "default", "username", size=size)] == [
            user.username for user in made
        ]


def archived(**fields: Any) -> ArchivedEntry:
    one = entry(**fields)
    kept = {f.attname: getattr(one, f.attname) for f in TransitionLog._meta.fields if f.attname != "id"}
    now = timezone.now()
    kept |= {"recorded_at": now, "to_state": "on", "definition": "d" * 64, "body_hash": "b" * 64}
    row = ArchivedEntry(
        **kept | {"prev_hash": "c" * 64, "entry_hash": "a" * 64, "source": "x", "imported_at": now}
    )
    models.Model.save_base(row, force_insert=True)
    return row


def bodies() -> list[str]:
    return list(ArchivedEntry.objects.values_list("body", flat=True))


def test_archived_entries_lose_what_the_log_loses(db: None) -> None:
    archived(metadata={"who": "anna"}, observations="kept")
    with transaction.atomic():
        assert clearing.clear_entries(connection, [ERASED]) == 1
        assert clearing.clear_entries(connection, [ERASED]) == 0
    (left,) = bodies()
    assert "anna" not in left
    assert "kept" in left


def test_archived_entries_lose_a_record_and_a_person(db: None) -> None:
    archived(metadata={"who": "anna"}, observations="kept")
    with transaction.atomic():
        clearing.clear_person(connection, ANNA)
        assert "anna" not in bodies()[0]
        assert "kept" in bodies()[0]
        clearing.clear_record(connection, "testapp.light", "1")
        assert "kept" not in bodies()[0]


# --- what the file keeps -----------------------------------------------------------------------------------------


def test_secure_deletion_is_on_inside_and_as_it_was_after(db: None) -> None:
    if connection.vendor != "sqlite":
        with secure_delete.overwriting("default"):
            pass
        assert secure_delete.empty_log("default")
        assert not secure_delete.keeps_free_pages("default")
        return

    def setting() -> int:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete")
            return int(cursor.fetchone()[0])

    before = setting()
    try:
        for mode, value in (("OFF", 0), ("FAST", 2), ("ON", 1)):
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA secure_delete = {mode}")
            assert secure_delete.keeps_free_pages("default") == (value != 1)
            with secure_delete.overwriting("default"):
                assert setting() == 1
            assert setting() == value
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA secure_delete = {before}")
