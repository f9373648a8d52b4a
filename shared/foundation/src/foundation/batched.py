"""Work on many things at once: whatever came in while the last round ran goes into the next (no artificial delay)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")


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


class Shared(Generic[W, R]):
    """Calls that share a trip to the database: `run` over the items of many calls at once.

    It gives one result for each, in order, or the exception that its call shall raise.
    """

    def __init__(self, run: Callable[[list[W]], Awaitable[Sequence[R | Exception]]], *, calls_max: int = 1_000, at_once: int = 2) -> None:
        self._run = run
        self._calls: Batched[tuple[Sequence[W], asyncio.Future[list[R]]]] = Batched(self._answer, batch_max=calls_max, at_once=at_once)

    async def __call__(self, items: Sequence[W]) -> list[R]:
        """The results of one call's items. Raises the first exception among them, or what the run raised."""
        if not items:
            return []
        answer: asyncio.Future[list[R]] = asyncio.get_running_loop().create_future()
        self._calls.add((items, answer))
        return await answer

    async def _answer(self, calls: list[tuple[Sequence[W], "asyncio.Future[list[R]]"]]) -> None:
        try:
            results = await self._run([item for items, _ in calls for item in items])
        except BaseException as error:
            for _, answer in calls:
                if not answer.done():
                    answer.set_exception(error if isinstance(error, Exception) else ConnectionError("the batch was given up"))
            if not isinstance(error, Exception):
                raise
            return
        start = 0
        for items, answer in calls:
            _settle(answer, results[start : start + len(items)])
            start += len(items)


def _settle(answer: "asyncio.Future[list[R]]", results: Sequence[R | Exception]) -> None:
    if answer.done():  # its caller was cancelled
        return
    good: list[R] = []
    for result in results:
        if isinstance(result, Exception):
            answer.set_exception(result)
            return
        good.append(result)
    answer.set_result(good)
