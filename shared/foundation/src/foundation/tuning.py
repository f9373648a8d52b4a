"""Settings of the interpreter for a process that serves."""

import gc

GENERATIONS = (50_000, 20, 50)
"""Allocations before a young collection, and how many of those before an older one. CPython's 700 spends more time walking thousands of
waiting tasks than handling them: three of four microseconds per refused command in a burst of 5,000 (docs/performance.md)."""


def settle_garbage_collector() -> None:
    """Call once when everything is wired: what lives now lives as long as the process, so collections need not walk it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GENERATIONS)
