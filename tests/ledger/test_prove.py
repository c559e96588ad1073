"""Proving: what comes out of the database is checked by other hands, and nothing untrue comes out."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.core.management import CommandError, call_command
from django.db import connection

from fsm_lifecycle.ledger import keys, verifier
from fsm_lifecycle.ledger.body import redacted
from fsm_lifecycle.ledger.prove import NotProvable, as_text, is_signed, prove
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light
from tests.vectors import signed_note

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

ORIGIN = "ledger.example"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def key(tmp_path: Path, settings: Any) -> Path:
    settings.FSM_LIFECYCLE = {"LEDGER_KEY": tmp_path / "ledger.key", "LEDGER_ORIGIN": ORIGIN}
    keys.new_key(tmp_path / "ledger.key", ORIGIN)
    return tmp_path / "ledger.key.pub"


def fire(lamps: int = 3) -> list[TransitionLog]:
    """Some entries, the last of a lamp that was switched on and off."""
    for number in range(lamps):
        lamp = Light(name=f"lamp {number}")
        lamp.save()
        lamp.fire("switch_on", actor=ACTOR, metadata={"ü": [number, None], "when": "dusk"})
        lamp.fire("switch_off", actor=ACTOR)
    return list(TransitionLog.objects.order_by("id"))


def judged(proof: dict[str, Any], key: Path) -> tuple[int, str]:
    path = key.with_name("bundle.json")
    path.write_text(as_text(proof), encoding="utf-8")
    return verifier.verify(path, [key])


def change(row: Any, **values: Any) -> None:
    """Change a stored row behind the package's back."""
    columns = ", ".join(f"{name} = %s" for name in values)
    with unprotected(connection), connection.cursor() as cursor:
        sql = f"UPDATE {row._meta.db_table} SET {columns} WHERE {row._meta.pk.column} = %s"
        cursor.execute(sql, [*values.values(), row.pk])
        assert cursor.rowcount == 1


# --- true ---------------------------------------------------------------------------------------------------


def test_every_sealed_entry_is_proven_to_the_verifier(key: Path) -> None:
    entries = fire()
    seal("default")
    for index, entry in enumerate(entries):
        proof = prove(entry.entry_hash, "default")
        assert proof["leaf_index"] == index
        assert is_signed(proof)
        code, sentence = judged(proof, key)
        assert code == 0, sentence
        assert f"hash {entry.entry_hash}, is number {index} of the 9" in sentence


def test_a_bundle_is_checked_with_nothing_of_ours(key: Path) -> None:
    """RFC 8785 and the notes by other implementations, RFC 9162 by hand."""
    entries = fire()
    seal("default")
    proof = json.loads(as_text(prove(entries[4].entry_hash, "default")))

    def sha256(prefix: bytes, data: bytes) -> bytes:
        return hashlib.sha256(prefix + data).digest()

    digests = {
        name: sha256(b"\x02", rfc8785.dumps([name, salt, value])).hex()
        for name, (salt, value) in proof["body"].items()
    }
    assert set(digests) >= {"actor", "metadata"}
    assert sha256(b"\x03", rfc8785.dumps(digests)).hex() == proof["entry"]["body"]
    computed = sha256(b"\x00", rfc8785.dumps(proof["entry"]))
    assert computed.hex() == entries[4].entry_hash
    text, signers = signed_note.open_note(
        proof["checkpoint"].encode(), [signed_note.Key.read(key.read_text().strip())]
    )
    assert signers == [ORIGIN.encode()]
    origin, size, root = signed_note.read_tree_head(text)
    assert (origin, size, proof["leaf_index"]) == (ORIGIN, 9, 4)
    # Place 4 of 9: the pairs 4 5, then 6 7; the four to the left; the ninth to the right.
    right, pair, left, ninth = map(bytes.fromhex, proof["inclusion"])
    eight = sha256(b"\x01", left + sha256(b"\x01", sha256(b"\x01", computed + right) + pair))
    assert sha256(b"\x01", eight + ninth) == root


def test_a_proof_goes_up_to_the_newest_checkpoint(key: Path) -> None:
    first = fire(1)[0]
    seal("default")
    before = prove(first.entry_hash, "default")
    fire(2)
    seal("default")
    after = prove(first.entry_hash, "default")
    assert [proof["checkpoint"].split("\n")[1] for proof in (before, after)] == ["3", "9"]
    assert judged(before, key)[0] == judged(after, key)[0] == 0


def test_without_the_body_the_values_stay_at_home(key: Path) -> None:
    entry = fire(1)[1]
    seal("default")
    proof = prove(entry.entry_hash, "default", body=False)
    assert "body" not in proof
    assert "dusk" not in as_text(proof)
    assert judged(proof, key)[0] == 0


def test_what_is_redacted_is_proven_by_digests(key: Path) -> None:
    entry = fire(1)[1]
    seal("default")
    change(entry, body=redacted(entry.body, ["metadata"]))
    proof = prove(entry.entry_hash, "default")
    assert set(proof["digests"]) >= {"actor", "metadata"}
    assert judged(proof, key)[0] == 0


