"""What a verification looks at, what it leaves out and says so, and what it makes of an ordinary day."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings
from django.utils import timezone

from fsm_lifecycle.engine.redacting import redact
from fsm_lifecycle.ledger import keys, protection
from fsm_lifecycle.ledger.finding import MEANINGS, Finding
from fsm_lifecycle.ledger.growth import adopt
from fsm_lifecycle.ledger.note import Signer, make_note, parse_checkpoint
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.verify import CannotVerify, Verification, verify
from tests.acting import ACTOR
from tests.ledger import ledger_to_damage
from tests.ledger.ledger_to_damage import ORIGIN, Ledger, execute
from tests.ledger.mutations import LOG
from tests.ledger.mutations_of_the_tree import CHECKPOINTS, LEAVES, TILES
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light, Parcel

pytestmark = pytest.mark.django_db(databases=["default", "other"])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A small, whole, signed ledger."""
    with override_settings(FSM_LIFECYCLE=ledger_to_damage.settings(tmp_path)):
        yield ledger_to_damage.build(tmp_path)


def places(verification: Verification) -> set[tuple[str, str | None, int | None]]:
    return {(one.code, one.record, one.sequence) for one in verification if one.code != "PROTECTION_MISSING"}


def told(verification: Verification, word: str) -> bool:
    return any(word in what for what in verification.not_checked)


def test_a_whole_ledger_is_whole_and_everything_was_looked_at(ledger: Ledger) -> None:
    verification = verify(deep=True)
    before = verification.whole  # nothing was read yet
    assert list(verification) == []
    assert (before, verification.whole) == (False, True)
    assert verification.not_checked == []
    checked = verification.checked
    assert checked["entries"] == checked["bodies"] == checked["leaves"] > 20
    assert checked["checkpoints"] == 2
    assert checked["records"] - 1 == checked["rows"]


def test_without_deep_bodies_are_left_out_and_it_says_so(ledger: Ledger) -> None:
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET body = '{{}}' WHERE idempotency_key = 'once'")
        verification = verify()
        assert places(verification) == set()
        assert told(verification, "--deep")
        assert places(verify(deep=True)) == {("BODY_MISMATCH", *ledger.keyed)}


def test_it_goes_on_after_each_fault(ledger: Ledger) -> None:
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE sequence = 1")
        verification = verify()
        found = places(verification)
    assert {code for code, _, _ in found} == {"ENTRY_HASH"}
    assert len(found) == verification.checked["records"]
    assert not verification.whole


def test_a_verification_that_is_not_read_to_its_end_is_not_whole(ledger: Ledger) -> None:
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE sequence = 1")
        verification = verify()
        next(iter(verification))
        assert not verification.whole


def test_one_record_is_checked_with_its_leaves_and_row(ledger: Ledger) -> None:
    record = ("testapp.light", str(ledger.light.pk))
    verification = verify(record=record, deep=True)
    assert places(verification) == set()
    assert verification.checked["entries"] == verification.checked["leaves"] == 4
    assert verification.checked["records"] == verification.checked["rows"] == 1
    assert told(verification, "the one record")
    name = ":".join(record)
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE sequence = 1")
        execute("UPDATE testapp_light SET state = 'off' WHERE id = %s", ledger.light.pk)
        assert places(verify(record=record)) == {("ENTRY_HASH", name, 1), ("STATE_DIVERGED", name, 4)}
        execute(f"UPDATE {TILES} SET data = %s", "0" * 64)
        assert ("ROOT_MISMATCH", None, None) in places(verify(record=record))
        assert ("CHECKPOINT_FORK", None, None) in places(verify(record=record, against=ledger.kept))


def test_a_record_that_never_was_cannot_be_checked(ledger: Ledger) -> None:
    never = str(ledger.light.pk + 4711)
    with pytest.raises(CannotVerify, match=rf"no record testapp\.light:{never}"):
        list(verify(record=("testapp.light", never)))


