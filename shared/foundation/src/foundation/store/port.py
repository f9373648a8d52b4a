"""The event store as a port, with the types that requests and answers are made of."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from msgspec import Struct


class NewEvent(NamedTuple):
    """An event to append: its stored type and the record's exact bytes."""

    type: str
    record: bytes


class Recorded(NamedTuple):
    """An event at rest. `position` counts from 0 over the history, `version` from 1 within the stream."""

    position: int
    stream: str
    version: int
    type: str
    record: bytes
    leaf: bytes


class StreamAppend(NamedTuple):
    """Events for one stream that has exactly `expected` events now. No events: only the version is checked (a rule read this stream)."""

    stream: str
    expected: int
    events: tuple[NewEvent, ...] = ()


class CommandKey(NamedTuple):
    """What is remembered of a command: its id, the keyed hash of its request and the answer to give again."""

    id: UUID
    request_hmac: bytes
    result: bytes


class AppendRequest(Struct, eq=False, weakref=True):
    """One command's appends, all or nothing. `decided_on` names the requests of the same process, still under way, whose events it was
    decided on (the newest per stream): if one of them does not come to be, neither does this one. It is emptied once this one is
    answered, so that a chain holds no history in memory.
    """

    streams: tuple[StreamAppend, ...]
    command: CommandKey | None = None
    decided_on: "tuple[AppendRequest, ...]" = ()


class Appended(Struct, frozen=True):
    """Durable. `position` is the last position of the request's events (the store's last one where it had none)."""

    position: int


class Repeated(Struct, frozen=True):
    """This command id was accepted before, with the same request: the remembered answer and the position it reached."""

    result: bytes
    position: int


class Remembered(Struct, frozen=True):
    """An accepted command: the keyed hash of its request, its answer, and the position it reached."""

    request_hmac: bytes
    result: bytes
    position: int


class KeyReused(Struct, frozen=True):
    """This command id was accepted before with another request."""


class Conflict(Struct, frozen=True):
    """A stream is not at the expected version: its events after that version, oldest first (none where the expectation was too high,
    or where the request this one was decided on did not come to be)."""

    stream: str
    expected: int
    newer: tuple[Recorded, ...]


Outcome = Appended | Repeated | KeyReused | Conflict


@dataclass(frozen=True, slots=True)
class Head:
    """Where a history stands: epoch (from 0), last position (-1 when empty) and that position's leaf hash (32 zero bytes when empty)."""

    epoch: int
    position: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Epoch:
    """A declared epoch and the position of its first record; what stands before that survived from the epochs before."""

    epoch: int
    begins: int


NO_LEAF = bytes(32)
"""Stands for the leaf before the first."""


class StoreUnavailable(Exception):
    """The history cannot be reached or written now; nothing was half-written. Callers may try again."""


class StoreFull(StoreUnavailable):
    """The disk is full: commands are refused until there is room; nothing was half-written."""


class WritesRefused(Exception):
    """The rollback guard holds writes back: somebody has seen more of this history than it holds, or another one (DESIGN 3)."""

    def __init__(self, ours: int, seen: int, by: str) -> None:
        super().__init__(
            f"this history ends at position {ours}, but {by} has seen {seen}: restore the records after {ours} or declare a new epoch"
            if seen > ours
            else f"{by} has seen another record at position {seen} than this history holds: declare a new epoch"
        )
        self.ours, self.seen, self.by = ours, seen, by


class Reader(Protocol):
    """Reads a history: one's own from its store, another service's over HTTP."""

    async def head(self) -> Head:
        """Where the history stands."""
        ...

    async def leaf_at(self, position: int) -> bytes | None:
        """The leaf hash at a position; None beyond the end."""
        ...

    async def epochs(self) -> Sequence[Epoch]:
        """The epochs that were declared, in order; none in a history that has never lost anything."""
        ...

    async def read(self, after: int, *, limit: int = 1_000, upto: int | None = None) -> Sequence[Recorded]:
        """Events at positions after < p ≤ upto, in order, at most `limit`; `after=-1` from the start."""
        ...


class EventStore(Reader, Protocol):
    """The whole port. One contract suite covers every adapter."""

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        """One durable transaction over all requests, one outcome each, in order. Positions are given gaplessly in commit order.

        Raises StoreUnavailable (nothing written, or unknown: resubmit with the same command ids) and WritesRefused.
        """
        ...

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[Recorded]:
        """A stream's events with version > after, oldest first; empty where there are none."""
        ...

    async def read_streams(self, streams: Sequence[str]) -> dict[str, Sequence[Recorded]]:
        """Several whole streams in one round trip; every asked stream is a key."""
        ...

    async def versions(self, streams: Sequence[str]) -> dict[str, int]:
        """How many events each stream has now (0: none), in one round trip; every asked stream is a key."""
        ...

    async def remembered(self, ids: Sequence[UUID]) -> dict[UUID, Remembered]:
        """What is remembered of these commands, in one round trip; only the accepted ones are keys."""
        ...

    def subscribe(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """Every event after a position, in order, without gaps or repeats, as batches: pushed after commit, read from the table where
        a push was missed. Ends when closed."""
        ...
