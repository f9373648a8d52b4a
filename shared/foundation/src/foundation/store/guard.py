"""The rollback guard: no writes on a history of which somebody has seen more than it holds (DESIGN 3).

A restored backup looks like any other history to itself; only those who followed it can tell. Ways out: re-append the missing
records byte for byte, or declare a new epoch (docs/decisions/0002-event-store.md).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import structlog
from contracts.foundation import EpochOpened

from foundation.cursor import Pool
from foundation.ids import random_id, uuid7
from foundation.merkle import CompactRange
from foundation.record import RecordMalformed, decode, encode, leaf_hash
from foundation.store.heads import read_head
from foundation.store.port import Head, Recorded, WritesRefused

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger()


class Reach(NamedTuple):
    """How far somebody has seen a history who keeps roots instead of leaves; `differs`: this history does not continue what it saw."""

    epoch: int
    position: int
    differs: bool = False


Witness = Callable[[], Awaitable[Head | Reach | None]]
"""Asks somebody how far it has seen this history; None where it has seen nothing. May raise or hang: then it does not count."""

WITNESS_SECONDS = 5.0
"""How long a witness may take to answer."""

AGAIN_SECONDS = 2.0
"""How long a refusal stands before the witnesses are asked again, and how often silent ones are."""


class RestoreRefused(Exception):
    """Records offered to fill a history do not continue it; none of them was written."""


class RollbackGuard:
    """Compares a history with what its witnesses have seen. `PostgresStore(pool, before_writing=guard.check)` obeys it.

    A witness that does not answer holds nothing back (a dead broker must not stop a service); `watch` goes on asking it.
    """

    def __init__(self, pool: Pool, witnesses: Mapping[str, Witness]) -> None:
        self._pool, self._witnesses = pool, dict(witnesses)
        self._silent: set[str] = set()
        self._refusal: WritesRefused | None = None
        self._asked_at = float("-inf")
        self._seen: dict[str, Head] = {}

    @property
    def refusal(self) -> WritesRefused | None:
        """Why writes are refused, as of the last check."""
        return self._refusal

    async def check(self) -> None:
        """Ask every witness, at most every AGAIN_SECONDS while refused. Raises WritesRefused."""
        now = asyncio.get_running_loop().time()
        if self._refusal is not None and now < self._asked_at + AGAIN_SECONDS:
            raise self._refusal
        refusal = await self._ask(self._witnesses)
        if refusal is not None:
            raise refusal

    async def watch(self, distrust: Callable[[], None]) -> None:
        """Run for ever: ask again whoever did not answer; where one turns out to have seen more, `distrust` makes the store check anew."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            silent = {by: self._witnesses[by] for by in self._silent}
            try:
                if silent and self._refusal is None and await self._ask(silent) is not None:
                    distrust()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                # Our own database is away: what they say now cannot be compared, so they are asked again.
                self._silent |= silent.keys()
                log.warning("store.guard_waits", error=type(error).__name__)

    async def _ask(self, witnesses: Mapping[str, Witness]) -> WritesRefused | None:
        self._asked_at = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(self._answer(by, ask) for by, ask in witnesses.items()))
        ours = await read_head(self._pool)
        refusals = [
            WritesRefused(ours.position, seen.position, by)
            for by, seen in answers
            if seen is not None and await self._is_beyond(seen, ours)
        ]
        self._refusal = max(refusals, key=lambda refusal: refusal.seen, default=None)
        if self._refusal is not None:
            log.error("store.writes_refused", ours=ours.position, seen=self._refusal.seen, by=self._refusal.by)
        return self._refusal

    async def _answer(self, by: str, ask: Witness) -> tuple[str, Head | Reach | None]:
        try:
            async with asyncio.timeout(WITNESS_SECONDS):
                seen = await ask()
        except Exception as error:
            log.warning("store.witness_silent", witness=by, reason=repr(error))
            self._silent.add(by)
            return by, None
        self._silent.discard(by)
        if isinstance(seen, Head):
            self._seen[by] = seen
        return by, seen

    async def _is_beyond(self, seen: Head | Reach, ours: Head) -> bool:
        if seen.epoch != ours.epoch:
            return seen.epoch > ours.epoch  # what was seen of an epoch that has been given up does not count
        if seen.position > ours.position:
            return True
        if isinstance(seen, Reach):
            return seen.differs
        return seen.position >= 0 and seen.leaf != await self._pool.fetchval("select leaf from events where position = $1", seen.position)

    # ------------------------------------------------------------------------------------------------ ways out

    async def restore(self, records: Sequence[Recorded]) -> Head:
        """Append lost records where they stood, byte for byte; in several calls where there are many. Returns the head reached.

        Every record is checked: its place, hash and envelope, its stream's version, and the leaves that witnesses have seen.
        Raises RestoreRefused.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select lock_history()")
            ours = await read_head(connection)
            streams = await connection.fetch(
                "select stream, max(version) as version from events where stream = any($1::text[]) group by stream",
                [recorded.stream for recorded in records],
            )
            versions = {row["stream"]: row["version"] for row in streams}
            for position, recorded in enumerate(records, ours.position + 1):
                _check_restorable(recorded, position, versions.get(recorded.stream, 0) + 1)
                versions[recorded.stream] = recorded.version
            self._check_seen(records)
            for recorded in records:
                await _insert(connection, recorded)
            reached = await read_head(connection)
        self._asked_at = float("-inf")  # what was refused before says nothing any more
        return reached

    def _check_seen(self, records: Sequence[Recorded]) -> None:
        leaves = {recorded.position: recorded.leaf for recorded in records}
        for by, seen in self._seen.items():
            if leaves.get(seen.position, seen.leaf) != seen.leaf:
                raise RestoreRefused(f"position {seen.position}: {by} has seen another record there")

    async def declare_epoch(self, *, origin: str, source: str, actor: str, now: datetime) -> Head:
        """Give up what was lost beyond the surviving records and go on: the operator's decision, never a program's.

        `origin` is the old log's origin, `source` this service's CloudEvents source, `actor` who decides. Positions continue at the
        surviving size with a `foundation.EpochOpened` record; consumers rebuild. Returns the new head.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select lock_history()")
            ours = await read_head(connection)
            tree = CompactRange()
            async for row in connection.cursor("select leaf from events order by position", prefetch=10_000):
                tree.extend((row["leaf"],))
            opened = EpochOpened(epoch=ours.epoch + 1, old_origin=origin, old_size=tree.size, old_root=tree.root().hex())
            record = encode(
                id=uuid7(now),
                source=source,
                type=EpochOpened.TYPE,
                stream=f"epoch-{opened.epoch}",
                time=now,
                version=1,
                correlation=random_id(),
                causation=None,
                actor=actor,
                org=None,
                data=opened.model_dump(mode="json"),
            )
            first = Recorded(tree.size, f"epoch-{opened.epoch}", 1, EpochOpened.TYPE, record, leaf_hash(record))
            await _insert(connection, first)
        log.error("store.epoch_declared", epoch=opened.epoch, size=tree.size, root=opened.old_root, actor=actor)
        self._refusal = None
        return Head(opened.epoch, first.position, first.leaf)


