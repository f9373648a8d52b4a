"""Sends the history to its topic, in order, at least once (DESIGN 6).

The events table is the outbox: read on from the checkpoint, produce, and move the checkpoint once the broker has acknowledged. A
message is a pure function of the history, so two relays that race send the same bytes; the lease only saves work. Nothing waits for
the relay: not a command, and not a consumer that asks the source itself.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import structlog

from foundation.broker.port import Broker, Message
from foundation.cursor import Pool
from foundation.lease import Lease
from foundation.store.port import NO_LEAF, EventStore, Recorded
from foundation.tasks import end
from foundation.transient import TRANSIENT, Backoff

log = structlog.get_logger()

SAVE_SECONDS = 0.5
"""How often the checkpoint is saved; what was sent since is sent again after a crash."""

_CHECKPOINT = """
    insert into relay (topic, epoch, last) values ($1, $2, -1)
    on conflict (topic) do update set
        epoch = excluded.epoch, last = case when relay.epoch = excluded.epoch then relay.last else excluded.last end
    returning last
"""

# A lost checkpoint only means to send again, so its commit need not wait for the disk.
_ACKNOWLEDGE = """
    with relaxed as (select set_config('synchronous_commit', 'off', true))
    update relay set last = greatest(last, $3) from relaxed where topic = $1 and epoch = $2
"""


@dataclass(frozen=True, slots=True)
class RelayState:
    """How a relay stands; `leads`: it is this process's turn to send."""

    topic: str
    acknowledged: int
    head: int
    leads: bool
    trouble: str | None

    @property
    def lag(self) -> int:
        """Events of the history, as last looked at, that the broker has not acknowledged."""
        return max(0, self.head - self.acknowledged)


class Relay:
    """Sends one history to one topic, whatever happens to the broker."""

    def __init__(self, store: EventStore, broker: Broker, pool: Pool, *, topic: str, lease_seconds: float = 10) -> None:
        self.topic = topic
        self._store, self._broker, self._pool = store, broker, pool
        self._lease = Lease(pool, f"relay:{topic}", ttl_seconds=lease_seconds)
        self._log = log.bind(topic=topic)
        self._task: asyncio.Task[None] | None = None
        self._acknowledged = self._saved = self._head = -1
        self._leads = False
        self._trouble: str | None = None
        self._backoff = Backoff()

    def start(self) -> None:
        """Begin to send, in a task of the running loop."""
        self._task = asyncio.create_task(self._for_ever())

    async def close(self) -> None:
        """Stop. What was sent and not yet checkpointed will be sent again."""
        if self._task is not None:
            await end([self._task])
        try:
            await self._lease.release()
        except TRANSIENT as error:
            self._log.info("lease left to run out", error=type(error).__name__)

    def state(self) -> RelayState:
        """How it stands, from memory."""
        return RelayState(self.topic, self._acknowledged, self._head, self._leads, self._trouble)

    async def _for_ever(self) -> None:
        while True:
            pause = self._lease.ttl_seconds / 3
            try:
                if await self._lease.hold():
                    await self._lead()
            except TRANSIENT as error:
                pause = self._backoff.seconds()
                self._trouble = type(error).__name__
                self._log.warning("relay tries again", error=f"{error!r:.200}", acknowledged=self._acknowledged, seconds=pause)
            except Exception as error:
                pause = self._backoff.seconds()
                self._trouble = type(error).__name__
                self._log.error("relay fails and tries again", error=type(error).__name__, acknowledged=self._acknowledged)
            self._leads = False
            await asyncio.sleep(pause)

    async def _lead(self) -> None:
        """Send for as long as the lease is ours and the epoch stays."""
        self._leads = True
        epoch = (await self._store.head()).epoch
        self._acknowledged = self._saved = await self._pool.fetchval(_CHECKPOINT, self.topic, epoch)
        sending = asyncio.create_task(self._send(epoch))
        renewed = time.monotonic()
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=min(SAVE_SECONDS, self._lease.ttl_seconds / 3))
                await self._save(epoch)
                if time.monotonic() - renewed >= self._lease.ttl_seconds / 3:
                    head = await self._store.head()
                    self._head = head.position
                    if head.epoch != epoch or not await self._lease.hold():
                        return
                    renewed = time.monotonic()
            sending.result()
        finally:
            await end([sending])
            await self._save(epoch)

    async def _save(self, epoch: int) -> None:
        if self._saved < self._acknowledged:
            self._saved = self._acknowledged
            await self._pool.execute(_ACKNOWLEDGE, self.topic, epoch, self._saved)

    async def _send(self, epoch: int) -> None:
        last = self._acknowledged
        await self._look_at_topic(epoch, last)
        previous = NO_LEAF if last < 0 else await self._store.leaf_at(last)
        if previous is None:
            raise LookupError(f"the checkpoint {last} is beyond the end of the history")
        if (await self._store.head()).position == last:
            # Broker and database have answered, and nothing waits to be sent that could show that the trouble is over.
            self._trouble = None
        async with aclosing(cast("Any", self._store.subscribe(last))) as batches:
            async for batch in batches:
                self._head = max(self._head, batch[-1].position)
                await self._broker.produce(self.topic, _messages(epoch, previous, batch))
                previous, self._acknowledged = batch[-1].leaf, batch[-1].position
                self._trouble = None
                self._backoff.reset()

    async def _look_at_topic(self, epoch: int, acknowledged: int) -> None:
        """Say so where the broker has lost what it had acknowledged. It is not sent again: consumers get it from the source."""
        newest = await self._broker.last(self.topic)
        seen = -1 if newest is None or newest.epoch != epoch else newest.position
        if seen < acknowledged:
            self._log.warning("the topic has lost messages; consumers ask the source", ends_at=seen, acknowledged=acknowledged)


def _messages(epoch: int, previous: bytes, batch: Sequence[Recorded]) -> list[Message]:
    messages = []
    for recorded in batch:
        messages.append(Message(recorded.stream, recorded.record, epoch, recorded.position, previous))
        previous = recorded.leaf
    return messages
