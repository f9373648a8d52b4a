"""Ending background tasks."""

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; what they raise is theirs.

    Cancelled again each second: before Python 3.12 `asyncio.wait_for` can swallow a cancellation that meets its result.
    """
    ending = set(tasks)
    left = {task for task in ending if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)
    for task in ending:
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains that nobody has; also of those that had ended before
