"""Keys: a file that only its owner reads or an object that signs, and the public ones for ever beside it."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.ledger import keys
from fsm_lifecycle.ledger.keys import KeyUnreadable
from fsm_lifecycle.ledger.note import CheckpointText, Signer, make_note, signed_by

pytestmark = pytest.mark.once

ORIGIN = "ledger.example"
HEAD = CheckpointText(ORIGIN, 3, b"r" * 32)
SIGNER, _ = Signer.generate(ORIGIN)
EARLIER, _ = Signer.generate(ORIGIN)


class Kms:
    """What a host's callable may return."""

    vkey = SIGNER.vkey
    earlier = (EARLIER.vkey,)

    def sign(self, message: bytes) -> bytes:
        return SIGNER._sign(message)


class Broken(Kms):
    def sign(self, message: bytes) -> bytes:
        raise ConnectionError("no way to the KMS")


def unreachable() -> Kms:
    raise TimeoutError("the KMS does not answer")


def nothing() -> None:
    """Returns no signer."""


@pytest.fixture
def configure(settings: Any) -> Callable[[Any], None]:
    def configured(key: Any) -> None:
        settings.FSM_LIFECYCLE = {"LEDGER_KEY": key, "LEDGER_ORIGIN": ORIGIN}

    return configured


@pytest.fixture
def path(tmp_path: Path, configure: Callable[[Any], None]) -> Path:
    configure(tmp_path / "ledger.key")
    return tmp_path / "ledger.key"


# --- files --------------------------------------------------------------------------------------------------


def test_without_a_key_nobody_signs(configure: Callable[[Any], None]) -> None:
    for nothing_set in (None, ""):
        configure(nothing_set)
        assert keys.signers() == []
        assert keys.known_vkeys() == []
        assert keys.key_path() is None


def test_a_new_key_signs_and_is_known(path: Path, configure: Callable[[Any], None]) -> None:
    made = keys.new_key(path, ORIGIN)
    for as_set in (path, str(path)):
        configure(as_set)
        assert keys.key_path() == path
        assert [signer.vkey for signer in keys.signers()] == keys.known_vkeys() == [made.vkey]
    assert signed_by(make_note(HEAD, keys.signers()), keys.known_vkeys()) == [made.key]


def test_only_the_owner_can_read_a_new_key_and_everybody_its_public_half(path: Path) -> None:
    made = keys.new_key(path, ORIGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith(f"PRIVATE+KEY+{ORIGIN}+")
    assert (path.parent / "ledger.key.pub").read_text() == f"{made.vkey}\n"
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.key", "ledger.key.pub"]


def test_no_key_is_overwritten(path: Path) -> None:
    keys.new_key(path, ORIGIN)
    before = path.read_text()
    with pytest.raises(KeyUnreadable, match="already; nothing was written"):
        keys.new_key(path, ORIGIN)
    assert path.read_text() == before
    dangling = path.with_name("dangling.key")
    dangling.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(KeyUnreadable, match="already; nothing was written"):
        keys.new_key(dangling, ORIGIN)


def test_a_new_key_joins_the_public_ones_of_a_lost_one(path: Path) -> None:
    lost = keys.new_key(path, ORIGIN)
    path.unlink()
    made = keys.new_key(path, ORIGIN)
    assert keys.known_vkeys() == [lost.vkey, made.vkey]


def test_a_key_goes_into_a_folder_that_there_is_and_has_a_proper_name(path: Path) -> None:
    with pytest.raises(KeyUnreadable, match="There is no folder"):
        keys.new_key(path.parent / "nowhere" / "ledger.key", ORIGIN)
    with pytest.raises(KeyUnreadable, match="LEDGER_ORIGIN: 'my ledger' cannot name a key"):
        keys.new_key(path, "my ledger")
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o601])
def test_a_private_key_that_others_can_reach_is_refused(path: Path, mode: int) -> None:
    made = keys.new_key(path, ORIGIN)
    path.chmod(mode)
    with pytest.raises(KeyUnreadable, match=f"chmod 600 {path}"):
        keys.signers()
    assert keys.known_vkeys() == [made.vkey]


def test_a_machine_that_only_checks_needs_no_private_key(path: Path) -> None:
    made = keys.new_key(path, ORIGIN)
    path.unlink()
    assert keys.known_vkeys() == [made.vkey]
    with pytest.raises(KeyUnreadable, match="There is no file"):
        keys.signers()


def test_a_machine_that_has_only_the_private_key_knows_its_public_half(path: Path) -> None:
    made = keys.new_key(path, ORIGIN)
    keys.public_path(path).unlink()
    assert keys.known_vkeys() == [made.vkey]


def test_a_key_that_is_nowhere_is_missed(path: Path) -> None:
    for asked in (keys.signers, keys.known_vkeys):
        with pytest.raises(KeyUnreadable, match=r"There is no file .*lifecycle_key new"):
            asked()


def test_a_key_of_another_ledger_is_refused(path: Path) -> None:
    keys.new_key(path, "elsewhere.example")
    with pytest.raises(KeyUnreadable, match="is a key of 'elsewhere"):
        keys.signers()


