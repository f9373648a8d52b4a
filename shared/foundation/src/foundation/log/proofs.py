"""Inclusion and consistency proofs (RFC 6962, 2.1): made from tiles, verified from nothing but hashes.

A complete subtree is named (level, index): the tree over leaves [index · 2^level, (index + 1) · 2^level). It never changes; such hashes and
nothing else are asked of a HashReader. Who has to fetch first asks which tiles a proof needs (`inclusion_tiles`, `consistency_tiles`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from foundation.log.tiles import WIDTH, OutsideTree, Tile, check_width, perfect_root, tile_of
from foundation.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

HashReader: TypeAlias = Callable[[int, int], bytes]
"""(level, index) → hash of that complete subtree."""

Span: TypeAlias = tuple[int, int]
"""Leaves [start, end), a subtree of some tree, complete or its right edge."""

_TILE_LEVELS = 8


class ProofInvalid(Exception):
    """A proof does not lead to the root that it should."""


def tile_hashes(tiles: Mapping[Tile, bytes], size: int) -> HashReader:
    """Reads from the tiles of a log of this size. Raises KeyError for a tile that is not there, TileMalformed for one of another width."""

    def read(level: int, index: int) -> bytes:
        tile, start, count = _in_tile(level, index, size)
        data = tiles[tile]
        check_width(tile, data)
        return perfect_root(data[start * HASH_BYTES : (start + count) * HASH_BYTES])

    return read


def root(size: int, read: HashReader) -> bytes:
    """The root of the tree over the first `size` leaves."""
    return _hash((0, size), read) if size else EMPTY_ROOT


def inclusion(index: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """The proof that leaf `index` is in the tree of `size` leaves, the leaf's sibling first. Raises OutsideTree where it cannot be."""
    return tuple(_hash(span, read) for span in _inclusion(index, size))


def consistency(old: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """The proof that the tree of `size` leaves continues that of `old`; empty where old is 0 or size. Raises OutsideTree if old > size."""
    return tuple(_hash(span, read) for span in _consistency(old, size))


def root_tiles(size: int) -> set[Tile]:
    """The tiles that `root` reads."""
    return _tiles([(0, size)] if size else [], size)


def inclusion_tiles(index: int, size: int) -> set[Tile]:
    """The tiles that `inclusion` reads, as they are in a log of this size."""
    return _tiles(_inclusion(index, size), size)


def consistency_tiles(old: int, size: int) -> set[Tile]:
    """The tiles that `consistency` reads, as they are in a log of this size."""
    return _tiles(_consistency(old, size), size)


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raises ProofInvalid unless leaf hash `leaf` stands at `index` under the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofInvalid(f"position {index} is not in a tree of {size}")
    _check_hashes((leaf, *proof))
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the inclusion proof is too long")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofInvalid("the inclusion proof is too short")
    if found != root:
        raise ProofInvalid(f"position {index} does not hold this leaf under this root")


def verify_consistency(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Raises ProofInvalid unless the tree of `size` leaves continues that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= size:
        raise ProofInvalid(f"a tree of {size} does not continue one of {old}")
    _check_hashes((old_root, root, *proof))
    if old in (0, size):
        if proof or (root if old else EMPTY_ROOT) != old_root:
            raise ProofInvalid("the roots differ, or the consistency proof is not empty")
        return
    rest = list(proof)
    if old & (old - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        raise ProofInvalid("the consistency proof is empty")
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    found_old = found = rest[0]
    for node in rest[1:]:
        if last == 0:
            raise ProofInvalid("the consistency proof is too long")
        if at & 1 or at == last:
            found_old, found = node_hash(node, found_old), node_hash(node, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofInvalid("the consistency proof is too short")
    if found_old != old_root:
        raise ProofInvalid(f"the consistency proof does not start from the root of the first {old}")
    if found != root:
        raise ProofInvalid(f"the tree of {size} does not continue that of {old}")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    # Otherwise a longer one could stand in for a shorter beside it: their hash would be the same.
    if any(len(node) != HASH_BYTES for node in hashes):
        raise ProofInvalid("a hash that is not of 32 bytes")


def _inclusion(index: int, size: int) -> list[Span]:
    if not 0 <= index < size:
        raise OutsideTree(f"position {index} is not in a tree of {size}")
    path: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def _consistency(old: int, size: int) -> list[Span]:
    if not 0 <= old <= size:
        raise OutsideTree(f"a tree of {size} does not continue one of {old}")
    if old in (0, size):
        return []
    path: list[Span] = []
    start, end = 0, size
    while end > old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    if start:  # otherwise the old tree is a subtree, whose root the verifier has
        path.append((start, end))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def _complete(span: Span) -> Iterator[tuple[int, int]]:
    """The complete subtrees that a span consists of, largest first."""
    start, end = span
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _hash(span: Span, read: HashReader) -> bytes:
    *left, found = [read(level, index) for level, index in _complete(span)]
    for peak in reversed(left):
        found = node_hash(peak, found)
    return found


def _tiles(spans: Sequence[Span], size: int) -> set[Tile]:
    return {_in_tile(level, index, size)[0] for span in spans for level, index in _complete(span)}


def _in_tile(level: int, index: int, size: int) -> tuple[Tile, int, int]:
    """Where a complete subtree's hash is found: the tile, the first of its hashes below the subtree, and their count."""
    tile_level, above = divmod(level, _TILE_LEVELS)
    first = index << above
    return tile_of(tile_level, first // WIDTH, size), first % WIDTH, 1 << above
