"""A full command path on a fresh database: store, group commit, vault, sealer, handler, and the one event kind of the benchmarks."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import asyncpg
from contracts.kernel import Catalogue, Event, Personal, PersonId
from foundation.clock import SystemClock
from foundation.decider import Decider
from foundation.handler import Handler
from foundation.migrations import migrate
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit
from foundation.tuning import settle_garbage_collector
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey
from foundation.vault.postgres import PostgresVault
from foundation.vault.sealer import Sealer


class Happened(Event, type="bench.Happened", version=1, subject="person", purpose="bench"):
    """One sealed and one clear field; its record takes about 500 bytes."""

    person: PersonId
    name: Personal[str]
    text: str = ""


class Taken(Event, type="bench.Taken", version=1):
    """A place was taken."""

    by: str


@dataclass(frozen=True)
class Do:
    """Record that it happened."""

    person: str
    name: str


@dataclass(frozen=True)
class Take:
    """Take a place, if one is left."""

    by: str
    places: int


def _decide(command: Do, state: int, now: datetime) -> Sequence[Event]:
    return [Happened(person=command.person, name=command.name)]


THING: Decider[int, Do] = Decider("thing", 0, _decide, lambda state, _: state + 1, opens=lambda _: True)
CATALOGUE = Catalogue(Happened, Taken)


@dataclass(frozen=True)
class Path:
    """The parts of one service's write side."""

    store: PostgresStore
    writer: GroupCommit
    sealer: Sealer
    handler: Handler
    pool: Any


@asynccontextmanager
async def full_path(dsn: str, vault_dsn: str, catalogue: Catalogue = CATALOGUE) -> AsyncIterator[Path]:
    """Everything that a command passes through, wired as a service wires it."""
    await migrate(dsn, files("foundation") / "migrations")
    pool = await asyncpg.create_pool(dsn, min_size=2, max_size=8)
    master = MasterKey(bytes(32))
    await Keeper(vault_dsn, master).prepare()
    vault = PostgresVault(vault_dsn, master)
    await vault.start()
    store = PostgresStore(pool)
    await store.start()
    writer = GroupCommit(store)
    sealer = Sealer(vault)
    await writer.start()
    settle_garbage_collector()
    try:
        handler = Handler(store=store, writer=writer, sealer=sealer, catalogue=catalogue, clock=SystemClock(), source="/nodes/3709/bench")
        yield Path(store, writer, sealer, handler, pool)
    finally:
        await writer.close()
        await store.close()
        await vault.close()
        await pool.close()
