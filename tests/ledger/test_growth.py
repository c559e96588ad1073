"""No tree is sealed or signed that has not grown from the checkpoint outside, until a person has looked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.ledger import keys
from fsm_lifecycle.ledger.growth import SealRefused, adopt
from fsm_lifecycle.ledger.identity import known_keys
from fsm_lifecycle.ledger.note import CheckpointText, Signer, make_note, parse_checkpoint, signed_by
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.tiles import Tiles
from fsm_lifecycle.models import LogLeaf
from tests.ledger.kept_outside import ORIGIN, configured, names, rewrite, sealed
from tests.ledger.whole_tree import faults
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db


@pytest.fixture
def configure(settings: Any, tmp_path: Path) -> Callable[..., Path]:
    return lambda **more: configured(settings, tmp_path, **more)


@pytest.fixture
def folder(configure: Callable[..., Path]) -> Path:
    return configure()


@pytest.fixture
def key(configure: Callable[..., Path], tmp_path: Path) -> Path:
    configure(LEDGER_KEY=tmp_path / "ledger.key")
    keys.new_key(tmp_path / "ledger.key", ORIGIN)
    return tmp_path / "ledger.key"


@pytest.fixture
def signed_folder(key: Path, tmp_path: Path) -> Path:
    return tmp_path / "kept" / "ledger.example%2Flog"


def test_a_tree_that_was_rewritten_is_not_signed(folder: Path) -> None:
    before = sealed(4)
    rewrite()
    Light.objects.bulk_create([Light(), Light()])
    with pytest.raises(SealRefused, match="forked") as refused:
        seal()
    assert before.root_hash in str(refused.value)
    assert LogLeaf.objects.count() == 0
    assert names(folder)[-1] == f"{4:020d}.note"


def test_a_fork_names_both_roots(folder: Path) -> None:
    before = sealed(4)
    rewrite()
    place = folder.rename(folder.with_name("away"))
    after = sealed(2)
    for path in folder.iterdir():
        path.unlink()
    for path in place.iterdir():
        path.rename(folder / path.name)
    with pytest.raises(SealRefused) as refused:
        seal()
    assert before.root_hash in str(refused.value)
    assert after.root_hash != before.root_hash
    assert "LEDGER_ORIGIN" in str(refused.value)


def test_a_tree_that_was_rewritten_and_grew_is_a_fork_too(folder: Path) -> None:
    sealed(4)
    kept = (folder / f"{4:020d}.note").read_text()
    rewrite()
    for path in folder.iterdir():
        path.unlink()
    sealed(6)
    for path in folder.iterdir():
        path.unlink()
    (folder / f"{4:020d}.note").write_text(kept)
    Light.objects.create()
    with pytest.raises(SealRefused) as refused:
        seal()
    head, _ = parse_checkpoint(kept)
    root = Tiles("default").root(4)
    assert head.root_hash.hex() in str(refused.value)
    assert root.hex() in str(refused.value)
    assert LogLeaf.objects.count() == 9


def test_a_tree_without_its_checkpoints_is_not_signed_until_a_person_adopts_one(folder: Path) -> None:
    made = sealed(3)
    for path in folder.iterdir():
        path.unlink()
    Light.objects.create()
    with pytest.raises(SealRefused, match="--adopt") as refused:
        seal()
    assert made.note in str(refused.value)
    assert LogLeaf.objects.count() == 3
    assert adopt(made.note, "default").tree_size == 3
    assert seal().tree_size == 4


def test_only_a_checkpoint_of_this_ledger_can_be_adopted(signed_folder: Path) -> None:
    folder = signed_folder
    made = sealed(3)
    for path in folder.iterdir():
        path.unlink()
    head, _ = parse_checkpoint(made.note)
    stranger, _ = Signer.generate(ORIGIN)
    for note, what in (
        ("nonsense", "is not one"),
        (make_note(CheckpointText("elsewhere", 3, bytes(32)), []), "forked"),
        (make_note(CheckpointText(ORIGIN, 3, bytes(32)), keys.signers()), "forked"),
        (make_note(CheckpointText(ORIGIN, 4, bytes(32)), keys.signers()), "forked"),
        (make_note(head, [stranger]), "not signed"),
        (head.text(), "not signed"),
        (made.note.replace("\n3\n", "\n2\n"), "is wrong"),
    ):
        with pytest.raises(SealRefused, match=what):
            adopt(note, "default")
    assert list(folder.iterdir()) == []
    adopt(f"\n{made.note}\n\n", "default")
    assert (folder / f"{3:020d}.note").read_text() == made.note
    with pytest.raises(SealRefused, match="not older"):
        adopt(made.note, "default")
    with pytest.raises(SealRefused, match="is of the ledger"):
        adopt(CheckpointText("elsewhere", 3, head.root_hash).text(), "default")


@pytest.mark.parametrize("signed", [True, False])
def test_a_copy_under_another_name_begins_with_the_checkpoint_of_the_one_it_was_copied_from(
    configure: Callable[..., Path], tmp_path: Path, signed: bool
) -> None:
    origins = (ORIGIN, "staging.example")
    paths = [tmp_path / f"{number}.key" if signed else None for number in range(2)]
    for origin, path in zip(origins, paths, strict=True):
        if path is not None:
            keys.new_key(path, origin)
    configure(LEDGER_KEY=paths[0])
    sealed(2)
    copied = sealed(1)
    configure(LEDGER_KEY=paths[1], LEDGER_ORIGIN=origins[1])
    Light.objects.create()
    with pytest.raises(SealRefused, match="--adopt"):
        seal()
    assert adopt(copied.note, "default").origin == origins[1]
    made = seal().checkpoint
    assert made is not None
    head, _ = parse_checkpoint(made.note)
    assert (head.origin, head.tree_size, made.is_signed) == (origins[1], 4, signed)
    own = tmp_path / "kept" / origins[1]
    assert names(own) == [f"{size:020d}.note" for size in (3, 4)]
    assert signed_by((own / f"{3:020d}.note").read_text(), known_keys("default")) == known_keys("default")
    assert faults() == []


def test_a_new_name_is_a_new_checkpoint(configure: Callable[..., Path], settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": "one.example"}
    sealed(2)
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": "two.example"}
    made = seal().checkpoint
    assert made is not None
    assert made.note.startswith("two.example\n2\n")
    assert seal().checkpoint is None


def test_nothing_can_be_adopted_without_a_folder(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    with pytest.raises(SealRefused, match="LEDGER_CHECKPOINT_DIR"):
        adopt("x", "default")


def test_a_kept_checkpoint_of_another_ledger_or_of_none_is_refused(configure: Callable[..., Path]) -> None:
    folder = configure()
    sealed(1)
    for text in ("", "\xff", "elsewhere\n1\n" + "A" * 43 + "=\n"):
        (folder / f"{9:020d}.note").write_text(text)
        with pytest.raises(SealRefused):
            seal()
    (folder / f"{9:020d}.note").unlink()
    assert seal().sealed == 0


def test_a_kept_checkpoint_with_a_wrong_signature_is_refused(signed_folder: Path) -> None:
    folder = signed_folder
    made = sealed(2)
    place = folder / f"{2:020d}.note"
    place.write_text(made.note.replace(f"{ORIGIN}\n2\n", f"{ORIGIN}\n1\n"))
    with pytest.raises(SealRefused, match="wrong"):
        seal()


def test_a_kept_checkpoint_under_the_name_of_another_is_refused(folder: Path) -> None:
    made = sealed(2)
    sealed(1)
    (folder / f"{3:020d}.note").write_text(made.note)
    with pytest.raises(SealRefused, match="2 entries"):
        seal()


def test_an_unsigned_checkpoint_does_not_follow_a_signed_one(signed_folder: Path) -> None:
    folder = signed_folder
    made = sealed(2)
    head = CheckpointText(ORIGIN, 3, bytes(32))
    (folder / f"{3:020d}.note").write_text(head.text())
    with pytest.raises(SealRefused, match="is not signed"):
        seal()
    assert made.is_signed


def test_a_folder_that_is_a_file_is_called_so(configure: Callable[..., Path], tmp_path: Path) -> None:
    configure(LEDGER_CHECKPOINT_DIR=tmp_path / "file")
    (tmp_path / "file").touch()
    Light.objects.create()
    with pytest.raises(SealRefused, match="Not a directory"):
        seal()
    assert LogLeaf.objects.count() == 0
