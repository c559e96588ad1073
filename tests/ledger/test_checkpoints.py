"""Checkpoints: signed, kept outside, and made only of a tree that has grown from the last one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.ledger import checkpoints, keys
from fsm_lifecycle.ledger.checkpoints import SealRefused, known_keys, make_checkpoint
from fsm_lifecycle.ledger.keys import KeyUnreadable
from fsm_lifecycle.ledger.merkle import EMPTY_ROOT
from fsm_lifecycle.ledger.note import parse_checkpoint, signed_by
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import Checkpoint, LogLeaf
from tests.ledger.kept_outside import ORIGIN, configured, names, sealed
from tests.ledger.whole_tree import faults
from tests.testapp.models import Light

EXPORTED: list[Checkpoint] = []

pytestmark = pytest.mark.django_db


def to_memory(checkpoint: Checkpoint) -> None:
    EXPORTED.append(checkpoint)


def to_nowhere(checkpoint: Checkpoint) -> None:
    raise OSError("the network is gone")


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


# --- made and kept ------------------------------------------------------------------------------------------


def test_without_a_key_a_checkpoint_is_its_three_lines(folder: Path) -> None:
    made = sealed(3)
    head, signatures = parse_checkpoint(made.note)
    assert made.note.count("\n") == 3
    assert (head.origin, head.tree_size, head.root_hash.hex()) == (ORIGIN, 3, made.root_hash)
    assert (signatures, made.is_signed) == ([], False)


@pytest.mark.usefixtures("key")
def test_with_a_key_it_is_signed() -> None:
    made = sealed(3)
    assert made.is_signed
    assert signed_by(made.note, known_keys("default")) == known_keys("default")


def test_every_checkpoint_is_kept_outside_beginning_with_the_empty_tree(folder: Path) -> None:
    one, two = sealed(2), sealed(3)
    assert names(folder) == [f"{size:020d}.note" for size in (0, 2, 5)]
    assert (folder / f"{2:020d}.note").read_text() == one.note
    assert (folder / f"{5:020d}.note").read_text() == two.note
    empty, _ = parse_checkpoint((folder / f"{0:020d}.note").read_text())
    assert (empty.tree_size, empty.root_hash) == (0, EMPTY_ROOT)
    assert faults() == []


def test_nothing_is_made_of_a_tree_that_has_not_grown(folder: Path) -> None:
    sealed(2)
    assert make_checkpoint("default") is None
    assert seal().checkpoint is None
    assert Checkpoint.objects.count() == 1


@pytest.mark.usefixtures("configure")
def test_without_a_folder_it_is_stored_alone(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    assert sealed(2).tree_size == 2


def test_what_did_not_get_outside_is_put_there_later(folder: Path) -> None:
    made = sealed(2)
    (folder / f"{2:020d}.note").unlink()
    assert seal().checkpoint is None
    assert (folder / f"{2:020d}.note").read_text() == made.note


def test_nothing_is_stored_that_cannot_be_kept_outside(folder: Path) -> None:
    sealed(1)
    place = folder / f"{2:020d}.note"
    place.mkdir()
    (place / "in the way").touch()
    Light.objects.create()
    with pytest.raises(SealRefused, match="cannot be read"):
        seal()


@pytest.mark.parametrize("origin", ["../..", "a/b", ".hidden", "ä ö"])
def test_no_origin_leads_out_of_the_folder(
    configure: Callable[..., Path], origin: str, tmp_path: Path
) -> None:
    configure(LEDGER_ORIGIN=origin)
    sealed(1)
    [own] = (tmp_path / "kept").iterdir()
    assert len(names(own)) == 2


def test_a_key_that_cannot_be_read_stops_before_anything_is_sealed(
    configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure(LEDGER_KEY=tmp_path / "none")
    Light.objects.create()
    with pytest.raises(KeyUnreadable):
        seal()
    assert LogLeaf.objects.count() == 0


# --- signers ------------------------------------------------------------------------------------------------


def test_a_key_that_comes_later_signs_the_same_tree_again(
    configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure()
    assert not sealed(2).is_signed
    configure(LEDGER_KEY=tmp_path / "ledger.key")
    keys.new_key(tmp_path / "ledger.key", ORIGIN)
    made = seal().checkpoint
    assert made is not None
    assert (made.tree_size, made.is_signed) == (2, True)
    assert seal().checkpoint is None


def test_at_a_rotation_both_keys_sign(key: Path) -> None:
    first = sealed(2)
    [old] = known_keys("default")
    keys.rotate(lambda signers: make_checkpoint("default", signers))
    both = Checkpoint.objects.latest("pk")
    assert both.tree_size == first.tree_size == 2
    assert len(signed_by(both.note, known_keys("default"))) == 2
    assert seal().checkpoint is None  # the new key has signed this tree
    after = sealed(1)
    [new] = signed_by(after.note, known_keys("default"))
    assert new != old
    assert faults() == []


@pytest.mark.usefixtures("key")
def test_a_rotation_before_the_first_entry() -> None:
    keys.rotate(lambda signers: make_checkpoint("default", signers))
    assert Checkpoint.objects.get().tree_size == 0
    assert sealed(1).tree_size == 1


@pytest.mark.usefixtures("key")
@pytest.mark.django_db(databases=["default", "other"])
def test_another_database_is_another_ledger_with_the_same_key(tmp_path: Path) -> None:
    Light.objects.using("other").create()
    made = seal("other").checkpoint
    assert made is not None
    head, _ = parse_checkpoint(made.note)
    assert head.origin == f"{ORIGIN}/other"
    assert signed_by(made.note, known_keys("other")) == known_keys("other")
    assert known_keys("other")[0].public == known_keys("default")[0].public
    sealed(2)
    assert len(list((tmp_path / "kept").iterdir())) == 2


# --- export -------------------------------------------------------------------------------------------------


def test_each_new_checkpoint_is_exported_and_a_failure_undoes_nothing(configure: Callable[..., Path]) -> None:
    here = f"{__name__}."
    configure(LEDGER_EXPORT=[f"{here}to_nowhere", f"{here}to_memory", f"{here}not_there"])
    EXPORTED.clear()
    Light.objects.create()
    result = seal()
    assert [result.checkpoint] == EXPORTED
    assert len(result.not_exported) == 2
    assert "the network is gone" in result.not_exported[0]
    assert Checkpoint.objects.count() == 1


def test_checkpoints_are_committed_to_git(configure: Callable[..., Path]) -> None:
    folder = configure(LEDGER_EXPORT=["fsm_lifecycle.ledger.checkpoints.commit_to_git"])
    Light.objects.create()
    assert "git init" in seal().not_exported[0]
    for command in (["init"], ["config", "user.email", "a@example.com"], ["config", "user.name", "A"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    Light.objects.create()
    made = seal()
    assert made.not_exported == []
    assert made.checkpoint is not None
    checkpoints.commit_to_git(made.checkpoint)  # a second time there is nothing to commit
    log = subprocess.run(
        ["git", "log", "--format=%s", "--name-only"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    assert log[0] == f"Checkpoint of 2 entries of {ORIGIN}"
    assert log[2] == f"{2:020d}.note"
    assert len(log) == 4
