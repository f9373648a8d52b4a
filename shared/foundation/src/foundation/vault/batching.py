"""Calls that share a trip to the database: what is asked while a batch is under way goes together in the next (no artificial delay)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

W = TypeVar("W")
R = TypeVar("R")


class Batched(Generic[W, R]):
    """`run` over many calls' items at once: one result each, in order, or the exception that its call shall raise.

    At most `at_once` runs at a time. A batch closes once it has `batch_max` items; a single call may bring more.
    """

    def __init__(self, run: Callable[[list[W]], Awaitable[Sequence[R | Exception]]], *, batch_max: int, at_once: int) -> None:
        self._run, self._batch_max, self._at_once = run, batch_max, at_once
        self._calls: deque[tuple[Sequence[W], asyncio.Future[list[R]]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, items: Sequence[W]) -> list[R]:
        """The results of one call's items. Raises the first exception among them, or what the run raised."""
        if not items:
            return []
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[R]] = loop.create_future()
        self._calls.append((items, answer))
        if len(self._running) < self._at_once:
            task = loop.create_task(self._drain())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await answer

    async def _drain(self) -> None:
        while self._calls:
            calls, items = self._take()
            try:
                results = await self._run(items)
            except BaseException as error:
                for _, answer in calls:
                    if not answer.done():
                        answer.set_exception(error if isinstance(error, Exception) else ConnectionError("the batch was given up"))
                if not isinstance(error, Exception):
                    raise
                continue
            start = 0
            for asked, answer in calls:
                _settle(answer, results[start : start + len(asked)])
                start += len(asked)

    def _take(self) -> tuple[list[tuple[Sequence[W], "asyncio.Future[list[R]]"]], list[W]]:
        calls: list[tuple[Sequence[W], asyncio.Future[list[R]]]] = []
        items: list[W] = []
        while self._calls and len(items) < self._batch_max:
            calls.append(self._calls.popleft())
            items.extend(calls[-1][0])
        return calls, items


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
