"""One unit's part of a log: the records of its subtree and the hash tiles that prove each of them, for its own auditor.

Beside checkpoint, keys and policy the directory holds `scope` (the unit's code), `records`, and of the tiles only those that the
proofs need. Streams number their events: which of the streams that it holds go from their first event on without a gap is shown, and where
versions are missing. It cannot show that a stream goes no further than its last event here, nor that no whole stream was left out: that
takes somebody who may see the whole log.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeGuard

from foundation.log.checkpoint import Checkpoint
from foundation.log.damage import Damage, Kind, split
from foundation.log.envelopes import version_broken
from foundation.log.export import Folder
from foundation.log.proofs import inclusion_tiles
from foundation.log.proving import proved
from foundation.log.reader import CHECKPOINT, INCOMING, KEYS, NOTE_BYTES_MAX, POLICY, FolderFiles, LogFiles, LogUnreadable
from foundation.log.stretches import StoredTiles, read_tile
from foundation.log.tiles import WIDTH, Tile, tile_of
from foundation.log.trust import Trust, checkpoint_at
from foundation.log.verify import Report
from foundation.record import RecordMalformed, decode, leaf_hash

SCOPE = "scope"
RECORDS = "records"

ANSWER_BYTES_MAX = 16_000_000
"""More than this is not read of any answer; the server gives half as much."""

POSITION_BYTES = 8


class Placed(NamedTuple):
    """A record and its position."""

    position: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Extracted:
    """A unit's records under a checkpoint, of how many streams, and those streams of which versions are missing among them (with how many):
    these are about another unit, or were left out."""

    unit: str
    head: Checkpoint
    records: int
    streams: int
    gaps: Mapping[str, int]


def framed(placed: Placed) -> bytes:
    """A record in a stream of them: position (8 bytes) ‖ length (2 bytes) ‖ record, big-endian."""
    return placed.position.to_bytes(POSITION_BYTES, "big") + len(placed.record).to_bytes(2, "big") + placed.record


def answer_path(unit: str, after: int) -> str:
    """Where a log gives the records of a unit's subtree behind a position.

    The answer: the last position looked at (8 bytes), then framed records.
    """
    return f"units/{unit}/records?after={after}"


def extract(files: LogFiles, target: Path, trust: Trust, unit: str, *, report: Report = lambda done, total: None) -> Extracted:
    """Fetch what the caller may see of a log into a new directory. Raises Damage, LogUnreadable, OSError."""
    note = files.read(CHECKPOINT, NOTE_BYTES_MAX)
    head = trust.open(CHECKPOINT, note, quorum=False).checkpoint
    folder = Folder(target)
    folder.write(INCOMING, note)
    streams = _Streams()
    positions: list[int] = []
    content = bytearray()
    after = -1
    while after < head.size - 1:
        answer = files.read(answer_path(unit, after), ANSWER_BYTES_MAX)
        looked = int.from_bytes(answer[:POSITION_BYTES], "big")
        if looked <= after:
            raise LogUnreadable(f"{files.place} gives no records behind position {after}")
        for one in unframed(RECORDS, answer[POSITION_BYTES:]):
            if not (positions[-1] if positions else -1) < one.position <= looked:
                raise Damage(Kind.entries_malformed, RECORDS, f"position {one.position} does not follow", one.position)
            if one.position < head.size:
                positions.append(one.position)
                streams.take(one)
                content += framed(one)
        after = looked
        report(min(after + 1, head.size), head.size)
    for tile in sorted(needed(positions, head.size), key=Tile.path):
        folder.write(tile.path(), read_tile(files, tile))
    for name in (KEYS, POLICY):
        folder.write(name, files.read(name, NOTE_BYTES_MAX))
    folder.write(SCOPE, f"{unit}\n".encode())
    folder.write(RECORDS, bytes(content))
    folder.write(CHECKPOINT, note)
    folder.remove(INCOMING)
    return Extracted(unit, head, len(positions), len(streams.lasts), streams.gaps)


def verify_extract(files: FolderFiles, trust: Trust, *, report: Report = lambda done, total: None) -> Extracted:
    """Every record stands where it says under the checkpoint, and no file is there that no proof needs. Raises Damage, LogUnreadable."""
    head = checkpoint_at(files, CHECKPOINT, trust, quorum=True).checkpoint
    unit = files.read(SCOPE, NOTE_BYTES_MAX).decode("utf-8", "replace").strip()
    tiles, proven, streams, last, count = StoredTiles(files), dict[Tile, list[bytes]](), _Streams(), -1, 0
    needed_paths = {CHECKPOINT, KEYS, POLICY, SCOPE, RECORDS}
    for position, record in records_in(files):
        if not last < position < head.size:
            raise Damage(Kind.entries_malformed, RECORDS, f"position {position} does not follow {last} in a log of {head.size}", position)
        tile = tile_of(0, position // WIDTH, head.size)
        if tile not in proven:
            # The proof of one hash takes in all others of its tile, so they are all proven with it.
            proved(tiles, head, position)
            proven = {tile: split(tiles[tile])}
            needed_paths |= {one.path() for one in inclusion_tiles(position, head.size)} | {tile.path()}
        if proven[tile][position % WIDTH] != leaf_hash(record):
            raise Damage(Kind.record_altered, RECORDS, f"the record at position {position} is not the one that the log holds", position)
        streams.take(Placed(position, record))
        last, count = position, count + 1
        report(position + 1, head.size)
    foreign = next((path for path in sorted(files.under("")) if path not in needed_paths), None)
    if foreign is not None:
        raise Damage(Kind.file_foreign, foreign, "is needed by no proof")
    return Extracted(unit, head, count, len(streams.lasts), streams.gaps)


class _Streams:
    """The streams of a unit's part: their last versions so far, and how many versions are missing before those."""

    def __init__(self) -> None:
        self.lasts: dict[str, int] = {}
        self.gaps: dict[str, int] = {}

    def take(self, one: Placed) -> None:
        """The next record. Raises Damage where it is none, or its version does not come after those before it."""
        try:
            said = decode(one.record)
        except RecordMalformed:
            raise Damage(Kind.record_malformed, RECORDS, f"position {one.position} holds no record", one.position) from None
        expected = self.lasts.get(said.stream, 0) + 1
        if said.version < expected:
            raise version_broken(RECORDS, one.position, said.stream.encode(), expected, said.version)
        if said.version > expected:
            self.gaps[said.stream] = self.gaps.get(said.stream, 0) + said.version - expected
        self.lasts[said.stream] = said.version


