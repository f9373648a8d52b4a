"""What every measured program shares: the payload, the clock around callers, and one JSON line of results on standard output."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

DATA_BYTES = 190
"""Clear data of an event such that the whole record, with envelope and one sealed field, is about 500 bytes."""


def payload(size: int = 500) -> dict[str, str]:
    """An event body whose JSON has `size` bytes; random, so that nothing compresses it away."""
    return {"text": os.urandom(size).hex()[: size - 11]}


def quantile(values: list[float], q: float) -> float:
    """The q-quantile of measured values (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def report(**figures: Any) -> None:
    """The program's last words: one line of JSON."""
    os.write(1, orjson.dumps(figures) + b"\n")


async def callers(count: int, total: int, call: Callable[[int, int], Awaitable[object]]) -> dict[str, float]:
    """`total` calls by `count` callers, each sending its next when the last was answered: rate per second and latencies in ms.

    `call(caller, number)` gets the caller's index and the call's number.
    """
    numbers = iter(range(total))
    latencies: list[float] = []

    async def one(caller: int) -> None:
        for number in numbers:
            began = time.perf_counter()
            await call(caller, number)
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(one(caller) for caller in range(count)))
    seconds = time.perf_counter() - began
    return {
        "rate": total / seconds,
        "p50_ms": quantile(latencies, 0.5) * 1000,
        "p99_ms": quantile(latencies, 0.99) * 1000,
        "seconds": seconds,
    }


async def paced(rate: int, seconds: int, once: Callable[[int], Awaitable[object]]) -> None:
    """`rate` calls a second for some seconds, begun on time whether or not earlier ones are done (an open loop); ends when all are done."""
    began = time.perf_counter()
    tasks = []
    for number in range(rate * seconds):
        ahead = began + number / rate - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.ensure_future(once(number)))
    await asyncio.gather(*tasks)
