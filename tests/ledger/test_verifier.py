"""The verifier: a true bundle is true, every other is not, and nothing a stranger writes makes it stumble."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm_lifecycle.ledger import bundle as bundles
from fsm_lifecycle.ledger import verifier
from fsm_lifecycle.ledger.body import digests_of, redacted
from fsm_lifecycle.ledger.note import Signer, make_note
from tests.ledger.bundles import BODY, ENTRY, HASH, HEAD, INDEX, ORIGIN, SIGNER, SIZE, bundle, sealed

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
OTHER, _ = Signer.generate(ORIGIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("verifier")
    (made / "pub.txt").write_text(f"{SIGNER.vkey}\n", encoding="utf-8")
    return made


def judge(folder: Path, tree: Any, key: str = "pub.txt") -> tuple[int, str]:
    """Exit code and sentence for a bundle."""
    return judge_text(folder, json.dumps(tree), key)


def judge_text(folder: Path, text: str, key: str = "pub.txt") -> tuple[int, str]:
    (folder / "bundle.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    return verifier.verify(folder / "bundle.json", [folder / key])


# --- true ---------------------------------------------------------------------------------------------------


def test_a_true_bundle_is_true_and_says_what_it_proves(folder: Path) -> None:
    code, sentence = judge(folder, bundle())
    assert code == 0
    assert sentence == (
        "True: entry 1 of billing.invoice:1 (created: nothing → draft, by user:7, 2026-11-20T09:38:00.000Z, with "
        f"actor, arguments, reason), hash {HASH}, is number {INDEX} of the {SIZE} in the ledger {ORIGIN}, as signed by "
        f"{ORIGIN}+{SIGNER.key.key_id.hex()}."
    )


def test_digests_prove_the_same_without_the_values(folder: Path) -> None:
    code, sentence = judge(folder, bundle(body=None, digests=digests_of(BODY)))
    assert code == 0
    assert "with no values" in sentence


def test_a_body_of_which_something_is_redacted_is_a_body(folder: Path) -> None:
    code, sentence = judge(folder, bundle(body=json.loads(redacted(BODY, ["actor"]))))
    assert code == 0
    assert "with arguments, reason" in sentence


def test_the_first_of_one_is_proven_by_its_hash_alone(folder: Path) -> None:
    assert judge(folder, sealed(ENTRY))[0] == 0


def test_the_order_and_the_spaces_of_the_json_say_nothing(folder: Path) -> None:
    turned = dict(reversed(bundle().items()))
    turned["entry"] = dict(reversed(turned["entry"].items()))
    assert judge_text(folder, json.dumps(turned, indent=7))[0] == 0


def test_keys_stand_alone_on_their_lines_or_side_by_side(folder: Path) -> None:
    for number, text in enumerate((f"{OTHER.vkey} {SIGNER.vkey}", f"\n\n{OTHER.vkey}\r\n  {SIGNER.vkey}\n")):
        (folder / f"many-{number}.txt").write_text(text, encoding="utf-8")
        assert judge(folder, bundle(), f"many-{number}.txt")[0] == 0


# --- cannot tell ----------------------------------------------------------------------------------------------


def test_an_unsigned_checkpoint_tells_nothing(folder: Path) -> None:
    assert judge(folder, bundle(checkpoint=HEAD.text())) == (
        2,
        "Cannot tell: The checkpoint is unsigned, so anybody can have made it.",
    )


def test_a_checkpoint_that_no_known_key_signed_tells_nothing(folder: Path) -> None:
    code, sentence = judge(folder, bundle(checkpoint=make_note(HEAD, [OTHER])))
    assert code == 2
    assert f"It is signed by {ORIGIN}+{OTHER.key.key_id.hex()}" in sentence
    assert judge(folder, bundle(checkpoint=make_note(HEAD, [OTHER, SIGNER])))[0] == 0


@pytest.mark.parametrize(
    "text", ["", " ", "{", "not json", "\ufeff{}", "\ud800", "[1,]", "{'v': 1}", "x" * (8 * 2**20 + 1)]
)
def test_a_file_that_is_no_json_tells_nothing(folder: Path, text: str) -> None:
    assert judge_text(folder, text)[0] == 2


def test_files_that_cannot_be_read_tell_nothing(folder: Path) -> None:
    keys = [folder / "pub.txt"]
    assert verifier.verify(folder / "nowhere.json", keys)[0] == 2
    assert verifier.verify(folder, keys)[0] == 2
    assert verifier.verify(Path("nul\0byte"), keys)[0] == 2
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    assert verifier.verify(folder / "binary", keys)[0] == 2
    assert judge(folder, bundle(), "nowhere.txt")[0] == 2
    for number, text in enumerate(("", "\n", "no key", SIGNER.vkey[:-1], f"{SIGNER.vkey}\nrest")):
        (folder / f"bad-{number}.txt").write_text(text, encoding="utf-8")
        assert judge(folder, bundle(), f"bad-{number}.txt")[0] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": 3, "inclusion": None, "tree": {"proof": []}},
        {"entry": ENTRY | {"v": 2}},
        {"entry": ENTRY | {"v": 2, "also": "hashed"}},
    ],
)
def test_what_a_newer_version_made_is_not_called_untrue(folder: Path, changes: dict[str, Any]) -> None:
    code, sentence = judge(folder, bundle(**changes))
    assert code == 2
    assert "newer version of fsm_lifecycle has made it" in sentence
    assert "this one cannot judge it" in sentence


@pytest.mark.parametrize("version", [0, -1, True, "2", [2]])
def test_a_version_that_never_was_is_not_true(folder: Path, version: Any) -> None:
    assert judge(folder, bundle(v=version))[0] == 1
    assert judge(folder, bundle(entry=ENTRY | {"v": version}))[0] == 1


# --- not true -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["entry", "body", "leaf_index", "inclusion", "checkpoint", "v"])
def test_no_key_may_be_missing(folder: Path, key: str) -> None:
    assert judge(folder, bundle(**{key: None}))[0] == 1


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in a tree, the tree itself included."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of a tree with something else at one place."""
    if not path:
        return value
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tree


