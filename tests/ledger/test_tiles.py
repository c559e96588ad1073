"""Tiles: whatever the batches, the rows are those of the definition, and proofs come out of them quickly."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import transaction

from fsm_lifecycle.ledger import merkle
from fsm_lifecycle.ledger.tiles import LogTile, OpenTiles, TileDamaged, Tiles
from tests.vectors import rfc6962

pytestmark = pytest.mark.django_db

SMALL = [rfc6962.leaf_hash(b"entry %d" % number) for number in range(600)]
EDGES = [1, 2, 3, 254, 255, 256, 257, 258, 511, 512, 513]
LARGE_EDGES = [65535, 65536, 65537]


def many(count: int) -> list[bytes]:
    """Distinct leaf hashes, quickly: any 32 bytes are one."""
    return [number.to_bytes(32, "big") for number in range(count)]


def extend(leaves: Sequence[bytes], start: int = 0, batches: random.Random | None = None) -> None:
    """Write leaves in batches of random sizes, or at once."""
    while start < len(leaves):
        size = batches.choice([1, 2, 7, 255, 256, 257, 1000, 20_000]) if batches else len(leaves)
        Tiles("default").extend(start, leaves[start : start + size])
        start = min(start + size, len(leaves))


def rows() -> dict[tuple[int, int], str]:
    return {(tile.level, tile.tile_index): tile.data for tile in LogTile.objects.all()}


def expected(leaves: Sequence[bytes]) -> dict[tuple[int, int], str]:
    return {place: b"".join(hashes).hex() for place, hashes in rfc6962.tiles(leaves).items()}


def root_of(leaves: Sequence[bytes]) -> bytes:
    frontier = merkle.Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


# --- equal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", EDGES)
def test_the_rows_are_those_of_the_definition(size: int) -> None:
    leaves = SMALL[:size]
    extend(leaves, batches=random.Random(size))
    assert rows() == expected(leaves)
    assert Tiles("default").root(size) == root_of(leaves) == rfc6962.mth(tuple(leaves))


@pytest.mark.parametrize("size", LARGE_EDGES)
def test_the_rows_are_those_of_the_definition_where_a_third_level_begins(size: int) -> None:
    leaves = many(size)
    extend(leaves, batches=random.Random(size))
    assert rows() == expected(leaves)
    assert Tiles("default").root(size) == root_of(leaves)
    assert {level for level, _ in rows()} == ({0, 1, 2} if size >= 65536 else {0, 1})


def test_one_leaf_at_a_time_gives_the_same_rows() -> None:
    for start, leaf in enumerate(SMALL[:300]):
        Tiles("default").extend(start, [leaf])
    assert rows() == expected(SMALL[:300])


def test_one_object_extends_and_reads_in_turns() -> None:
    tiles, start, batches = Tiles("default"), 0, random.Random(6)
    while start < len(SMALL):
        batch = SMALL[start : start + batches.randint(1, 90)]
        tiles.extend(start, batch)
        start += len(batch)
        assert tiles.root(start) == rfc6962.mth(tuple(SMALL[:start]))


def test_every_root_and_proof_below_comes_from_the_same_tiles() -> None:
    extend(SMALL)
    tiles = Tiles("default")
    for size in range(0, 601, 7):
        leaves = tuple(SMALL[:size])
        assert tiles.root(size) == rfc6962.mth(leaves)
        for index in (0, size // 2, size - 1) if size else ():
            assert tiles.inclusion(index, size) == rfc6962.path(index, leaves)
        for old in (1, size // 2, size - 1) if size > 2 else ():
            assert tiles.consistency(old, size) == rfc6962.proof(old, leaves)


def test_a_reader_sees_a_tile_that_was_widened_after_it_read_it() -> None:
    extend(SMALL[:5])
    reader = Tiles("default")
    assert reader.root(5) == rfc6962.mth(tuple(SMALL[:5]))
    Tiles("default").extend(5, SMALL[5:9])
    assert reader.root(9) == rfc6962.mth(tuple(SMALL[:9]))


def test_open_tiles_compute_the_rows_without_a_database() -> None:
    computed: dict[tuple[int, int], str] = {}
    tiles = OpenTiles()
    for start in range(0, 600, 37):
        changed = tiles.append(SMALL[start : start + 37])
        computed |= {place: data.hex() for place, data in changed.items()}
    assert tiles.size == 600
    assert computed == expected(SMALL)


# --- what the transaction and the statements do ---------------------------------------------------------------


def test_a_thousand_leaves_take_two_statements(django_assert_num_queries: object) -> None:
    extend(SMALL[:100])
    with django_assert_num_queries(2):  # type: ignore[operator]
        Tiles("default").extend(100, many(1000))
    with django_assert_num_queries(0):  # type: ignore[operator]
        Tiles("default").extend(1100, [])


def test_a_rollback_takes_the_tiles_with_it() -> None:
    extend(SMALL[:100])
    tiles = Tiles("default")
    with transaction.atomic():
        tiles.extend(100, many(200))
        transaction.set_rollback(True)
    tiles.extend(100, SMALL[100:])
    assert rows() == expected(SMALL)


# --- damage -------------------------------------------------------------------------------------------------


def write(level: int, tile_index: int, data: str) -> None:
    assert LogTile.objects.filter(level=level, tile_index=tile_index).update(data=data) == 1


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("", "is not 1 to 256 hashes"),
        ("zz" * 32, "is not 1 to 256 hashes"),
        ("AB" * 32, "is not 1 to 256 hashes"),
        ("ab" * 31, "is not 1 to 256 hashes"),
        ("ab" * 31 + " " + "ab", "is not 1 to 256 hashes"),
        ("ab" * 32 * 257, "is not 1 to 256 hashes"),
        ("ab" * 32, "holds 1 hashes where 64 are needed"),
    ],
)
def test_a_damaged_tile_is_named(data: str, what: str) -> None:
    extend(SMALL)
    write(0, 2, data)
    with pytest.raises(TileDamaged, match=f"Tile 0/2 of the ledger {what}") as raised:
        Tiles("default").root(600)
    assert (raised.value.level, raised.value.tile_index) == (0, 2)
    assert Tiles("default").root(256) == rfc6962.mth(tuple(SMALL[:256]))


def test_a_missing_tile_is_named() -> None:
    extend(SMALL)
    LogTile.objects.filter(level=1).delete()
    with pytest.raises(TileDamaged, match="Tile 1/0 of the ledger is missing"):
        Tiles("default").inclusion(3, 600)


@pytest.mark.parametrize(
    ("size", "start", "place"),
    [(0, 5, (0, 0)), (5, 4, (0, 0)), (5, 6, (0, 0)), (600, 599, (0, 2)), (600, 512, (0, 2)), (5, 0, (0, 0))],
)
def test_tiles_of_another_size_are_not_extended(size: int, start: int, place: tuple[int, int]) -> None:
    extend(SMALL[:size])
    before = rows()
    with pytest.raises(TileDamaged, match="where the tree has") as raised:
        Tiles("default").extend(start, SMALL[:1])
    assert (raised.value.level, raised.value.tile_index) == place
    assert rows() == before


# --- cost ---------------------------------------------------------------------------------------------------


def test_a_proof_reads_one_tile_of_each_level(django_assert_max_num_queries: Any) -> None:
    """Three levels hold sixteen million leaves."""
    leaves = many(70_000)
    for start in range(0, len(leaves), 20_000):
        Tiles("default").extend(start, leaves[start : start + 20_000])
    root = Tiles("default").root(len(leaves))
    for index in (0, 255, 65_535, 65_536, 69_999, 12_345):
        with django_assert_max_num_queries(6):
            path = Tiles("default").inclusion(index, len(leaves))
        assert merkle.verify_inclusion(leaves[index], index, len(leaves), path, root)
