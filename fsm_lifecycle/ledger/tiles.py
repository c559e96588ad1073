"""Tiles: the Merkle tree as rows, 256 hashes wide, written as it grows and read for proofs.

Must not know what the leaves are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from django.db import connections, models

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import merkle
from fsm_lifecycle.ledger.merkle import HASH_BYTES, node_hash

#: The height of a tile: its hashes are 8 levels of the tree below those of the tile above it.
HEIGHT: Final = 8
#: How many hashes a full tile holds.
WIDTH: Final = 2**HEIGHT
#: How many tiles are kept in memory; a proof at a million leaves needs five.
KEPT: Final = 32

#: The place of a tile: its level (0 holds leaves) and its index from the left.
Place = tuple[int, int]


class LogTile(models.Model):
    """One tile of the tree: the hashes of one level, 256 at most, as hex in a row.

    C2SP tlog-tiles of height 8: level 0 holds leaves, level n the roots of the full tiles below it. A partial tile
    is widened in place. https://c2sp.org/tlog-tiles
    """

    level = models.PositiveSmallIntegerField()
    tile_index = models.BigIntegerField()
    data = models.TextField()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "log tile"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["level", "tile_index"], name="fsm_lifecycle_tile_place"),
        ]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.tile_index}"


class TileDamaged(LifecycleError):
    """A tile is missing, too short or too long, or is not hex."""

    code = "tile_damaged"

    def __init__(self, level: int, tile_index: int, what: str) -> None:
        super().__init__(
            f"Tile {level}/{tile_index} of the ledger {what}. Run lifecycle_verify to see what else differs, and "
            f"restore the row of {LogTile._meta.db_table} from a backup."
        )
        self.level = level
        self.tile_index = tile_index


class OpenTiles:
    """The last tile of each level while leaves are added, without a database.

    ``verify`` computes with it what the rows ought to hold.
    """

    __slots__ = ("_tails", "size")

    def __init__(self, size: int = 0, tails: Iterable[Sequence[bytes]] = ()) -> None:
        """Begin at ``size`` leaves. ``tails``: the hashes of the partial tile of each level, leaves first."""
        self.size = size
        self._tails = [list(tail) for tail in tails]

    def append(self, leaves: Sequence[bytes]) -> dict[Place, bytes]:
        """Add leaf hashes and return every tile that is new or wider than before, whole, as raw bytes."""
        changed: dict[Place, bytes] = {}
        level, start, hashes = 0, self.size, leaves
        while hashes:
            if level == len(self._tails):
                self._tails.append([])
            tail = [*self._tails[level], *hashes]
            first = start // WIDTH
            above: list[bytes] = []
            for offset in range(0, len(tail), WIDTH):
                tile = tail[offset : offset + WIDTH]
                changed[level, first + offset // WIDTH] = b"".join(tile)
                if len(tile) == WIDTH:
                    above.append(_top(tile))
            self._tails[level] = tail[len(above) * WIDTH :]
            level, start, hashes = level + 1, first, above
        self.size += len(leaves)
        return changed


def _top(hashes: Sequence[bytes]) -> bytes:
    """The root above a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


