"""What growing and signing the log beside it adds to appending: the full path with and without, in turns, in one process on one database.

python -m benchmarks.ours.integration DSN VAULT_DSN CALLERS EVENTS ROUNDS

Each round appends EVENTS twice, once while the log is brought up to date every second as in a service, once while it is not; which comes
first takes turns. What was appended without the log is taken into it between the two, outside the clock.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as Folder
from uuid import uuid4

import uvloop
from foundation.clock import SystemClock
from foundation.commands import CommandRef
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned
from foundation.log.publisher import Publisher
from foundation.log.storage import LogStore
from foundation.store.guard import RollbackGuard
from foundation.tasks import end

from benchmarks.load import callers, report
from benchmarks.ours.append import BY
from benchmarks.ours.store import THING, Do, Path, full_path

PEOPLE = 1_000
SERVICE = "bench"


def publisher(path: Path, folder: Folder) -> Publisher:
    """The log of this history, without witnesses."""
    keys = LogKeys(folder, "3709")
    keys.make(SERVICE)
    return Publisher(
        SERVICE,
        pool=path.pool,
        store=LogStore(path.pool),
        keys=keys,
        memory=LastSigned(folder, SERVICE, keys),
        cosigners=[],
        guard=RollbackGuard(path.pool, {}),
        distrust=path.store.distrust,
        clock=SystemClock(),
    )


@asynccontextmanager
async def growing(log: Publisher) -> AsyncIterator[None]:
    """The log grows meanwhile."""
    task = asyncio.create_task(log.run())
    try:
        yield
    finally:
        await end([task])


async def main(dsn: str, vault_dsn: str, count: int, events: int, rounds: int) -> None:
    """Rounds in turn, after a warm-up of one."""
    people = [os.urandom(16).hex() for _ in range(PEOPLE)]
    taken: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    async with full_path(dsn, vault_dsn) as path:
        with tempfile.TemporaryDirectory(prefix="tongxin-bench-") as folder:
            log = publisher(path, Folder(folder))

            async def measured() -> dict[str, float]:
                commands = [
                    (os.urandom(16).hex(), Do(people[at % PEOPLE], "欧阳娜娜"), CommandRef(uuid4(), b"h" * 32)) for at in range(events)
                ]

                async def once(_: int, number: int) -> None:
                    thing, command, key = commands[number]
                    await path.handler.handle(THING, thing, command, by=BY, key=key)

                cpu = time.process_time()
                figures = await callers(count, events, once)
                return figures | {"cpu_us": (time.process_time() - cpu) / events * 1e6}

            await measured()
            for number in range(rounds):
                for way in ("with", "without") if number % 2 else ("without", "with"):
                    await log.advance()
                    if way == "without":
                        taken[way].append(await measured())
                        continue
                    async with growing(log):
                        taken[way].append(await measured())
            await log.advance()
            report(**taken, integrated=log.standing.integrated, published=log.standing.published)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])))
