"""A process of its own that appends through GroupCommit: `python racing_writer.py DSN NAME REQUESTS`; prints what was acknowledged."""

import asyncio
import random
import sys
from uuid import uuid4

import asyncpg
from foundation.store.port import Appended, AppendRequest, CommandKey, Conflict, NewEvent, StreamAppend
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit

CALLERS = 8
SHARED_STREAMS = 5


async def call(writer: GroupCommit, name: str, requests: int, acknowledged: list[str]) -> None:
    """Half of the appends go to streams that every process writes to: a conflict says where to go on."""
    chance = random.Random(name)
    versions: dict[str, int] = {}
    for number in range(requests):
        stream = f"shared-{chance.randrange(SHARED_STREAMS)}" if chance.random() < 0.5 else f"own-{name}"
        text = f"{name}.{number}"
        while True:
            events = (NewEvent("test.Happened.v1", text.encode()),)
            append = StreamAppend(stream, versions.get(stream, 0), events)
            outcome = await writer.submit(AppendRequest((append,), CommandKey(uuid4(), b"hmac", b"result")))
            if isinstance(outcome, Appended):
                versions[stream] = versions.get(stream, 0) + 1
                acknowledged.append(f"{text} {outcome.position}")
                break
            if not isinstance(outcome, Conflict):
                raise AssertionError(outcome)
            versions[stream] = versions.get(stream, 0) + len(outcome.newer)


async def main(dsn: str, name: str, requests: int) -> None:
    acknowledged: list[str] = []
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        store = PostgresStore(pool)
        await store.start()
        writer = GroupCommit(store)
        await writer.start()
        await asyncio.gather(*(call(writer, f"{name}{caller}", requests, acknowledged) for caller in range(CALLERS)))
        await writer.close()
        await store.close()
    print("\n".join(acknowledged))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
