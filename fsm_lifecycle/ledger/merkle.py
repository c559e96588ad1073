"""Owns the Merkle tree of RFC 6962: nodes, roots, and the making and checking of proofs.

Hashes are 32 raw bytes. A proof is made through ``read(level, index)``, which returns the hash of the perfect
subtree over the leaves from ``index * 2**level``, ``2**level`` of them. Proofs are those of RFC 6962, sections
2.1.1 and 2.1.2; they are checked as RFC 9162, sections 2.1.3.2 and 2.1.4.2, prescribes.

Must not know: Django, where hashes are kept, what the leaves are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from .hashing import NODE

HASH_BYTES = 32
"""The length of every hash."""

EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Read = Callable[[int, int], bytes]
"""``read(level, index)``: the hash of one perfect subtree."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return sha256(NODE + left + right).digest()


class Frontier:
    """A tree that only grows, of which only the roots of its perfect subtrees are kept: O(log n) memory."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Begin at ``size`` leaves. ``peaks``: one root for each bit set in ``size``, the largest tree's first.

        Raises ``ValueError`` when their number is not that.
        """
        self._peaks = list(peaks)
        self.size = size
        if size < 0 or len(self._peaks) != size.bit_count():
            raise ValueError(
                f"A tree of {size} leaves has not {len(self._peaks)} peaks. Give those of peaks(size, read)."
            )

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, the largest first."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        below = self.size
        self.size += 1
        while below & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            below >>= 1
        self._peaks.append(leaf)

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return _joined(self._peaks) if self._peaks else EMPTY_ROOT


# --- making -------------------------------------------------------------------------------------------------


def peaks(size: int, read: Read) -> list[bytes]:
    """Return the roots of the perfect subtrees of a tree of ``size`` leaves, the largest first."""
    return _peaks(0, size, read)


def root(size: int, read: Read) -> bytes:
    """Return the root of the first ``size`` leaves."""
    return _joined(_peaks(0, size, read)) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, read: Read) -> list[bytes]:
    """Return the audit path of a leaf: the siblings on the way up, lowest first (RFC 6962, 2.1.1).

    Raises ``ValueError`` for a leaf that the tree does not have.
    """
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}. Give one from 0 to {size - 1}.")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_joined(_peaks(middle, end, read)))
            end = middle
        else:
            path.append(_joined(_peaks(begin, middle, read)))
            begin = middle
    return path[::-1]


def consistency_path(old: int, new: int, read: Read) -> list[bytes]:
    """Return the proof that the first ``old`` of ``new`` leaves are what they were (RFC 6962, 2.1.2).

    Empty when ``old`` is 0 or ``new``. Raises ``ValueError`` when ``old`` is the larger.
    """
    if not 0 <= old <= new:
        raise ValueError(
            f"A tree of {new} leaves has not grown from one of {old}. Give the smaller size first."
        )
    if old in (0, new):
        return []
    path: list[bytes] = []
    begin, end = 0, new
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_joined(_peaks(middle, end, read)))
            end = middle
        else:
            path.append(_joined(_peaks(begin, middle, read)))
            begin = middle
    if begin:  # otherwise this is the old root itself, which the reader has
        path.append(_joined(_peaks(begin, end, read)))
    return path[::-1]


def _split(leaves: int) -> int:
    """The largest power of two below a number over 1."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _peaks(begin: int, end: int, read: Read) -> list[bytes]:
    """The perfect subtrees of a subtree, largest first; ``begin`` is a multiple of the largest one's size."""
    found: list[bytes] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append(read(level, begin >> level))
        begin += 1 << level
    return found


def _joined(hashes: Sequence[bytes]) -> bytes:
    """The root above peaks: the smallest two first."""
    *rest, top = hashes
    for left in reversed(rest):
        top = node_hash(left, top)
    return top


# --- checking -----------------------------------------------------------------------------------------------


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether ``path`` proves that ``leaf`` is leaf number ``index`` of the tree with that size and root.

    False, never an exception, for whatever is out of range or of the wrong length.
    """
    if not (0 <= index < size and _are_hashes(leaf, root, *path)):
        return False
    place, last, computed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = node_hash(sibling, computed)
            while place and not place & 1:  # levels where the last node has no sibling
                place, last = place >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Return whether ``path`` proves that the tree with the new root begins with all leaves of the old one.

    Every tree begins with the empty one. False, never an exception, for whatever is out of range or of the
    wrong length.
    """
    if not (0 <= old_size <= new_size and _are_hashes(old_root, new_root, *path)):
        return False
    if old_size == new_size:
        return not path and old_root == new_root and (old_size > 0 or old_root == EMPTY_ROOT)
    if old_size == 0:
        return not path and old_root == EMPTY_ROOT
    siblings = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not siblings:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = siblings[0]
    for sibling in siblings[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _are_hashes(*hashes: bytes) -> bool:
    # Another length would let bytes of one hash pass as bytes of its neighbour.
    return all(len(one) == HASH_BYTES for one in hashes)
