"""A history restored from an old backup: writes stop until the lost records are back, byte for byte, or a new epoch is declared."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from contracts.foundation import EpochOpened
from foundation.cursor import Pool
from foundation.merkle import CompactRange
from foundation.record import decode, encode, leaf_hash
from foundation.store import guard as guard_module
from foundation.store.guard import RestoreRefused, RollbackGuard, Witness
from foundation.store.heads import read_head
from foundation.store.port import NO_LEAF, Appended, AppendRequest, Head, NewEvent, Recorded, StreamAppend, WritesRefused
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit

from tests.support import PATIENCE_SECONDS

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
TYPE = "test.Happened.v1"


def record(stream: str, version: int, text: str = "x") -> bytes:
    return encode(
        id=f"{stream}-{version}",
        source="/nodes/3709/test",
        type=TYPE,
        stream=stream,
        time=NOW,
        version=version,
        correlation="c",
        causation=None,
        actor="a",
        org=None,
        data={"text": text},
    )


def request(stream: str, expected: int = 0) -> AppendRequest:
    return AppendRequest((StreamAppend(stream, expected, (NewEvent(TYPE, record(stream, expected + 1)),)),))


class Node:
    """A history with a guard, and what its witness says."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.seen: Head | None = None
        self.silent = False
        self.asked = asyncio.Semaphore(0)
        self.guard = RollbackGuard(pool, {"the topic": self.witness, "nobody": self.nothing})
        self.store = PostgresStore(pool, before_writing=self.guard.check)
        self.next: Node | None = None

    async def witness(self) -> Head | None:
        self.asked.release()
        if self.silent:
            raise ConnectionError("no broker")
        return self.seen

    async def nothing(self) -> Head | None:
        return None

    async def restarted(self) -> "Node":
        """The same history opened anew, with the same witness."""
        await self.store.close()
        node = self.next = Node(self.pool)
        node.seen, node.silent = self.seen, self.silent
        await node.store.start()
        return node

    async def roll_back_to(self, position: int) -> list[Recorded]:
        """What restoring an old backup does; the records lost."""
        lost = list(await self.store.read(position))
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica")  # past the append-only triggers
            await connection.execute("delete from events where position > $1", position)
            await connection.execute("delete from epochs where position > $1", position)
        return lost


@pytest.fixture
async def node(migrated: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """Ten events; the topic has seen them all."""
    monkeypatch.setattr(guard_module, "AGAIN_SECONDS", 0.0)
    async with asyncpg.create_pool(migrated, min_size=1, max_size=8) as pool:
        node = Node(pool)
        await node.store.start()
        await node.store.append(
            [request("a-1", 0), *(request("a-1", version) for version in range(1, 7)), *(request(f"b-{n}") for n in range(3))]
        )
        node.seen = await node.store.head()
        yield node
        while node.next is not None:
            node = node.next
        await node.store.close()


async def test_an_ordinary_restart_goes_on(node: Node) -> None:
    node = await node.restarted()
    assert await node.store.append([request("c-1")]) == [Appended(10)]
    node.seen = Head(0, 4, (await node.store.leaf_at(4)) or b"")  # a witness that is behind is no reason
    node = await node.restarted()
    assert await node.store.append([request("c-1", 1)]) == [Appended(11)]
    node.seen = Head(0, -1, NO_LEAF)
    node = await node.restarted()
    assert await node.store.append([request("c-1", 2)]) == [Appended(12)]


async def test_a_rolled_back_history_is_read_but_not_written(node: Node) -> None:
    await node.roll_back_to(5)
    node = await node.restarted()
    assert (await node.store.head()).position == 5
    assert isinstance(node.guard.refusal, WritesRefused)
    writer = GroupCommit(node.store)
    await writer.start()
    with pytest.raises(WritesRefused, match="ends at position 5, but the topic has seen 9"):
        await writer.submit(request("c-1"))
    await writer.close()
    assert (await node.store.head()).position == 5


async def test_another_record_where_a_witness_saw_one_is_refused_too(node: Node) -> None:
    await node.roll_back_to(8)
    await node.store.append([request("other-1"), request("other-2")])
    node = await node.restarted()
    with pytest.raises(WritesRefused, match="the topic has seen another record at position 9"):
        await node.store.append([request("c-1")])


async def test_the_guard_asks_again_on_a_new_connection(node: Node) -> None:
    await node.store.append([request("c-1")])
    await node.roll_back_to(5)
    await node.pool.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    with pytest.raises(WritesRefused):
        await node.store.append([request("c-2")])


async def test_restoring_byte_for_byte_opens_the_history_again(node: Node) -> None:
    before = await node.store.read(-1)
    lost = await node.roll_back_to(3)
    node = await node.restarted()
    assert (await node.guard.restore(lost[:4])).position == 7
    with pytest.raises(WritesRefused):
        await node.store.append([request("c-1")])
    assert await node.guard.restore(lost[4:]) == node.seen
    assert await node.store.append([request("c-1")]) == [Appended(10)]
    assert list(await node.store.read(-1, upto=9)) == list(before)
    assert await node.store.versions(["a-1"]) == {"a-1": 7}


Spoil = Callable[[list[Recorded]], list[Recorded]]


def other_bytes(lost: list[Recorded]) -> list[Recorded]:
    forged = record("b-2", 1, "forged")
    return [*lost[:-1], lost[-1]._replace(record=forged, leaf=leaf_hash(forged))]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda lost: lost[1:], "position 4 is missing next, not 5"),
        (lambda lost: [lost[0], *lost[2:]], "position 5 is missing next, not 6"),
        (lambda lost: [lost[0]._replace(record=b"{}"), *lost[1:]], "not a record"),
        (lambda lost: [lost[0]._replace(leaf=NO_LEAF), *lost[1:]], "does not hash to its leaf"),
        (lambda lost: [lost[0]._replace(stream="z-1"), *lost[1:]], "the record says a-1 v5"),
        (lambda lost: [one._replace(position=4 + n) for n, one in enumerate([lost[1]])], "goes on with version 5, not 6"),
        (other_bytes, "position 9: the topic has seen another record there"),
    ],
)
async def test_records_that_do_not_continue_the_history_are_refused(node: Node, spoil: Spoil, reason: str) -> None:
    lost = await node.roll_back_to(3)
    node = await node.restarted()
    with pytest.raises(RestoreRefused, match=reason):
        await node.guard.restore(spoil(lost))
    assert (await node.store.head()).position == 3


