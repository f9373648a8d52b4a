"""Work on many things at once: whatever came in while the last round ran goes into the next."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Batched(Generic[T]):
    """Calls `work` with everything added since its last call; at most `at_once` calls run at a time, each with at most `batch_max` things.

    A round that starts after an `add` takes it, so what it finds is never older than the question. `work` answers for every thing it
    was given, also when something goes wrong.
    """

    def __init__(self, work: Callable[[list[T]], Awaitable[None]], *, batch_max: int = 1_000, at_once: int = 2) -> None:
        self._work, self._batch_max, self._at_once = work, batch_max, at_once
        self._waiting: list[T] = []
        self._running: set[asyncio.Task[None]] = set()

    def add(self, thing: T) -> None:
        """Put a thing into the next round."""
        self._waiting.append(thing)
        if len(self._running) < self._at_once:
            self._start()

    def _start(self) -> None:
        task = asyncio.get_running_loop().create_task(self._round())
        self._running.add(task)
        task.add_done_callback(self._done)

    async def _round(self) -> None:
        batch, self._waiting = self._waiting[: self._batch_max], self._waiting[self._batch_max :]
        if batch:
            await self._work(batch)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and len(self._running) < self._at_once and not task.cancelled():
            self._start()