def test_since_takes_earlier_entries_for_granted_but_not_what_follows_them(ledger: Ledger) -> None:
    now = timezone.now()
    name = f"testapp.light:{ledger.light.pk}"
    with unprotected(connection):
        rows = ledger_to_damage.read(
            f"SELECT id, sequence FROM {LOG} WHERE object_pk = %s AND model_label = 'testapp.light' ORDER BY sequence",
            str(ledger.light.pk),
        )
        execute(f"UPDATE {LOG} SET actor_id = 'x' WHERE sequence = 1")
        moment = now - timedelta(hours=1)
        verification = verify(since=now + timedelta(hours=1))
        assert places(verification) == set()
        assert "entries" not in verification.checked
        assert told(verification, "recorded before")
        # The last two entries alone: the first of them is held against the one before.
        adapt = connection.ops.adapt_datetimefield_value
        for key, sequence in rows:
            if sequence > 2:
                execute(
                    f"UPDATE {LOG} SET recorded_at = %s WHERE id = %s", adapt(now + timedelta(hours=2)), key
                )
        found = places(verify(since=now + timedelta(hours=1), deep=True))
        assert found == {("ENTRY_HASH", name, 3), ("ENTRY_HASH", name, 4)}
        execute(f"UPDATE {LOG} SET entry_hash = %s WHERE id = %s", "f" * 64, rows[1][0])
        assert ("PREV_MISMATCH", name, 3) in places(verify(since=now + timedelta(hours=1)))
        assert ("ENTRY_HASH", name, 1) in places(verify(since=moment))


def test_what_protects_the_database_is_missed(ledger: Ledger) -> None:
    if connection.vendor == "mysql":
        pytest.skip("there removing a trigger commits the test's transaction")
    protection.remove(connection, [LOG])
    found = list(verify())
    assert {one.code for one in found} == {"PROTECTION_MISSING"}
    assert all(LOG in one.found for one in found)
    protection.install(connection)
    assert list(verify()) == []


def test_what_settings_leave_out_is_said(tmp_path: Path) -> None:
    Light.objects.create()
    seal()
    verification = verify()
    assert places(verification) == set()
    assert told(verification, "Signatures")
    assert told(verification, "--against")
    with override_settings(FSM_LIFECYCLE={"DATABASE_GUARD": False}):
        verification = verify()
        assert list(verification) == []
        assert told(verification, "DATABASE_GUARD")


def test_entries_are_late_after_the_delay() -> None:
    light = Light.objects.create()
    verification = verify()
    assert places(verification) == set()
    assert told(verification, "younger than 60 s")
    with override_settings(FSM_LIFECYCLE={"SEAL_MERGE_DELAY": 0}):
        assert places(verify()) == {("NOT_SEALED", f"testapp.light:{light.pk}", 1)}
        seal()
        assert places(verify()) == set()


def test_a_ledger_that_is_signed_later_stays_whole(tmp_path: Path) -> None:
    Light.objects.create()
    seal()
    settings = {"LEDGER_ORIGIN": ORIGIN, "LEDGER_KEY": str(tmp_path / "key")}
    with override_settings(FSM_LIFECYCLE=settings):
        keys.new_key(tmp_path / "key", ORIGIN)
        assert places(verify()) == {("CHECKPOINT_SIGNATURE", None, None)}
        Light.objects.create()
        made = seal().checkpoint
        assert made is not None
        verification = verify()
        assert places(verification) == set()
        assert told(verification, "not signed yet")
        stripped = make_note(parse_checkpoint(made.note)[0], [])
        with unprotected(connection):
            execute(f"UPDATE {CHECKPOINTS} SET note = %s WHERE id = %s", stripped, made.pk)
            assert places(verify()) == {("CHECKPOINT_SIGNATURE", None, None)}


