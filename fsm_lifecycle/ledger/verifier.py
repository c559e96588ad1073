"""``python -m fsm_lifecycle.ledger.verifier bundle.json --key pub.txt``: checks a proof of one log entry.

Works with the standard library and ``cryptography`` alone: whoever gets a proof needs neither Django nor the database.
``pub.txt`` holds one or more public keys (``name+id+base64``) that the reader has from the ledger's owner by another
way than the bundle. Exit 0: it is true; 1: it is not; 2: that cannot be told (no bundle that can be read, an unsigned
checkpoint, one that none of the keys has signed).

Must not know: Django, settings, the database.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

try:
    from .bundle import MAX_BYTES, BundleMismatch, CannotTell, Proven, check, read_bundle
    from .note import NoteMismatch, VerifierKey
except ImportError as error:
    if __name__ != "__main__":
        raise
    print(f"Cannot tell: {error}. Install what is missing: pip install cryptography", file=sys.stderr)
    sys.exit(2)  # a traceback would exit with 1, which says that the bundle is not true

TRUE: Final = 0
FALSE: Final = 1
CANNOT_TELL: Final = 2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def verify(bundle: Path, keys: Sequence[Path]) -> tuple[int, str]:
    """Return the exit code and one plain sentence: what has been proven, or why not."""
    try:
        known = [key for path in keys for key in _keys(path)]
        return TRUE, in_words(check(read_bundle(_text(bundle)), known))
    except BundleMismatch as error:
        return FALSE, f"Not true: {error}"
    except CannotTell as error:
        return CANNOT_TELL, f"Cannot tell: {error}"


def in_words(proven: Proven) -> str:
    """What a checked bundle has proven, as a sentence."""
    bundle = proven.bundle
    entry, head = bundle.entry, bundle.checkpoint
    what = entry["event"] if entry["event"] is not None else entry["kind"]
    names = ", ".join(sorted(bundle.shown)) or "no values"
    signed = ", ".join(f"{key.name}+{key.key_id.hex()}" for key in proven.signers)
    return (
        f"True: entry {entry['seq']} of {entry['model']}:{entry['pk']} ({what}: {entry['from'] or 'nothing'} → "
        f"{entry['to'] or 'nothing'}, by {entry['actor']}, {_moment(entry['at'])}, with {names}), hash "
        f"{proven.entry_hash}, is number {bundle.leaf_index} of the {head.tree_size} in the ledger {head.origin}, as "
        f"signed by {signed}."
    )


def _moment(microseconds: int) -> str:
    return (
        (_EPOCH + timedelta(microseconds=microseconds))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _keys(path: Path) -> list[VerifierKey]:
    texts = _text(path).split()
    if not texts:
        raise CannotTell(f"{path} holds no public key.")
    try:
        return [VerifierKey.parse(text) for text in texts]
    except NoteMismatch as error:
        raise CannotTell(f"{path} is no list of public keys. {error}") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise CannotTell(f"{path} is larger than {MAX_BYTES:,} bytes, which no bundle and no key is.")
        return data.decode()
    except OSError as error:
        raise CannotTell(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError:  # not UTF-8, or a path with U+0000
        raise CannotTell(f"{path} is no text in UTF-8.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the bundle that the arguments name, say what came out, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m fsm_lifecycle.ledger.verifier",
        description="Checks a proof of one log entry. Exit 0: it is true; 1: it is not; 2: that cannot be told.",
    )
    parser.add_argument("bundle", type=Path, help="the proof that lifecycle_prove wrote")
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="the ledger's public keys (name+id+base64), one or more a line; may be given again",
    )
    given = parser.parse_args(arguments)
    code, sentence = verify(given.bundle, given.key)
    print(_printable(sentence))
    return code


def _printable(text: str) -> str:
    """One line without characters that command a terminal or turn the direction of writing."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


if __name__ == "__main__":
    sys.exit(main())
