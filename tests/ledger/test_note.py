"""Notes and checkpoints: Go's published ones, ours read by a second reader, and nothing malformed let through."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_lifecycle.ledger.merkle import EMPTY_ROOT
from fsm_lifecycle.ledger.note import (
    CheckpointText,
    NoteMismatch,
    Signer,
    VerifierKey,
    is_name,
    make_note,
    parse_checkpoint,
    signed_by,
)
from tests.vectors import signed_note

pytestmark = pytest.mark.once

# The example of golang.org/x/mod/sumdb/note.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_BLOB = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
GO_LINE = f"— PeterNeumann {GO_BLOB}\n"
# The example of C2SP tlog-checkpoint. Its key is not published.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)

ORIGIN = "ledger.example/ü"
OURS, OUR_PRIVATE = Signer.generate(ORIGIN)
OTHER, _ = Signer.generate(ORIGIN)
HEAD = CheckpointText(ORIGIN, 7, hashlib.sha256(b"root").digest())
NOTE = make_note(HEAD, [OURS])


# --- as published -------------------------------------------------------------------------------------------


def test_gos_example_is_signed_to_the_letter() -> None:
    signer = Signer.parse(GO_PRIVATE)
    assert (signer.name, signer.vkey) == ("PeterNeumann", GO_PUBLIC)
    assert signer.sign(GO_TEXT) == GO_LINE


def test_gos_example_verifies_and_its_key_id_is_the_hash() -> None:
    key = VerifierKey.parse(GO_PUBLIC)
    blob = base64.b64decode(GO_BLOB)
    typed = base64.b64decode(GO_PUBLIC.split("+", 2)[2])
    assert typed == b"\x01" + key.public
    assert key.key_id == hashlib.sha256(b"PeterNeumann\n" + typed).digest()[:4] == blob[:4]
    assert key.key_id.hex() == "c74f20a3"
    assert key.verifies(GO_TEXT, blob[4:])
    assert key.vkey == GO_PUBLIC


def test_the_example_of_the_specification_is_read() -> None:
    checkpoint, signatures = parse_checkpoint(C2SP_NOTE)
    assert (checkpoint.origin, checkpoint.tree_size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root_hash.hex().startswith("0ac5186a91863e8e")
    assert [(one.name, one.key_id.hex(), len(one.signature)) for one in signatures] == [
        ("example.com/behind-the-sofa", "033de0ae", 64)
    ]
    assert checkpoint.text() + "\n" + "".join(one.line() for one in signatures) == C2SP_NOTE
    assert signed_by(C2SP_NOTE, [OURS.vkey]) == []


# --- ours, read by another ----------------------------------------------------------------------------------


def test_the_second_reader_agrees_with_go() -> None:
    text, signers = signed_note.open_note(f"{GO_TEXT}\n{GO_LINE}".encode(), [signed_note.Key.read(GO_PUBLIC)])
    assert (text, signers) == (GO_TEXT.encode(), [b"PeterNeumann"])


def test_a_note_of_ours_is_read_by_the_second_reader() -> None:
    keys = [signed_note.Key.read(OURS.vkey), signed_note.Key.read(OTHER.vkey)]
    text, signers = signed_note.open_note(make_note(HEAD, [OURS, OTHER]).encode(), keys)
    assert signers == [ORIGIN.encode()] * 2
    assert signed_note.read_tree_head(text) == (ORIGIN, 7, HEAD.root_hash)


def test_a_private_key_comes_back_from_its_text() -> None:
    assert OUR_PRIVATE.startswith(f"PRIVATE+KEY+{ORIGIN}+")
    again = Signer.parse(OUR_PRIVATE)
    assert again.vkey == OURS.vkey
    assert again.sign("text\n") == OURS.sign("text\n")


def test_a_checkpoint_is_three_lines_and_comes_back() -> None:
    assert HEAD.text() == f"{ORIGIN}\n7\n{base64.b64encode(HEAD.root_hash).decode()}\n"
    assert make_note(HEAD, []) == HEAD.text()
    assert parse_checkpoint(HEAD.text()) == (HEAD, [])
    assert parse_checkpoint(NOTE)[0] == HEAD
    empty = CheckpointText(ORIGIN, 0, EMPTY_ROOT)
    assert parse_checkpoint(make_note(empty, [OURS]))[0] == empty


def test_extension_lines_are_kept_and_signed() -> None:
    head = CheckpointText(ORIGIN, 7, HEAD.root_hash, ("one", "two"))
    note = make_note(head, [OURS])
    assert parse_checkpoint(note)[0] == head
    assert signed_by(note, [OURS.vkey]) == [OURS.key]


# --- who signed ---------------------------------------------------------------------------------------------


def test_the_keys_that_signed_are_found_whatever_else_stands_there() -> None:
    both = make_note(HEAD, [OTHER, OURS])
    assert signed_by(both, [OURS.vkey, OTHER.vkey]) == [OTHER.key, OURS.key]
    assert signed_by(both, [OURS.vkey, OURS.key]) == [OURS.key]
    assert signed_by(NOTE, [OTHER.vkey]) == []
    assert signed_by(NOTE, []) == []
    assert signed_by(HEAD.text(), [OURS.vkey]) == []
    assert signed_by(NOTE + OURS.sign(HEAD.text()), [OURS.vkey]) == [OURS.key]


def test_a_key_of_another_ledger_says_nothing() -> None:
    stranger, _ = Signer.generate("elsewhere.example")
    note = make_note(HEAD, [stranger])
    assert signed_by(note, [stranger.vkey]) == []


def test_a_key_signs_under_another_name() -> None:
    branch = CheckpointText(f"{ORIGIN}/archive", 7, HEAD.root_hash)
    note = make_note(branch, [OURS.named(branch.origin)])
    renamed = OURS.key.named(branch.origin)
    assert renamed.key_id != OURS.key.key_id
    assert signed_by(note, [OURS.key, renamed]) == [renamed]
    assert signed_note.open_note(note.encode(), [signed_note.Key.read(renamed.vkey)])[1]
    with pytest.raises(NoteMismatch, match="cannot name a key"):
        OURS.named("a b")


def test_of_two_keys_with_the_same_name_and_id_the_right_one_is_believed(monkeypatch: Any) -> None:
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda key: b"same"))
    twin, _ = Signer.generate(ORIGIN)
    note = make_note(HEAD, [twin])
    assert signed_by(note, [OURS.key, twin.key]) == [twin.key]


def test_every_turned_bit_of_a_signature_or_of_the_text_is_seen() -> None:
    text, line = HEAD.text(), parse_checkpoint(NOTE)[1][0]
    for place in range(len(line.signature)):
        wrong = bytearray(line.signature)
        wrong[place] ^= 1 << place % 8
        forged = type(line)(line.name, line.key_id, bytes(wrong))
        with pytest.raises(NoteMismatch, match="is wrong"):
            signed_by(f"{text}\n{forged.line()}", [OURS.vkey])
    other = CheckpointText(ORIGIN, 8, HEAD.root_hash).text()
    with pytest.raises(NoteMismatch, match="is wrong"):
        signed_by(f"{other}\n{line.line()}", [OURS.vkey])


def test_one_wrong_signature_among_right_ones_is_not_overlooked() -> None:
    elsewhere = OTHER.sign("something else\n")
    with pytest.raises(NoteMismatch, match="is wrong"):
        signed_by(NOTE + elsewhere, [OURS.vkey, OTHER.vkey])
    assert signed_by(NOTE + elsewhere, [OURS.vkey]) == [OURS.key]


def test_a_signer_whose_signatures_do_not_fit_its_key_is_found_out() -> None:
    private = Signer.parse(OUR_PRIVATE)
    with pytest.raises(NoteMismatch, match="does not verify"):
        Signer(OTHER.vkey, private._sign).sign("text\n")
    with pytest.raises(NoteMismatch, match="does not verify"):
        Signer(OURS.vkey, lambda message: b"").sign("text\n")


# --- malformed ----------------------------------------------------------------------------------------------

SIGNATURE = OURS.sign(HEAD.text())
ROOT = HEAD.text().split("\n")[2]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        "a\n7\n",
        f"a\n7\n{ROOT}",
        f"\n7\n{ROOT}\n",
        f"a\n\n{ROOT}\n",
        f"a\n7\n\n{SIGNATURE}",
        f"a\n07\n{ROOT}\n",
        f"a\n+7\n{ROOT}\n",
        f"a\n-1\n{ROOT}\n",
        f"a\n7 \n{ROOT}\n",
        f"a\n7_0\n{ROOT}\n",
        f"a\n\u0667\n{ROOT}\n",
        f"a\n{2**63}\n{ROOT}\n",
        f"a\n{'9' * 5000}\n{ROOT}\n",
        f"a\n7\n{ROOT[:-1]}\n",
        f"a\n7\n{ROOT} \n",
        f"a\n7\n{ROOT[:-2]}H=\n",
        f"a\n7\n{base64.b64encode(b'x' * 31).decode()}\n",
        "a\n7\n" + "_" * 43 + "=\n",
        f"a\n7\n{ROOT}\n\n",
        f"a\n7\n{ROOT}\n\n\n{SIGNATURE}",
        f"a\n7\n{ROOT}\n{SIGNATURE}\n",
        f"a\n7\n{ROOT}\nextension\n\nanother\n\n{SIGNATURE}",
        f"a\r\n7\r\n{ROOT}\r\n",
        f"a\t\n7\n{ROOT}\n",
        f"a\x00\n7\n{ROOT}\n",
        f"a\ud800\n7\n{ROOT}\n",
        f"a\n7\n{ROOT}\n\n{SIGNATURE[:-1]}",
        f"a\n7\n{ROOT}\n\n{SIGNATURE.replace('—', '-')}",
        f"a\n7\n{ROOT}\n\n{SIGNATURE.replace('— ', '—')}",
        f"a\n7\n{ROOT}\n\n{SIGNATURE.replace(' ', '  ')}",
        f"a\n7\n{ROOT}\n\n{SIGNATURE.replace('ü', 'ü+')}",
        f"a\n7\n{ROOT}\n\n" + SIGNATURE.replace("ü", "\xa0"),
        f"a\n7\n{ROOT}\n\n— a AAAAAA==\n",
        f"a\n7\n{ROOT}\n\n— a AAAAAB==\n",
        f"a\n7\n{ROOT}\n\n— a !\n",
        f"a\n7\n{ROOT}\n\n" + SIGNATURE * 101,
        f"a\n7\n{ROOT}\n" + "x" * 1_000_000 + "\n",
    ],
    ids=lambda note: f"{len(note)} characters",  # the text has signatures of the day
)
def test_what_is_not_a_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(NoteMismatch):
        parse_checkpoint(note)


def test_as_many_signatures_as_the_specification_demands_are_read() -> None:
    assert len(parse_checkpoint(HEAD.text() + "\n" + SIGNATURE * 16)[1]) == 16


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "+",
        "++",
        "PeterNeumann",
        GO_PUBLIC.replace("c74f20a3", "c74f20a4"),
        GO_PUBLIC.replace("c74f20a3", "C74F20A3"),
        GO_PUBLIC.replace("c74f20a3", "c74f20a"),
        GO_PUBLIC.replace("Peter", "Peter "),
        GO_PUBLIC.replace("Peter", "Retep"),
        GO_PUBLIC[:-1],
        GO_PUBLIC + "\n",
        GO_PUBLIC + "=",
        GO_PRIVATE,
        "PeterNeumann+c74f20a3+" + base64.b64encode(b"\x02" + b"k" * 32).decode(),
        "PeterNeumann+c74f20a3+" + base64.b64encode(b"\x01" + b"k" * 31).decode(),
        "\ud800+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_not_a_public_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteMismatch):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GO_PUBLIC,
        GO_PRIVATE + "\n",
        GO_PRIVATE.replace("c74f20a3", "c74f20a4"),
        GO_PRIVATE.replace("AYEK", "AgEK"),
    ],
)
def test_what_is_not_a_private_key_is_refused_and_the_message_keeps_the_secret(text: str) -> None:
    with pytest.raises(NoteMismatch) as raised:
        Signer.parse(text)
    assert "FALVFGyNhPJEMzD1QIDr" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\x1fb", "a\xa0b", "a\u2003b", "a\nb", "\ud800"])
def test_what_cannot_name_a_key_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(NoteMismatch, match="cannot name a key"):
        Signer.generate(name)


@given(st.text(alphabet=st.sampled_from("—\n +=a7Ü\0AQ/") | st.characters(), max_size=200))
def test_reading_a_note_raises_nothing_but_a_mismatch(tail: str) -> None:
    for note in (tail, f"{HEAD.text()}{tail}", f"{HEAD.text()}\n{tail}", NOTE + tail):
        try:
            checkpoint, signatures = parse_checkpoint(note)
        except NoteMismatch:
            continue
        written = checkpoint.text() + ("\n" if signatures else "") + "".join(one.line() for one in signatures)
        assert written == note
