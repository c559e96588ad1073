"""Owns the bundle: one entry of the log with all that proves it to somebody who has nothing else.

``{"v": 1, "entry": {…}, "body": {…} | "digests": {…}, "leaf_index", "inclusion": [hex], "checkpoint": "…"}``: the
sixteen hashed values, the body's fields or only their digests, the place in the tree with its RFC 6962 audit path, and
the signed checkpoint. Whoever checks one needs this format, SHA-256, Ed25519, and the ledger's public key.

Must not know: Django, the database, where a bundle comes from or goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .body import FIELD_NAMES, BodyMismatch, digests_of, read_body
from .canonical import dump
from .hashing import body_hash, entry_hash
from .merkle import verify_inclusion
from .note import CheckpointText, NoteMismatch, VerifierKey, parse_checkpoint, signed_by
from .strict_json import strict_decoder

#: The version of the format.
VERSION: Final = 1
#: The largest bundle that is read, in bytes: a body of 1 MiB, each character of it escaped, fits.
MAX_BYTES: Final = 8 * 2**20
#: Longer paths do not occur: a tree has fewer than 2**53 leaves.
MAX_PATH: Final = 64

_KEYS: Final = {"v", "entry", "leaf_index", "inclusion", "checkpoint"}
_KINDS: Final = ("created", "adopted", "transition", "redaction", "remapped", "deleted", "purged")
_ACTORS: Final = ("user:", "agent:", "system:", "unknown:")
_is_hash = re.compile("[0-9a-f]{64}").fullmatch


class BundleMismatch(ValueError):
    """A text is no bundle, or what it says is not so."""


class CannotTell(Exception):
    """There is no bundle to be read, it is of a newer version, or nobody known has signed its checkpoint."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as it was read: of the right shape, believed by nobody yet."""

    entry: Mapping[str, Any]
    """The sixteen hashed values."""
    digests: Mapping[str, str]
    """The hex field digests of the body, by name."""
    shown: frozenset[str]
    """The fields whose values the bundle holds."""
    leaf_index: int
    inclusion: tuple[bytes, ...]
    note: str
    checkpoint: CheckpointText


@dataclass(frozen=True, slots=True)
class Proven:
    """What a checked bundle has proven."""

    bundle: Bundle
    entry_hash: str
    signers: tuple[VerifierKey, ...]


# --- reading ------------------------------------------------------------------------------------------------


def read_bundle(text: str) -> Bundle:
    """Read a bundle strictly: no key twice, missing or unknown, no number but whole ones up to 2**53 - 1.

    Raises ``BundleMismatch``, and ``CannotTell`` for a text that is too long or no JSON at all.
    """
    if len(text) > MAX_BYTES:
        raise CannotTell(f"The bundle has {len(text):,} characters; more than {MAX_BYTES:,} are not read.")
    try:
        tree = _decode(text)
    except BundleMismatch:
        raise
    except RecursionError:
        raise BundleMismatch("The bundle nests too deep to be read.") from None
    except ValueError as error:
        raise CannotTell(f"The bundle is not JSON: {error}.") from None
    return _bundle(tree)


def _bundle(tree: Any) -> Bundle:
    if not isinstance(tree, dict):
        raise BundleMismatch("The bundle is not a JSON object.")
    _refuse_newer("The bundle", tree.get("v"))
    content = tree.keys() & {"body", "digests"}
    if tree.keys() - content != _KEYS or len(content) != 1:
        raise BundleMismatch(
            "The bundle has other keys than v, entry, leaf_index, inclusion, checkpoint, and either body or digests."
        )
    if tree["v"] is True or tree["v"] != VERSION:
        raise BundleMismatch(f"The bundle is not of version {VERSION}, the only one that this program knows.")
    digests, shown = _fields(tree)
    path, note = tree["inclusion"], tree["checkpoint"]
    if not isinstance(path, list) or len(path) > MAX_PATH or not all(map(_hash, path)):
        raise BundleMismatch(f"The inclusion is not a list of at most {MAX_PATH} hashes in lower-case hex.")
    if type(tree["leaf_index"]) is not int or tree["leaf_index"] < 0:
        raise BundleMismatch("The leaf_index is not a whole number from 0 on.")
    try:
        checkpoint, _ = parse_checkpoint(note if isinstance(note, str) else "")
    except NoteMismatch as error:
        raise BundleMismatch(f"The checkpoint is none. {error}") from None
    hashes = tuple(bytes.fromhex(one) for one in path)
    return Bundle(_entry(tree["entry"]), digests, shown, tree["leaf_index"], hashes, note, checkpoint)


