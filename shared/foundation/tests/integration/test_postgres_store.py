"""What the contract cannot say: the lock and its snapshot, lost connections, other processes, a full disk."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from foundation.store.batch import APPEND, Batch
from foundation.store.port import (
    Appended,
    AppendRequest,
    CommandKey,
    Conflict,
    NewEvent,
    Recorded,
    StreamAppend,
)
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit

from tests.support import PATIENCE_SECONDS

from .stores import opened


def request(stream: str, expected: int = 0, *, text: str = "x", command: CommandKey | None = None) -> AppendRequest:
    return AppendRequest((StreamAppend(stream, expected, (NewEvent("test.Happened.v1", text.encode()),)),), command)


def key() -> CommandKey:
    return CommandKey(uuid4(), b"hmac", b"result")


@pytest.fixture
async def admin(migrated: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(migrated)
    yield connection
    await connection.close()


async def until(admin: "asyncpg.Connection[asyncpg.Record]", condition: str) -> None:
    """Wait, bounded, until a query of the server's own views says true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await admin.fetchval(condition):  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.005)


# -------------------------------------------------------------------------------------------------- the lock


async def test_the_snapshot_follows_the_lock(migrated: str, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Two transactions: the second waits for the first's lock, and then must see what the first has committed."""
    first, second = await asyncpg.connect(migrated), await asyncpg.connect(migrated)
    try:
        transaction = first.transaction()
        await transaction.start()
        await first.fetch(APPEND, *Batch([request("a-1", text="1"), request("a-2", command=(command := key()))]).arguments())
        requests = [request("a-3"), request("a-1", 1), request("a-1", 0), request("a-9", command=command)]
        waiting = asyncio.create_task(second.fetch(APPEND, *Batch(requests).arguments()))
        await until(admin, "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)")
        await transaction.commit()
        outcomes = Batch(requests).outcomes(await waiting)
        assert outcomes[:2] == [Appended(2), Appended(3)]
        assert isinstance(outcomes[2], Conflict)
        assert type(outcomes[3]).__name__ == "Repeated"
        assert await admin.fetchval("select array_agg(position order by position) from events") == [0, 1, 2, 3]
    finally:
        await first.close()
        await second.close()


async def test_an_older_snapshot_is_refused(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    with pytest.raises(asyncpg.RaiseError, match="read committed"):
        async with admin.transaction(isolation="repeatable_read"):
            await admin.fetch(APPEND, *Batch([request("a-1")]).arguments())


@pytest.mark.parametrize("change", ["update events set type = ''", "delete from events", "truncate events", "delete from commands"])
async def test_history_is_append_only(migrated: str, admin: "asyncpg.Connection[asyncpg.Record]", change: str) -> None:
    async with opened(migrated) as store:
        await store.append([request("a-1", command=key())])
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await admin.execute(change)


async def test_a_poison_request_in_a_batch_of_good_ones(migrated: str) -> None:
    async with opened(migrated) as store:
        writer = GroupCommit(store)
        await writer.start()
        large = AppendRequest((StreamAppend("a-2", 0, (NewEvent("t", b"x" * 60_001),)),))
        nul = request("a\0b")
        answers = [writer.submit(one) for one in (request("a-1"), large, nul, request("a-3"))]
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        assert (outcomes[0], outcomes[3]) == (Appended(0), Appended(1))
        assert isinstance(outcomes[1], asyncpg.CheckViolationError)
        assert isinstance(outcomes[2], asyncpg.PostgresError)
        await writer.close()


# ----------------------------------------------------------------------------------------- lost connections


class Proxy:
    """A TCP proxy that can swallow the server's answer and hang up: the outcome of what was sent is then unknown to the client."""

    def __init__(self, dsn: str) -> None:
        self._behind = urlsplit(dsn)
        self.swallow_answers_to: bytes | None = None
        self.refuse = self.forward_before_hanging_up = False
        self.hung_up = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    @property
    def dsn(self) -> str:
        """The same database, through the proxy."""
        port = self._server.sockets[0].getsockname()[1]
        account = self._behind.netloc.rsplit("@", 1)[0]
        return urlunsplit(self._behind._replace(netloc=f"{account}@127.0.0.1:{port}"))

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_connection(self._behind.hostname, self._behind.port)
            back = asyncio.create_task(self._pump(up_reader, writer))
            await self._forward(reader, up_reader, up_writer, back)
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            up_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, up_reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter, back: "asyncio.Task[None]"
    ) -> None:
        while data := await reader.read(1 << 20):
            if self.swallow_answers_to is not None and self.swallow_answers_to in data:
                self.swallow_answers_to = None
                self.hung_up += 1
                if self.forward_before_hanging_up:
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    up_writer.write(data)
                    await up_reader.read(1)  # the answer has begun to come: the commit is done
                return
            up_writer.write(data)

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize("committed", [True, False], ids=["after the commit", "before the commit"])
async def test_a_connection_lost_with_the_batch_under_way(migrated: str, committed: bool) -> None:
    async with Proxy(migrated) as proxy, opened(proxy.dsn) as store:
        await store.append([request("a-1", text="before")])
        proxy.forward_before_hanging_up = committed
        proxy.swallow_answers_to = b"needle"
        first = request("a-2", text="needle", command=key())
        requests = [
            first,
            request("a-3", text="without a command"),
            request("a-1", 0, text="in conflict"),
            AppendRequest((StreamAppend("a-3", 1, (NewEvent("t", b"y"), NewEvent("t", b"z"))),), None, (first,)),
            AppendRequest((StreamAppend("a-1", 1),)),
        ]
        seen = asyncio.create_task(follow(store, upto=4))
        outcomes = await store.append(requests)
        assert proxy.hung_up == 1
        assert (outcomes[0], outcomes[1], outcomes[3], outcomes[4]) == (Appended(1), Appended(2), Appended(4), Appended(4))
        assert isinstance(outcomes[2], Conflict)
        assert [one.record for one in await store.read(-1)] == [b"before", b"needle", b"without a command", b"y", b"z"]
        assert await asyncio.wait_for(seen, PATIENCE_SECONDS) == [0, 1, 2, 3, 4]
        assert await store.append([request("a-4")]) == [Appended(5)]


async def follow(store: PostgresStore, *, upto: int) -> list[int]:
    positions: list[int] = []
    async with aclosing(cast("Any", store.subscribe(-1))) as batches:
        async for batch in batches:
            positions.extend(one.position for one in batch)
            if positions[-1] >= upto:
                break
    return positions


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_writers_server_process_killed_again_and_again(
    migrated: str, admin: "asyncpg.Connection[asyncpg.Record]", seed: int
) -> None:
    """pg_terminate_backend at random moments under load: every request is answered, nothing is lost and nothing is there twice."""
    chance = random.Random(seed)
    async with opened(migrated) as store:
        writer = GroupCommit(store, batch_max=20)
        await writer.start()
        done = asyncio.Event()
        kills = 0

        async def kill() -> None:
            nonlocal kills
            while not done.is_set():
                await asyncio.sleep(chance.uniform(0.005, 0.06))
                kills += await admin.fetchval(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                    " where datname = current_database() and query like '%append_%v1%' and pid <> pg_backend_pid()"
                )

        async def call(caller: int) -> list[str]:
            texts: list[str] = []
            while len(texts) < 40 or not kills:
                number = len(texts)
                text = f"{caller}.{number}"
                outcome = await writer.submit(request(f"s-{caller}", number, text=text, command=key() if caller % 2 else None))
                assert isinstance(outcome, Appended)
                texts.append(text)
            return texts

        killer = asyncio.create_task(kill())
        acknowledged = [text for texts in await asyncio.gather(*(call(caller) for caller in range(16))) for text in texts]
        done.set()
        await killer
        await writer.close()
        events = await store.read(-1, limit=10_000)
    assert kills > 0
    assert sorted(one.record.decode() for one in events) == sorted(acknowledged)
    ensure_whole(events)


def ensure_whole(events: Sequence[Recorded]) -> None:
    """Positions from 0 without a gap, and versions from 1 without a gap in each stream."""
    assert [one.position for one in events] == list(range(len(events)))
    versions: dict[str, int] = {}
    for one in events:
        assert one.version == versions.get(one.stream, 0) + 1
        versions[one.stream] = one.version
