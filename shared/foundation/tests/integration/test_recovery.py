"""What a topic still holds goes back into a history that was restored from an old backup."""

import asyncpg
import pytest
from foundation.broker.memory import MemoryBroker
from foundation.broker.port import Fetched, Message
from foundation.clock import SystemClock
from foundation.recovery import Recovery
from foundation.store.guard import RollbackGuard
from foundation.store.port import NO_LEAF, Recorded
from foundation.store.postgres import PostgresStore

from .toy import UnitPlaced, append

TOPIC = "toy.events"


def messages(records: list[Recorded]) -> list[Message]:
    leaves = [NO_LEAF, *(one.leaf for one in records)]
    return [Message(one.stream, one.record, 0, one.position, leaves[at]) for at, one in enumerate(records)]


class SlowBroker(MemoryBroker):
    """As the embedded one with a long topic: its first read takes nine seconds, and it gives nothing to who does not wait that long."""

    async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
        found = await super().fetch(topic, offset, limit=limit, timeout_ms=timeout_ms)
        return found if offset is None or timeout_ms >= 9_000 else Fetched((), offset)


@pytest.mark.parametrize("expired", [0, 3])
async def test_all_that_the_topic_holds_is_taken_back_whatever_it_holds_twice(migrated: str, expired: int) -> None:
    async with asyncpg.create_pool(migrated, min_size=1, max_size=8) as pool:
        broker, guard = SlowBroker(), RollbackGuard(pool, {})
        store = PostgresStore(pool, before_writing=guard.check)
        await store.start()
        await append(store, *[UnitPlaced(unit=str(n), parent=None, name="n") for n in range(10)])
        before = list(await store.read(-1))
        sent = messages(before)
        # The relay's checkpoint is as old as the backup: it has sent the surviving events again, the newest of them last.
        await broker.produce(TOPIC, [*sent, *sent[2:5]])
        broker.expire(TOPIC, expired)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica; delete from events where position > 4")
        reached = await Recovery(guard, store, broker, topic=TOPIC, source="/nodes/1/toy", origin=str, clock=SystemClock()).take_back()
        after = list(await store.read(-1))
        await store.close()
    assert reached.position == 9
    assert after == before