def test_damaged_files_are_named_and_nothing_of_the_secret_is_said(path: Path) -> None:
    keys.new_key(path, ORIGIN)
    secret = path.read_text().strip().split("+", 4)[-1]
    path.write_text(path.read_text()[:-9])
    with pytest.raises(KeyUnreadable, match=str(path)) as raised:
        keys.signers()
    assert secret[:8] not in str(raised.value)
    keys.public_path(path).write_text("\nnot a key\n")
    with pytest.raises(KeyUnreadable, match=r"ledger\.key\.pub, line 2"):
        keys.known_vkeys()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(KeyUnreadable, match="cannot be read"):
        keys.signers()


# --- objects ------------------------------------------------------------------------------------------------


def test_an_object_of_the_host_signs_and_names_its_earlier_keys(configure: Callable[[Any], None]) -> None:
    configure("tests.ledger.test_keys.Kms")
    assert keys.key_path() is None
    assert keys.known_vkeys() == [EARLIER.vkey, SIGNER.vkey]
    assert signed_by(make_note(HEAD, keys.signers()), keys.known_vkeys()) == [SIGNER.key]


@pytest.mark.parametrize(
    ("dotted", "why"),
    [
        ("tests.ledger.test_keys.unreachable", "the KMS does not answer"),
        ("tests.ledger.test_keys.missing", "has no attribute 'missing'"),
        ("tests.ledger.nowhere.Kms", "No module named"),
        ("tests.ledger.test_keys.nothing", "made a NoneType, which is no signer"),
    ],
)
def test_an_object_that_cannot_be_had_is_named(
    configure: Callable[[Any], None], dotted: str, why: str
) -> None:
    configure(dotted)
    with pytest.raises(KeyUnreadable, match=why):
        keys.signers()
    with pytest.raises(KeyUnreadable, match=why):
        keys.known_vkeys()


def test_an_object_that_cannot_sign_just_now_is_named(configure: Callable[[Any], None]) -> None:
    configure("tests.ledger.test_keys.Broken")
    [signer] = keys.signers()
    with pytest.raises(KeyUnreadable, match="no way to the KMS"):
        signer.sign("text\n")


def test_a_file_whose_name_looks_like_a_callable_is_a_file(
    configure: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = keys.new_key(Path("ledger.key"), ORIGIN)
    configure("ledger.key")
    assert keys.known_vkeys() == [made.vkey]


# --- replacing ----------------------------------------------------------------------------------------------


def test_a_rotation_signs_with_both_and_then_with_the_new_one(path: Path) -> None:
    first = keys.new_key(path, ORIGIN)
    notes: list[str] = []

    def make_checkpoint(signers: list[Signer]) -> None:
        assert keys.signers()[0].vkey == first.vkey, "the old key signs until the checkpoint is there"
        assert keys.known_vkeys() == [signer.vkey for signer in signers]
        notes.append(make_note(HEAD, signers))

    old, new = keys.rotate(make_checkpoint)
    assert signed_by(notes[0], keys.known_vkeys()) == [old.key, new.key]
    assert (old.vkey, keys.signers()[0].vkey) == (first.vkey, new.vkey)
    assert keys.known_vkeys() == [first.vkey, new.vkey]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.key", "ledger.key.pub"]


def test_a_rotation_that_breaks_off_leaves_the_old_key_and_goes_on_with_the_same_new_one(path: Path) -> None:
    first = keys.new_key(path, ORIGIN)
    seen: list[str] = []

    def fails(signers: list[Signer]) -> None:
        seen.append(signers[1].vkey)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keys.rotate(fails)
    assert keys.signers()[0].vkey == first.vkey
    _, new = keys.rotate(lambda signers: None)
    assert [new.vkey] == seen
    assert keys.known_vkeys() == [first.vkey, new.vkey]


def test_what_waits_must_be_another_key_of_this_ledger(path: Path) -> None:
    keys.new_key(path, ORIGIN)
    waiting = path.with_name("ledger.key.next")
    waiting.write_text(path.read_text())
    waiting.chmod(0o600)
    before = keys.known_vkeys()
    with pytest.raises(KeyUnreadable, match=r"ledger\.key\.next is not a further key"):
        keys.rotate(lambda signers: None)
    assert keys.known_vkeys() == before


def test_there_is_nothing_to_replace_without_a_file(configure: Callable[[Any], None]) -> None:
    for key in (None, "tests.ledger.test_keys.Kms"):
        configure(key)
        with pytest.raises(KeyUnreadable, match="names no file"):
            keys.rotate(lambda signers: None)


def test_two_rotations_at_once_say_what_happened(path: Path) -> None:
    keys.new_key(path, ORIGIN)
    with pytest.raises(KeyUnreadable, match="could not take the place"):
        keys.rotate(lambda signers: keys.rotate(lambda signers: None))
    assert len(keys.known_vkeys()) == 2
    assert keys.signers()[0].vkey == keys.known_vkeys()[1]
