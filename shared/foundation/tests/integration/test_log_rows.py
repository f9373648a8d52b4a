"""A database's rows under an intact log: any column that was edited is found."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from foundation.clock import SystemClock
from foundation.ids import uuid7
from foundation.log.damage import Damage, Kind
from foundation.log.edge import Edge
from foundation.log.reader import FolderFiles
from foundation.log.rows import compare
from foundation.record import encode, leaf_hash

SIZE = 2_100
NOW = SystemClock().now()


def _record(number: int) -> bytes:
    rest: dict[str, Any] = {"correlation": "0", "causation": None, "actor": "1", "org": None, "data": {"number": number}}
    event = uuid7(NOW, sha256(b"%d" % number).digest()[:10])
    return encode(id=event, source="/nodes/3709/sample", type="sample.Happened.v1", stream=f"thing-{number}", time=NOW, version=1, **rest)


RECORDS = [_record(number) for number in range(SIZE)]


@pytest.fixture
def log(tmp_path: Path) -> FolderFiles:
    """The hash tiles of the log; entries are not needed."""
    edge, full = Edge().grow(b"".join(map(leaf_hash, RECORDS)))
    for tile, hashes in [*full, *edge.tiles()]:
        (tmp_path / tile.path()).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / tile.path()).write_bytes(hashes)
    return FolderFiles(tmp_path)


@pytest.fixture
async def database_of_it(migrated: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The rows, in the hands of somebody who may switch the triggers off."""
    connection = await asyncpg.connect(migrated)
    rows = [(at, NOW, 1, f"thing-{at}", "sample.Happened.v1", leaf_hash(one), one) for at, one in enumerate(RECORDS)]
    names = ("position", "recorded_at", "version", "stream", "type", "leaf", "record")
    await connection.copy_records_to_table("events", records=rows, columns=names)
    await connection.execute("alter table events disable trigger append_only")
    yield connection
    await connection.close()


async def test_rows_as_the_log_has_them(log: FolderFiles, database_of_it: "asyncpg.Connection[asyncpg.Record]") -> None:
    done: list[int] = []
    await compare(database_of_it, log, SIZE, lambda at, _: done.append(at))
    assert done == [2_048, SIZE]


@pytest.mark.parametrize(
    ("edit", "kind", "named"),
    [
        (
            "set record = convert_to(replace(convert_from(record, 'UTF8'), 'number', 'nummer'), 'UTF8')",
            Kind.row_altered,
            "the record is not",
        ),
        ("set leaf = sha256('x')", Kind.row_altered, "`leaf`"),
        ("set stream = 'thing-other'", Kind.row_altered, "`stream` says thing-other"),
        ("set version = 2", Kind.row_altered, "`version` says 2"),
        ("set type = 'sample.Else.v1'", Kind.row_altered, "`type` says sample.Else.v1"),
    ],
)
async def test_an_edited_row_under_intact_tiles(
    log: FolderFiles, database_of_it: "asyncpg.Connection[asyncpg.Record]", edit: str, kind: Kind, named: str
) -> None:
    await database_of_it.execute(f"update events {edit} where position = 2060")
    with pytest.raises(Damage) as caught:
        await compare(database_of_it, log, SIZE)
    assert (caught.value.kind, caught.value.position) == (kind, 2_060)
    assert named in str(caught.value)


async def test_a_row_that_was_deleted(log: FolderFiles, database_of_it: "asyncpg.Connection[asyncpg.Record]") -> None:
    await database_of_it.execute("delete from events where position = 5")
    with pytest.raises(Damage) as caught:
        await compare(database_of_it, log, SIZE)
    assert (caught.value.kind, caught.value.position) == (Kind.row_missing, 5)
