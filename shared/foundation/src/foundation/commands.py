"""Command handling: the only place that writes to a history (DESIGN 4).

Per command: load the streams (together with everybody who asks at that moment), decide, seal and submit *without an await in between*,
then wait until the batch is durable. So commands for one stream are decided one after another on each other's events, while their
batches are still on the way, and no lock is needed; the store's version check is what makes it true across processes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hmac import compare_digest
from itertools import islice
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from contracts.kernel import Catalogue, Event

from foundation import record
from foundation.clock import Clock
from foundation.coalesce import Coalesced
from foundation.decider import Decider, JointDecider, Part, Refusal
from foundation.history import happened
from foundation.ids import uuid7
from foundation.store.port import (
    Appended,
    AppendRequest,
    CommandKey,
    Conflict,
    EventStore,
    KeyReused,
    NewEvent,
    Outcome,
    Recorded,
    Remembered,
    Repeated,
    StreamAppend,
)
from foundation.vault.sealer import ToSeal

S = TypeVar("S")
C = TypeVar("C")

ATTEMPTS_MAX = 20
"""How often a command is decided anew when its streams move under it (each time some other command got through) or its keys come in."""

LANES_MAX = 10_000
"""How many streams' states are kept in memory. Only a cache: the store's version check decides."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for which unit, and in which conversation; all of it goes into the record's envelope, none of it names a person."""

    principal: str
    org: str | None
    correlation: str
    causation: str | None = None


@dataclass(frozen=True, slots=True)
class CommandRef:
    """A command that may come twice: its id and the keyed hash of the request."""

    id: UUID
    request_hmac: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """Durable: the (first) stream, its version, the history's position reached, and whether this answer was given before."""

    stream: str
    version: int
    position: int
    repeated: bool = False


class IdempotencyKeyReused(Refusal):
    """The same key came before with another request (draft-ietf-httpapi-idempotency-key-header, 2.7)."""

    status = 422

    def __init__(self) -> None:
        super().__init__("this idempotency key was used before for another request; use a new key for a new request")


class PreconditionFailed(Refusal):
    """The stream is not at the version the caller saw (RFC 9110, 13.1.1)."""

    status = 412

    def __init__(self, stream: str, version: int) -> None:
        super().__init__("this has changed since you read it; read it again, then decide", stream=stream, version=version)
        self.version = version


class Contended(Exception):
    """The command's streams moved under it every time; nothing was written and it may be sent again."""

    def __init__(self, streams: Sequence[str]) -> None:
        super().__init__(f"gave up after {ATTEMPTS_MAX} attempts: {', '.join(streams)} moved each time")
        self.streams = tuple(streams)


class Writer(Protocol):
    """What orders and commits: `foundation.store.writer.GroupCommit`."""

    def submit(self, request: AppendRequest) -> "asyncio.Future[Outcome]":
        """Queue behind everything submitted before. Raises Overloaded."""
        ...


class Seals(Protocol):
    """What seals: `foundation.vault.sealer.Sealer`."""

    def try_seal(self, batch: Sequence[ToSeal]) -> Sequence[Mapping[str, Any]] | None:
        """Each event's `data`, or None where a key has yet to be fetched or made."""
        ...

    async def prepare(self, batch: Sequence[ToSeal]) -> None:
        """Fetch or make the keys. Raises KeyDestroyed, VaultUnavailable."""
        ...


