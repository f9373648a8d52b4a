"""One call of `append_v1`: requests into arrays, its answer back into outcomes (the SQL is in migrations/0001_history.sql)."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import asyncpg

from foundation.record import leaf_hash
from foundation.store.port import Appended, AppendRequest, Conflict, KeyReused, NewEvent, Outcome, Recorded, Repeated

APPEND = "select * from append_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
APPEND_ONE = "select append_one_v1($1, $2, $3, $4, $5, $6, $7, $8)"


def check(request: AppendRequest) -> None:
    """Raises ValueError where a request cannot be meant: no stream, one stream twice, or a version below none."""
    if len({append.stream for append in request.streams}) < max(1, len(request.streams)):
        raise ValueError("an append request names at least one stream, and each stream once")
    if any(append.expected < 0 for append in request.streams):
        raise ValueError("an expected version is 0 or more")


class Line(NamedTuple):
    """One event of a batch where it would stand: the request it is of (from 1) and its hash."""

    request: int
    stream: str
    version: int
    event: NewEvent
    leaf: bytes


class Batch:
    """Requests as the arrays of one call, and what the call's answer means for them.

    A `decided_on` that is not in the batch counts as met: whoever makes batches knows what came of the earlier ones.
    """

    def __init__(self, requests: Sequence[AppendRequest]) -> None:
        self.requests = requests
        self.lines = [
            Line(number, append.stream, append.expected + nth, event, leaf_hash(event.record))
            for number, request in enumerate(requests, 1)
            for append in request.streams
            for nth, event in enumerate(append.events, 1)
        ]

    def arguments(self) -> tuple[Sequence[Any], ...]:
        """The arrays, in the order of append_v1's parameters."""
        numbers = {request: number for number, request in enumerate(self.requests, 1)}
        commands = [request.command for request in self.requests]
        basis = [(number, numbers[on]) for number, request in enumerate(self.requests, 1) for on in request.decided_on if on in numbers]
        appends = [(number, append) for number, request in enumerate(self.requests, 1) for append in request.streams]
        return (
            [command and command.id for command in commands],
            [command and command.request_hmac for command in commands],
            [command and command.result for command in commands],
            [sum([len(append.events) for append in request.streams]) for request in self.requests],
            _previous([command and command.id for command in commands]),
            [number for number, _ in basis],
            [on for _, on in basis],
            [number for number, _ in appends],
            [append.stream for _, append in appends],
            [append.expected for _, append in appends],
            [len(append.events) for _, append in appends],
            _previous([append.stream for _, append in appends]),
            [line.request for line in self.lines],
            [line.stream for line in self.lines],
            [line.version for line in self.lines],
            [line.event.type for line in self.lines],
            [line.event.record for line in self.lines],
            [line.leaf for line in self.lines],
        )

    def alone(self) -> tuple[Any, ...] | None:
        """The arguments of append_one_v1, where the batch is one request on one stream."""
        if len(self.requests) != 1 or len(self.requests[0].streams) != 1:
            return None
        [request] = self.requests
        [append] = request.streams
        command = request.command
        return (
            *((None, None, None) if command is None else (command.id, command.request_hmac, command.result)),
            *(append.stream, append.expected),
            [line.event.type for line in self.lines],
            [line.event.record for line in self.lines],
            [line.leaf for line in self.lines],
        )

    def outcomes(self, answer: Sequence[asyncpg.Record]) -> list[Outcome]:
        """One outcome per request."""
        exceptional = _exceptions(self.requests, answer[1:])
        position = answer[0]["position"]
        outcomes: list[Outcome] = []
        for number, request in enumerate(self.requests, 1):
            outcome = exceptional.get(number)
            if outcome is None:
                for append in request.streams:
                    position += len(append.events)
                outcome = Appended(position)
            outcomes.append(outcome)
        return outcomes

    def recorded(self, outcomes: Sequence[Outcome], head: int) -> list[Recorded]:
        """The events that were appended after `head`, where they stand now."""
        appended = (line for line in self.lines if isinstance(outcomes[line.request - 1], Appended))
        return [
            Recorded(position, line.stream, line.version, line.event.type, line.event.record, line.leaf)
            for position, line in enumerate(appended, head + 1)
        ]


def _previous(keys: Sequence[Hashable]) -> list[int]:
    """For each key where it stood before, counted from 1; 0 for its first time and for None."""
    last: dict[Hashable, int] = {}
    previous = []
    for number, key in enumerate(keys, 1):
        previous.append(0 if key is None else last.get(key, 0))
        last[key] = number
    return previous


def recorded(rows: Iterable[asyncpg.Record]) -> list[Recorded]:
    """Rows of `position, stream, version, type, record, leaf` as events at rest."""
    return [Recorded(*row) for row in rows]


def _exceptions(requests: Sequence[AppendRequest], rows: Sequence[asyncpg.Record]) -> dict[int, Outcome]:
    if not rows:
        return {}
    newer: dict[str, list[Recorded]] = {}
    for row in rows:
        if row["kind"] == "newer":
            newer.setdefault(row["stream"], []).append(
                Recorded(row["position"], row["stream"], row["version"], row["type"], row["record"], row["leaf"])
            )
    exceptional: dict[int, Outcome] = {}
    for row in rows:
        number = row["request"]
        match row["kind"]:
            case "repeated":
                exceptional[number] = Repeated(row["record"], row["position"])
            case "reused":
                exceptional[number] = KeyReused()
            case "conflict":
                exceptional[number] = _conflict(requests[number - 1], row["stream"], newer)
    return exceptional


def _conflict(request: AppendRequest, stream: str | None, newer: dict[str, list[Recorded]]) -> Conflict:
    if stream is None:
        return Conflict(request.streams[0].stream, request.streams[0].expected, ())
    expected = next(append.expected for append in request.streams if append.stream == stream)
    return Conflict(stream, expected, tuple(event for event in newer.get(stream, ()) if event.version > expected))
