"""Proofs of single records: made from a log's files, checked with nothing but keys (C2SP tlog-proof)."""

from foundation.log.checkpoint import Checkpoint
from foundation.log.damage import Damage, Kind
from foundation.log.proof_file import ProofFile, ProofFileMalformed
from foundation.log.proofs import ProofInvalid, inclusion, tile_hashes, verify_inclusion
from foundation.log.reader import CHECKPOINT, NOTE_BYTES_MAX, LogFiles, LogUnreadable
from foundation.log.stretches import StoredTiles, decoded
from foundation.log.tiles import WIDTH, tile_of
from foundation.log.trust import Trust
from foundation.merkle import HASH_BYTES
from foundation.record import leaf_hash


class NotInLog(LogUnreadable):
    """The log does not go as far as that position."""

    def __init__(self, position: int, head: Checkpoint) -> None:
        super().__init__(f"position {position} is not in {head.origin}, which has {head.size} entries")


def prove(files: LogFiles, trust: Trust, position: int) -> ProofFile:
    """The proof that the newest checkpoint holds a position. Needs no entries. Raises Damage, NotInLog, LogUnreadable."""
    note = files.read(CHECKPOINT, NOTE_BYTES_MAX)
    head = trust.open(CHECKPOINT, note, quorum=False).checkpoint
    if not 0 <= position < head.size:
        raise NotInLog(position, head)
    return ProofFile(position, proved(StoredTiles(files), head, position), note)


def proved(tiles: StoredTiles, head: Checkpoint, position: int) -> tuple[bytes, ...]:
    """The inclusion proof of what the stored tile holds at a position; with it all other hashes of the tile are proven too.

    Raises Damage, LogUnreadable.
    """
    proof = inclusion(position, head.size, tile_hashes(tiles, head.size))
    tile, at = tile_of(0, position // WIDTH, head.size), position % WIDTH * HASH_BYTES
    try:
        verify_inclusion(position, head.size, tiles[tile][at : at + HASH_BYTES], proof, head.root)
    except ProofInvalid:
        what = f"or a tile above it was altered: position {position} does not lead to the root of the checkpoint of {head.size}"
        raise Damage(Kind.tile_altered, tile.path(), what, position) from None
    return proof


def record_at(files: LogFiles, trust: Trust, position: int) -> bytes:
    """A record, as the log gives it: nothing about it is proved here. Raises Damage, NotInLog, LogUnreadable."""
    head = trust.open(CHECKPOINT, files.read(CHECKPOINT, NOTE_BYTES_MAX), quorum=False).checkpoint
    if not 0 <= position < head.size:
        raise NotInLog(position, head)
    return decoded(files, tile_of(None, position // WIDTH, head.size))[position % WIDTH]


def check(where: str, proof: bytes, record: bytes, trust: Trust) -> tuple[int, Checkpoint]:
    """The position at which a proof shows a record, and the checkpoint that it stands under. Raises Damage."""
    try:
        read = ProofFile.parse(proof)
    except ProofFileMalformed as error:
        raise Damage(Kind.proof_wrong, where, f"is no proof: {error}") from None
    head = trust.open(where, read.note, quorum=True).checkpoint
    try:
        verify_inclusion(read.index, head.size, leaf_hash(record), read.proof, head.root)
    except ProofInvalid as error:
        raise Damage(Kind.proof_wrong, where, f"does not prove this record: {error}", read.index) from None
    return read.index, head