@dataclass(slots=True, eq=False)
class _Lane:
    """One stream as the newest command sees it: durable, or still on the way in `tip`."""

    state: Any
    version: int
    tip: AppendRequest | None = None
    tip_answer: "asyncio.Future[Outcome] | None" = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What a command does to one of its streams."""

    part: Part
    lane: _Lane
    events: tuple[Event, ...]


def _is_durable(answer: "asyncio.Future[Outcome]") -> bool:
    return not answer.cancelled() and answer.exception() is None and isinstance(answer.result(), Appended)


_Decide = Callable[[Sequence[Any], datetime], Sequence[Sequence[Event]]]


class Handler:
    """Handles commands against one history. One per process; everything it keeps in memory is a cache."""

    def __init__(self, *, store: EventStore, writer: Writer, sealer: Seals, catalogue: Catalogue, clock: Clock, source: str) -> None:
        self._store, self._writer, self._sealer = store, writer, sealer
        self._catalogue, self._clock, self._source = catalogue, clock, source
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._under_way: dict[UUID, tuple[bytes, asyncio.Task[Accepted]]] = {}
        self._streams: Coalesced[str, Sequence[Recorded]] = Coalesced(store.read_streams)
        self._versions: Coalesced[str, int] = Coalesced(store.versions)
        self._remembered: Coalesced[UUID, Remembered] = Coalesced(store.remembered)

    async def handle(
        self, decider: Decider[S, C], id: str, command: C, *, by: Actor, key: CommandRef | None = None, expected: int | None = None
    ) -> Accepted:
        """Decide a command on one stream and append what follows.

        `expected` is the version the caller has seen (If-Match). Raises the rule's Refusal, PreconditionFailed, IdempotencyKeyReused,
        Contended, RecordTooLarge, and what the store, the writer and the vault raise; then nothing was written.
        """

        def decide(states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
            return (decider.decide(command, states[0], now),)

        return await self._once((Part(decider, id),), decide, by, key, expected, opens=decider.opens(command))

    async def handle_joint(
        self, joint: JointDecider[C], command: C, *, by: Actor, key: CommandRef | None = None, expected: int | None = None
    ) -> Accepted:
        """Decide a command on several streams, appended all or nothing; `expected` and the answer are about the first part.

        Raises what `handle` raises.
        """

        def decide(states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
            return joint.decide(command, states, now)

        return await self._once(joint.parts(command), decide, by, key, expected, opens=False)

    async def state(self, decider: Decider[S, Any], id: str) -> tuple[S, int]:
        """A stream's durable state and version, read from the store."""
        recorded = await self._streams.get(decider.stream(id)) or ()
        return decider.fold([happened(one, self._catalogue).event for one in recorded]), len(recorded)

    async def _once(
        self, parts: Sequence[Part], decide: _Decide, by: Actor, key: CommandRef | None, expected: int | None, *, opens: bool
    ) -> Accepted:
        if key is None:
            return await self._run(parts, decide, by, None, expected, opens=opens)
        under_way = self._under_way.get(key.id)
        if under_way is not None:
            if not compare_digest(under_way[0], key.request_hmac):
                raise IdempotencyKeyReused
            return replace(await asyncio.shield(under_way[1]), repeated=True)
        # A task of its own: whoever sent the command first may hang up while others with the same key wait for the answer.
        task = asyncio.get_running_loop().create_task(self._run(parts, decide, by, key, expected, opens=opens))
        self._under_way[key.id] = (key.request_hmac, task)
        task.add_done_callback(lambda done: self._answered(key.id, done))
        return await asyncio.shield(task)

    def _answered(self, id: UUID, task: asyncio.Task[Accepted]) -> None:
        del self._under_way[id]
        if not task.cancelled():
            task.exception()  # read here, because every waiter may have hung up

    async def _run(
        self, parts: Sequence[Part], decide: _Decide, by: Actor, key: CommandRef | None, expected: int | None, *, opens: bool
    ) -> Accepted:
        unread = opens
        loaded: dict[str, int] = {}
        for _ in range(ATTEMPTS_MAX):
            if not unread:
                loaded.update(await self._load(parts))
            # No await from here to submit: what is decided on is what is appended behind.
            lanes = [self._lane(part, unread=unread) for part in parts]
            now = self._clock.now()
            try:
                if expected is not None and lanes[0].version != expected:
                    raise PreconditionFailed(parts[0].stream, lanes[0].version)
                decided = decide([lane.state for lane in lanes], now)
            except Refusal:
                if unread or not await self._stands(parts, lanes, loaded):
                    unread = False
                    continue
                first = await self._first_answer(key)
                if first is None:
                    raise
                return first
            steps = [_Step(part, lane, tuple(events)) for part, lane, events in zip(parts, lanes, decided, strict=True)]
            if unread and not any(step.events for step in steps):
                unread = False
                continue
            batch = [ToSeal(event, str(uuid7(now)), step.part.stream) for step in steps for event in step.events]
            sealed = self._sealer.try_seal(batch)
            if sealed is None:
                await self._sealer.prepare(batch)
                continue
            request = self._request(steps, zip(batch, sealed, strict=True), by, key, now)
            version = lanes[0].version + len(steps[0].events)
            answer = self._writer.submit(request)
            self._advance(steps, request, answer)
            match await asyncio.shield(answer):
                case Appended(position):
                    return Accepted(parts[0].stream, version, position)
                case Repeated(result, position):
                    return self._remembered_answer(result, position)
                case KeyReused():
                    raise IdempotencyKeyReused
                case Conflict():
                    unread = False
        raise Contended([part.stream for part in parts])

    # ------------------------------------------------------------------------------------------------ the lanes

    def _lane(self, part: Part, *, unread: bool) -> _Lane:
        lane = self._lanes.get(part.stream)
        if lane is not None:
            self._lanes.move_to_end(part.stream)
            return lane
        if not unread:
            raise Contended([part.stream])  # pushed out between its load and now: LANES_MAX streams moved in one round trip
        # Not read: decided as if the stream were new, and kept only once something is submitted on it.
        return _Lane(part.decider.initial, 0)

    async def _load(self, parts: Sequence[Part]) -> dict[str, int]:
        """Bring the missing lanes in from the store; the versions of those this call brought."""
        missing = [part for part in parts if part.stream not in self._lanes]
        versions = {}
        for part, recorded in zip(missing, await asyncio.gather(*(self._streams.get(part.stream) for part in missing)), strict=True):
            if part.stream in self._lanes:
                continue  # somebody else loaded it meanwhile, and may have moved it on
            events = [happened(one, self._catalogue).event for one in recorded or ()]
            self._keep(part.stream, _Lane(part.decider.fold(events), len(events)))
            versions[part.stream] = len(events)
        return versions

    def _keep(self, stream: str, lane: _Lane) -> None:
        self._lanes[stream] = lane
        while len(self._lanes) > LANES_MAX:
            self._lanes.popitem(last=False)

    def _advance(self, steps: Sequence[_Step], request: AppendRequest, answer: "asyncio.Future[Outcome]") -> None:
        for step in steps:
            step.lane.state = step.part.decider.fold(step.events, step.lane.state)
            step.lane.version += len(step.events)
            step.lane.tip, step.lane.tip_answer = request, answer
            self._keep(step.part.stream, step.lane)
        answer.add_done_callback(lambda done: self._settle(steps, request, done))

    def _settle(self, steps: Sequence[_Step], request: AppendRequest, answer: "asyncio.Future[Outcome]") -> None:
        request.decided_on = ()
        durable = _is_durable(answer)
        for step in steps:
            if not durable and self._lanes.get(step.part.stream) is step.lane:
                del self._lanes[step.part.stream]
            if step.lane.tip is request:
                step.lane.tip = step.lane.tip_answer = None

    async def _stands(self, parts: Sequence[Part], lanes: Sequence[_Lane], loaded: Mapping[str, int]) -> bool:
        """Whether what a refusal was decided on is durable and current: no answer leaves before that."""
        under_way = [lane.tip_answer for lane in lanes if lane.tip_answer is not None]
        idle = {
            part.stream: lane.version
            for part, lane in zip(parts, lanes, strict=True)
            if lane.tip_answer is None and loaded.get(part.stream) != lane.version
        }
        for answer in under_way:
            # Once durable, it was its stream's newest event while this command waited. Whatever it failed with, its own caller hears
            # of it; here it only means to decide again.
            await asyncio.wait([answer])
            if not _is_durable(answer):
                return False
        found = await asyncio.gather(*(self._versions.get(stream) for stream in idle))
        stale = [stream for (stream, version), current in zip(idle.items(), found, strict=True) if (current or 0) > version]
        for stream in stale:
            lane = self._lanes.get(stream)
            if lane is not None and lane.tip is None:
                del self._lanes[stream]
        return not stale

    # ------------------------------------------------------------------------------------------------- requests

    def _request(
        self, steps: Sequence[_Step], sealed: Iterable[tuple[ToSeal, Mapping[str, Any]]], by: Actor, key: CommandRef | None, now: datetime
    ) -> AppendRequest:
        appends = []
        data = iter(sealed)
        for step in steps:
            events = []
            for version, (to_seal, fields) in enumerate(islice(data, len(step.events)), start=step.lane.version + 1):
                encoded = record.encode(
                    id=to_seal.event_id,
                    source=self._source,
                    type=to_seal.event.TYPE,
                    stream=to_seal.stream,
                    time=now,
                    version=version,
                    correlation=by.correlation,
                    causation=by.causation,
                    actor=by.principal,
                    org=by.org,
                    data=fields,
                )
                events.append(NewEvent(to_seal.event.TYPE, encoded))
            appends.append(StreamAppend(step.part.stream, step.lane.version, tuple(events)))
        command = None
        if key is not None:
            first = steps[0]
            answer = orjson.dumps({"stream": first.part.stream, "version": first.lane.version + len(first.events)})
            command = CommandKey(key.id, key.request_hmac, answer)
        basis = {id(step.lane.tip): step.lane.tip for step in steps if step.lane.tip is not None}
        return AppendRequest(tuple(appends), command, tuple(basis.values()))

    # ---------------------------------------------------------------------------------------- remembered answers

    async def _first_answer(self, key: CommandRef | None) -> Accepted | None:
        """The answer of a command that was accepted before, however the facts stand now; None where it was not."""
        found = None if key is None else await self._remembered.get(key.id)
        if found is None or key is None:
            return None
        if not compare_digest(found.request_hmac, key.request_hmac):
            raise IdempotencyKeyReused
        return self._remembered_answer(found.result, found.position)

    @staticmethod
    def _remembered_answer(result: bytes, position: int) -> Accepted:
        answer = orjson.loads(result)
        return Accepted(answer["stream"], answer["version"], position, repeated=True)