def _check_restorable(recorded: Recorded, position: int, version: int) -> None:
    try:
        envelope = decode(recorded.record)
    except RecordMalformed as error:
        raise RestoreRefused(f"position {position}: {error}") from error
    if recorded.position != position:
        raise RestoreRefused(f"position {position} is missing next, not {recorded.position}")
    if recorded.leaf != leaf_hash(recorded.record):
        raise RestoreRefused(f"position {position}: the record does not hash to its leaf")
    if (envelope.stream, envelope.version, envelope.type) != (recorded.stream, recorded.version, recorded.type):
        raise RestoreRefused(f"position {position}: the record says {envelope.stream} v{envelope.version} {envelope.type}")
    if recorded.version != version:
        raise RestoreRefused(f"position {position}: {recorded.stream} goes on with version {version}, not {recorded.version}")


async def _insert(connection: "Connection", recorded: Recorded) -> None:
    envelope = decode(recorded.record)
    await connection.execute(
        "insert into events (position, recorded_at, version, stream, type, leaf, record) values ($1, $2, $3, $4, $5, $6, $7)",
        *(recorded.position, envelope.time, recorded.version, recorded.stream, recorded.type, recorded.leaf, recorded.record),
    )
    if recorded.type == EpochOpened.TYPE:
        opened = EpochOpened.model_validate(envelope.data)
        await connection.execute(
            "insert into epochs (epoch, position, old_origin, old_size, old_root, declared_at) values ($1, $2, $3, $4, $5, $6)",
            *(opened.epoch, recorded.position, opened.old_origin, opened.old_size, bytes.fromhex(opened.old_root), envelope.time),
        )
