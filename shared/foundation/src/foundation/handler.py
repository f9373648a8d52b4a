"""Command handling: the only place that writes to a history (DESIGN 4).

Commands are taken from a queue and each is decided, sealed and submitted *without an await in between*; what has to be waited for
first (a stream to be read, a key to be made) is waited for together with everybody who needs the like, and the command is decided
again. So commands for one stream are decided one after another on each other's events while their batches are still on the way, and no
lock is needed; the store's version check is what makes it true across processes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hmac import compare_digest
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

import orjson
from contracts.kernel import Catalogue, Event
from msgspec import Struct, field
from msgspec.structs import replace

from foundation import record
from foundation.batched import Batched
from foundation.clock import Clock
from foundation.commands import ATTEMPTS_MAX, Accepted, Actor, CommandRef, Contended, IdempotencyKeyReused, PreconditionFailed
from foundation.decider import Decider, JointDecider, Part, Refusal
from foundation.history import Happened, all_happened, happened
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
    Repeated,
    StreamAppend,
)
from foundation.vault.sealer import ToSeal

S = TypeVar("S")
C = TypeVar("C")

DECIDED_AT_ONCE = 32
"""After so many commands the writer gets its turn: PostgreSQL commits the first ones while the next are decided."""

LANES_MAX = 50_000
"""How many streams' states are kept in memory, about 1.5 KB each: a city's 10,000 households at once have 40,000. Only a cache: the store's
version check decides."""


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


class _Lane(Struct, eq=False):
    """One stream as the newest command sees it: durable, or still on the way in `tip`."""

    state: Any
    version: int
    tip: AppendRequest | None = None
    tip_answer: "asyncio.Future[Outcome] | None" = None


_Decide = Callable[[Sequence[Any], datetime], Sequence[Sequence[Event]]]


class _Pending(Struct, eq=False):
    """A command on its way. `unread`: it is decided as if its stream were new, until that proves wrong."""

    parts: Sequence[Part]
    streams: Sequence[str]
    decide: _Decide
    by: Actor
    key: CommandRef | None
    expected: int | None
    unread: bool
    waiters: "list[asyncio.Future[Accepted]]"
    attempts: int = 0
    loaded: dict[str, int] = field(default_factory=dict)
    sealing: Sequence[ToSeal] = ()

    def accept(self, accepted: Accepted) -> None:
        """Answer everybody who waits."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(accepted)
            accepted = replace(accepted, repeated=True) if len(self.waiters) > 1 else accepted

    def fail(self, error: BaseException) -> None:
        """Tell everybody who waits what went wrong."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)


class _Step(NamedTuple):
    """What a command does to one of its streams."""

    part: Part
    stream: str
    lane: _Lane
    events: Sequence[Event]


class _Refused(Struct, eq=False):
    """A refusal that may be answered once what it was decided on is durable (`tips`) and current (`idle`: versions by stream)."""

    pending: _Pending
    refusal: Refusal
    tips: "Sequence[asyncio.Future[Outcome]]"
    idle: Mapping[str, int]


class Handler:
    """Handles commands against one history. One per process; everything it keeps in memory is a cache."""

    def __init__(self, *, store: EventStore, writer: Writer, sealer: Seals, catalogue: Catalogue, clock: Clock, source: str) -> None:
        self._store, self._writer, self._sealer = store, writer, sealer
        self._catalogue, self._clock, self._source = catalogue, clock, source
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._under_way: dict[UUID, _Pending] = {}
        self._queue: list[_Pending] = []
        self._draining = False
        self._loads: Batched[_Pending] = Batched(self._load)
        self._keys: Batched[_Pending] = Batched(self._prepare, batch_max=256, at_once=4)
        self._refusals: Batched[_Refused] = Batched(self._refuse, batch_max=5_000)

    def handle(
        self, decider: Decider[S, C], id: str, command: C, *, by: Actor, key: CommandRef | None = None, expected: int | None = None
    ) -> "asyncio.Future[Accepted]":
        """Decide a command on one stream and append what follows; to be awaited. Giving up waiting does not undo the command.

        `expected` is the version the caller has seen (If-Match). Raises the rule's Refusal, PreconditionFailed, IdempotencyKeyReused,
        Contended, RecordTooLarge, and what the store, the writer and the vault raise; then nothing was written.
        """

        def decide(states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
            return (decider.decide(command, states[0], now),)

        return self._enqueue((Part(decider, id),), decide, by, key, expected, opens=decider.opens(command))

    def handle_joint(
        self, joint: JointDecider[C], command: C, *, by: Actor, key: CommandRef | None = None, expected: int | None = None
    ) -> "asyncio.Future[Accepted]":
        """Decide a command on several streams, appended all or nothing; `expected` and the answer are about the first part.

        Raises what `handle` raises.
        """

        def decide(states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
            return joint.decide(command, states, now)

        return self._enqueue(joint.parts(command), decide, by, key, expected, opens=joint.opens(command))

    async def state(self, decider: Decider[S, Any], id: str) -> tuple[S, int]:
        """A stream's durable state and version, read from the store."""
        events = await self.history(decider, id)
        return decider.fold([one.event for one in events]), len(events)

    async def states(self, decider: Decider[S, Any], ids: Sequence[str]) -> dict[str, S]:
        """The durable states of several streams, by id, in one round trip."""
        streams = {one: decider.stream(one) for one in ids}
        found = await self._store.read_streams(list(streams.values()))
        return {one: decider.fold([told.event for told in all_happened(found[stream], self._catalogue)]) for one, stream in streams.items()}

    async def history(self, decider: Decider[Any, Any], id: str) -> list[Happened]:
        """A stream's durable events, oldest first, their sealed fields still sealed."""
        return all_happened(await self._store.read_stream(decider.stream(id)), self._catalogue)

    # ------------------------------------------------------------------------------------------------ the queue

    def _enqueue(
        self, parts: Sequence[Part], decide: _Decide, by: Actor, key: CommandRef | None, expected: int | None, *, opens: bool
    ) -> "asyncio.Future[Accepted]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Accepted] = loop.create_future()
        twin = None if key is None else self._under_way.get(key.id)
        if twin is not None and twin.key is not None and key is not None:
            if not compare_digest(twin.key.request_hmac, key.request_hmac):
                raise IdempotencyKeyReused
            twin.waiters.append(answer)
            return answer
        pending = _Pending(parts, [part.stream for part in parts], decide, by, key, expected, opens, [answer])
        if key is not None:
            self._under_way[key.id] = pending
        self._requeue(pending)
        return answer

    def _requeue(self, *pending: _Pending) -> None:
        self._queue.extend(pending)
        if not self._draining:
            self._draining = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        """Decide everything that is queued, each command on the events of those before it. No await, so nothing comes between."""
        queue, self._queue = self._queue[:DECIDED_AT_ONCE], self._queue[DECIDED_AT_ONCE:]
        now = self._clock.now()
        for pending in queue:
            try:
                self._decide(pending, now)
            except Exception as error:
                self._fail(pending, error)
        self._draining = bool(self._queue)
        if self._draining:
            # Behind the writer, and behind the end of the loop's round, in which the writer's batch leaves.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._drain)

    def _decide(self, pending: _Pending, now: datetime) -> None:
        pending.attempts += 1
        if pending.attempts > ATTEMPTS_MAX:
            raise Contended(pending.streams)
        lanes = []
        for part, stream in zip(pending.parts, pending.streams, strict=True):
            lane = self._lanes.get(stream)
            if lane is None:
                if not pending.unread:
                    self._loads.add(pending)
                    return
                # Kept only once something is submitted on it.
                lane = _Lane(part.decider.initial, 0)
            lanes.append(lane)
        try:
            if pending.expected is not None and lanes[0].version != pending.expected:
                raise PreconditionFailed(pending.streams[0], lanes[0].version)
            decided = pending.decide([lane.state for lane in lanes], now)
        except Refusal as refusal:
            if not self._read_first(pending):
                # Its frames hold the command, which holds the answer that will hold it: a cycle for every refusal.
                self._refusals.add(self._refused(pending, lanes, refusal.with_traceback(None)))
            return
        steps = [_Step(*of) for of in zip(pending.parts, pending.streams, lanes, decided, strict=True)]
        if not any(decided) and self._read_first(pending):
            return
        pending.sealing = [ToSeal(event, uuid7(now), step.stream) for step in steps for event in step.events]
        sealed = self._sealer.try_seal(pending.sealing)
        if sealed is None:
            self._keys.add(pending)
            return
        request = self._request(steps, zip(pending.sealing, sealed, strict=True), pending, now)
        accepted = (steps[0].stream, steps[0].lane.version + len(steps[0].events))
        answer = self._writer.submit(request)
        for step in steps:
            if step.events:  # a stream that was only read is as it was: whoever comes next does not depend on this request
                step.lane.state = step.part.decider.fold(step.events, step.lane.state)
                step.lane.version += len(step.events)
                step.lane.tip, step.lane.tip_answer = request, answer
                self._keep(step.stream, step.lane)
        answer.add_done_callback(lambda done: self._settle(pending, steps, request, accepted, done))

    def _accept(self, pending: _Pending, accepted: Accepted) -> None:
        self._answered(pending)
        pending.accept(accepted)

    def _fail(self, pending: _Pending, error: BaseException) -> None:
        self._answered(pending)
        pending.fail(error)

    def _answered(self, pending: _Pending) -> None:
        if pending.key is not None:
            self._under_way.pop(pending.key.id, None)

    def _read_first(self, pending: _Pending) -> bool:
        """Send an unread command to the store first: neither a refusal nor "already so" may rest on a guess."""
        if not pending.unread:
            return False
        pending.unread = False
        self._requeue(pending)
        return True

    def _settle(
        self,
        pending: _Pending,
        steps: Sequence[_Step],
        request: AppendRequest,
        accepted: tuple[str, int],
        answer: "asyncio.Future[Outcome]",
    ) -> None:
        durable = _is_durable(answer)
        for step in steps:
            if not durable and self._lanes.get(step.stream) is step.lane:
                del self._lanes[step.stream]
            if step.lane.tip is request:
                step.lane.tip = step.lane.tip_answer = None
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if error is not None:
            self._fail(pending, error)
            return
        match answer.result():
            case Appended(position):
                self._accept(pending, Accepted(*accepted, position))
            case Repeated(result, position):
                self._accept(pending, _remembered_answer(result, position))
            case KeyReused():
                self._fail(pending, IdempotencyKeyReused())
            case Conflict():
                pending.unread = False
                self._requeue(pending)

    # ------------------------------------------------------------------------------------------- what needs a wait

    def _keep(self, stream: str, lane: _Lane) -> None:
        self._lanes[stream] = lane
        self._lanes.move_to_end(stream)
        while len(self._lanes) > LANES_MAX:
            self._lanes.popitem(last=False)

    async def _load(self, batch: list[_Pending]) -> None:
        """Bring the streams that these commands miss into memory."""
        missing = {
            stream: part
            for pending in batch
            for part, stream in zip(pending.parts, pending.streams, strict=True)
            if stream not in self._lanes
        }
        try:
            found = await self._store.read_streams(list(missing))
        except Exception as error:
            for pending in batch:
                self._fail(pending, error)
            return
        unreadable: dict[str, Exception] = {}
        for stream, recorded in found.items():
            if stream in self._lanes:
                continue  # somebody else brought it meanwhile, and may have moved it on
            try:
                events = [happened(one, self._catalogue).event for one in recorded]
                self._keep(stream, _Lane(missing[stream].decider.fold(events), len(events)))
            except Exception as error:
                unreadable[stream] = error
        for pending in batch:
            broken = [unreadable[stream] for stream in pending.streams if stream in unreadable]
            if broken:
                self._fail(pending, broken[0])
                continue
            pending.loaded |= {stream: len(found[stream]) for stream in pending.streams if stream in found}
            self._requeue(pending)

    async def _prepare(self, batch: list[_Pending]) -> None:
        """Fetch or make the keys that these commands seal with, then decide them again."""
        try:
            await self._sealer.prepare([to_seal for pending in batch for to_seal in pending.sealing])
        except Exception as error:
            if len(batch) == 1:
                self._fail(batch[0], error)
            else:
                for pending in batch:  # one erased person must not stop the others
                    await self._prepare([pending])
            return
        self._requeue(*batch)

    def _refused(self, pending: _Pending, lanes: Sequence[_Lane], refusal: Refusal) -> _Refused:
        tips, idle = [], {}
        for stream, lane in zip(pending.streams, lanes, strict=True):
            if lane.tip_answer is not None:
                tips.append(lane.tip_answer)
            elif pending.loaded.get(stream) != lane.version:
                idle[stream] = lane.version
        return _Refused(pending, refusal, tips, idle)

    async def _refuse(self, batch: list[_Refused]) -> None:
        """Answer refusals: not before what they were decided on is durable and found to be current, and never to a command that was
        accepted before; its first answer stands, for ever."""
        tips = {tip for refused in batch for tip in refused.tips}
        idle = {stream for refused in batch for stream in refused.idle}
        keys = [refused.pending.key.id for refused in batch if refused.pending.key is not None]
        try:
            if tips:
                await asyncio.wait(tips)
            versions = await self._store.versions(list(idle)) if idle else {}
            remembered = await self._store.remembered(keys) if keys else {}
        except Exception as error:
            for refused in batch:
                self._fail(refused.pending, error)
            return
        for refused in batch:
            pending = refused.pending
            stale = [stream for stream, version in refused.idle.items() if versions[stream] > version]
            for stream in stale:
                lane = self._lanes.get(stream)
                if lane is not None and lane.tip is None and lane.version < versions[stream]:
                    del self._lanes[stream]
            first = None if pending.key is None else remembered.get(pending.key.id)
            if first is not None and pending.key is not None:
                same = compare_digest(first.request_hmac, pending.key.request_hmac)
                self._accept(pending, _remembered_answer(first.result, first.position)) if same else self._fail(
                    pending, IdempotencyKeyReused()
                )
            elif stale or not all(_is_durable(tip) for tip in refused.tips):
                self._requeue(pending)
            else:
                self._fail(pending, refused.refusal)

    # ------------------------------------------------------------------------------------------------- requests

    def _request(
        self, steps: Sequence[_Step], sealed: Iterable[tuple[ToSeal, Mapping[str, Any]]], pending: _Pending, now: datetime
    ) -> AppendRequest:
        by, appends, data = pending.by, [], iter(sealed)
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
            appends.append(StreamAppend(step.stream, step.lane.version, tuple(events)))
        command = None
        if pending.key is not None:
            answer = orjson.dumps({"stream": steps[0].stream, "version": steps[0].lane.version + len(steps[0].events)})
            command = CommandKey(pending.key.id, pending.key.request_hmac, answer)
        basis = {id(step.lane.tip): step.lane.tip for step in steps if step.lane.tip is not None}
        return AppendRequest(tuple(appends), command, tuple(basis.values()))


def _is_durable(answer: "asyncio.Future[Outcome]") -> bool:
    return not answer.cancelled() and answer.exception() is None and isinstance(answer.result(), Appended)


def _remembered_answer(result: bytes, position: int) -> Accepted:
    answer = orjson.loads(result)
    return Accepted(answer["stream"], answer["version"], position, repeated=True)
