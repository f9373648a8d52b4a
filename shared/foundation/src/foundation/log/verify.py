"""Verifying a whole log: signatures, every tile and entry derived anew, all checkpoints on one tree, envelopes in agreement.

Streams through the log once, stretch by stretch; memory does not grow with it. The first thing wrong ends it (AUDIT-LOG, "What an auditor
does").
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from contracts.foundation import EpochOpened
from pydantic import ValidationError

from foundation.log import stretches
from foundation.log.checkpoint import Checkpoint, SignedCheckpoint
from foundation.log.continuity import Streams
from foundation.log.damage import Damage, Kind, first_difference
from foundation.log.edge import Edge
from foundation.log.envelopes import CLOCK_BACK_SECONDS, check_clock
from foundation.log.origin import Origin, OriginMalformed
from foundation.log.reader import CHECKPOINT, INCOMING, KEYS, POLICY, FolderFiles, LogFiles, LogUnreadable, is_checkpoint, size_of
from foundation.log.stretches import SHARDS, TILES_AT_ONCE, Derived, Stretch, decoded, read_tile
from foundation.log.tiles import WIDTH, PathMalformed, Tile, tile_of
from foundation.log.trust import Trust, checkpoint_at
from foundation.merkle import EMPTY_ROOT, HASH_BYTES
from foundation.record import RecordMalformed, decode

EPOCHS_MAX = 1_000
"""An epoch is declared after a loss; a checkpoint that names more of them than this is nobody's history."""

