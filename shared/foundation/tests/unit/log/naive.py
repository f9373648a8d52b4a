"""The tree of RFC 6962, 2.1, written down as it is defined there, and nothing else: what the fast code is held against."""

from collections.abc import Sequence
from hashlib import sha256

from foundation.log.tiles import Tile


def tree(leaves: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of 2.1.1."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*path(index, leaves[:split]), tree(leaves[split:])]
    return [*path(index - split, leaves[split:]), tree(leaves[:split])]


def proof(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) of 2.1.2, for 0 < m <= n."""
    return _subproof(old, leaves, True)


def _subproof(old: int, leaves: Sequence[bytes], known: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if known else [tree(leaves)]
    split = _split(len(leaves))
    if old <= split:
        return [*_subproof(old, leaves[:split], known), tree(leaves[split:])]
    return [*_subproof(old - split, leaves[split:], False), tree(leaves[:split])]


def tiles(leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """Every hash tile of a log, by C2SP tlog-tiles: hash i of tile n at level l is MTH(D[(n·256+i)·256^l : (n·256+i+1)·256^l])."""
    found: dict[Tile, bytes] = {}
    level = 0
    while count := len(leaves) // 256**level:
        hashes = [tree(leaves[i * 256**level : (i + 1) * 256**level]) for i in range(count)]
        for number in range(-(-count // 256)):
            row = hashes[number * 256 : (number + 1) * 256]
            found[Tile(level, number, len(row))] = b"".join(row)
        level += 1
    return found


def _split(size: int) -> int:
    """The largest power of two below size."""
    split = 1
    while split * 2 < size:
        split *= 2
    return split
