"""Stretches of a log, each derived anew from its entries in a process of its own: a stretch needs nothing of those before it.

What binds stretches together (roots, stream versions, times) is held together by `verify`.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from zlib import crc32

from foundation.log.checkpoint import Checkpoint
from foundation.log.damage import Damage, Kind, named, split
from foundation.log.envelopes import Envelopes, retimed
from foundation.log.proofs import ProofInvalid, inclusion, tile_hashes, verify_inclusion
from foundation.log.reader import FileMissing, FileTooLarge, LogFiles, LogUnreadable, open_log
from foundation.log.tiles import (
    ENTRY_BYTES_MAX,
    TILE_BYTES,
    WIDTH,
    Tile,
    TileMalformed,
    decode_bundle,
    encode_bundle,
    leaf_hashes,
    perfect_root,
    tile_of,
)
from foundation.merkle import HASH_BYTES

TILES_AT_ONCE = 64
"""Bundles in a stretch: some megabytes, a second's work."""

SHARDS = 64
"""Into how many heaps streams are divided, so that only one heap of them is in memory at a time."""

BUNDLE_BYTES_MAX = WIDTH * (2 + ENTRY_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What to derive: tiles [first, end) of the log at `place` that `head` speaks of.

    `epochs`: how many were declared. `sizes`: for which sizes of the tree the partial tile is wanted, to make its root.
    """

    place: str
    token: str | None
    head: Checkpoint
    source: bytes | None
    clock_back_seconds: float
    epochs: int
    first: int
    end: int
    sizes: tuple[int, ...]

    @property
    def records(self) -> int:
        """How many records are in it."""
        return min(self.end * WIDTH, self.head.size) - self.first * WIDTH


@dataclass(frozen=True, slots=True)
class Derived:
    """What a stretch comes to.

    `hashes`: of its full tiles, one level up. `partials`: for each size asked about, the leaf hashes behind its last full tile; so for the
    size at which an epoch opens, whose record is in `openings`. `lowest`, `highest`: the earliest time with its position, the latest.
    `shards`: lines `<position> <first version> <last version> <stream>` in SHARDS heaps.
    """

    stretch: Stretch
    hashes: bytes
    partials: dict[int, bytes]
    openings: tuple[tuple[int, bytes], ...]
    source: bytes | None
    lowest: tuple[bytes, int]
    highest: bytes
    shards: tuple[bytes, ...]


def derive(files: LogFiles, stretch: Stretch) -> Derived:
    """Read the entries, hash them, hold them against the stored tiles, follow their envelopes. Raises Damage, LogUnreadable."""
    envelopes = Envelopes(stretch.source, stretch.clock_back_seconds)
    openings: list[tuple[int, bytes]] = []
    hashes: list[bytes] = []
    partials: dict[int, bytes] = {}
    for number in range(stretch.first, stretch.end):
        tile, bundle = tile_of(0, number, stretch.head.size), tile_of(None, number, stretch.head.size)
        records, stored = decoded(files, bundle), read_tile(files, tile)
        leaves = leaf_hashes(records)
        if leaves != stored:
            raise _difference(files, stretch.head, tile, leaves=leaves, stored=stored, records=records)
        envelopes.follow(bundle.path(), number * WIDTH, records)
        openings += _openings(envelopes, stretch.epochs, number * WIDTH, records)
        if tile.full:
            hashes.append(perfect_root(leaves))
        wanted = (*stretch.sizes, *(position for position, _ in openings))
        partials |= {size: leaves[: size % WIDTH * HASH_BYTES] for size in wanted if size // WIDTH == number}
    shards: list[list[bytes]] = [[] for _ in range(SHARDS)]
    for stream, (position, first) in envelopes.firsts.items():
        shards[crc32(stream) % SHARDS].append(b"%d %d %d %b\n" % (position, first, envelopes.lasts[stream], stream))
    heaps = tuple(b"".join(lines) for lines in shards)
    return Derived(stretch, b"".join(hashes), partials, tuple(openings), envelopes.source, envelopes.lowest, envelopes.highest, heaps)


def _openings(envelopes: Envelopes, epochs: int, first: int, records: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    for epoch in range(1, epochs + 1):
        known = envelopes.firsts.get(b"epoch-%d" % epoch)
        if known is not None and first <= known[0] < first + len(records):
            yield known[0], records[known[0] - first]


def derive_all(files: LogFiles, stretches: Iterable[Stretch], processes: int) -> Iterator[Derived]:
    """All stretches, in order, by so many processes. Raises what `derive` raises, for the first stretch that does."""
    if processes < 2:
        yield from (derive(files, stretch) for stretch in stretches)
        return
    # Forked: importing everything anew would cost each process more than a stretch.
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        waiting = iter(stretches)
        ahead: list[Future[Derived]] = [pool.submit(_derive, stretch) for stretch in islice(waiting, 2 * processes)]
        try:
            while ahead:
                found = ahead.pop(0).result()
                ahead += [pool.submit(_derive, stretch) for stretch in islice(waiting, 1)]
                yield found
        finally:
            for future in ahead:
                future.cancel()


def _derive(stretch: Stretch) -> Derived:
    files = open_log(stretch.place, stretch.token)
    try:
        return derive(files, stretch)
    finally:
        files.close()


def _difference(files: LogFiles, head: Checkpoint, tile: Tile, *, leaves: bytes, stored: bytes, records: Sequence[bytes]) -> Damage:
    """Entries and their hash tile disagree: the tree says which of them is wrong."""
    first, found, proven = tile.leaves.start, split(leaves), split(stored)
    at = next((i for i, (ours, theirs) in enumerate(zip(found, proven, strict=False)) if ours != theirs), None)
    if at is not None and not _stands(files, head, first + at, proven[at]):
        what = f"hash {at} (position {first + at}) is neither that of the entry nor what the checkpoint of {head.size} proves"
        return Damage(Kind.tile_altered, tile.path(), what, first + at)
    if len(found) == len(proven) == WIDTH:
        with suppress(Damage, LogUnreadable, TileMalformed, ValueError):  # only to say more of what happened
            beyond = read_tile(files, tile_of(0, tile.number + 1, head.size))
            proven += split(beyond)[:1]
            found += split(leaf_hashes(decoded(files, tile_of(None, tile.number + 1, head.size))[:1]))
    said = None if at is None else retimed(records[at])
    return named(Tile(None, tile.number, tile.width).path(), first, found, proven, said)


def _stands(files: LogFiles, head: Checkpoint, position: int, leaf: bytes) -> bool:
    try:
        proof = inclusion(position, head.size, tile_hashes(StoredTiles(files), head.size))
        verify_inclusion(position, head.size, leaf, proof, head.root)
    except ProofInvalid:
        return False
    return True


class StoredTiles(dict[Tile, bytes]):
    """A log's hash tiles, read when they are first asked for. Asking raises Damage, LogUnreadable."""

    def __init__(self, files: LogFiles) -> None:
        super().__init__()
        self._files = files

    def __missing__(self, tile: Tile) -> bytes:
        self[tile] = data = read_tile(self._files, tile)
        return data


def read_tile(files: LogFiles, tile: Tile) -> bytes:
    """A hash tile of the right length. Raises Damage, LogUnreadable."""
    data = _read(files, tile, TILE_BYTES, Kind.tile_missing, Kind.tile_altered)
    if data is None:
        return read_tile(files, Tile(tile.level, tile.number))[: tile.width * HASH_BYTES]
    if len(data) != tile.width * HASH_BYTES:
        what = f"has {len(data)} bytes, not the {tile.width * HASH_BYTES} of a {'full' if tile.full else 'partial'} tile of {tile.width}"
        raise Damage(Kind.tile_truncated, tile.path(), what, tile.leaves.start)
    return data


def read_bundle(files: LogFiles, bundle: Tile) -> bytes:
    """An entry bundle's bytes. Raises Damage, LogUnreadable."""
    data = _read(files, bundle, BUNDLE_BYTES_MAX, Kind.entries_missing, Kind.entries_malformed)
    if data is not None:
        return data
    return encode_bundle(decoded(files, Tile(None, bundle.number))[: bundle.width])


def decoded(files: LogFiles, bundle: Tile) -> list[bytes]:
    """A bundle's records. Raises Damage, LogUnreadable."""
    return _records(bundle, read_bundle(files, bundle))


def _records(bundle: Tile, data: bytes) -> list[bytes]:
    try:
        return decode_bundle(data)
    except TileMalformed as error:
        raise Damage(Kind.entries_malformed, bundle.path(), str(error), bundle.leaves.start) from None


def _read(files: LogFiles, tile: Tile, size_max: int, missing: Kind, too_large: Kind) -> bytes | None:
    """A tile's file; None where it is a partial one that has gone because the full one is there (C2SP tlog-tiles, "Partial Tiles")."""
    path, first = tile.path(), tile.leaves.start
    try:
        return files.read(path, size_max)
    except FileTooLarge:
        raise Damage(too_large, path, f"is larger than the {size_max:,} bytes that such a file has at most", first) from None
    except FileMissing:
        if not tile.full:
            with suppress(FileMissing, FileTooLarge):
                files.read(Tile(tile.level, tile.number).path(), size_max)
                return None
        raise Damage(missing, path, "is missing", first) from None
