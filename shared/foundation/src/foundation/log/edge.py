"""The right edge of a tree: all that has to be kept to make it grow (AUDIT-LOG "How it is built here", 1).

The same steps write a log and verify one: leaf hashes go in, full tiles come out, and the root is at hand at any size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from foundation.log.tiles import TILE_BYTES, WIDTH, Tile, TileMalformed, perfect_root
from foundation.merkle import EMPTY_ROOT, HASH_BYTES, node_hash


@dataclass(frozen=True, slots=True)
class Edge:
    """Per level, from 0, the concatenated hashes of its partial tile; empty where the tiles of a level are all full."""

    size: int = 0
    partials: tuple[bytes, ...] = ()

    @staticmethod
    def decode(size: int, data: bytes) -> "Edge":
        """Reads what `encode` made of the edge of a tree of this size. Raises TileMalformed where it is not as long as it must be."""
        partials: list[bytes] = []
        at, rest = 0, size
        while rest:
            end = at + rest % WIDTH * HASH_BYTES
            partials.append(data[at:end])
            at, rest = end, rest // WIDTH
        if at != len(data):
            raise TileMalformed(f"the edge of a tree of {size} has {at} bytes, not {len(data)}")
        return Edge(size, tuple(partials))

    def encode(self) -> bytes:
        """All partial tiles, level 0 first: at most 255 × 32 bytes a level."""
        return b"".join(self.partials)

    def grow(self, leaves: bytes) -> "tuple[Edge, list[tuple[Tile, bytes]]]":
        """The edge after these leaf hashes (concatenated), and the tiles that became full; each follows those below it."""
        full: list[tuple[Tile, bytes]] = []
        partials: list[bytes] = []
        level, first, new = 0, self.size, leaves
        while first or new:
            before = self.partials[level] if level < len(self.partials) else b""
            row, above = before + new, []
            for at in range(0, len(row) - TILE_BYTES + 1, TILE_BYTES):
                tile = row[at : at + TILE_BYTES]
                full.append((Tile(level, first // WIDTH + at // TILE_BYTES), tile))
                above.append(perfect_root(tile))
            partials.append(row[len(above) * TILE_BYTES :])
            level, first, new = level + 1, first // WIDTH, b"".join(above)
        return Edge(self.size + len(leaves) // HASH_BYTES, tuple(partials)), full

    def tiles(self) -> Iterator[tuple[Tile, bytes]]:
        """The partial tiles of a log of this size: what a checkpoint of it needs besides the full ones."""
        rest = self.size
        for level, hashes in enumerate(self.partials):
            if hashes:
                yield Tile(level, rest // WIDTH, rest % WIDTH), hashes
            rest //= WIDTH

    def root(self) -> bytes:
        """The root of the tree."""
        found: bytes | None = None
        for hashes in self.partials:
            end = len(hashes)
            while end:
                # The lowest set bit of what is left is the smallest complete subtree, at the right.
                start = end & (end - 1)
                peak = perfect_root(hashes[start:end])
                found, end = peak if found is None else node_hash(peak, found), start
        return EMPTY_ROOT if found is None else found
