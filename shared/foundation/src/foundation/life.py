"""The life of a process's parts: started with patience, stopped in reverse within bounds, and the process ended when one of them dies."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import asyncpg
import httpx
import structlog

from foundation.cursor import Pool
from foundation.tasks import end
from foundation.telemetry import described
from foundation.transient import TRANSIENT, Backoff

log = structlog.get_logger()

T = TypeVar("T")

START_SECONDS_MAX = 120.0
"""How long a start waits for what is still recovering."""

EXIT_DEAD = 70
"""EX_SOFTWARE of sysexits.h: a part that the service cannot do without has died."""


class Life:
    """What has been started, newest first to be stopped. `exit` ends the process at once, without stopping anything."""

    def __init__(self, stack: AsyncExitStack, stop_seconds_max: float, exit: Callable[[int], Any] = os._exit) -> None:
        self._stack, self._stop_seconds_max, self._exit = stack, stop_seconds_max, exit

    def closes(self, part: str, close: Callable[[], Awaitable[Any]]) -> None:
        """Close a part when its turn comes; one that hangs or fails does not keep the rest from it."""

        async def bounded() -> None:
            try:
                async with asyncio.timeout(self._stop_seconds_max):
                    await close()
            except Exception as error:
                log.warning("a part did not stop", part=part, **described(error))

        self._stack.push_async_callback(bounded)

    def task(self, part: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the rest until it is done or the service stops. If it fails, the process ends."""
        task = asyncio.create_task(work, name=part)
        task.add_done_callback(lambda done: None if done.cancelled() or done.exception() is None else self.die(part, done.exception()))
        self.closes(part, lambda: end([task]))

    def die(self, part: str, error: BaseException | None) -> None:
        """End the process: what it holds in memory may not stand."""
        log.error("a part has died; so does the process", part=part, **described(error))
        self._exit(EXIT_DEAD)

    async def pool(self, dsn: str, connections: int, name: str) -> Pool:
        """A pool of connections to a database that may still be starting."""

        async def connect() -> Pool:
            return await asyncpg.create_pool(dsn, min_size=1, max_size=connections, server_settings={"application_name": f"tongxin {name}"})

        pool = await patiently("database", connect)
        self.closes("database", pool.close)
        return pool

    def client(self) -> httpx.AsyncClient:
        """The way to other services."""
        client = httpx.AsyncClient(timeout=10)
        self.closes("client", client.aclose)
        return client


async def patiently(part: str, start: Callable[[], Awaitable[T]], *, seconds_max: float = START_SECONDS_MAX) -> T:
    """Start a part that may have to wait for another process. Raises what it raised last, after `seconds_max`."""
    backoff = Backoff(most=2)
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + seconds_max
    while True:
        try:
            return await start()
        except TRANSIENT as error:
            pause = backoff.seconds()
            if loop.time() + pause > gives_up_at:
                raise
            log.info("waiting for a part", part=part, error=type(error).__name__)
            await asyncio.sleep(pause)
