"""Checkpoints of a history: signed over what is durable, witnessed, published, kept; through crashes, restored backups and damage."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from foundation.clock import SystemClock
from foundation.log.checkpoint import open_checkpoint
from foundation.log.memory import LastSigned
from foundation.log.own import OwnLog
from foundation.log.publisher import Publisher
from foundation.log.scrub import Scrub
from foundation.log.storage import LogDamaged, Remedy
from foundation.log.tiles import Tile
from foundation.log.witness import Witness
from foundation.store import guard as guard_module
from foundation.store.port import Appended, AppendRequest, NewEvent, StreamAppend, WritesRefused
from foundation.tasks import end

from tests.support import PATIENCE_SECONDS

from .log_world import NAME, NOW, SIBLING, TYPE, World, record, world


@pytest.fixture(autouse=True)
def asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "AGAIN_SECONDS", 0.0)


def append(stream: str = "s-new", expected: int = 0) -> AppendRequest:
    return AppendRequest((StreamAppend(stream, expected, (NewEvent(TYPE, record(0, stream)),)),))


async def test_a_history_is_signed_witnessed_and_published(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await it.publisher.advance()
        assert await it.log.published() is None  # nothing to say yet
        for count in (1, 2, 253, 1, 300, 66_000):
            await it.fill(count)
            await it.publisher.advance()
            newest = await it.check()
            assert newest.witnesses == (SIBLING,)
            public = it.keys.public(SIBLING).witness
            assert open_checkpoint(newest.note.encode(), it.keys.public(NAME).log, [public]).note.signed_by(public)
        assert await it.log.sizes() == [1, 3, 256, 257, 557, 66_557]
        before = it.asked.copy()
        await it.publisher.advance()
        assert it.asked == before  # it has not grown, so nobody is asked
        assert it.asked.count(409) == 0


async def test_tiles_take_little_more_than_their_hashes(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await it.fill(65_536)
        await it.publisher.advance()
        await it.pool.execute("vacuum analyze log_tiles")
        bare = await it.pool.fetchval("select sum(octet_length(hashes)) from log_tiles")
        taken = await it.pool.fetchval("select pg_total_relation_size('log_tiles')")
        assert bare == 257 * 8_192
        assert taken < 1.2 * bare


# ------------------------------------------------------------------------------------------------------------- crashes


class Crash(BaseException):
    """The process is gone: nothing catches this."""


class Crashing:
    """Runs a coroutine up to its n-th suspension and ends it there: before what it waits for has answered, or just after.

    `cut` takes its connections away first, so that nothing which is still done on the way out reaches anybody.
    """

    def __init__(self, work: Coroutine[Any, Any, None], suspensions: int, cut: Callable[[], None], *, answered: bool) -> None:
        self._work, self._suspensions, self._cut, self._answered = work, suspensions, cut, answered
        self.crashed = False

    def __await__(self) -> Generator[Any, None, None]:
        steps = self._work.__await__()
        try:
            waited_for = next(steps)
            for _ in range(self._suspensions):
                yield waited_for
                waited_for = next(steps)
            if self._answered:
                yield waited_for
            self._cut()
            self.crashed = True
            waited_for = steps.throw(Crash())
            while True:
                yield waited_for
                waited_for = next(steps)
        except StopIteration:
            return


async def crashed(it: World, suspensions: int, *, answered: bool) -> bool:
    """Whether it came to the crash: otherwise it was done before."""
    before = asyncio.all_tasks()
    crashing = Crashing(it.publisher.advance(), suspensions, it.pool.terminate, answered=answered)

    async def run() -> None:
        await crashing

    try:
        await run()
    except (Crash, asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
        assert crashing.crashed
    finally:
        for task in asyncio.all_tasks() - before:
            task.cancel()
    return crashing.crashed


@pytest.mark.parametrize("answered", [False, True])
async def test_a_crash_at_any_step_leaves_a_log_that_goes_on(migrated: str, tmp_path: Path, answered: bool) -> None:
    """Every await of integrating, signing, persisting, remembering, being cosigned and publishing is the last one of some life."""
    async with world(migrated, tmp_path) as it:
        await it.fill(200)
        await it.publisher.advance()
    suspensions, more, sizes = 0, True, [200]
    while more:
        async with world(migrated, tmp_path) as it:
            await it.fill(60)
            more = await crashed(it, suspensions, answered=answered)
        async with world(migrated, tmp_path) as it:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(it.guard, "_refusal", None)
                await it.guard.check()  # nobody objects to what a crash left
            seen = await it.log.sizes()
            assert seen[: len(sizes)] == sizes  # what was published stays published
            await it.fill(1)
            await it.publisher.advance()
            assert (await it.check()).witnesses == (SIBLING,)
            sizes = await it.log.sizes()
        suspensions += 1
    assert suspensions > 20


async def test_racing_services_sign_one_history(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as one, world(migrated, tmp_path) as other:
        for _ in range(8):
            await one.fill(700)
            await asyncio.gather(*(it.publisher.advance() for it in (one, other, one, other)))
            await one.fill(3)
            await asyncio.gather(one.publisher.advance(), other.fill(100), other.publisher.advance())
        await one.fill(1)
        await one.publisher.advance()
        await one.check()


# ----------------------------------------------------------------------------------------------------------- witnesses


async def test_it_goes_on_without_witnesses_and_says_since_when(migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(migrated, tmp_path) as it:
        it.silent = True
        await it.fill(3)
        await it.publisher.advance()
        first = await it.check()
        assert first.witnesses == ()
        await it.fill(3)
        await it.publisher.advance()
        assert (await it.check()).size == 6
        assert it.publisher.standing.unwitnessed_since == first.signed_at
        it.silent = False
        monkeypatch.setattr("foundation.log.publisher.WITNESS_AGAIN_SECONDS", 0.0)
        await it.publisher.advance()  # the same checkpoint, with another signature
        newest = await it.check()
        assert (newest.size, newest.witnesses) == (6, (SIBLING,))
        assert it.publisher.standing.unwitnessed_since is None


async def test_a_checkpoint_is_durable_before_anybody_is_shown_it(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await it.fill(3)
        seen: list[int] = []
        ask = Publisher._ask

        async def looked(self: Publisher, *arguments: Any) -> Any:
            signed, remembered = await it.log.newest(), it.memory.read()
            assert signed is not None
            assert remembered is not None
            assert await it.log.published() is None
            seen.append(signed.size)
            return await ask(self, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Publisher, "_ask", looked)
            await it.publisher.advance()
        assert seen == [3]


# ----------------------------------------------------------------------------------------------------------- old backups


async def rolled_back(migrated: str, folder: Path, *, witness_too: bool = False) -> None:
    """A history of 600 records, signed and witnessed, restored to its first 300."""
    async with world(migrated, folder) as it:
        for count in (300, 300):
            await it.fill(count)
            await it.publisher.advance()
        await it.roll_back_to(300, witness_too=witness_too)


async def test_an_old_backup_is_neither_signed_nor_written(migrated: str, tmp_path: Path) -> None:
    await rolled_back(migrated, tmp_path)
    (tmp_path / f"{NAME}.checkpoint").unlink()
    async with world(migrated, tmp_path) as it:
        with pytest.raises(WritesRefused, match=f"ends at position 299, but the witness in {SIBLING} has seen 599"):
            await it.store.append([append()])
        await it.fill(100, "by force")
        await it.publisher.advance()
        assert it.publisher.standing.held
        newest = await it.log.newest()
        assert newest is not None
        assert newest.size == 300  # not even signed
        await it.store.close()


async def test_a_node_restored_with_all_its_witnesses_is_found_out_by_the_file_beside(migrated: str, tmp_path: Path) -> None:
    await rolled_back(migrated, tmp_path, witness_too=True)
    async with world(migrated, tmp_path) as it:
        with pytest.raises(WritesRefused, match="the last checkpoint signed has seen 599"):
            await it.store.append([append()])
        await it.store.close()


async def test_a_fork_that_has_grown_past_its_witnesses_is_refused(migrated: str, tmp_path: Path) -> None:
    """The witness was away while the backup was restored and written on: size alone does not give it away."""
    await rolled_back(migrated, tmp_path)
    (tmp_path / f"{NAME}.checkpoint").unlink()
    async with world(migrated, tmp_path) as it:
        await it.fill(1_000, "fork")
        await it.publisher.advance()
        assert 422 in it.asked
        assert it.publisher.standing.held
        assert await it.log.sizes() == [300]  # nobody is shown the fork
        with pytest.raises(WritesRefused, match="has seen another record"):
            await it.store.append([append()])
        await it.store.close()


async def test_what_is_taken_back_is_signed_on(migrated: str, tmp_path: Path) -> None:
    await rolled_back(migrated, tmp_path)
    async with world(migrated, tmp_path) as it:
        with pytest.raises(WritesRefused):
            await it.store.append([append()])
        await it.fill(300)  # the same records as before
        assert await it.store.append([append()]) == [Appended(600)]
        await it.publisher.advance()
        assert (await it.check()).witnesses == (SIBLING,)
        await it.store.close()


async def test_a_new_epoch_is_a_new_log_that_names_the_old_one(migrated: str, tmp_path: Path) -> None:
    await rolled_back(migrated, tmp_path)
    async with world(migrated, tmp_path) as it:
        with pytest.raises(WritesRefused):
            await it.store.append([append()])
        await it.guard.declare_epoch(origin=it.keys.origin(NAME), source="/nodes/1/books", actor="operator", now=NOW)
        await it.publisher.advance()
        newest = await it.check()
        assert (newest.size, newest.epoch, newest.witnesses) == (301, 1, (SIBLING,))
        assert newest.note.startswith("union.example/1/books/epoch-1\n301\n")
        row = await it.pool.fetchrow("select * from epochs")
        old = await it.log.published(300)
        assert row is not None
        assert old is not None
        assert (row["old_origin"], row["old_size"], row["old_root"]) == ("union.example/1/books", 300, old.root)
        assert await it.store.append([append()]) == [Appended(301)]
        await it.publisher.advance()
        await it.check()
        await it.store.close()


# ---------------------------------------------------------------------------------------------------------------- damage


@asynccontextmanager
async def publishing(it: World) -> AsyncIterator[None]:
    """The publisher runs meanwhile."""
    task = asyncio.create_task(it.publisher.run())
    try:
        yield
    finally:
        await end([task])


async def until(true: Callable[[], bool]) -> None:
    """Wait for something to have come true, for a minute at the most."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110 - what a task of the publisher shows
            await asyncio.sleep(0.01)


