"""Pushes, gaps and slow subscribers, without a database."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, cast

import pytest
from foundation.record import leaf_hash
from foundation.store import feed as feed_module
from foundation.store.feed import BACKLOG_BYTES_MAX, Broken, Feed, ensure_continues
from foundation.store.port import Recorded, StoreUnavailable


def events(first: int, last: int, size: int = 1) -> list[Recorded]:
    record = b"x" * size
    return [Recorded(position, f"s-{position}", 1, "test.Happened.v1", record, leaf_hash(record)) for position in range(first, last + 1)]


class Table:
    """What stands in the table, and how often it was read."""

    def __init__(self) -> None:
        self.rows: list[Recorded] = []
        self.reads = 0
        self.been_read = asyncio.Semaphore(0)
        self.away = False

    async def read(self, after: int) -> Sequence[Recorded]:
        self.reads += 1
        self.been_read.release()
        if self.away:
            raise StoreUnavailable("away")
        return [row for row in self.rows if row.position > after][:100]


async def follow(feed: Feed, *, upto: int) -> list[int]:
    positions: list[int] = []
    async with aclosing(cast("Any", feed.subscribe(-1))) as batches:
        async for batch in batches:
            positions.extend(one.position for one in batch)
            if positions[-1] >= upto:
                return positions
    return positions


async def waiting(table: Table, feed: Feed, *, upto: int) -> asyncio.Task[list[int]]:
    """A follower that has read the empty table and waits for pushes."""
    task = asyncio.create_task(follow(feed, upto=upto))
    await table.been_read.acquire()
    return task


async def test_pushes_alone_suffice() -> None:
    table = Table()
    feed = Feed(table.read, poll_seconds=60)
    task = await waiting(table, feed, upto=5)
    feed.push(events(0, 2))
    feed.push(events(3, 5))
    assert await task == [0, 1, 2, 3, 4, 5]
    assert table.reads == 1


async def test_a_missed_push_is_read_from_the_table() -> None:
    table = Table()
    feed = Feed(table.read, poll_seconds=60)
    task = await waiting(table, feed, upto=9)
    table.rows = events(0, 9)
    feed.push(events(7, 9))
    assert await task == list(range(10))


async def test_repeated_and_overlapping_pushes_are_seen_once() -> None:
    table = Table()
    feed = Feed(table.read, poll_seconds=60)
    task = await waiting(table, feed, upto=5)
    for first, last in [(0, 2), (0, 2), (1, 4), (5, 5)]:
        feed.push(events(first, last))
    assert await task == [0, 1, 2, 3, 4, 5]


async def test_polling_is_the_net_under_a_lost_push() -> None:
    table = Table()
    feed = Feed(table.read, poll_seconds=0.01)
    task = await waiting(table, feed, upto=1)
    table.rows = events(0, 1)
    assert await asyncio.wait_for(task, 5) == [0, 1]


async def test_a_slow_subscriber_holds_a_bounded_backlog() -> None:
    table = Table()
    feed = Feed(table.read, poll_seconds=60)
    batches = cast("Any", feed.subscribe(-1))
    table.rows = events(0, 0)
    assert [one.position for one in await anext(batches)] == [0]
    for position in range(1, 400):
        table.rows += events(position, position, 60_000)
        feed.push(table.rows[-1:])
        [subscriber] = feed._subscribers
        assert sum(len(one.record) for batch in subscriber.backlog for one in batch) == subscriber.bytes_held <= BACKLOG_BYTES_MAX
    positions: list[int] = []
    while not positions or positions[-1] < 399:
        positions.extend(one.position for one in await anext(batches))
    assert positions == list(range(1, 400))
    await batches.aclose()
    assert not feed.followed


async def test_a_gap_in_the_table_itself_is_never_passed_over() -> None:
    table = Table()
    table.rows = [*events(0, 1), *events(3, 4)]
    feed = Feed(table.read, poll_seconds=60)
    with pytest.raises(Broken, match="expected position 2 next, got 3"):
        await follow(feed, upto=4)
    with pytest.raises(Broken):
        ensure_continues(events(1, 1), -1)


async def test_subscribers_wait_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "RETRY_SECONDS", 0.01)
    table = Table()
    table.rows, table.away = events(0, 3), True
    feed = Feed(table.read, poll_seconds=60)
    task = asyncio.create_task(follow(feed, upto=3))
    for _ in range(3):
        await table.been_read.acquire()
    table.away = False
    assert await asyncio.wait_for(task, 5) == [0, 1, 2, 3]


async def test_closing_ends_subscriptions() -> None:
    table = Table()
    feed = Feed(table.read, poll_seconds=60)
    task = await waiting(table, feed, upto=1)
    feed.close()
    assert await asyncio.wait_for(task, 5) == []