def test_without_a_key_the_proof_says_that_it_convinces_nobody(key: Path, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": ORIGIN}
    entry = fire(1)[0]
    seal("default")
    proof = prove(entry.entry_hash, "default")
    assert not is_signed(proof)
    assert judged(proof, key) == (2, "Cannot tell: The checkpoint is unsigned, so anybody can have made it.")


# --- nothing to prove, and nothing untrue ---------------------------------------------------------------------


def test_what_is_not_there_or_not_sealed_is_not_proven(key: Path) -> None:
    for unknown in ("", "00" * 32, "\N{SNOWMAN}", "x" * 5000):
        with pytest.raises(NotProvable, match="has no entry") as raised:
            prove(unknown, "default")
        assert not raised.value.damaged
    entry = fire(1)[0]
    with pytest.raises(NotProvable, match="not sealed yet"):
        prove(entry.entry_hash, "default")
    seal("default", checkpoint=False)
    with pytest.raises(NotProvable, match="no checkpoint covers it yet"):
        prove(entry.entry_hash, "default")
    seal("default")
    assert prove(entry.entry_hash, "default")
    assert entry.entry_hash != entry.entry_hash.upper()
    with pytest.raises(NotProvable, match="has no entry"):
        prove(entry.entry_hash.upper(), "default")


def damage_state(entries: list[TransitionLog]) -> None:
    change(entries[4], to_state="broken")


def damage_body(entries: list[TransitionLog]) -> None:
    change(entries[4], body=entries[4].body.replace("dusk", "dawn"))


def damage_body_beyond_reading(entries: list[TransitionLog]) -> None:
    change(entries[4], body="{")


def damage_place(entries: list[TransitionLog]) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("DELETE FROM fsm_lifecycle_logleaf WHERE leaf_index = 8")
        cursor.execute("UPDATE fsm_lifecycle_logleaf SET leaf_index = 8 WHERE leaf_index = 4")


def damage_tile(entries: list[TransitionLog]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_logtile SET data = %s", ["ab" * 32 * 9])


def damage_no_tile(entries: list[TransitionLog]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM fsm_lifecycle_logtile")


def damage_note(entries: list[TransitionLog]) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_checkpoint SET note = 'x'")


def damage_size(entries: list[TransitionLog]) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_checkpoint SET note = REPLACE(note, '\n9\n', '\n3\n')")


@pytest.mark.parametrize(
    "damage",
    [
        damage_state,
        damage_body,
        damage_body_beyond_reading,
        damage_place,
        damage_tile,
        damage_no_tile,
        damage_note,
        damage_size,
    ],
)
def test_a_damaged_ledger_gives_no_bundle(key: Path, damage: Callable[[list[TransitionLog]], None]) -> None:
    entries = fire()
    seal("default")
    damage(entries)
    with pytest.raises(
        NotProvable, match=r"because the ledger is damaged\. .*lifecycle_verify --deep"
    ) as raised:
        prove(entries[4].entry_hash, "default")
    assert raised.value.damaged


# --- the command ----------------------------------------------------------------------------------------------


def run(*arguments: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("lifecycle_prove", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_writes_what_the_program_believes(key: Path) -> None:
    entry = fire(1)[1]
    seal("default")
    path = key.with_name("proof.json")
    out, err = run(entry.entry_hash, "-o", path)
    assert (out, err) == (f"Wrote the proof to {path}.\n", "")
    done = subprocess.run(
        [sys.executable, "-m", "fsm_lifecycle.ledger.verifier", str(path), "--key", str(key)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("True: entry 2 of testapp.light:")


def test_the_command_writes_one_document_to_standard_output(key: Path, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": ORIGIN}
    entry = fire(1)[1]
    seal("default")
    out, err = run(entry.entry_hash, "-o", "-", "--without-body")
    assert json.loads(out)["digests"]
    assert "unsigned" in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["00", "-o", "-"], 2),
        (["HASH"], None),
        (["-o", "-"], None),
        (["HASH", "-o", "-", "--more"], None),
        (["HASH", "-o", "-", "--database", "nowhere"], None),
        (["HASH", "-o", "nowhere/proof.json"], 2),
    ],
)
def test_the_command_refuses_before_it_writes(key: Path, arguments: list[str], code: int | None) -> None:
    entry = fire(1)[1]
    seal("default")
    before = sorted(key.parent.iterdir())
    with pytest.raises(CommandError) as raised:
        run(*(entry.entry_hash if argument == "HASH" else argument for argument in arguments))
    assert code is None or raised.value.returncode == code
    assert sorted(key.parent.iterdir()) == before


def test_the_command_calls_damage_a_finding(key: Path) -> None:
    entries = fire()
    seal("default")
    damage_state(entries)
    path = key.with_name("proof.json")
    with pytest.raises(CommandError) as raised:
        run(entries[4].entry_hash, "-o", path)
    assert raised.value.returncode == 1
    assert not path.exists()
