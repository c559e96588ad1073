"""Owns a second reader of signed notes, written from C2SP signed-note and tlog-checkpoint and from nothing else.

https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint. It works on bytes and checks signatures with the
pure Python arithmetic of RFC 8032, section 6. Must not know: the package's own notes, any library of cryptography.
"""

import base64
import hashlib
from dataclasses import dataclass

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


@dataclass(frozen=True)
class Key:
    """A public key, read from ``<name>+<hex id>+<base64>``."""

    name: bytes
    key_id: int
    public: bytes

    @classmethod
    def read(cls, vkey: str) -> "Key":
        name, hex_id, encoded = vkey.encode().split(b"+", 2)
        typed = base64.b64decode(encoded, validate=True)
        assert len(hex_id) == 8
        assert typed[0] == 0x01
        assert len(typed) == 33
        key_id = int.from_bytes(hashlib.sha256(name + b"\x0a" + typed).digest()[:4], "big")
        assert key_id == int(hex_id, 16)
        return cls(name, key_id, typed[1:])


def open_note(note: bytes, keys: list[Key]) -> tuple[bytes, list[bytes]]:
    """The note's text and the names of the keys that signed it. AssertionError when anything is not as specified."""
    note.decode("utf-8", "strict")
    assert not [byte for byte in note if byte < 0x20 and byte != 0x0A]
    end = note.rindex(b"\n\n")
    text, block = note[: end + 1], note[end + 2 :]
    assert block
    assert block.endswith(b"\n")
    signers = []
    for line in block[:-1].split(b"\n"):
        assert line.startswith("\u2014 ".encode())
        name, encoded = line[4:].rsplit(b" ", 1)
        assert name
        assert b" " not in name
        assert b"+" not in name
        blob = base64.b64decode(encoded, validate=True)
        key_id, signature = int.from_bytes(blob[:4], "big"), blob[4:]
        for key in keys:
            if (key.name, key.key_id) == (name, key_id):
                assert is_signature(key.public, text, signature)
                signers.append(name)
    assert signers
    return text, signers


def read_tree_head(text: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root from a checkpoint's text."""
    origin, size, root, *extensions = text.decode().removesuffix("\n").split("\n")
    assert origin
    assert size == str(int(size))
    assert all(extensions)
    return origin, int(size), base64.b64decode(root, validate=True)


# --- Ed25519, RFC 8032 section 6 ----------------------------------------------------------------------------


def is_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is right: ``[S]B == R + [k]A``."""
    a, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or len(signature) != 64 or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left, right = _times(s, BASE), _sum(r, _times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % P == 0


def _sum(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(factor: int, p: Point) -> Point:
    q: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            q = _sum(q, p)
        p, factor = _sum(p, p), factor >> 1
    return q


def _x(y: int, sign: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def _point(encoded: bytes) -> Point | None:
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    x = _x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x(_BASE_Y, 0) or 0
BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)