Report = Callable[[int, int], object]
"""Called with the events done and those in all."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint of this log that somebody kept, and where it was found."""

    where: str
    signed: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found whole. Times are the operator's claim, as they stand in the records; `witnesses` those who cosigned the newest
    checkpoint, with their times (POSIX seconds); `given_up`: checkpoints of earlier epochs beyond what survived of them."""

    head: Checkpoint
    checkpoints: int
    trust: Trust
    first_time: str
    last_time: str
    witnesses: tuple[tuple[str, int], ...]
    given_up: tuple[str, ...]


class _Tree:
    """What has been derived so far: the tree above the level 0 tiles, held against those stored, and its roots where they are wanted."""

    def __init__(self, files: LogFiles) -> None:
        self._files, self._above = files, Edge()
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}

    def take(self, derived: Derived) -> None:
        """The next stretch. Raises Damage, LogUnreadable."""
        rest, tile = derived.hashes, derived.stretch.first
        for size in sorted({*derived.stretch.sizes, *(position for position, _ in derived.openings)}):
            cut = (size // WIDTH - tile) * HASH_BYTES
            self._grow(rest[:cut])
            rest, tile = rest[cut:], size // WIDTH
            edge = Edge(size, (derived.partials.get(size, b""), *self._above.partials))
            self.roots[size] = edge.root()
            if size == derived.stretch.head.size:
                for partial, hashes in edge.tiles():
                    self._check(partial, hashes)
        self._grow(rest)

    def _grow(self, hashes: bytes) -> None:
        self._above, full = self._above.grow(hashes)
        for tile, content in full:
            self._check(Tile((tile.level or 0) + 1, tile.number), content)

    def _check(self, tile: Tile, hashes: bytes) -> None:
        stored = read_tile(self._files, tile)
        if stored != hashes:
            at = first_difference(stored, hashes)
            first = tile.leaves.start + at * WIDTH ** (tile.level or 0)
            raise Damage(Kind.tile_altered, tile.path(), f"hash {at} is not that of the entries from position {first} on", first)


def verify(
    files: LogFiles,
    trust: Trust,
    *,
    token: str | None = None,
    kept: Sequence[Seen] = (),
    processes: int = 1,
    clock_back_seconds: float = CLOCK_BACK_SECONDS,
    report: Report = lambda done, total: None,
) -> Verified:
    """Verify the log as its newest checkpoint describes it. Raises Damage for the first thing wrong, LogUnreadable.

    `kept`: checkpoints from elsewhere that the log must continue: what another follower was shown, or one kept from an earlier visit.
    """
    if isinstance(files, FolderFiles) and (files.folder / INCOMING).exists():
        raise LogUnreadable(f"the export into {files.place} was cut off: run it again")
    newest = checkpoint_at(files, CHECKPOINT, trust, quorum=True)
    head = newest.checkpoint
    published = [Seen(path, checkpoint_at(files, path, trust, quorum=False)) for path in files.checkpoints()]
    for one in published:
        if size_of(one.where) != one.signed.checkpoint.size:
            raise Damage(Kind.checkpoint_malformed, one.where, f"is a checkpoint of size {one.signed.checkpoint.size}")
    seen = [Seen(CHECKPOINT, newest), *published, *kept]
    _check_sizes(head, seen)
    if isinstance(files, FolderFiles):
        _check_belonging(files, head.size)
    if (epoch := _epoch(head.origin)) > min(head.size, EPOCHS_MAX):
        raise Damage(Kind.epoch_broken, CHECKPOINT, f"names epoch {epoch} of a log of {head.size} entries")
    plan = _plan(files.place, token, head, seen, clock_back_seconds)
    tree, openings, source = _Tree(files), dict[int, bytes](), _source(head.origin)
    lowest = highest = b""
    with Streams(SHARDS) as streams:
        for derived in stretches.derive_all(files, plan, processes if head.size > TILES_AT_ONCE * WIDTH else 1):
            source = _continue(derived, source, highest)
            tree.take(derived)
            streams.add(derived.shards)
            openings |= derived.openings
            lowest, highest = lowest or derived.lowest[0], max(highest, derived.highest)
            report(min(derived.stretch.end * WIDTH, head.size), head.size)
        streams.check()
    given_up = _check_roots(seen, head, tree.roots, _survived(openings, tree.roots, epoch))
    if isinstance(files, FolderFiles):
        _check_older_partials(files, head.size)
    witnesses = tuple((one.name, one.at) for one in newest.note.signatures if one.at is not None)
    return Verified(head, len(published), trust, lowest.decode(), highest.decode(), witnesses, given_up)


def _plan(place: str, token: str | None, head: Checkpoint, seen: Sequence[Seen], clock_back_seconds: float) -> Iterator[Stretch]:
    sizes = sorted({one.signed.checkpoint.size for one in seen})
    tiles, epoch, source = -(-head.size // WIDTH), _epoch(head.origin), _source(head.origin)
    for first in range(0, tiles, TILES_AT_ONCE):
        end = min(first + TILES_AT_ONCE, tiles)
        inside = tuple(sizes[bisect_right(sizes, first * WIDTH) : bisect_right(sizes, min(end * WIDTH, head.size))])
        yield Stretch(place, token, head, source, clock_back_seconds, epoch, first, end, inside)


def _continue(derived: Derived, source: bytes | None, highest: bytes) -> bytes | None:
    """A stretch goes on from those before it: the same source, no time far before theirs. Returns the source. Raises Damage."""
    stretch, (time, position) = derived.stretch, derived.lowest
    if source not in (None, derived.source):
        what = f"records of {derived.source!r} in the log of {source!r}"
        raise Damage(Kind.record_foreign, Tile(None, stretch.first).path(), what, stretch.first * WIDTH)
    if highest:
        check_clock(Tile(None, position // WIDTH).path(), position, highest, time, stretch.clock_back_seconds)
    return derived.source


def _check_sizes(head: Checkpoint, seen: Sequence[Seen]) -> None:
    """Nobody has been shown more than the newest checkpoint, nor anything else at the same size. Raises Damage."""
    known: dict[tuple[str, int], Seen] = {}
    for one in seen:
        said = one.signed.checkpoint
        if _source(said.origin) != _source(head.origin) or (_source(head.origin) is None and said.origin != head.origin):
            raise Damage(Kind.other_log, one.where, f"is a checkpoint of {said.origin}, not of {head.origin}")
        if _epoch(said.origin) > _epoch(head.origin) or (said.origin == head.origin and said.size > head.size):
            what = f"shows {said.size} entries of {said.origin}; the log goes up to {head.size} of {head.origin}: it was cut or rolled back"
            raise Damage(Kind.rolled_back, one.where, what, head.size)
        other = known.setdefault((said.origin, said.size), one)
        if other.signed.checkpoint.root != said.root:
            what = (
                f"shows another history than {other.where}: both are of {said.size} entries, signed by {said.origin}, with different roots"
            )
            raise Damage(Kind.fork, one.where, what)


def _check_roots(seen: Sequence[Seen], head: Checkpoint, roots: dict[int, bytes], survived: Sequence[int]) -> tuple[str, ...]:
    """All checkpoints are of one tree, that of the entries; returns those that speak of what an earlier epoch gave up. Raises Damage."""
    given_up: list[str] = []
    good = 0
    for one in sorted(seen, key=lambda one: one.signed.checkpoint.size):
        said = one.signed.checkpoint
        epoch = _epoch(said.origin)
        if epoch < len(survived) and said.size > survived[epoch]:
            given_up.append(one.where)
        elif roots[said.size] == said.root:
            good = said.size
        elif roots[head.size] == head.root:
            what = f"shows another history than the log: the first {said.size} entries have another root, both signed by {head.origin}"
            raise Damage(Kind.fork, one.where, what, good)
        else:
            what = f"was signed over other entries: the first {said.size} do not lead to its root, the first {good} do"
            raise Damage(Kind.root_wrong, one.where, what, good)
    return tuple(given_up)


def _survived(openings: dict[int, bytes], roots: dict[int, bytes], epochs: int) -> list[int]:
    """How many entries of each earlier epoch survived, as the first record of the next one says truthfully. Raises Damage."""
    opened = {}
    for position, record in openings.items():
        where = Tile(None, position // WIDTH).path()
        try:
            said = EpochOpened.model_validate(decode(record).data)
        except (RecordMalformed, ValidationError):
            raise Damage(Kind.epoch_broken, where, f"position {position} opens no epoch", position) from None
        if (said.old_size, said.old_root) != (position, roots[position].hex()):
            what = f"position {position} opens epoch {said.epoch} on another history than the one before it"
            raise Damage(Kind.epoch_broken, where, what, position)
        opened[said.epoch] = position
    missing = next((epoch for epoch in range(1, epochs + 1) if epoch not in opened), None)
    if missing is not None:
        raise Damage(Kind.epoch_broken, CHECKPOINT, f"is of epoch {epochs}, but no record opens epoch {missing}")
    return [opened[epoch] for epoch in range(1, epochs + 1)]


def _check_belonging(files: FolderFiles, size: int) -> None:
    """No file is in the directory that the log does not account for. Raises Damage, LogUnreadable."""
    for path in sorted(files.under("")):
        if path in (CHECKPOINT, KEYS, POLICY) or is_checkpoint(path):
            continue
        try:
            tile = Tile.parse(path)
        except PathMalformed:
            raise Damage(Kind.file_foreign, path, "is no file of a log") from None
        if tile.leaves.stop > size:
            raise Damage(Kind.rolled_back, path, f"goes beyond the {size} entries of the checkpoint: the log was cut or rolled back", size)


def _check_older_partials(files: FolderFiles, size: int) -> None:
    """Partial tiles of smaller sizes are the beginnings of today's, which have been verified. Raises Damage, LogUnreadable."""
    for path in sorted(files.under("tile")):
        tile = Tile.parse(path)
        now = tile_of(tile.level, tile.number, size)
        if tile == now or tile.full:
            continue
        if tile.level is None:
            whole, part = decoded(files, now), decoded(files, tile)
            same = whole[: tile.width] == part
        else:
            same = read_tile(files, tile) == read_tile(files, now)[: tile.width * HASH_BYTES]
        if not same:
            raise Damage(Kind.tile_altered, path, f"is not the beginning of {now.path()}", tile.leaves.start)


def _epoch(origin: str) -> int:
    try:
        return Origin.parse(origin).epoch
    except OriginMalformed:
        return 0


def _source(origin: str) -> bytes | None:
    """The CloudEvents source of the records in a log of ours; None for an origin of another form."""
    try:
        parsed = Origin.parse(origin)
    except OriginMalformed:
        return None
    return f"/nodes/{parsed.org}/{parsed.service}".encode()
