"""Reactions: another service's event becomes commands of this one, each of which takes effect exactly once (DESIGN 6).

A reaction is a pure function of the event. Its commands carry an id that follows from the event, the reaction and the target, so an event
may come any number of times; the consumer's cursor moves after the answers. A rule's refusal is an answer. What fails again and again
parks its stream (`foundation.parked`); what passes by itself is tried again and never parks anything.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog
from contracts.kernel import Event

from foundation.commands import IdempotencyKeyReused
from foundation.cursor import Connection
from foundation.decider import Decider, JointDecider, Refusal
from foundation.history import Happened
from foundation.ids import command_id
from foundation.parked import Failed, Queue, Refused
from foundation.transient import TRANSIENT

log = structlog.get_logger()

TRIES_MAX = 3
"""How often a failure that does not look transient is tried before its stream is parked."""

STREAMS_AT_ONCE = 16
"""Streams whose reactions run side by side; within a stream they run one after another."""

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Issue:
    """A command to issue: on which kind of stream, on which one, and what. A joint rule names its streams itself; the first is meant."""

    decider: Decider[Any, Any] | JointDecider[Any]
    id: str
    command: Any

    @property
    def target(self) -> str:
        """The stream it is for."""
        return self.decider.parts(self.command)[0].stream if isinstance(self.decider, JointDecider) else self.decider.stream(self.id)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows from one type of event. The name is part of its commands' ids: renamed, it would issue them a second time."""

    name: str
    event: type[Event]
    react: Callable[[Any], Issue | Sequence[Issue]]


def reacts_to(event: type[E], *, name: str | None = None) -> Callable[[Callable[[E], Issue | Sequence[Issue]]], Reaction]:
    """Make a reaction of a pure function of the event. Its name is the function's unless said; it must stay for ever."""

    def reaction(function: Callable[[E], Issue | Sequence[Issue]]) -> Reaction:
        return Reaction(name or function.__name__, event, function)

    return reaction


class Issuer(Protocol):
    """Issues a command and answers when it is durable: the command handler, acting for the service itself."""

    async def __call__(
        self,
        decider: Decider[Any, Any] | JointDecider[Any],
        id: str,
        command: Any,
        *,
        command_id: UUID,
        causation: str,
        correlation: str,
    ) -> object:
        """Raises the rule's Refusal, and what `commands.Handler.handle` raises; a repeated id is answered, not decided again."""
        ...


class TwoCommandsForOneTarget(Exception):
    """A reaction issues two commands to one stream for one event: they would have one id."""


class Reactions:
    """The effect of a consumer: reactions to one source's events."""

    def __init__(self, reactions: Sequence[Reaction], issue: Issuer, queue: Queue) -> None:
        """Raises ValueError where two reactions have one name."""
        if len({reaction.name for reaction in reactions}) < len(reactions):
            raise ValueError("two reactions have one name")
        self._by_event: defaultdict[type[Event], list[Reaction]] = defaultdict(list)
        for reaction in reactions:
            self._by_event[reaction.event].append(reaction)
        self._issue, self._queue = issue, queue
        self._log = log.bind(consumer=queue.consumer, source=queue.source)

    @property
    def events(self) -> frozenset[type[Event]]:
        """The types that are reacted to."""
        return frozenset(self._by_event)

    async def apply(self, connection: Connection, batch: Sequence[Happened]) -> None:
        """Issue what follows from the events; raises only what passes by itself, and then the batch comes again."""
        lanes: defaultdict[str, list[Happened]] = defaultdict(list)
        for one in batch:
            if type(one.event) in self._by_event:
                lanes[one.envelope.stream].append(one)
        if not lanes:
            return
        parked = await self._queue.lock(connection, list(lanes))
        turn = asyncio.Semaphore(STREAMS_AT_ONCE)
        free = [key for key in lanes if key not in parked]
        # No lane is left running when another one fails: the next attempt must not meet it.
        results = await asyncio.gather(*(self._lane(lanes[key], turn) for key in free), return_exceptions=True)
        for key, result in zip(free, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            refused, waiting, failed = result
            await self._queue.refuse(connection, refused)
            if failed is not None:
                self._log.error("stream parked: its reactions fail", key=key, position=waiting[0].position, error=failed.error)
                await self._queue.park(connection, key, failed.error)
                await self._queue.add(connection, waiting)
        for key in parked:
            await self._queue.add(connection, lanes[key])

    async def _lane(self, events: Sequence[Happened], turn: asyncio.Semaphore) -> tuple[list[Refused], Sequence[Happened], Failed | None]:
        """One stream's events in order: what was refused, and what is left where one failed."""
        refused: list[Refused] = []
        async with turn:
            for index, one in enumerate(events):
                try:
                    refused += await self.work(one)
                except Failed as failed:
                    return refused, events[index:], failed
        return refused, (), None

    async def work(self, one: Happened) -> Sequence[Refused]:
        """All reactions to one event. Raises Failed after TRIES_MAX failures; what passes by itself at once."""
        refused: list[Refused] = []
        for reaction in self._by_event[type(one.event)]:
            for attempt in range(TRIES_MAX):
                try:
                    refused += await self._react(reaction, one)
                    break
                except TRANSIENT:
                    raise
                except Exception as error:
                    self._log.warning(
                        "reaction fails", reaction=reaction.name, position=one.position, error=type(error).__name__, attempt=attempt + 1
                    )
                    failed = Failed(type(error).__name__)
            else:
                raise failed
        return refused

    async def _react(self, reaction: Reaction, one: Happened) -> list[Refused]:
        found = reaction.react(one.event)
        issues = (found,) if isinstance(found, Issue) else tuple(found)
        if len({issue.target for issue in issues}) < len(issues):
            raise TwoCommandsForOneTarget(reaction.name)
        refused = []
        for issue in issues:
            try:
                await self._issue(
                    issue.decider,
                    issue.id,
                    issue.command,
                    command_id=command_id(one.envelope.id, reaction.name, issue.target),
                    causation=one.envelope.id,
                    correlation=one.envelope.correlation,
                )
            except IdempotencyKeyReused:
                raise  # no rule of the domain: this reaction is not pure, or two share a name
            except Refusal as refusal:
                refused.append(Refused(one.position, one.envelope.id, reaction.name, issue.target, refusal.TYPE))
        return refused