DAMAGES = {
    "a record is missing": ("delete from events where position = 310", "a record is missing between positions 300 and 399"),
    "a leaf is no hash": (
        "alter table events drop constraint events_leaf_check; update events set leaf = 'x' where position = 320",
        "between positions 300 and 399 a leaf is no hash",
    ),
    "a record is none": (
        "alter table events drop constraint events_record_check; update events set record = '' where position = 320",
        "a record has a size that none can have",
    ),
    "the end was cut off": ("delete from events where position >= 290", "the history has 290 records, and 300 of them"),
    "the edge was cut": ("update log_state set edge = substr(edge, 1, 64)", "the edge of a tree of 300 has"),
    "the edge was changed": ("update log_state set edge = set_byte(edge, 5, get_byte(edge, 5) # 1)", "does not continue the checkpoint"),
    "the state is gone": ("delete from log_state", "the log's state is gone"),
    "the state was set back": (
        "update log_state set size = 255, edge = (select string_agg(leaf, ''::bytea order by position) from events where position < 254)"
        " || sha256('x')",
        "tile/0/000 was written before, with other hashes",
    ),
    "a checkpoint was changed": ("update log_checkpoints set root = sha256('x')", "does not continue the checkpoint signed at 300"),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_stops_the_log_with_an_alarm(migrated: str, tmp_path: Path, damage: str) -> None:
    statement, words = DAMAGES[damage]
    async with world(migrated, tmp_path) as it:
        await it.fill(300)
        await it.publisher.advance()
        if "cut off" not in damage:
            await it.fill(100)
        await it.by_force(statement)
        async with publishing(it):
            await until(lambda: it.publisher.standing.damage is not None)
        assert words in (it.publisher.standing.damage or "")
        assert it.publisher.standing.remedy == (
            Remedy.history if "leaf" in damage or "record" in damage or "cut off" in damage else Remedy.tree
        )
        assert await it.log.sizes() == [300]
        with pytest.raises(LogDamaged):
            await it.publisher.advance()


ROTTEN = {
    "update events set record = overlay(record placing 'X'::bytea from 400) where position = 130": "the record at position 130 is not the",
    "update events set record = '{}', leaf = sha256('\\x007b7d') where position = 130": "what the records from position 130 on lead to",
    "update events set leaf = sha256('x') where position = 130": "the record at position 130 is not the one",
    "delete from events where position = 130": "a record is missing between positions 0 and 255",
    "update log_tiles set hashes = set_byte(hashes, 70, 7)": "tile/0/000 does not hold what the records from position 2 on lead to",
    "delete from log_tiles": "tile/0/000 is gone",
    "update events set record = '{}', leaf = sha256('\\x007b7d') where position = 290": "the first 300 records do not lead to the root",
    "delete from events where position = 299": "a record is missing between positions 256 and 299",
}
"""What lies where neither appending nor signing looks again."""


async def test_what_has_rotted_is_found(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await it.fill(300)
        await it.publisher.advance()
        await it.by_force("create table kept_events as select * from events")
        await it.by_force("create table kept_tiles as select * from log_tiles")
        scrub = Scrub(it.log, SystemClock())
        for statement, words in ROTTEN.items():
            await it.by_force(statement)
            with pytest.raises(LogDamaged, match=words):
                await scrub.step()
            for table, kept in (("events", "kept_events"), ("log_tiles", "kept_tiles")):
                await it.by_force(f"delete from {table}")
                await it.by_force(f"insert into {table} select * from {kept}")
        assert await scrub.step()
        assert (scrub.size, scrub.whole and scrub.whole.size) == (300, 300)
        assert not await scrub.step()  # the next pass is not due yet


async def test_a_long_log_is_read_step_by_step(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        scrub = Scrub(it.log, SystemClock())
        assert await scrub.step()  # nothing is signed yet
        await it.fill(5_000)
        await it.publisher.advance()
        steps = [(await scrub.step(), scrub.size) for _ in range(3)]
        assert steps == [(False, 2_048), (False, 4_096), (True, 5_000)]


async def test_signing_stops_over_what_has_rotted(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await it.fill(300)
        await it.publisher.advance()
        await it.by_force("delete from log_tiles")
        async with publishing(it):
            await until(lambda: it.publisher.standing.damage is not None)
            await it.fill(10)
            assert it.publisher.standing.damage == "tile/0/000 is gone"
        assert (await it.log.sizes(), it.publisher.standing.integrated) == ([300], 300)


async def test_a_log_goes_on_by_itself_once_all_of_it_is_whole_again(
    migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foundation.log.publisher.DAMAGED_AGAIN_SECONDS", 0.01)
    async with world(migrated, tmp_path) as it:
        monkeypatch.setattr("foundation.log.scrub.TILES_AT_ONCE", 1)
        await it.fill(300)
        await it.publisher.advance()
        await it.by_force("create table kept as select * from events where position >= 260")
        await it.by_force("delete from events where position >= 260")
        standing = it.publisher.standing
        async with publishing(it):
            await until(lambda: standing.remedy == Remedy.history)
            await it.fill(100, "other")  # others in their place
            await until(lambda: standing.remedy == Remedy.verify)
            assert await it.log.sizes() == [300]
            await it.by_force("delete from events where position >= 260")
            await it.by_force("insert into events select * from kept")
            await it.fill(50)
            await until(lambda: standing.published == 350)
            assert standing.damage is None
            assert standing.remedy is None
        await it.check()


async def test_pages_that_cannot_be_read_stop_the_log_and_not_the_service(
    migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(_: object) -> bool:
        raise asyncpg.DataCorruptedError("invalid page in block 7")

    monkeypatch.setattr("foundation.log.scrub.Scrub.step", unreadable)
    async with world(migrated, tmp_path) as it, publishing(it):
        await it.fill(300)
        await until(lambda: it.publisher.standing.damage is not None)
        assert it.publisher.standing.remedy == Remedy.disk


async def test_a_full_disk_is_waited_out(migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = True
    keep = LastSigned.write

    def write(memory: LastSigned, note: str) -> None:
        if full:
            raise OSError(28, "No space left on device")
        keep(memory, note)

    monkeypatch.setattr(LastSigned, "write", write)
    async with world(migrated, tmp_path) as it, publishing(it):
        await it.fill(300)
        await until(lambda: it.publisher.standing.trouble is not None)
        assert await it.log.published() is None
        full = False
        await until(lambda: it.publisher.standing.published == 300 and it.publisher.standing.trouble is None)
        remembered = it.memory.read()
        assert remembered is not None
        assert remembered.size == 300


@pytest.mark.parametrize(("statement", "path"), [("delete from log_tiles", "tile/0/000"), ("delete from events", "tile/entries/000.p/3")])
async def test_what_a_checkpoint_covers_and_is_gone_is_damage(migrated: str, tmp_path: Path, statement: str, path: str) -> None:
    async with world(migrated, tmp_path) as it:
        await it.fill(300)
        await it.publisher.advance()
        own = OwnLog(NAME, it.log, it.keys, Witness(it.pool, it.keys, NAME, SystemClock()))
        assert await own.tile(Tile.parse(path)) is not None
        await it.by_force(statement)
        with pytest.raises(LogDamaged, match="is gone"):
            await own.tile(Tile.parse(path))


@pytest.mark.parametrize(
    "statement",
    [
        "update log_tiles set hashes = hashes",
        "delete from log_tiles",
        "truncate log_tiles",
        "delete from log_checkpoints",
        "truncate log_checkpoints",
        "update log_checkpoints set root = sha256('x')",
        "update log_checkpoints set published_at = null",
        "update log_checkpoints set published_at = now()",
        "update log_checkpoints set note = 'another'",
    ],
)
async def test_what_was_written_is_not_changed_by_mistake(migrated: str, tmp_path: Path, statement: str) -> None:
    async with world(migrated, tmp_path) as it:
        await it.fill(300)
        await it.publisher.advance()
        with pytest.raises(asyncpg.RestrictViolationError):
            await it.pool.execute(statement)