WRONG: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    2**53,
    10**400,
    1.5,
    "",
    "x",
    "\u202e\x1b[31m",
    "00" * 32,
    [],
    [[]],
    {},
    {"$": 1},
]
PLACES = list(places(bundle()))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)) or "all")
def test_nothing_else_may_stand_at_any_place(folder: Path, path: tuple[Any, ...]) -> None:
    whole = bundle()
    for value in WRONG:
        changed = replaced(whole, path, value)
        if json.dumps(changed) != json.dumps(whole):  # unlike ==, this tells true from 1
            code, sentence = judge(folder, changed)
            to_come = path[-1:] == ("v",) and value == 2
            assert code == (2 if to_come else 1), (path, value, sentence)
            assert sentence.startswith("Cannot tell: " if to_come else "Not true: ")


HEX = [("inclusion", 0), ("inclusion", 3), ("entry", "prev"), ("entry", "body"), ("entry", "definition")]


@pytest.mark.parametrize("path", HEX, ids=lambda path: ".".join(map(str, path)))
def test_every_turned_bit_of_a_hash_is_seen(folder: Path, path: tuple[Any, ...]) -> None:
    whole = bundle()
    hashed = whole[path[0]][path[1]]
    for bit in range(256):
        wrong = f"{int(hashed, 16) ^ 1 << bit:064x}"
        assert judge(folder, replaced(whole, path, wrong))[0] == 1


def test_a_turned_bit_in_any_byte_of_the_note_is_seen(folder: Path) -> None:
    note = bundle()["checkpoint"].encode()
    for place in range(len(note)):
        wrong = note[:place] + bytes([note[place] ^ 1 << place % 7]) + note[place + 1 :]
        # Another name or key id in the signature's line makes it the signature of a key that is not known.
        assert judge(folder, bundle(checkpoint=wrong.decode("utf-8", "replace")))[0] in (1, 2)


def test_places_beyond_the_tree_and_longer_or_shorter_paths_are_not_true(folder: Path) -> None:
    path = bundle()["inclusion"]
    for index in (SIZE, SIZE + 1, 2**53 - 1, INDEX + 1, INDEX - 1, 0):
        assert judge(folder, bundle(leaf_index=index))[0] == 1
    for other in ([*path, path[0]], [path[0], *path], path[:-1], path[1:], [], path * 16, path[::-1]):
        assert judge(folder, bundle(inclusion=other))[0] == 1
    for step in (path[0].upper(), path[0][:-2], path[0] + "00", " " + path[0][1:], "zz" * 32):
        assert judge(folder, bundle(inclusion=[step, *path[1:]]))[0] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"v": 0}, {"kind": "invented"}, {"actor": "robot:1"}, {"seq": 0}, {"event": "send"}, {"kind": "transition"},
        {"prev": "AB" * 32}, {"prev": "ab"}, {"definition": ""}, {"cause": "x"},
    ],
)  # fmt: skip
def test_an_entry_that_the_package_never_writes_is_not_true_whoever_signed_it(
    folder: Path, change: dict[str, Any]
) -> None:
    assert judge(folder, sealed(ENTRY | change))[0] == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"leaf_index": 6', '"leaf_index": 6, "leaf_index": 6'),
        ('"seq": 1', '"seq": 2, "seq": 1'),
        ('"label"', '"label": "Bob", "label"'),
        ('"leaf_index": 6', '"leaf_index": 6.0'),
        ('"leaf_index": 6', '"leaf_index": 6e0'),
        ('"leaf_index": 6', '"leaf_index": NaN'),
        ('"leaf_index": 6', '"leaf_index": Infinity'),
        ('"leaf_index": 6', '"leaf_index": -Infinity'),
        ('"leaf_index": 6', '"leaf_index": ' + "9" * 10_000),
        ('"leaf_index": 6', '"leaf_index": -0'),
        ('"leaf_index": 6', '"leaf_index": "6"'),
        ('"leaf_index": 6', '"leaf_index": ' + "[" * 900 + "]" * 900),
        ('"leaf_index": 6', '"leaf_index": ' + "[" * 100_000 + "]" * 100_000),
        ('"leaf_index": 6', '"leaf_index": ' + '{"a":' * 100_000 + "1" + "}" * 100_000),
        ('"so"', "[" * 62 + "]" * 62),
        ('"so"', "[" * 70 + "]" * 70),
        ('"so"', "[" * 900 + "]" * 900),
        ('"so"', '"\\ud800"'),
        ('"so"', '"\\u0000"'),
        ('"so"', '{"$decimal": "1e999999999999"}'),
        ('"so"', '{"$duration": 9007199254740991}'),
        ('"so"', '{"$int": "' + "9" * 5000 + '"}'),
        ('"so"', '{"$datetime": []}'),
        ('"draft"', '"\\ud800"'),
        ('"draft"', '"\\u0000"'),
        ('"v": 1', '"v": 1, "extra": null'),
        ('"v": 1', '"v": 1, "digests": {}'),
        ('"kind"', '"extra": null, "kind"'),
    ],
)  # fmt: skip
def test_what_a_stranger_may_write_is_not_true(folder: Path, old: str, new: str) -> None:
    text = json.dumps(bundle())
    assert old in text
    code, sentence = judge_text(folder, text.replace(old, new, 1))
    if new == '"leaf_index": -0':  # another zero than the place it should be
        assert "path leads to another root" in sentence
    assert (code, sentence[:10]) == (1, "Not true: ")
    assert len(sentence) < 500


