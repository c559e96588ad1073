"""The Merkle tree: equal to a second implementation of RFC 6962, and no proof survives a single wrong bit."""

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_lifecycle.ledger import merkle
from tests.vectors import rfc6962

pytestmark = pytest.mark.once

LARGEST = 130
LEAVES = tuple(rfc6962.leaf_hash(b"entry %d" % number) for number in range(LARGEST))
ROOTS = [rfc6962.mth(LEAVES[:size]) for size in range(LARGEST + 1)]
#: The trees of the published test data of Certificate Transparency: eight leaves, and the root of each beginning.
#: https://github.com/google/certificate-transparency (merkletree/merkle_tree_test.cc)
PUBLISHED_LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
PUBLISHED_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def read(level: int, index: int) -> bytes:
    """The package's way to the leaves, through the other implementation."""
    return rfc6962.mth(LEAVES[index << level : (index + 1) << level])


def flips(hashed: bytes, *, every: bool) -> Iterator[bytes]:
    """The hash with one bit turned: each of its 256, or one in each byte."""
    for place in range(32):
        for bit in range(8) if every else (place % 8,):
            yield hashed[:place] + bytes([hashed[place] ^ (1 << bit)]) + hashed[place + 1 :]


# --- equal --------------------------------------------------------------------------------------------------


def test_the_published_roots_come_out() -> None:
    leaves = [rfc6962.leaf_hash(bytes.fromhex(data)) for data in PUBLISHED_LEAVES]
    frontier = merkle.Frontier()
    for leaf, root in zip(leaves, PUBLISHED_ROOTS, strict=True):
        frontier.append(leaf)
        assert frontier.root().hex() == root


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    empty = hashlib.sha256(b"").digest()
    assert merkle.EMPTY_ROOT == merkle.Frontier().root() == merkle.root(0, read) == rfc6962.mth(()) == empty


def test_every_root_equals_the_definition() -> None:
    frontier = merkle.Frontier()
    for size, leaf in enumerate(LEAVES):
        assert frontier.root() == merkle.root(size, read) == ROOTS[size]
        assert frontier.peaks == tuple(merkle.peaks(size, read))
        frontier.append(leaf)
    assert frontier.root() == ROOTS[LARGEST]


def test_a_frontier_goes_on_from_its_peaks() -> None:
    for size in range(LARGEST):
        frontier = merkle.Frontier(size, merkle.peaks(size, read))
        frontier.append(LEAVES[size])
        assert (frontier.size, frontier.root()) == (size + 1, ROOTS[size + 1])


def test_a_frontier_refuses_peaks_of_another_size() -> None:
    for size, peaks in ((3, [LEAVES[0]]), (0, [LEAVES[0]]), (-1, [])):
        with pytest.raises(ValueError, match=f"of {size} leaves has not {len(peaks)} peaks"):
            merkle.Frontier(size, peaks)


# --- proofs -------------------------------------------------------------------------------------------------


def test_every_inclusion_proof_equals_the_definition_and_holds() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            path = merkle.inclusion_path(index, size, read)
            assert path == rfc6962.path(index, LEAVES[:size])
            assert merkle.verify_inclusion(LEAVES[index], index, size, path, ROOTS[size])


def test_every_consistency_proof_equals_the_definition_and_holds() -> None:
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            path = merkle.consistency_path(old, new, read)
            assert path == (rfc6962.proof(old, LEAVES[:new]) if old < new else [])
            assert merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], path)


def test_every_tree_begins_with_the_empty_one() -> None:
    for new in range(LARGEST + 1):
        assert merkle.consistency_path(0, new, read) == []
        assert merkle.verify_consistency(0, new, merkle.EMPTY_ROOT, ROOTS[new], [])
        assert not merkle.verify_consistency(0, new, LEAVES[0], ROOTS[new], [])
        assert not merkle.verify_consistency(0, new, merkle.EMPTY_ROOT, ROOTS[new], [LEAVES[0]])
    assert not merkle.verify_consistency(0, 0, LEAVES[0], LEAVES[0], [])


def test_there_is_no_proof_of_what_is_not_in_the_tree() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match=f"has no leaf {index}"):
            merkle.inclusion_path(index, size, read)
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="has not grown"):
            merkle.consistency_path(old, new, read)


