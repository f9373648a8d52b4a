"""Settings of the interpreter for a process that serves."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

GENERATIONS = (50_000, 20, 50)
"""Allocations before a young collection, and how many of those before an older one. CPython's 700 spends more time walking thousands of
waiting tasks than handling them: three of four microseconds per refused command in a burst of 5,000 (docs/performance.md)."""

GENERATIONS_IN_BULK = (200_000, *GENERATIONS[1:])


def settle_garbage_collector() -> None:
    """Call once when everything is wired: what lives now lives as long as the process, so collections need not walk it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GENERATIONS)


@contextmanager
def in_bulk() -> Iterator[None]:
    """While thousands of commands are under way at a time: at any moment tens of thousands of objects of theirs are alive, which each young
    collection would walk for nothing (of a roster's row 18 to 23 µs, every one of 50,000 found alive)."""
    gc.set_threshold(*GENERATIONS_IN_BULK)
    try:
        yield
    finally:
        # Also where another bulk is under way: it is slower then, and nothing else.
        gc.set_threshold(*GENERATIONS)
