"""Checkpoints: a log's size and root, as the text of a signed note (C2SP tlog-checkpoint; AUDIT-LOG "Signed note, checkpoint")."""

from collections.abc import Iterable
from dataclasses import dataclass

from foundation.log.note import Note, Unsigned, VerifierKey, open_note
from foundation.log.text import from_base64, from_decimal, to_base64
from foundation.merkle import EMPTY_ROOT, HASH_BYTES


class CheckpointMalformed(ValueError):
    """A text that should be a checkpoint's body is not one."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: the tree over its first `size` leaves has this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The note's text: origin, size, root; no extension lines, for nobody could audit them."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @staticmethod
    def parse(text: str) -> "Checkpoint":
        """Reads a body; extension lines are refused. Raises CheckpointMalformed."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise CheckpointMalformed("a checkpoint is three lines: origin, size and root")
        try:
            checkpoint = Checkpoint(lines[0], from_decimal(lines[1]), from_base64(lines[2]))
        except ValueError as error:
            raise CheckpointMalformed(f"size or root of a checkpoint: {error}") from error
        if len(checkpoint.root) != HASH_BYTES or (checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT):
            raise CheckpointMalformed("a checkpoint's root is no SHA-256 hash, or not that of an empty tree")
        return checkpoint


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose log's signature was verified, with the note it came in."""

    checkpoint: Checkpoint
    note: Note


class OtherOrigin(Exception):
    """A checkpoint of another log than the one whose key signed it."""

    def __init__(self, origin: str, expected: str) -> None:
        super().__init__(f"a checkpoint of {origin}, signed as {expected}")
        self.origin, self.expected = origin, expected


def open_checkpoint(data: bytes, log: VerifierKey, witnesses: Iterable[VerifierKey] = ()) -> SignedCheckpoint:
    """Verify a checkpoint that this log must have signed, and whichever of the witnesses did.

    Raises NoteMalformed, SignatureInvalid, Unsigned, CheckpointMalformed, OtherOrigin.
    """
    note = open_note(data, [log, *witnesses])
    if not note.signed_by(log):
        raise Unsigned(f"{log.name} has not signed this checkpoint")
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != log.name:
        raise OtherOrigin(checkpoint.origin, log.name)
    return SignedCheckpoint(checkpoint, note)
