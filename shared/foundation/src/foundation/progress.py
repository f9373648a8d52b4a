"""How far something has come, with callers who wait for a position: how a caller reads its own writes (DESIGN 4)."""

import asyncio
import heapq
from itertools import count


class Halted(Exception):
    """What was waited for has stopped and does not go on by itself."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} has halted: {why}")


class Progress:
    """A position that only moves on. A wait costs one future and a place in a heap; an advance touches only those it serves."""

    def __init__(self, name: str) -> None:
        self.name, self.position = name, -1
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._stopped: str | None = None

    async def reached(self, position: int, timeout_seconds: float | None = None) -> None:
        """Return once the position is reached. Raises TimeoutError; Halted at once where it cannot be reached any more."""
        if position <= self.position:
            return
        if self._stopped is not None:
            raise Halted(self.name, self._stopped)
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (position, next(self._order), future))
        async with asyncio.timeout(timeout_seconds):
            await future

    def advance(self, position: int) -> None:
        """Say that everything up to a position is done; wakes whom that serves. A step back is ignored."""
        self.position = max(self.position, position)
        while self._waiting and self._waiting[0][0] <= self.position:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def halt(self, why: str) -> None:
        """Say that nothing moves any more: waiters fail now rather than at their timeout."""
        self._stopped = why
        while self._waiting:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_exception(Halted(self.name, why))

    def resume(self) -> None:
        """Say that it goes on after a halt."""
        self._stopped = None