def is_extract(files: LogFiles) -> TypeGuard[FolderFiles]:
    """Whether a directory holds one unit's part of a log only."""
    return isinstance(files, FolderFiles) and (files.folder / SCOPE).is_file()


def needed(positions: list[int], size: int) -> set[Tile]:
    """The tiles that the proofs of these positions read."""
    one_of_each = {position // WIDTH: position for position in positions}
    tiles = {tile_of(0, number, size) for number in one_of_each}
    return tiles.union(*(inclusion_tiles(position, size) for position in one_of_each.values()))


def records_in(files: FolderFiles) -> Iterator[Placed]:
    """The records of a unit's part, from the file, one at a time. Raises Damage."""
    try:
        with (files.folder / RECORDS).open("rb") as file:
            while head := file.read(POSITION_BYTES + 2):
                length = int.from_bytes(head[POSITION_BYTES:], "big")
                record = file.read(length)
                if len(head) < POSITION_BYTES + 2 or len(record) != length or not length:
                    raise Damage(Kind.entries_malformed, RECORDS, "ends within a record")
                yield Placed(int.from_bytes(head[:POSITION_BYTES], "big"), record)
    except FileNotFoundError:
        raise Damage(Kind.entries_missing, RECORDS, "is missing") from None


def record_at(files: FolderFiles, position: int) -> bytes:
    """One of the records of a unit's part. Raises Damage, LogUnreadable."""
    found = next((one.record for one in records_in(files) if one.position == position), None)
    if found is None:
        raise LogUnreadable(f"position {position} is not among the records in {files.place}")
    return found


def unframed(where: str, content: bytes) -> Iterator[Placed]:
    """The records of an answer. Raises Damage."""
    at = 0
    while at < len(content):
        start = at + POSITION_BYTES + 2
        end = start + int.from_bytes(content[start - 2 : start], "big")
        if end > len(content) or end == start:
            raise Damage(Kind.entries_malformed, where, "ends within a record")
        yield Placed(int.from_bytes(content[at : at + POSITION_BYTES], "big"), content[start:end])
        at = end
