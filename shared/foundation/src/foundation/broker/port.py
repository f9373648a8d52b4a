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
class Delivered:
    """A message as it arrived; `offset` is only a place to seek to."""

    offset: int
    message: Message


class BrokerUnavailable(Exception):
    """The broker did not answer in time; what was sent may or may not have arrived."""


class Broker(Protocol):
    """The whole port. One contract suite covers every adapter. All calls are bounded in time."""

    async def ensure_topic(self, topic: str) -> None:
        """Create the topic, one partition, where it is missing."""
        ...

    async def produce(self, topic: str, messages: Sequence[Message]) -> None:
        """Durable at the broker when this returns. Raises BrokerUnavailable on any doubt; the caller starts again from its checkpoint."""
        ...

    async def last(self, topic: str) -> Message | None:
        """The newest message of the topic, or None when it is empty: what the topic has seen of the history."""
        ...

    async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Sequence[Delivered]:
        """Messages from an offset on (None: from the end; one that is out of range: from whichever end is nearer), empty after the timeout."""
        ...

    async def close(self) -> None:
        """Give up connections; bounded."""
        ...