class Tiles:
    """The tiles of one database. An object is for one piece of work: it remembers what it has read."""

    def __init__(self, using: str) -> None:
        self.using = using
        self._kept: OrderedDict[Place, bytes] = OrderedDict()

    # --- reading --------------------------------------------------------------------------------------------

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of the perfect subtree over ``2**level`` leaves from ``index * 2**level``.

        Raises ``TileDamaged``.
        """
        tile_level, height = divmod(level, HEIGHT)
        tile_index, place = divmod(index << height, WIDTH)
        width = 1 << height
        data = self._tile(tile_level, tile_index, at_least=place + width)
        return _top([data[n : n + HASH_BYTES] for n in _steps(place, place + width)])

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` leaves. Raises ``TileDamaged``."""
        return merkle.root(size, self.read)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of a leaf. Raises ``TileDamaged``, and ``ValueError`` for a leaf beyond ``size``."""
        return merkle.inclusion_path(index, size, self.read)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the first ``old`` leaves are what they were. Raises as ``inclusion`` does."""
        return merkle.consistency_path(old, new, self.read)

    def _tile(self, level: int, tile_index: int, at_least: int) -> bytes:
        """The raw bytes of a tile with so many hashes, or more."""
        place = (level, tile_index)
        data = self._kept.get(place)
        if data is None or len(data) < at_least * HASH_BYTES:  # it may have been widened since
            data = self._load([place]).get(place)
            if data is None:
                raise TileDamaged(level, tile_index, "is missing")
            held = len(data) // HASH_BYTES
            if held < at_least:
                raise TileDamaged(level, tile_index, f"holds {held} hashes where {at_least} are needed")
            self._keep(place, data)
        self._kept.move_to_end(place)
        return data

    def _load(self, places: Iterable[Place]) -> dict[Place, bytes]:
        """Those of the tiles that there are."""
        wanted = models.Q(
            *(models.Q(level=level, tile_index=index) for level, index in places), _connector="OR"
        )
        rows = LogTile.objects.using(self.using).filter(wanted).values_list("level", "tile_index", "data")
        return {(level, index): _decoded(level, index, data) for level, index, data in rows}

    def _keep(self, place: Place, data: bytes) -> None:
        self._kept[place] = data
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    # --- writing --------------------------------------------------------------------------------------------

    def extend(self, start: int, hashes: Sequence[bytes]) -> None:
        """Write the leaf hashes from leaf ``start`` on: one query, and one statement for 16,000 leaves.

        Call it inside the transaction that writes the leaves. Raises ``TileDamaged`` when the tiles do not hold
        exactly ``start`` leaves.
        """
        if not hashes:
            return
        changed = OpenTiles(start, self._tails(start)).append(hashes)
        if connections[self.using].vendor == "postgresql":
            self._write_arrays(changed)
        else:
            self._write_rows(changed)
        for place in changed:
            self._kept.pop(place, None)

    def _write_rows(self, changed: Mapping[Place, bytes]) -> None:
        known = connections[self.using].features.supports_update_conflicts_with_target
        LogTile.objects.using(self.using).bulk_create(
            [
                LogTile(level=level, tile_index=index, data=data.hex())
                for (level, index), data in changed.items()
            ],
            update_conflicts=True,
            update_fields=["data"],
            unique_fields=["level", "tile_index"] if known else None,
            batch_size=64,
        )

    def _write_arrays(self, changed: Mapping[Place, bytes]) -> None:
        """Three arrays as text: numbers and hex need no quoting, which the driver would look for in every tile."""
        table = connections[self.using].ops.quote_name(LogTile._meta.db_table)
        columns = (
            ",".join(str(level) for level, _ in changed),
            ",".join(str(index) for _, index in changed),
            ",".join(data.hex() for data in changed.values()),
        )
        with connections[self.using].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (level, tile_index, data) "  # noqa: S608 - our own table
                "SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::text[]) "
                "ON CONFLICT (level, tile_index) DO UPDATE SET data = excluded.data",
                [f"{{{column}}}" for column in columns],
            )

    def _tails(self, size: int) -> list[list[bytes]]:
        """The hashes of the last, partial tile of each level of a tree."""
        widths: dict[Place, int] = {}
        left = size
        while left or not widths:  # also of an empty tree: there must be no tile yet
            widths[len(widths), left // WIDTH] = left % WIDTH
            left //= WIDTH
        found = self._load(widths)
        for place, width in widths.items():
            held = len(found.get(place, b"")) // HASH_BYTES
            if held != width:
                raise TileDamaged(*place, f"holds {held} hashes where the tree has {width}")
        return [_split(found.get(place, b"")) for place in widths]


def _steps(first: int, end: int) -> range:
    return range(first * HASH_BYTES, end * HASH_BYTES, HASH_BYTES)


def _split(data: bytes) -> list[bytes]:
    return [data[n : n + HASH_BYTES] for n in _steps(0, len(data) // HASH_BYTES)]


def _decoded(level: int, tile_index: int, text: str) -> bytes:
    """A row's bytes. Only lower-case hex of 1 to 256 whole hashes is a tile."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if data.hex() != text or not data or len(data) % HASH_BYTES or len(data) > WIDTH * HASH_BYTES:
        raise TileDamaged(level, tile_index, "is not 1 to 256 hashes in lower-case hex")
    return data