def test_a_signature_that_was_kept_outside_may_not_be_missing_inside(ledger: Ledger, tmp_path: Path) -> None:
    [(first,)] = ledger_to_damage.read(f"SELECT min(id) FROM {CHECKPOINTS}")
    stripped = make_note(parse_checkpoint(ledger.kept)[0], [])
    with unprotected(connection):
        execute(f"UPDATE {CHECKPOINTS} SET note = %s WHERE id = %s", stripped, first)
        assert places(verify()) == {("CHECKPOINT_SIGNATURE", None, None)}
        settings = {**ledger_to_damage.settings(tmp_path), "LEDGER_CHECKPOINT_DIR": None}
        with override_settings(FSM_LIFECYCLE=settings):
            verification = verify()
            assert places(verification) == set()
            assert told(verification, "not signed yet")  # nothing inside can tell; the next one covers it


def test_a_copy_under_another_name_is_whole_once_it_has_a_checkpoint_of_its_own(
    ledger: Ledger, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    (copy / "outside").mkdir(parents=True)
    settings = {**ledger_to_damage.settings(copy), "LEDGER_ORIGIN": "staging.example.com"}
    [(newest,)] = ledger_to_damage.read(f"SELECT note FROM {CHECKPOINTS} ORDER BY id DESC LIMIT 1")
    with override_settings(FSM_LIFECYCLE=settings):
        keys.new_key(copy / "key", "staging.example.com")
        assert {code for code, _, _ in places(verify())} == {"CHECKPOINT_SIGNATURE"}
        adopt(newest, "default")
        Light.objects.create()
        seal()
        verification = verify()
        assert places(verification) == set()
        assert told(verification, f"2 early checkpoints: they are of the ledger {ORIGIN}")


@pytest.mark.parametrize(
    "settings", [{"SEAL_MERGE_DELAY": "x"}, {"LEDGER_CHECKPOINT_DIR": 5}, {"LEDGER_KEY": "no.such.thing"}]
)
def test_settings_that_make_no_sense_stop_it(settings: dict[str, Any]) -> None:
    with override_settings(FSM_LIFECYCLE=settings), pytest.raises(CannotVerify):
        list(verify())


def test_a_folder_without_checkpoints_is_named(tmp_path: Path) -> None:
    with override_settings(FSM_LIFECYCLE={"LEDGER_CHECKPOINT_DIR": str(tmp_path / "nowhere")}):
        verification = verify()
        list(verification)
        assert told(verification, str(tmp_path / "nowhere"))


def test_every_level_of_tiles_is_compared() -> None:
    Light.objects.bulk_create([Light() for _ in range(600)])
    seal()
    verification = verify()
    assert places(verification) == set()
    assert verification.checked["tiles"] == 4
    with unprotected(connection):
        for level, index in ((0, 0), (0, 1), (0, 2), (1, 0)):
            place = f"level = {level} AND tile_index = {index}"
            [(data,)] = ledger_to_damage.read(f"SELECT data FROM {TILES} WHERE {place}")
            execute(f"UPDATE {TILES} SET data = %s WHERE {place}", "0" * 64 + data[64:])
            [found] = [one for one in verify() if one.code != "PROTECTION_MISSING"]
            assert (found.code, f"tile {level}/{index} " in found.expected) == ("ROOT_MISMATCH", True)
            execute(f"UPDATE {TILES} SET data = %s WHERE {place}", data)
        execute(f"DELETE FROM {LEAVES} WHERE leaf_index = 300")
        assert next(one.expected for one in verify() if one.code == "ROOT_MISMATCH") == "leaf 300"


@pytest.mark.parametrize(
    "note", ["", "no note", "elsewhere\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"]
)
def test_a_given_checkpoint_that_cannot_be_used_stops_it(ledger: Ledger, note: str) -> None:
    with pytest.raises(CannotVerify, match="checkpoint that was given"):
        list(verify(against=note))


def test_a_given_checkpoint_must_be_signed(ledger: Ledger) -> None:
    head = parse_checkpoint(ledger.kept)[0]
    for note in (ledger.kept, f"\n{ledger.kept}\n\n"):
        assert places(verify(against=note)) == set()
    for note in (make_note(head, []), make_note(head, [Signer.generate(ORIGIN)[0]])):
        assert places(verify(against=note)) == {("CHECKPOINT_SIGNATURE", None, None)}


def test_keys_that_cannot_be_read_stop_it(ledger: Ledger, tmp_path: Path) -> None:
    for name in ("key", "key.pub"):
        (tmp_path / name).unlink()
    with pytest.raises(CannotVerify, match="key or its folder"):
        list(verify())


def test_a_kept_checkpoint_that_was_replaced_is_found(ledger: Ledger, tmp_path: Path) -> None:
    newest = max((tmp_path / "outside" / ORIGIN).glob("*.note"))
    for text in ("", "x", ledger.kept):
        newest.write_text(text)
        assert {code for code, _, _ in places(verify())} <= {"CHECKPOINT_SIGNATURE", "CHECKPOINT_FORK"}
        assert not verify().whole
    newest.write_bytes(b"\xff\xfe")
    assert places(verify()) == {("CHECKPOINT_SIGNATURE", None, None)}


def test_what_was_redacted_may_not_come_back(ledger: Ledger) -> None:
    parcel = Parcel.objects.create()
    entry = parcel.fire("ship", actor=ACTOR, metadata={"for": "Ann"})
    body = entry.body
    redact(entry, ["metadata"], reason="asked for", by=ACTOR)
    assert places(verify(deep=True)) == set()
    with unprotected(connection):
        execute(f"UPDATE {LOG} SET body = %s WHERE id = %s", body, entry.pk)
        assert places(verify(deep=True)) == {("BODY_MISMATCH", f"testapp.parcel:{parcel.pk}", 3)}


def test_every_finding_has_a_meaning_and_a_sentence() -> None:
    finding = Finding("ENTRY_HASH", "a.b:1", 3, "this", "that")
    assert finding.code in MEANINGS
    assert finding.sentence() == "a.b:1, entry 3: expected this; found that."
    assert Finding("ROOT_MISMATCH", None, None, "this", "that").sentence() == "Expected this; found that."


# --- beside others ------------------------------------------------------------------------------------------


def elsewhere(act: Any) -> None:
    """Do something on a connection of its own, to its end."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    assert failed == []


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_a_sealer_and_firings_at_work_are_neither_blocked_nor_taken_for_a_fault(tmp_path: Path) -> None:
    with override_settings(FSM_LIFECYCLE={**ledger_to_damage.settings(tmp_path), "SEAL_MERGE_DELAY": 0}):
        keys.new_key(tmp_path / "key", ORIGIN)
        light = Light.objects.create()
        seal()
        steps = 0

        def fire(event: str) -> None:
            Light.objects.get(pk=light.pk).fire(event, actor=ACTOR)

        def at_work(done: int, total: int) -> None:
            nonlocal steps
            steps += 1
            if steps <= 2:
                event = "blink" if steps > 1 else "switch_on"
                elsewhere(partial(fire, event))
                elsewhere(seal)

        assert places(verify(progress=at_work)) == set()
        assert steps >= 2
        assert places(verify()) == set()


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_an_older_transaction_that_is_open_excuses_entries() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("one writer, and readers are not in the way")
    begun, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Light.objects.create()
            begun.set()
            ended.wait(240)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(120)
    try:
        with override_settings(FSM_LIFECYCLE={"SEAL_MERGE_DELAY": 0}):
            # MariaDB tells when a transaction began in whole seconds.
            connection.cursor().execute("SELECT SLEEP(1.1)" if connection.vendor == "mysql" else "SELECT 1")
            Light.objects.create()
            verification = verify()
            assert places(verification) == set()
            assert told(verification, "still open")
    finally:
        ended.set()
        thread.join()
    with override_settings(FSM_LIFECYCLE={"SEAL_MERGE_DELAY": 0}):
        assert {code for code, _, _ in places(verify())} == {"NOT_SEALED"}


def test_the_protection_is_asked_about_without_spoiling_the_callers_transaction() -> None:
    with transaction.atomic():
        list(verify())
        with transaction.atomic():
            Light.objects.create()
    assert protection.missing(connection) == []
