"""The event store in memory: for unit tests, and the plainest statement of what an event store does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from foundation.record import leaf_hash
from foundation.store.batch import check
from foundation.store.feed import Feed
from foundation.store.port import (
    NO_LEAF,
    Appended,
    AppendRequest,
    Conflict,
    Epoch,
    Head,
    KeyReused,
    Outcome,
    Recorded,
    Remembered,
    Repeated,
)


class MemoryStore:
    """`store.port.EventStore` without a database; lost with the process."""

    def __init__(self) -> None:
        self._events: list[Recorded] = []
        self._streams: dict[str, list[Recorded]] = {}
        self._commands: dict[UUID, Remembered] = {}
        self._feed = Feed(self.read)

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """End subscriptions."""
        self._feed.close()

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        """See EventStore.append."""
        for request in requests:
            check(request)
        await asyncio.sleep(0)  # what goes to a database takes turns with the rest of the program
        before = len(self._events)
        outcomes: dict[AppendRequest, Outcome] = {}
        for request in requests:
            outcomes[request] = self._append(request, outcomes)
        self._feed.push(self._events[before:])
        return list(outcomes.values())

    def _append(self, request: AppendRequest, earlier: dict[AppendRequest, Outcome]) -> Outcome:
        command = request.command
        if command is not None and (known := self._commands.get(command.id)) is not None:
            return Repeated(known.result, known.position) if known.request_hmac == command.request_hmac else KeyReused()
        if any(not isinstance(earlier.get(basis, Appended(0)), Appended) for basis in request.decided_on):
            return Conflict(request.streams[0].stream, request.streams[0].expected, ())
        for append in request.streams:
            stream = self._streams.get(append.stream, [])
            if len(stream) != append.expected:
                return Conflict(append.stream, append.expected, tuple(stream[append.expected :]))
        for append in request.streams:
            for event in append.events:
                stream = self._streams.setdefault(append.stream, [])
                recorded = Recorded(len(self._events), append.stream, len(stream) + 1, event.type, event.record, leaf_hash(event.record))
                stream.append(recorded)
                self._events.append(recorded)
        position = len(self._events) - 1
        if command is not None:
            self._commands[command.id] = Remembered(command.request_hmac, command.result, position)
        return Appended(position)

    async def head(self) -> Head:
        """See Reader.head."""
        return Head(0, len(self._events) - 1, self._events[-1].leaf) if self._events else Head(0, -1, NO_LEAF)

    async def leaf_at(self, position: int) -> bytes | None:
        """See Reader.leaf_at."""
        return self._events[position].leaf if 0 <= position < len(self._events) else None

    async def epochs(self) -> Sequence[Epoch]:
        """See Reader.epochs."""
        return ()

    async def read(self, after: int, *, limit: int = 1_000, upto: int | None = None) -> Sequence[Recorded]:
        """See Reader.read."""
        end = len(self._events) if upto is None else min(upto + 1, len(self._events))
        return self._events[after + 1 : min(after + 1 + limit, end)]

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[Recorded]:
        """See EventStore.read_stream."""
        return self._streams.get(stream, [])[after:]

    async def read_streams(self, streams: Sequence[str]) -> dict[str, Sequence[Recorded]]:
        """See EventStore.read_streams."""
        return {stream: self._streams.get(stream, [])[:] for stream in streams}

    async def versions(self, streams: Sequence[str]) -> dict[str, int]:
        """See EventStore.versions."""
        return {stream: len(self._streams.get(stream, [])) for stream in streams}

    async def remembered(self, ids: Sequence[UUID]) -> dict[UUID, Remembered]:
        """See EventStore.remembered."""
        return {command: self._commands[command] for command in ids if command in self._commands}

    def subscribe(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """See EventStore.subscribe."""
        return self._feed.subscribe(after)
