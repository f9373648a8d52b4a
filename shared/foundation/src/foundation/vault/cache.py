"""Keys in a process's memory: bounded, and void as a whole once they might be older than an erasure elsewhere."""

import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A map of at most `size_max` entries that forgets what was not asked for lately (two generations: as good as LRU, and cheaper)."""

    def __init__(self, size_max: int) -> None:
        self._half = max(1, size_max // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[key] = value

    def clear(self) -> None:
        self._young, self._old = {}, {}


class Freshness:
    """Whether what is remembered still counts: only within `seconds` of the last time the vault's epoch was known to be ours.

    Measured from *before* the question was sent, on a clock that goes on while a process is stopped.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = 0.0

    def holds(self) -> bool:
        return time.monotonic() < self._until

    def confirm(self, asked_at: float) -> None:
        self._until = max(self._until, asked_at + self.seconds)

    def end(self) -> None:
        self._until = 0.0