# --- forgeries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [*range(1, 20), 31, 32, 33, 64, 65, 127, 128, 129, 130])
def test_an_inclusion_proof_with_one_bit_turned_is_refused(size: int) -> None:
    every = size in (1, 2, 3, 7, 130)
    indexes = range(size) if size < 20 else (0, 1, size // 2, size - 2, size - 1)
    for index in indexes:
        leaf, path, root = LEAVES[index], merkle.inclusion_path(index, size, read), ROOTS[size]
        for wrong in flips(leaf, every=every):
            assert not merkle.verify_inclusion(wrong, index, size, path, root)
        for wrong in flips(root, every=every):
            assert not merkle.verify_inclusion(leaf, index, size, path, wrong)
        for step, sibling in enumerate(path):
            for wrong in flips(sibling, every=every):
                assert not merkle.verify_inclusion(
                    leaf, index, size, [*path[:step], wrong, *path[step + 1 :]], root
                )


@pytest.mark.parametrize("new", [*range(2, 17), 31, 32, 33, 64, 65, 127, 128, 129, 130])
def test_a_consistency_proof_with_one_bit_turned_is_refused(new: int) -> None:
    every = new in (2, 3, 7, 130)
    olds = range(1, new + 1) if new < 17 else (1, 2, 31, new // 2, new - 1, new)
    for old in olds:
        path = merkle.consistency_path(old, new, read)
        for wrong in flips(ROOTS[old], every=every):
            assert not merkle.verify_consistency(old, new, wrong, ROOTS[new], path)
        for wrong in flips(ROOTS[new], every=every):
            assert not merkle.verify_consistency(old, new, ROOTS[old], wrong, path)
        for step, sibling in enumerate(path):
            for wrong in flips(sibling, every=every):
                forged = [*path[:step], wrong, *path[step + 1 :]]
                assert not merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], forged)


def test_a_proof_holds_for_no_other_place_and_no_longer_or_shorter_path() -> None:
    for size in range(1, 34):
        for index in range(size):
            leaf, path, root = LEAVES[index], merkle.inclusion_path(index, size, read), ROOTS[size]
            for other in {*range(-1, size + 2)} - {index}:
                assert not merkle.verify_inclusion(leaf, other, size, path, root)
            for shorter_or_longer in (
                [LEAVES[0], *path],
                [*path, LEAVES[0]],
                [*path, root],
                path[1:],
                path[:-1],
            ):
                if shorter_or_longer != path:
                    assert not merkle.verify_inclusion(leaf, index, size, shorter_or_longer, root)


def test_no_tree_is_consistent_with_another_beginning() -> None:
    for new in range(1, 34):
        for old in range(1, new + 1):
            path = merkle.consistency_path(old, new, read)
            for other in {*range(1, new + 2)} - {old}:
                assert not merkle.verify_consistency(other, new, ROOTS[old], ROOTS[new], path)
            for forged in ([LEAVES[0], *path], [*path, LEAVES[0]], path[1:], path[:-1]):
                if forged != path:
                    assert not merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], forged)


def test_hashes_of_another_length_are_refused() -> None:
    """Bytes moved from one side of a node to the other leave its hash as it is."""
    left, right = LEAVES[0], LEAVES[1]
    assert merkle.verify_inclusion(left, 0, 2, [right], ROOTS[2])
    assert not merkle.verify_inclusion(left + right[:1], 0, 2, [right[1:]], ROOTS[2])
    assert not merkle.verify_inclusion(left[:-1], 0, 2, [left[-1:] + right], ROOTS[2])
    assert not merkle.verify_consistency(1, 2, left + right[:1], ROOTS[2], [right[1:]])
    assert not merkle.verify_inclusion(b"", 0, 1, [], b"")


@given(
    index=st.integers(-2, 2**70),
    size=st.integers(-2, 2**70),
    path=st.lists(st.binary(min_size=30, max_size=33) | st.just(LEAVES[0]), max_size=80),
)
def test_checking_never_raises_and_believes_no_chance_path(index: int, size: int, path: list[bytes]) -> None:
    assert not merkle.verify_inclusion(LEAVES[0], index, size, path, ROOTS[7])
    if index != size:
        assert not merkle.verify_consistency(index, size, ROOTS[3], ROOTS[7], path)
