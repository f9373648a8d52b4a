"""Witnessing the other logs of the node: cosigns a checkpoint once it has been shown to continue the last one (C2SP tlog-witness).

A log that was rolled back cannot get a second history past its witnesses, and learns from them how far it once was.
"""

from dataclasses import dataclass

from foundation.clock import Clock
from foundation.cursor import Pool
from foundation.log.checkpoint import Checkpoint, CheckpointMalformed, open_checkpoint
from foundation.log.keys import LogKeys
from foundation.log.note import KeyMalformed, NoteMalformed, SignatureInvalid, Unsigned, cosign, parse_note
from foundation.log.proofs import ProofInvalid, verify_consistency
from foundation.log.text import from_base64, from_decimal, to_base64
from foundation.merkle import EMPTY_ROOT

PROOF_LINES_MAX = 63


class AddCheckpointMalformed(ValueError):
    """The request is no add-checkpoint request, or its old size is above the checkpoint's (400)."""


class NotSigned(Exception):
    """None of the checkpoint's signatures is of its log's key (403)."""


class LogUnknown(Exception):
    """Not a log that is witnessed here (404)."""


class OtherSize(Exception):
    """The old size is not that of the checkpoint cosigned last, which is `size` (409)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"cosigned last: {size}")
        self.size = size


class NotConsistent(Exception):
    """The checkpoint does not continue the one cosigned last (422)."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size that the log believes was cosigned last, the consistency proof from there, the signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def encode(self) -> bytes:
        """The body of the request."""
        return "".join([f"old {self.old}\n", *(f"{to_base64(node)}\n" for node in self.proof), "\n", self.note]).encode()

    @staticmethod
    def parse(body: bytes) -> "AddCheckpoint":
        """Reads a body. Raises AddCheckpointMalformed."""
        try:
            head, separator, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            word, _, size = first.partition(" ")
            if word != "old" or not separator or len(lines) > PROOF_LINES_MAX:
                raise ValueError("not the form of a request")
            return AddCheckpoint(from_decimal(size), tuple(map(from_base64, lines)), note)
        except ValueError as error:
            raise AddCheckpointMalformed("an add-checkpoint request is an old size, a proof, an empty line and a checkpoint") from error


class Witness:
    """What a service does for its siblings. `service` is its own name: nobody is a witness of itself."""

    def __init__(self, pool: Pool, keys: LogKeys, service: str, clock: Clock) -> None:
        self._pool, self._keys, self._clock = pool, keys, clock
        self._own, self._key = keys.origin(service), keys.witnessing(service)

    async def add_checkpoint(self, body: bytes) -> str:
        """Cosign a checkpoint; returns the signature line. It is recorded, and durable, before.

        Raises AddCheckpointMalformed, NotSigned, LogUnknown, OtherSize, NotConsistent.
        """
        asked = AddCheckpoint.parse(body)
        new = self._opened(asked.note)
        if asked.old > new.size:
            raise AddCheckpointMalformed(f"the old size {asked.old} is above the checkpoint's {new.size}")
        now = self._clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("set local synchronous_commit = on")
            await connection.execute(
                "insert into witnessed (origin, size, root, note, cosigned_at) values ($1, 0, $2, '', $3) on conflict do nothing",
                *(new.origin, EMPTY_ROOT, now),
            )
            last = await connection.fetchrow("select size, root from witnessed where origin = $1 for update", new.origin)
            if last is None or last["size"] != asked.old:
                raise OtherSize(0 if last is None else last["size"])
            try:
                verify_consistency(asked.old, new.size, last["root"], new.root, asked.proof)
            except ProofInvalid as error:
                raise NotConsistent(str(error)) from error
            await connection.execute(
                "update witnessed set size = $2, root = $3, note = $4, cosigned_at = $5 where origin = $1",
                *(new.origin, new.size, new.root, asked.note, now),
            )
        return cosign(new.body(), self._key, int(now.timestamp())).line()

    def _opened(self, note: str) -> Checkpoint:
        try:
            text, _ = parse_note(note.encode())
            claimed = Checkpoint.parse(text)
        except (NoteMalformed, CheckpointMalformed) as error:
            raise AddCheckpointMalformed(str(error)) from error
        try:
            key = self._keys.log_of(claimed.origin)
        except KeyMalformed as error:
            raise LogUnknown(f"{claimed.origin} is not witnessed here") from error
        if claimed.origin == self._own or claimed.origin.startswith(f"{self._own}/"):
            raise LogUnknown("nobody witnesses its own log")
        try:
            return open_checkpoint(note.encode(), key).checkpoint
        except (SignatureInvalid, Unsigned) as error:
            raise NotSigned(str(error)) from error
