"""Keys that went with an older copy of the vault, while records sealed under them came back (docs/decisions/0010-backup.md)."""

import asyncio
from dataclasses import dataclass

import asyncpg
from foundation.record import decode

from node.databases import keeper
from node.errors import NotRunning
from node.folder import DataFolder
from node.opening import is_sealed
from node.parts import servers
from node.topology import ServiceSpec

RECORDS_AT_ONCE = 5_000
BASIS = "lost with an older copy of the vault; given up by the operator"


@dataclass(frozen=True)
class Lost:
    """How many records of a history are sealed under how many keys that the vault does not have."""

    records: int
    keys: int


def find(folder: DataFolder, service: ServiceSpec, *, after: int = -1, give_up: bool = False) -> Lost:
    """Look through a history behind a position; `give_up`: what is lost is read as erased from now on. Raises NotRunning, UsageError."""
    postgres, _ = servers(folder, folder.supervised().ports)
    try:
        return asyncio.run(_find(folder, postgres.dsn(service.name), after, give_up=give_up))
    except (OSError, asyncpg.PostgresError) as error:
        raise NotRunning("the node does not run", "start it with `tongxin up`") from error


async def _find(folder: DataFolder, history: str, after: int, *, give_up: bool) -> Lost:
    records, lost, vault = 0, set[str](), keeper(folder)
    connection = await asyncpg.connect(history)
    try:
        while rows := await connection.fetch(
            "select position, record from events where position > $1 order by position limit $2", after, RECORDS_AT_ONCE
        ):
            after = rows[-1]["position"]
            sealed = [_kids(row["record"]) for row in rows]
            missing = set(await vault.missing(sorted(set[str]().union(*sealed))))
            records += sum(not missing.isdisjoint(kids) for kids in sealed)
            lost |= missing
    finally:
        await connection.close()
    if give_up and lost:
        await vault.give_up(sorted(lost), BASIS)
    return Lost(records, len(lost))


def _kids(record: bytes) -> set[str]:
    return {value["kid"] for value in decode(record).data.values() if is_sealed(value)}