def of_a_later_version(tree: Any) -> bool:
    """Whether the bundle or its entry says so: what it is then nobody can tell yet."""
    found = [tree, tree.get("entry")] if isinstance(tree, dict) else []
    versions = [one.get("v") for one in found if isinstance(one, dict)]
    return any(type(version) is int and version > 1 for version in versions)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PLACES),
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary(max_size=33).map(bytes.hex),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(bundle())), inner),
        max_leaves=12,
    ),
)
def test_nothing_makes_it_raise(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    changed = replaced(bundle(), path, value)
    code, _ = judge(folder, changed)
    assert (
        code == 1
        or json.dumps(changed) == json.dumps(bundle())
        or (code == 2 and of_a_later_version(changed))
    )


@given(st.text(alphabet=st.sampled_from('{}[]",:0123456789.eE-+truefalsn \\u') | st.characters()))
def test_no_text_makes_the_reader_raise_anything_of_its_own(text: str) -> None:
    with pytest.raises((bundles.BundleMismatch, bundles.CannotTell)):
        bundles.read_bundle(text)


# --- the program ----------------------------------------------------------------------------------------------


def program(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as its reader does, where importing Django, or anything that needs it, fails."""
    for name in ("django", "django_fsm", "guardian", "rest_framework", "celery"):
        (folder / "without" / name).mkdir(parents=True, exist_ok=True)
        (folder / "without" / name / "__init__.py").write_text("raise ImportError('There is no ' + __name__)")
    paths = os.pathsep.join([str(folder / "without"), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fsm_lifecycle.ledger.verifier", *arguments],
        cwd=folder,
        env={"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_it_runs_without_django(folder: Path) -> None:
    for code, tree in ((0, bundle()), (1, bundle(leaf_index=7)), (2, bundle(checkpoint=HEAD.text()))):
        (folder / "one.json").write_text(json.dumps(tree), encoding="utf-8")
        done = program(folder, "one.json", "--key", "pub.txt", PYTHONUTF8="1")
        assert (done.returncode, done.stderr) == (code, ""), done.stdout
        assert len(done.stdout.splitlines()) == 1


def test_it_refuses_arguments_that_it_does_not_know(folder: Path) -> None:
    for arguments in ([], ["one.json"], ["one.json", "--key", "pub.txt", "--more"]):
        done = program(folder, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage" in done.stderr


def test_a_missing_library_is_not_called_a_false_proof(folder: Path) -> None:
    (folder / "without" / "cryptography").mkdir(parents=True)
    (folder / "without" / "cryptography" / "__init__.py").write_text("raise ImportError('No cryptography')")
    try:
        done = program(folder, "one.json", "--key", "pub.txt")
    finally:
        (folder / "without" / "cryptography" / "__init__.py").unlink()
        (folder / "without" / "cryptography").rmdir()
    assert done.returncode == 2
    assert "pip install cryptography" in done.stderr


def test_the_sentence_commands_no_terminal(folder: Path) -> None:
    nasty = sealed(ENTRY | {"pk": "1\x1b[31m\u202e\n", "actor": "user:ü"})
    (folder / "nasty.json").write_text(json.dumps(nasty), encoding="utf-8")
    for encoding, umlaut in (("utf-8", "ü"), ("ascii", "\\xfc")):
        done = program(folder, "nasty.json", "--key", "pub.txt", PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "billing.invoice:1\\u001b[31m\\u202e\\u000a (created: nothing" in done.stdout
        assert f"by user:{umlaut}" in done.stdout
