"""Ending background tasks."""

import asyncio
import gc
from typing import Any

from foundation.tasks import end


async def test_what_ended_by_itself_is_looked_at_too() -> None:
    """Else asyncio reports an exception that was never retrieved, long after and without a place."""
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))

    async def fails() -> None:
        raise LookupError

    async def stays() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(fails()), asyncio.create_task(stays())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await end(tasks)
    assert [task.done() for task in tasks] == [True, True]
    del tasks
    gc.collect()
    assert said == []
