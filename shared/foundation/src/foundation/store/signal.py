"""NOTIFY tells other processes that the history grew; losing one costs them a poll, nothing else."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from foundation.cursor import Pool
from foundation.tasks import end

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

log = structlog.get_logger()

CHANNEL = "history"
RECONNECT_SECONDS = 1.0
NOTIFY_SECONDS = 10.0
PAUSE_SECONDS = 0.02
"""At the least between two signals; a batch in between is told of after it. A signal costs as much as a small append."""


def is_lost(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    """Whether a connection of a pool has ended; the pool takes such a one back by itself, and then it answers to nothing."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def discard(connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
    """End a connection of a pool at once, with the clean-up that a connection which broke by itself may still lack."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


class Signal:
    """Listens on one kept connection and sends on it, after the commit and apart from it: NOTIFY takes a lock that spans databases, which
    must not be held through the fsync of an append. Signals that are due together become one."""

    def __init__(self, pool: Pool, heard: Callable[[], None]) -> None:
        self._pool, self._heard = pool, heard
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen and send until closed, reconnecting as long as it takes."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="history-signal")

    def send(self) -> None:
        """Tell the others; never blocks."""
        self._due.set()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            await end([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._pool.acquire()
                try:
                    await self._serve(connection)
                finally:
                    discard(connection)  # with its listeners, in whatever state it is
                    await self._pool.release(connection)
            except Exception as error:  # without it there is still the poll
                log.warning("store.signal_lost", reason=repr(error))
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _serve(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        own = connection.get_server_pid()

        def heard(_connection: Any, pid: int, _channel: str, _payload: object) -> None:
            if pid != own:
                self._heard()

        def lost(_connection: Any) -> None:
            self._due.set()

        await connection.execute("set synchronous_commit = off")
        await connection.add_listener(CHANNEL, heard)
        connection.add_termination_listener(lost)
        self._heard()  # whatever was committed while nobody listened
        while True:
            await self._due.wait()
            self._due.clear()
            await connection.execute(f"notify {CHANNEL}", timeout=NOTIFY_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
