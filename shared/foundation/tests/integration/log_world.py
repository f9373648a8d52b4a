"""A history with its log, and a sibling that witnesses it over the real route: everything in one database, made anew as often as wanted."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx
from foundation.clock import SystemClock
from foundation.cursor import Pool
from foundation.http.log import log_router
from foundation.http.stack import build
from foundation.log.checkpoint import open_checkpoint
from foundation.log.cosigners import Cosigner
from foundation.log.edge import Edge
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned
from foundation.log.own import OwnLog
from foundation.log.proofs import verify_consistency
from foundation.log.publisher import Publisher
from foundation.log.reaches import Reaches
from foundation.log.storage import LogStore, Stored
from foundation.log.tiles import Tile
from foundation.log.witness import Witness
from foundation.record import encode, leaf_hash
from foundation.store.guard import RollbackGuard
from foundation.store.postgres import PostgresStore
from foundation.telemetry import Metrics, Traces

NAME, SIBLING = "books", "shelves"
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
TYPE = "test.Happened.v1"


def record(position: int, text: str = "x") -> bytes:
    return encode(
        id=f"{text}-{position}",
        source="/nodes/1/books",
        type=TYPE,
        stream=f"s-{text}-{position}",
        time=NOW,
        version=1,
        correlation="c",
        causation=None,
        actor="a",
        org=None,
        data={"text": text},
    )


class World:
    """One life of the service: what a process holds. `sibling` answers for the witness, unless `silent`."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool, self.keys, self.silent = pool, LogKeys(folder, "1"), False
        for name in (NAME, SIBLING):
            self.keys.make(name)
        self.asked: list[int] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._sibling))
        witness = OwnLog(SIBLING, LogStore(pool), self.keys, Witness(pool, self.keys, SIBLING, SystemClock()))
        self._http = build(SIBLING, "1", [log_router(_nobody)], lifespan=_nothing, metrics=Metrics(SIBLING), traces=Traces(SIBLING))
        self._http.state.application = SimpleNamespace(log=witness)
        self.log = LogStore(pool)
        self.memory = LastSigned(folder, NAME, self.keys)
        cosigners = [Cosigner(SIBLING, f"http://{SIBLING}", self.keys, self.client, self.log.consistency)]
        reaches = Reaches(pool, self.log, self.keys, NAME, memory=self.memory, cosigners=cosigners)
        self.guard = RollbackGuard(pool, reaches.witnesses())
        self.store = PostgresStore(pool, before_writing=self.guard.check)
        self.publisher = Publisher(
            NAME,
            pool=pool,
            store=self.log,
            keys=self.keys,
            memory=self.memory,
            cosigners=cosigners,
            guard=self.guard,
            distrust=self.store.distrust,
            clock=SystemClock(),
            every_seconds=0.01,
        )

    async def post(self, body: bytes) -> httpx.Response:
        """Ask the sibling to cosign."""
        return await self.client.post(f"http://{SIBLING}/witness/add-checkpoint", content=body)

    async def _sibling(self, request: httpx.Request) -> httpx.Response:
        if self.silent:
            raise httpx.ConnectError("nobody listens there")
        answer = await httpx.ASGITransport(self._http).handle_async_request(request)
        self.asked.append(answer.status_code)
        return answer

    async def fill(self, count: int, text: str = "x") -> None:
        """Let the history grow."""
        first = await self.pool.fetchval("select coalesce(max(position) + 1, 0) from events")
        records = [record(position, text) for position in range(first, first + count)]
        await self.pool.execute(
            "insert into events (position, recorded_at, version, stream, type, leaf, record)"
            " select $1 + i - 1, now(), 1, s, $2, l, r from unnest($3::text[], $4::bytea[], $5::bytea[]) with ordinality as u (s, l, r, i)",
            *(first, TYPE, [f"s-{text}-{first + n}" for n in range(count)], [leaf_hash(one) for one in records], records),
        )

    async def by_force(self, statement: str, *arguments: Any) -> None:
        """What somebody with the database's password does: past every trigger."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            await connection.execute(statement, *arguments)

    async def roll_back_to(self, size: int, *, witness_too: bool = False) -> None:
        """Restore a backup that was taken when the history and its log had this size."""
        leaves = b"".join(row[0] for row in await self.pool.fetch("select leaf from events where position < $1 order by position", size))
        edge, full = Edge().grow(leaves)
        await self.by_force("delete from events where position >= $1", size)
        await self.by_force("delete from log_checkpoints where size > $1", size)
        await self.by_force("delete from log_tiles")
        await self.pool.executemany("insert into log_tiles values ($1, $2, $3)", [(tile.level, tile.number, h) for tile, h in full])
        await self.pool.execute("update log_state set size = $1, edge = $2", edge.size, edge.encode())
        if witness_too:
            await self.pool.execute("delete from witnessed")

    async def check(self) -> Stored:
        """The log is whole and tells of the whole history; returns its newest checkpoint."""
        leaves = [row[0] for row in await self.pool.fetch("select leaf from events order by position")]
        naive, full = Edge().grow(b"".join(leaves))
        assert await self.log.edge() == naive
        stored = {(row[0], row[1]): row[2] for row in await self.pool.fetch("select * from log_tiles")}
        assert stored == {(tile.level, tile.number): hashes for tile, hashes in full}
        newest = await self.log.published()
        assert newest is not None
        assert (newest.size, newest.root) == (len(leaves), naive.root())
        key = self.keys.log_of(self.keys.origin(NAME, newest.epoch))
        assert open_checkpoint(newest.note.encode(), key).checkpoint.root == newest.root
        for size in await self.log.sizes():
            kept = await self.log.published(size)
            assert kept is not None
            verify_consistency(size, newest.size, kept.root, newest.root, await self.log.consistency(size, newest.size))
        remembered = self.memory.read()
        assert remembered is not None
        assert remembered.size == newest.size
        assert await self.log.tiles([Tile(0, 0, 1)]) == {Tile(0, 0, 1): leaves[0]}
        return newest

    async def close(self) -> None:
        await self.client.aclose()
        await self.store.close()


async def _nobody() -> None:
    raise PermissionError


@asynccontextmanager
async def _nothing(_: Any) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def world(dsn: str, folder: Path) -> AsyncIterator[World]:
    """A life with connections of its own; they are cut at its end, as a kill cuts them."""
    async with AsyncExitStack() as stack:
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=8)
        stack.callback(pool.terminate)
        made = World(pool, folder)
        stack.push_async_callback(made.client.aclose)
        yield made
