"""Proof files (`.tlog-proof`): that a record stands in a log, for somebody who has nothing but keys (C2SP tlog-proof)."""

from dataclasses import dataclass

from foundation.log.checkpoint import SignedCheckpoint
from foundation.log.policy import Policy
from foundation.log.proofs import verify_inclusion
from foundation.log.text import from_base64, from_decimal, to_base64
from foundation.merkle import HASH_BYTES

HEADER = "c2sp.org/tlog-proof@v1"
PROOF_HASHES_MAX = 63
PROOF_FILE_BYTES_MAX = 2_000_000


class ProofFileMalformed(ValueError):
    """Bytes that should be a proof file are not one."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A record's position, its inclusion proof (leaf's sibling first) and the checkpoint's note, verbatim. Never trust `extra`."""

    index: int
    proof: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file's bytes."""
        extra = [] if self.extra is None else [f"extra {to_base64(self.extra)}"]
        lines = [HEADER, *extra, f"index {self.index}", *map(to_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.note

    @staticmethod
    def parse(data: bytes) -> "ProofFile":
        """Reads a file; the checkpoint is not looked into. Raises ProofFileMalformed."""
        head, separator, note = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise ProofFileMalformed("a proof file that is not text") from error
        if not separator or lines.pop(0) != HEADER or len(data) > PROOF_FILE_BYTES_MAX:
            raise ProofFileMalformed(f"a proof file begins with {HEADER} and has a checkpoint behind an empty line")
        try:
            extra = from_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
            if not lines or not lines[0].startswith("index "):
                raise ProofFileMalformed("a proof file without an index")
            index = from_decimal(lines.pop(0).removeprefix("index "))
            proof = tuple(map(from_base64, lines))
        except ValueError as error:
            raise ProofFileMalformed(f"a line of a proof file: {error}") from error
        if len(proof) > PROOF_HASHES_MAX or any(len(node) != HASH_BYTES for node in proof):
            raise ProofFileMalformed("a proof's line is no SHA-256 hash, or they are over 63")
        return ProofFile(index, proof, note, extra)

    def check(self, leaf: bytes, policy: Policy) -> SignedCheckpoint:
        """Check that a record with this leaf hash stands in a log of the policy. Returns the checkpoint that says so.

        Raises what `Policy.open` raises, and ProofInvalid.
        """
        signed = policy.open(self.note)
        verify_inclusion(self.index, signed.checkpoint.size, leaf, self.proof, signed.checkpoint.root)
        return signed
