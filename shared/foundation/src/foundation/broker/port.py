"""The broker as a port: one topic with one partition per service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A record on its way: a pure function of the history, so that racing relays send the same bytes."""

    key: str
    value: bytes
    epoch: int
    position: int
    previous_leaf: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """Messages as they arrived, in the topic's order, and the offset to read on from. An offset is only a place to seek to."""

    messages: tuple[Message, ...]
    next: int


class BrokerUnavailable(Exception):
    """The broker did not answer in time; what was sent may or may not have arrived."""


class Broker(Protocol):
    """The whole port. One contract suite covers every adapter. All calls are bounded in time, and may run concurrently."""

    async def ensure_topic(self, topic: str) -> None:
        """Create the topic, one partition, where it is missing."""
        ...

    async def produce(self, topic: str, messages: Sequence[Message]) -> None:
        """Durable at the broker when this returns. Raises BrokerUnavailable on any doubt; the caller starts again from its checkpoint."""
        ...

    async def last(self, topic: str) -> Message | None:
        """The newest message of the topic, or None when it is empty: what the topic has seen of the history."""
        ...

    async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
        """At most `limit` messages from an offset on, none after the timeout. What is not one of our messages is left out.

        None: from the end. An offset out of range (a wiped or shortened topic): from whichever end is nearer. Raises BrokerUnavailable.
        """
        ...

    async def close(self) -> None:
        """Give up connections; bounded."""
        ...
