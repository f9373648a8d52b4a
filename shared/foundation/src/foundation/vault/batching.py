"""Calls that share a trip to the database: what is asked while a batch is under way goes together in the next (no artificial delay)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from foundation.batched import Batched

W = TypeVar("W")
R = TypeVar("R")


class Shared(Generic[W, R]):
    """`run` over the items of many calls at once: one result each, in order, or the exception that its call shall raise."""

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
