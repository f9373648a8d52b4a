"""Look-ups that share a round trip: whoever asks while one is under way waits for the next, together with all the others who do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Coalesced(Generic[K, V]):
    """`fetch` for many keys at once, behind a `get` for a few. At most `at_once` fetches run at a time, each of at most `batch_max` keys.

    A fetch that starts after the `get` answers it, so what a caller sees is never older than its question.
    """

    def __init__(self, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, batch_max: int = 500, at_once: int = 2) -> None:
        self._fetch, self._batch_max, self._at_once = fetch, batch_max, at_once
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V | None:
        """The value of one key, None where there is none. Raises what the fetch raised."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._start()
        return await asyncio.shield(future)

    def _start(self) -> None:
        if self._waiting and len(self._running) < self._at_once:
            task = asyncio.get_running_loop().create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self) -> None:
        batch = {key: self._waiting.pop(key) for key in list(self._waiting)[: self._batch_max]}
        try:
            found = await self._fetch(list(batch))
        except BaseException as error:
            for future in batch.values():
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else ConnectionError("the look-up was given up"))
                    future.exception()  # every waiter may be gone: then nobody needs to hear of it
            if not isinstance(error, Exception):
                raise
            return
        for key, future in batch.items():
            if not future.done():
                future.set_result(found.get(key))
