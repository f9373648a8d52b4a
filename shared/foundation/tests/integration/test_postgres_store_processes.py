"""Several processes on one history, a server that crashes, a disk that is full."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from foundation.cursor import Pool
from foundation.migrations import FOUNDATION, migrate
from foundation.store.port import Appended, AppendRequest, NewEvent, Outcome, Recorded, StoreFull, StoreUnavailable, StreamAppend
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit
from node.embedded.postgres import Postgres

from tests.support import PATIENCE_SECONDS, started_postgres

from .stores import opened


def request(stream: str, expected: int = 0, *, record: bytes = b"x") -> AppendRequest:
    return AppendRequest((StreamAppend(stream, expected, (NewEvent("test.Happened.v1", record),)),))


async def followed(store: PostgresStore, *, upto: int) -> list[Recorded]:
    events: list[Recorded] = []
    async with aclosing(cast("Any", store.subscribe(-1))) as batches:
        async for batch in batches:
            events.extend(batch)
            if events[-1].position >= upto:
                break
    return events


async def test_racing_processes_make_one_gapless_history_in_commit_order(migrated: str) -> None:
    """Three processes race for shared streams while a reader polls: what it has read is never preceded by anything that comes later."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("racing_writer.py")), migrated, name, "60"), stdout=subprocess.PIPE
        )
        for name in ("a", "b", "c")
    ]
    total = 3 * 8 * 60
    seen: list[Recorded] = []

    async def poll(pool: Pool) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(seen) < total:
                batch = await PostgresStore(pool).read(len(seen) - 1, limit=50)
                assert [one.position for one in batch] == list(range(len(seen), len(seen) + len(batch)))
                seen.extend(batch)
                await asyncio.sleep(0)

    async with asyncpg.create_pool(migrated, min_size=1, max_size=4) as pool:
        outputs, _ = await asyncio.gather(asyncio.gather(*(process.communicate() for process in processes)), poll(pool))
    assert [process.returncode for process in processes] == [0, 0, 0]
    acknowledged = dict(line.split() for output, _ in outputs for line in output.decode().splitlines())
    assert len(acknowledged) == total
    assert {one.record.decode(): str(one.position) for one in seen} == acknowledged
    versions: dict[str, int] = {}
    for one in seen:
        assert one.version == versions.get(one.stream, 0) + 1
        versions[one.stream] = one.version
    assert sum(stream.startswith("shared") for stream in versions) == 5


async def test_subscribers_hear_other_processes_at_once_and_through_a_lost_listener(migrated: str) -> None:
    """Two stores stand for two processes; polling is turned off, so that only NOTIFY and its reconnect can bring the news."""
    kill = """
        select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and query ~* '^ *(listen|notify)' and pid <> pg_backend_pid()
    """
    async with (
        opened(migrated, poll_seconds=3600) as ours,
        opened(migrated) as theirs,
        aclosing(cast("Any", ours.subscribe(-1))) as batches,
    ):
        heard = asyncio.ensure_future(anext(batches))
        await theirs.append([request("a-1")])
        assert [one.position for one in await asyncio.wait_for(heard, PATIENCE_SECONDS)] == [0]
        admin = await asyncpg.connect(migrated)
        assert await admin.fetchval(kill) == 2
        await admin.close()
        await theirs.append([request("a-2")])
        heard = asyncio.ensure_future(anext(batches))
        assert [one.position for one in await asyncio.wait_for(heard, PATIENCE_SECONDS)] == [1]


# ------------------------------------------------------------------------------------------------ a crashing server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that this test may kill."""
    with started_postgres({}) as server:
        yield server


async def test_a_server_killed_under_load_loses_nothing_acknowledged(own_postgres: Postgres) -> None:
    """kill -9 of the whole server twice under load. Callers hear StoreUnavailable or wait; acknowledged events are there exactly once."""
    await migrate(own_postgres.dsn(), FOUNDATION)
    acknowledged: list[bytes] = []
    unknown: list[bytes] = []
    async with opened(own_postgres.dsn(), patience_seconds=0.3) as store:
        writer = GroupCommit(store)
        await writer.start()
        done = asyncio.Event()

        async def call(caller: int) -> None:
            number = 0
            while not done.is_set():
                number += 1
                record = f"{caller}.{number}".encode()
                try:
                    outcome: Outcome = await writer.submit(request(f"s-{caller}-{number}", record=record))
                except StoreUnavailable:
                    unknown.append(record)
                    await asyncio.sleep(0.05)
                else:
                    assert isinstance(outcome, Appended)
                    acknowledged.append(record)

        callers = [asyncio.create_task(call(caller)) for caller in range(16)]
        for _ in range(2):
            goal = len(acknowledged) + 200
            await reached(acknowledged, goal)
            await asyncio.to_thread(own_postgres.stop, how=signal.SIGKILL)
            await reached(unknown, len(unknown) + 16)
            await asyncio.to_thread(own_postgres.start)
        await reached(acknowledged, len(acknowledged) + 200)
        done.set()
        await asyncio.gather(*callers)
        await writer.close()
        events = await store.read(-1, limit=1_000_000)
    stored = [one.record for one in events]
    assert [one.position for one in events] == list(range(len(events)))
    assert len(set(stored)) == len(stored)
    assert set(acknowledged) <= set(stored) <= set(acknowledged) | set(unknown)


async def reached(list_: list[bytes], length: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(list_) < length:  # noqa: ASYNC110 - a bound on progress, not a moment
            await asyncio.sleep(0.01)


# --------------------------------------------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small file system that is to run full")
    folder = Path(tempfile.mkdtemp(prefix="tongxin-small-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


async def test_a_full_disk_refuses_clearly_and_heals(own_postgres: Postgres, small_disk: Path) -> None:
    """60,000-byte records until the disk is full: StoreFull, nothing half-written, reads go on; with room again, writes do."""
    data = own_postgres.folder / "data"
    place = small_disk / "space"
    place.mkdir(mode=0o700)
    os.chown(place, data.stat().st_uid, data.stat().st_gid)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(8_000_000))
    admin = await asyncpg.connect(own_postgres.dsn())
    await admin.execute(f"create tablespace small location '{place}'")
    await admin.execute("create database small tablespace small")
    dsn = own_postgres.dsn("small")
    await migrate(dsn, FOUNDATION)
    large = b"x" * 60_000
    async with opened(dsn) as store:
        writer = GroupCommit(store, bytes_max=500_000)
        await writer.start()
        outcomes = await asyncio.gather(
            *(writer.submit(request(f"s-{number}", record=large)) for number in range(400)), return_exceptions=True
        )
        appended = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, StoreFull)]
        assert (len(appended) > 0, len(refused) > 0, len(appended) + len(refused)) == (True, True, 400)
        head = await store.head()
        assert head.position == len(appended) - 1
        assert len(await store.read(-1)) == len(appended)
        filler.unlink()
        assert await writer.submit(request("after-1", record=large)) == Appended(head.position + 1)
        await writer.close()
    await admin.execute("drop database small with (force)")
    await admin.execute("drop tablespace small")
    await admin.close()