def _fields(tree: Mapping[str, Any]) -> tuple[dict[str, str], frozenset[str]]:
    """The digests of the body's fields, and which of them are shown with their values."""
    if "digests" in tree:
        digests = tree["digests"]
        if (
            not isinstance(digests, dict)
            or not digests.keys() <= FIELD_NAMES
            or not all(map(_hash, digests.values()))
        ):
            raise BundleMismatch(
                "The digests are not hashes in lower-case hex by the names of a body's fields."
            )
        return digests, frozenset()
    if not isinstance(tree["body"], dict):
        raise BundleMismatch("The body is not an object.")
    try:
        text = dump(tree["body"]).decode()
        fields = read_body(text)
        return digests_of(text), frozenset(name for name, field in fields.items() if not field.redacted)
    except (BodyMismatch, UnicodeEncodeError, RecursionError) as error:
        raise BundleMismatch(f"The body is none: {type(error).__name__}. {error}") from None


def _entry(entry: Any) -> dict[str, Any]:
    """The entry; that it has the sixteen keys and their types is found when it is hashed."""
    if not isinstance(entry, dict):
        raise BundleMismatch("The entry is not an object.")
    _refuse_newer("The entry", entry.get("v"))
    try:
        entry_hash(entry)
    except (ValueError, RecursionError) as error:
        raise BundleMismatch(f"The entry is none. {error}") from None
    if entry["v"] != VERSION or entry["kind"] not in _KINDS or not entry["actor"].startswith(_ACTORS):
        raise BundleMismatch("The entry has a version, kind or actor that this program does not know.")
    if entry["seq"] < 1 or (entry["event"] is None) == (entry["kind"] == "transition"):
        raise BundleMismatch("The entry has no sequence, or an event that its kind does not have.")
    hashes = [entry[name] for name in ("body", "prev", "definition", "cause") if entry[name] is not None]
    if not all(map(_hash, hashes)):
        raise BundleMismatch("The entry's body, prev, definition or cause is not a hash in lower-case hex.")
    return entry


def _refuse_newer(what: str, version: Any) -> None:
    """Raise ``CannotTell`` for a version that may come: another one has never been."""
    if type(version) is int and version > VERSION:
        raise CannotTell(
            f"{what} is of version {version}, so a newer version of fsm_lifecycle has made it, and this one cannot "
            f"judge it: it knows version {VERSION}. Check it with a newer one."
        )


def _hash(value: Any) -> bool:
    return isinstance(value, str) and bool(_is_hash(value))


_decode = strict_decoder("The bundle", BundleMismatch)


# --- checking -----------------------------------------------------------------------------------------------


def leaf_of(bundle: Bundle) -> str:
    """Return the entry's hash when body, entry, path and root fit each other. Raises ``BundleMismatch``."""
    if body_hash(bundle.digests) != bundle.entry["body"]:
        raise BundleMismatch("The body is not that of the entry: its hash differs.")
    leaf, size = entry_hash(bundle.entry), bundle.checkpoint.tree_size
    if bundle.leaf_index >= size:
        raise BundleMismatch(f"The tree of {size} entries has no entry at place {bundle.leaf_index}.")
    if not verify_inclusion(
        bytes.fromhex(leaf), bundle.leaf_index, size, bundle.inclusion, bundle.checkpoint.root_hash
    ):
        raise BundleMismatch(
            "The entry is not in the checkpoint's tree at that place: the path leads to another root."
        )
    return leaf


def check(bundle: Bundle, keys: Iterable[VerifierKey]) -> Proven:
    """Return what the bundle proves, if one of the keys has signed its checkpoint.

    Raises ``BundleMismatch`` when anything in it does not fit the rest or a signature by one of the keys is wrong,
    otherwise ``CannotTell`` when none of them has signed.
    """
    leaf = leaf_of(bundle)
    try:
        signers = signed_by(bundle.note, keys)
    except NoteMismatch as error:
        raise BundleMismatch(str(error)) from None
    if not signers:
        raise CannotTell(_nobody(bundle))
    return Proven(bundle, leaf, tuple(signers))


def _nobody(bundle: Bundle) -> str:
    _, signatures = parse_checkpoint(bundle.note)
    if not signatures:
        return "The checkpoint is unsigned, so anybody can have made it."
    names = ", ".join(sorted({f"{one.name}+{one.key_id.hex()}" for one in signatures}))
    return f"None of the keys given has signed the checkpoint of {bundle.checkpoint.origin}. It is signed by {names}."
