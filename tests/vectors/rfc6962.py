"""Owns a second Merkle tree, written from the definitions of RFC 6962, section 2.1, and from nothing else.

Recursive and slow, as they stand there. Must not know: the package's own tree.
"""

import hashlib
from collections.abc import Sequence
from functools import cache

Hash = bytes


def _sha256(data: bytes) -> Hash:
    return hashlib.sha256(data).digest()


def leaf_hash(data: bytes) -> Hash:
    """``SHA-256(0x00 || d(0))``."""
    return _sha256(b"\x00" + data)


def k(n: int) -> int:
    """The largest power of two smaller than n."""
    power = 1
    while power * 2 < n:
        power *= 2
    return power


@cache
def mth(leaves: tuple[Hash, ...]) -> Hash:
    """``MTH(D[n])``, over leaf hashes."""
    n = len(leaves)
    if n == 0:
        return _sha256(b"")
    if n == 1:
        return leaves[0]
    return _sha256(b"\x01" + mth(leaves[: k(n)]) + mth(leaves[k(n) :]))


def path(m: int, leaves: tuple[Hash, ...]) -> list[Hash]:
    """``PATH(m, D[n])``: the Merkle audit path."""
    n = len(leaves)
    if n == 1:
        return []
    if m < k(n):
        return [*path(m, leaves[: k(n)]), mth(leaves[k(n) :])]
    return [*path(m - k(n), leaves[k(n) :]), mth(leaves[: k(n)])]


def proof(m: int, leaves: tuple[Hash, ...]) -> list[Hash]:
    """``PROOF(m, D[n])``: the Merkle consistency proof, for 0 < m < n."""
    return subproof(m, leaves, known=True)


def subproof(m: int, leaves: tuple[Hash, ...], *, known: bool) -> list[Hash]:
    """``SUBPROOF(m, D[n], b)``."""
    n = len(leaves)
    if m == n:
        return [] if known else [mth(leaves)]
    if m <= k(n):
        return [*subproof(m, leaves[: k(n)], known=known), mth(leaves[k(n) :])]
    return [*subproof(m - k(n), leaves[k(n) :], known=False), mth(leaves[: k(n)])]


def tiles(leaves: Sequence[Hash], height: int = 8) -> dict[tuple[int, int], list[Hash]]:
    """C2SP tlog-tiles: every tile of the tree, the hash of ``2**(height * level)`` leaves at each place."""
    width = 2**height
    found: dict[tuple[int, int], list[Hash]] = {}
    level, hashes = 0, list(leaves)
    while hashes:
        for index in range((len(hashes) + width - 1) // width):
            found[level, index] = hashes[index * width : (index + 1) * width]
        hashes = [
            mth(tuple(hashes[start : start + width])) for start in range(0, len(hashes) - width + 1, width)
        ]
        level += 1
    return found