async def declare(node: Node) -> Head:
    return await node.guard.declare_epoch(origin="union.example/3709/test", source="/nodes/3709/test", actor="operator", now=NOW)


async def test_a_declared_epoch_goes_on_at_the_surviving_size(node: Node) -> None:
    await node.roll_back_to(5)
    node = await node.restarted()
    head = await declare(node)
    assert head == await node.store.head()
    assert (head.epoch, head.position) == (1, 6)
    [opened] = await node.store.read_stream("epoch-1")
    envelope = decode(opened.record)
    tree = CompactRange()
    tree.extend(one.leaf for one in await node.store.read(-1, upto=5))
    assert EpochOpened.model_validate(envelope.data) == EpochOpened(
        epoch=1, old_origin="union.example/3709/test", old_size=6, old_root=tree.root().hex()
    )
    assert (envelope.stream, envelope.version, envelope.type) == (opened.stream, opened.version, opened.type)
    assert await node.store.append([request("c-1")]) == [Appended(7)]
    node = await node.restarted()  # the topic still shows position 9 of the epoch given up
    assert await node.store.append([request("c-2")]) == [Appended(8)]
    assert (await node.store.head()).epoch == 1


async def test_a_lost_epoch_is_noticed_and_restored_with_its_record(node: Node) -> None:
    await node.roll_back_to(5)
    node = await node.restarted()
    node.seen = await declare(node)
    [opened] = await node.roll_back_to(5)
    node = await node.restarted()
    with pytest.raises(WritesRefused):
        await node.store.append([request("c-1")])
    assert await node.guard.restore([opened]) == node.seen
    assert await node.store.append([request("c-1")]) == [Appended(7)]


async def test_an_epoch_of_an_empty_history(node: Node) -> None:
    await node.roll_back_to(-1)
    node = await node.restarted()
    assert await declare(node) == await node.store.head()
    [opened] = await node.store.read(-1)
    assert decode(opened.record).data["old_root"] == CompactRange().root().hex()


async def test_a_silent_witness_holds_nothing_back_but_is_asked_until_it_answers(node: Node) -> None:
    await node.roll_back_to(5)
    node.silent = True
    node = await node.restarted()
    assert await node.store.append([request("c-1")]) == [Appended(6)]
    watch = asyncio.create_task(node.guard.watch(node.store.distrust))
    for _ in range(3):
        await node.asked.acquire()
    node.silent = False
    await refused(node)
    watch.cancel()
    with pytest.raises(WritesRefused):
        await node.store.append([request("c-2")])


async def test_what_a_witness_says_while_the_own_database_is_away_is_asked_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the watch goes on: a part that dies takes the process with it."""
    await node.roll_back_to(5)
    node.silent = True
    node = await node.restarted()
    assert await node.store.append([request("c-1")]) == [Appended(6)]
    failures = iter([ConnectionRefusedError(), asyncpg.CannotConnectNowError(), asyncpg.InterfaceError("closed")])

    async def away(pool: Pool) -> Head:
        if not node.silent and (failure := next(failures, None)) is not None:
            raise failure
        return await read_head(pool)

    monkeypatch.setattr(guard_module, "read_head", away)
    watch = asyncio.create_task(node.guard.watch(node.store.distrust))
    await node.asked.acquire()
    node.silent = False
    await refused(node)
    watch.cancel()
    assert next(failures, None) is None


async def refused(node: Node) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while node.guard.refusal is None:  # noqa: ASYNC110 - the guard has no event for it, and needs none
            await asyncio.sleep(0.001)


async def test_a_witness_that_hangs_is_silent(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "WITNESS_SECONDS", 0.05)

    async def hangs() -> Head | None:
        await asyncio.Event().wait()
        return None

    witness: Witness = hangs
    guard = RollbackGuard(node.pool, {"hung": witness})
    await asyncio.wait_for(guard.check(), PATIENCE_SECONDS)
    assert guard.refusal is None
