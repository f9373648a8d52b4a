"""Exporting a log into a directory that is verified, replayed and proved from without the node (AUDIT-LOG, "How it is built here", 3).

The directory has the layout of the log itself. An export goes on where an earlier one ended or was cut off: what is there is not fetched
again, and the checkpoint changes last.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from foundation.log.checkpoint import Checkpoint
from foundation.log.damage import Damage, Kind
from foundation.log.proofs import ProofInvalid, consistency, tile_hashes, verify_consistency
from foundation.log.reader import (
    CHECKPOINT,
    CHECKPOINTS,
    INCOMING,
    KEYS,
    NOTE_BYTES_MAX,
    POLICY,
    FileMissing,
    FolderFiles,
    LogFiles,
    size_of,
)
from foundation.log.stretches import StoredTiles, read_bundle, read_tile
from foundation.log.tiles import WIDTH, Tile, bundles_of, tiles_of
from foundation.log.trust import Trust, checkpoint_at
from foundation.log.verify import Report

MAKING = ".making"
"""What is being written; a whole file then takes its place."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The sizes between which the directory grew, and how many files that took."""

    old: int
    size: int
    files: int


class Folder:
    """A directory being filled: whole files or none, durable before they have their names."""

    def __init__(self, root: Path) -> None:
        """Makes the directory. Raises OSError."""
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.files = root, 0

    def has(self, path: str) -> bool:
        """Whether a file is there: then it is whole."""
        return (self.root / path).exists()

    def write(self, path: str, content: bytes) -> None:
        """Make or replace a file. Raises OSError."""
        target, making = self.root / path, self.root / MAKING
        target.parent.mkdir(parents=True, exist_ok=True)
        with making.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        making.replace(target)
        self.files += 1

    def remove(self, path: str) -> None:
        """Without a complaint where it is not there."""
        (self.root / path).unlink(missing_ok=True)


def export(files: LogFiles, target: Path, trust: Trust, *, report: Report = lambda done, total: None) -> Exported:
    """Bring a directory up to the log's newest checkpoint. Raises Damage, LogUnreadable, OSError.

    Where the directory holds an older checkpoint, the log must continue it: an export never covers up a fork or a rollback.
    """
    note = files.read(CHECKPOINT, NOTE_BYTES_MAX)
    head = trust.open(CHECKPOINT, note, quorum=False).checkpoint
    folder = Folder(target)
    old = _old_size(files, head, FolderFiles(target), trust) if folder.has(CHECKPOINT) else 0
    folder.write(INCOMING, note)
    for name in (KEYS, POLICY):
        folder.write(name, _given(files, name, trust))
    for path in files.checkpoints():
        if size_of(path) < head.size and not folder.has(path):
            folder.write(path, files.read(path, NOTE_BYTES_MAX))
    folder.write(f"{CHECKPOINTS}/{head.size}", note)
    for tile in chain(tiles_of(old, head.size), bundles_of(old, head.size)):
        if not folder.has(tile.path()):
            folder.write(tile.path(), read_bundle(files, tile) if tile.level is None else read_tile(files, tile))
        if tile.level is None:
            report(min(tile.leaves.stop, head.size), head.size)
    folder.write(CHECKPOINT, note)
    for path in list(_superseded(old, head.size)):
        folder.remove(path)
    folder.remove(INCOMING)
    return Exported(old, head.size, folder.files)


def _old_size(files: LogFiles, head: Checkpoint, held: FolderFiles, trust: Trust) -> int:
    """How far the directory goes, after the log has been shown to continue it."""
    old = checkpoint_at(held, CHECKPOINT, trust, quorum=False).checkpoint
    if old.size > head.size:
        what = f"the directory goes up to {old.size} entries, the log only to {head.size}: it was cut or rolled back"
        raise Damage(Kind.rolled_back, CHECKPOINT, what, head.size)
    try:
        proof = consistency(old.size, head.size, tile_hashes(StoredTiles(files), head.size))
        verify_consistency(old.size, head.size, old.root, head.root, proof)
    except ProofInvalid:
        what = f"the log shows another history than the {old.size} entries in the directory; both are signed by {head.origin}"
        raise Damage(Kind.fork, CHECKPOINT, what) from None
    return old.size


def _given(files: LogFiles, name: str, trust: Trust) -> bytes:
    """Keys and policy as the log lays them out; where it does not, as they were handed over."""
    try:
        return files.read(name, NOTE_BYTES_MAX)
    except FileMissing:
        return trust.policy.encode() if name == POLICY else "".join(f"{log.key}\n" for log in trust.policy.logs).encode()


def _superseded(old: int, size: int) -> Iterator[str]:
    """The partial tiles of the old size that wider ones have followed."""
    now = {tile.path() for tile in _partials(size)}
    return (tile.path() for tile in _partials(old) if tile.path() not in now)


def _partials(size: int) -> Iterator[Tile]:
    level: int | None = None
    while size:
        if size % WIDTH:
            yield Tile(level, size // WIDTH, size % WIDTH)
        level, size = (0, size) if level is None else (level + 1, size // WIDTH)
