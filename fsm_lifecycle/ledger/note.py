"""Owns signed notes and checkpoints: their text, their signatures, and the keys as text.

C2SP signed-note with Ed25519 (signature type 0x01), https://c2sp.org/signed-note, around C2SP tlog-checkpoint,
https://c2sp.org/tlog-checkpoint. Keys are written as Go's ``golang.org/x/mod/sumdb/note`` writes them. A checkpoint
without a key is its text alone.

Must not know: Django, where keys and checkpoints are kept, how the tree is made.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: The signature type of C2SP signed-note that is made and understood here.
ED25519: Final = b"\x01"
#: The largest note that is read, in characters, and the most signatures. Go's reader has the same bounds.
MAX_CHARACTERS: Final = 1_000_000
MAX_SIGNATURES: Final = 100

_MAX_SIZE: Final = 2**63 - 1
_is_size = re.compile("0|[1-9][0-9]{0,18}").fullmatch
_has_controls = re.compile("[\x00-\x09\x0b-\x1f]").search
_is_key_id = re.compile("[0-9a-f]{8}").fullmatch


class NoteMismatch(ValueError):
    """A text is not a well-formed note, checkpoint or key, or a signature is wrong."""

    code: ClassVar[str] = "CHECKPOINT_SIGNATURE"


@dataclass(frozen=True, slots=True)
class CheckpointText:
    """What a checkpoint says."""

    origin: str
    """The ledger's name, and the name of its keys."""
    tree_size: int
    root_hash: bytes
    """32 raw bytes."""
    extensions: tuple[str, ...] = ()
    """Further lines. This package writes none; a checkpoint from elsewhere may have some."""

    def text(self) -> str:
        """The lines that are signed, each with its newline."""
        lines = (self.origin, str(self.tree_size), _base64(self.root_hash), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, believed by nobody yet."""

    name: str
    key_id: bytes
    """Four bytes that name the key together with its name."""
    signature: bytes

    def line(self) -> str:
        """The line with its newline."""
        return f"— {self.name} {_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name."""

    name: str
    public: bytes
    """32 raw bytes."""

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read ``name+id+base64``. Raises ``NoteMismatch``."""
        name, key_id, data = _key_parts(vkey, "public key")
        key = cls(name, data)
        if key.key_id.hex() != key_id:
            raise NoteMismatch(
                f"The public key {vkey!r:.80} has the id {key_id}, but its own is {key.key_id.hex()}."
            )
        return key

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, signature type and key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(ED25519 + self.public)}"

    def named(self, name: str) -> VerifierKey:
        """The same key under another name, and so with another id. Raises ``NoteMismatch``."""
        check_name(name)
        return VerifierKey(name, self.public)

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether the signature is this key's over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A key that signs: its public half as text, and a function from bytes to a raw Ed25519 signature."""

    def __init__(self, vkey: str, sign: Callable[[bytes], bytes]) -> None:
        """Raises ``NoteMismatch`` when ``vkey`` is not a public key."""
        self.key = VerifierKey.parse(vkey)
        self._sign = sign

    @classmethod
    def generate(cls, name: str) -> tuple[Signer, str]:
        """Return a new key and its private text. Raises ``NoteMismatch`` for a name that no key can have."""
        check_name(name)
        private = Ed25519PrivateKey.generate()
        key = VerifierKey(name, private.public_key().public_bytes_raw())
        secret = _base64(ED25519 + private.private_bytes_raw())
        return cls(key.vkey, private.sign), f"PRIVATE+KEY+{name}+{key.key_id.hex()}+{secret}"

    @classmethod
    def parse(cls, private_text: str) -> Signer:
        """Read ``PRIVATE+KEY+name+id+base64``. Raises ``NoteMismatch``, whose message holds nothing of the key."""
        prefix = "PRIVATE+KEY+"
        if not private_text.startswith(prefix):
            raise NoteMismatch("The text is not a private key: it does not begin with PRIVATE+KEY+.")
        name, key_id, seed = _key_parts(private_text.removeprefix(prefix), "private key")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        key = VerifierKey(name, private.public_key().public_bytes_raw())
        if key.key_id.hex() != key_id:
            raise NoteMismatch(
                f"The private key {name} has the id {key_id}, but its own is {key.key_id.hex()}."
            )
        return cls(key.vkey, private.sign)

    def named(self, name: str) -> Signer:
        """The same key under another name. Raises ``NoteMismatch``."""
        return Signer(self.key.named(name).vkey, self._sign)

    @property
    def name(self) -> str:
        """The key's name."""
        return self.key.name

    @property
    def vkey(self) -> str:
        """The public key as text."""
        return self.key.vkey

    def sign(self, text: str) -> str:
        """Return the signature line over a text. Raises ``NoteMismatch`` when what signs does not fit the key."""
        signature = bytes(self._sign(text.encode()))
        if not self.key.verifies(text, signature):
            raise NoteMismatch(
                f"What should sign with {self.vkey} made a signature that this key does not verify. Give the public "
                f"key that belongs to it."
            )
        return NoteSignature(self.name, self.key.key_id, signature).line()


# --- notes --------------------------------------------------------------------------------------------------


def make_note(checkpoint: CheckpointText, signers: Iterable[Signer]) -> str:
    """Return a checkpoint with the signatures of all signers; without any, its text alone."""
    text = checkpoint.text()
    lines = "".join(signer.sign(text) for signer in signers)
    return f"{text}\n{lines}" if lines else text


def parse_checkpoint(note: str) -> tuple[CheckpointText, list[NoteSignature]]:
    """Read a checkpoint and its signatures, which are not checked. Raises ``NoteMismatch``."""
    text, signatures = _parted(note)
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise NoteMismatch("A checkpoint has at least three lines, and none is empty: origin, size, root.")
    origin, size, root, *extensions = lines
    if not _is_size(size) or int(size) > _MAX_SIZE:
        raise NoteMismatch(
            f"The checkpoint's size {size!r:.40} is not a number up to {_MAX_SIZE} in plain digits."
        )
    root_hash = _unbase64(root)
    if root_hash is None or len(root_hash) != 32:
        raise NoteMismatch(f"The checkpoint's root {root!r:.60} is not the base64 of 32 bytes.")
    return CheckpointText(origin, int(size), root_hash, tuple(extensions)), signatures


def signed_by(note: str, vkeys: Iterable[str | VerifierKey]) -> list[VerifierKey]:
    """Return those of the keys that have signed a checkpoint, in the order of the signatures.

    Only keys with the name of the checkpoint's origin count: another ledger's key says nothing about this one.
    Signatures by unknown keys are passed over, as the specification demands. Raises ``NoteMismatch`` for a text
    that is no checkpoint, and when a signature that names one of the keys is wrong.
    """
    checkpoint, signatures = parse_checkpoint(note)
    text = checkpoint.text()
    keys = dict.fromkeys(VerifierKey.parse(key) if isinstance(key, str) else key for key in vkeys)
    found: list[VerifierKey] = []
    for one in signatures:
        named = [
            key for key in keys if key.name == one.name == checkpoint.origin and key.key_id == one.key_id
        ]
        signed = [key for key in named if key.verifies(text, one.signature)]
        if named and not signed:
            raise NoteMismatch(
                f"The signature by {one.name}+{one.key_id.hex()} is wrong: that key did not make it."
            )
        found += signed
    return list(dict.fromkeys(found))


def _parted(note: str) -> tuple[str, list[NoteSignature]]:
    """The signed text and the signatures behind the last blank line; none when there is no blank line."""
    if len(note) > MAX_CHARACTERS:
        raise NoteMismatch(
            f"The note has {len(note):,} characters; more than {MAX_CHARACTERS:,} are not read."
        )
    if _has_controls(note) or not _is_unicode(note):
        raise NoteMismatch("The note contains a control character or a lone surrogate.")
    if not note.endswith("\n"):
        raise NoteMismatch("The note does not end with a newline.")
    if "\n\n" not in note:
        return note, []
    head, _, tail = note.rpartition("\n\n")
    lines = tail.split("\n")[:-1]
    if not lines:
        raise NoteMismatch("The note has no signature behind its last blank line.")
    if len(lines) > MAX_SIGNATURES:
        raise NoteMismatch(f"The note has {len(lines)} signatures; more than {MAX_SIGNATURES} are not read.")
    return f"{head}\n", [_signature(line) for line in lines]


def _signature(line: str) -> NoteSignature:
    parts = line.split(" ")
    data = _unbase64(parts[-1])
    if len(parts) != 3 or parts[0] != "—" or not is_name(parts[1]) or data is None or len(data) <= 4:
        raise NoteMismatch(
            f"The line {line!r:.80} is not a signature: em dash, name and base64, a blank between."
        )
    return NoteSignature(parts[1], data[:4], data[4:])


# --- texts --------------------------------------------------------------------------------------------------


def is_name(name: str) -> bool:
    """Whether a key may be called so: not empty, without blanks of any kind, control characters and plus."""
    return (
        bool(name)
        and "+" not in name
        and not any(character.isspace() for character in name)
        and not re.search("[\x00-\x1f]", name)
        and _is_unicode(name)
    )


def check_name(name: str) -> None:
    """Raises ``NoteMismatch`` for what ``is_name`` denies."""
    if not is_name(name):
        raise NoteMismatch(
            f"{name!r:.80} cannot name a key: it is empty or contains a blank, a plus or a control character. Use the "
            f"ledger's address without https://, for example example.com/ledger."
        )


def _key_parts(text: str, what: str) -> tuple[str, str, bytes]:
    """Name, id and the 32 bytes of a key as text."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    data = _unbase64(encoded)
    if not is_name(name) or not _is_key_id(key_id) or not data:
        raise NoteMismatch(
            f"The {what} is not a name, eight hexadecimal characters and base64 with + between."
        )
    if data[:1] != ED25519 or len(data) != 33:
        raise NoteMismatch(f"The {what} {name} is not an Ed25519 key: that is the byte 01 and 32 bytes.")
    return name, key_id, data[1:]


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _unbase64(text: str) -> bytes | None:
    """The bytes, or None when the text is not exactly what they are encoded as."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return None
    return data if _base64(data) == text else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
