"""lifecycle_key: makes a key and says what is next, shows, and replaces it under a checkpoint that both have signed."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from fsm_lifecycle.ledger import checkpoints, keys
from fsm_lifecycle.ledger.note import VerifierKey, signed_by
from fsm_lifecycle.ledger.prove import prove
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import Checkpoint, TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import Light

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "other"]), pytest.mark.once]

ORIGIN = "ledger.example"
EXPORTED: list[int] = []


def keep_elsewhere(checkpoint: Checkpoint) -> None:
    EXPORTED.append(checkpoint.tree_size)


def fails(checkpoint: Checkpoint) -> None:
    raise ConnectionError("the bucket is away")


@pytest.fixture
def path(tmp_path: Path, settings: Any) -> Path:
    settings.FSM_LIFECYCLE = {
        "LEDGER_KEY": str(tmp_path / "ledger.key"),
        "LEDGER_ORIGIN": ORIGIN,
        "LEDGER_CHECKPOINT_DIR": tmp_path / "outside",
    }
    (tmp_path / "outside").mkdir()
    return tmp_path / "ledger.key"


def run(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("lifecycle_key", *map(str, arguments), stdout=out)
    return out.getvalue()


def sealed(using: str = "default") -> None:
    light = Light(name="lamp")
    light.save(using=using)
    light.fire("switch_on", actor=ACTOR)
    seal(using)


def newest(using: str = "default") -> Checkpoint:
    return Checkpoint.objects.using(using).order_by("-tree_size", "-id")[0]


# --- new and show ---------------------------------------------------------------------------------------------


def test_new_makes_a_key_and_says_what_is_next(path: Path) -> None:
    text = run("new")
    [vkey] = keys.known_vkeys()
    assert text.startswith(f"{vkey}\n")
    assert str(path) in text
    assert f"{path}.pub" in text
    assert "LEDGER_KEY" in text
    assert "lifecycle_seal" in text
    assert path.read_text().strip() not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_new_takes_a_path_and_answers_in_json(path: Path) -> None:
    document = json.loads(run("new", "--path", path.with_name("mine.key"), "--json"))
    assert document["path"] == str(path.with_name("mine.key"))
    assert document["public_path"] == str(path.with_name("mine.key.pub"))
    assert VerifierKey.parse(document["vkey"]).name == ORIGIN
    assert not path.exists()


def test_new_refuses(path: Path, settings: Any) -> None:
    run("new")
    before = path.read_bytes()
    for arguments in (["new"], ["new", "--path", path], ["new", "--path", path.parent / "nowhere" / "key"]):
        with pytest.raises(CommandError, match="nothing was written") as raised:
            run(*arguments)
        assert raised.value.returncode == 2
    assert path.read_bytes() == before
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": "my ledger"}
    with pytest.raises(CommandError, match="cannot name a key"):
        run("new", "--path", path.with_name("other.key"))
    with pytest.raises(CommandError, match="Say where the key is to be"):
        run("new")


@pytest.mark.parametrize("arguments", [[], ["make"], ["new", "--more"], ["show", "--database", "nowhere"]])
def test_unknown_arguments_are_refused(path: Path, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert not path.exists()


def test_show_names_every_key_as_each_ledger_calls_it(path: Path) -> None:
    run("new")
    [vkey] = keys.known_vkeys()
    assert run("show") == f"{vkey}\n"
    other = VerifierKey.parse(vkey).named(f"{ORIGIN}/other").vkey
    assert json.loads(run("show", "--database", "other", "--json")) == {
        "origin": f"{ORIGIN}/other",
        "path": str(path),
        "signed": True,
        "vkeys": [other],
    }


def test_show_says_unsigned(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": ORIGIN}
    assert run("show").startswith("Unsigned: LEDGER_KEY is not set.")
    assert json.loads(run("show", "--json")) == {"origin": ORIGIN, "path": None, "signed": False, "vkeys": []}


def test_show_cannot_when_the_key_is_away(path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file") as raised:
        run("show")
    assert raised.value.returncode == 2


# --- rotate ---------------------------------------------------------------------------------------------------


def test_rotate_signs_every_ledger_with_both_and_goes_on_with_the_new_key(path: Path) -> None:
    run("new")
    sealed()
    sealed("other")
    before = newest().pk
    done = json.loads(run("rotate", "--json"))
    assert set(done["signed"]) == {"default", "other"}
    assert keys.known_vkeys() == [done["old"], done["new"]]
    assert keys.signers()[0].vkey == done["new"]
    for using in ("default", "other"):
        assert newest(using).note == done["signed"][using]
        both = [VerifierKey.parse(done[one]).named(checkpoints.origin_of(using)) for one in ("old", "new")]
        assert signed_by(newest(using).note, both) == both
    assert newest().pk > before
    sealed()
    assert [key.vkey for key in signed_by(newest().note, keys.known_vkeys())] == [done["new"]]
    assert prove(TransitionLog.objects.earliest("id").entry_hash, "default")["checkpoint"] == newest().note


def test_rotate_tells_the_exports(path: Path, settings: Any) -> None:
    EXPORTED.clear()
    run("new")
    sealed()
    settings.FSM_LIFECYCLE = {
        **settings.FSM_LIFECYCLE,
        "LEDGER_EXPORT": [
            "tests.ledger.test_key_command.fails",
            "tests.ledger.test_key_command.keep_elsewhere",
        ],
    }
    with pytest.raises(CommandError, match="the bucket is away") as raised:
        run("rotate")
    assert raised.value.returncode == 1
    assert 2 in EXPORTED
    assert len(keys.known_vkeys()) == 2, "the rotation itself is done"


def test_rotate_leaves_the_old_key_when_a_ledger_cannot_be_signed(path: Path) -> None:
    run("new")
    sealed()
    for note in (path.parent / "outside").rglob("*.note"):
        note.unlink()
    with pytest.raises(CommandError) as raised:
        run("rotate")
    assert raised.value.returncode == 2
    assert keys.signers()[0].vkey == keys.known_vkeys()[0]


def test_rotate_gives_up_when_a_sealer_is_always_faster(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("new")
    sealed()
    monkeypatch.setattr(checkpoints, "make_checkpoint", lambda using, signers: None)
    with pytest.raises(CommandError, match="The old key stays"):
        run("rotate")
    assert keys.signers()[0].vkey == keys.known_vkeys()[0]


def test_a_rotation_that_broke_off_after_the_checkpoint_is_finished_by_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("new")
    sealed()
    sealed("other")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", _fails_to_replace(Path.replace))
        with pytest.raises(CommandError, match="could not take the place"):
            run("rotate")
    rows = Checkpoint.objects.count()
    done = json.loads(run("rotate", "--json"))
    assert Checkpoint.objects.count() == rows, "the checkpoint signed by both is there already"
    assert keys.known_vkeys() == [done["old"], done["new"]]


def _fails_to_replace(plain: Any) -> Any:
    def replace(path: Path, target: Path) -> Path:
        if path.suffix == ".next":
            raise PermissionError("the folder is read-only")
        return plain(path, target)  # type: ignore[no-any-return]

    return replace


def test_there_is_nothing_to_rotate_without_a_key_file(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": ORIGIN}
    with pytest.raises(CommandError, match="names no file") as raised:
        run("rotate")
    assert raised.value.returncode == 2
