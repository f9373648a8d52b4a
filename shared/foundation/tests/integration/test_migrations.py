"""Migrations: once each, in order, never edited, safe when services start together."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from foundation.migrations import FOUNDATION, MigrationRefused, migrate


def folder(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.sql").write_text(text, encoding="utf-8")
    return path


async def tables(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public' order by tablename")
        return [row["tablename"] for row in rows]
    finally:
        await connection.close()


async def test_each_file_is_applied_once_in_order(database: str, tmp_path: Path) -> None:
    first = folder(tmp_path / "1", **{"0001_a": "create table a (x int); insert into a values (1)", "0002_b": "alter table a add y int"})
    second = folder(tmp_path / "2", **{"0001_c": "create table c as select * from a"})
    assert await migrate(database, first, second) == ["0001_a.sql", "0002_b.sql", "0001_c.sql"]
    assert await migrate(database, first, second) == []
    folder(tmp_path / "2", **{"0002_d": "create table d (x int)"})
    assert await migrate(database, first, second) == ["0002_d.sql"]
    assert await tables(database) == ["a", "c", "d", "migrations"]


async def test_an_edited_file_is_refused(database: str, tmp_path: Path) -> None:
    files = folder(tmp_path, **{"0001_a": "create table a (x int)"})
    await migrate(database, files)
    folder(tmp_path, **{"0001_a": "create table a (x bigint)", "0002_b": "create table b (x int)"})
    with pytest.raises(MigrationRefused, match=r"0001_a\.sql was edited"):
        await migrate(database, files)
    assert await tables(database) == ["a", "migrations"]


async def test_a_file_that_fails_leaves_nothing_and_those_before_it_stand(database: str, tmp_path: Path) -> None:
    files = folder(tmp_path, **{"0001_a": "create table a (x int)", "0002_b": "create table b (x int); select 1 / 0"})
    with pytest.raises(MigrationRefused, match=r"0002_b\.sql: division by zero"):
        await migrate(database, files)
    assert await tables(database) == ["a", "migrations"]
    folder(tmp_path, **{"0002_b": "create table b (x int)"})
    assert await migrate(database, files) == ["0002_b.sql"]


async def test_two_files_of_one_name_are_refused(database: str, tmp_path: Path) -> None:
    first = folder(tmp_path / "1", **{"0001_a": "create table a (x int)"})
    second = folder(tmp_path / "2", **{"0001_a": "create table b (x int)"})
    with pytest.raises(MigrationRefused, match="share a name"):
        await migrate(database, first, second)


async def test_an_older_program_runs_on_a_newer_database(database: str, tmp_path: Path) -> None:
    files = folder(tmp_path, **{"0001_a": "create table a (x int)", "0002_b": "create table b (x int)"})
    await migrate(database, files)
    (tmp_path / "0002_b.sql").unlink()
    assert await migrate(database, files) == []


async def test_services_that_start_together_apply_each_file_once(database: str) -> None:
    applied = await asyncio.gather(*(migrate(database, FOUNDATION) for _ in range(4)))
    assert sorted(len(names) > 0 for names in applied) == [False, False, False, True]
