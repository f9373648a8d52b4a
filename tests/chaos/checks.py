"""What must hold once everything is healed. Every check returns the sentences of what does not; an empty list is what we want."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from foundation.digest import digest
from foundation.projections import Projection, ProjectionGroup, groups
from foundation.rebuild import rebuild
from foundation.record import Envelope, decode, leaf_hash
from foundation.store.postgres import PostgresStore
from foundation.vault.masterkey import MasterKey
from foundation.vault.postgres import PostgresVault
from foundation.vault.sealer import Sealer
from node.topology import service

from tests.support import PATIENCE_SECONDS

from .load import ENDS, Command, Load
from .machine import SERVICES, TOPIC, Node, until
from .program import create_app, settings_of

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a history with its record read."""

    position: int
    stream: str
    version: int
    leaf: bytes
    envelope: Envelope


async def violations(load: Load, *, seconds_max: float = PATIENCE_SECONDS, remembered: Sequence[Command] | None = None) -> list[str]:
    """Everything that is wrong with a node at rest. `remembered`: the commands to be asked again, where it is not all of them."""
    node = load.node
    found = [f"surprise: {what} ({times} times)" for what, times in load.surprises.items()]
    found += await incomplete(node, seconds_max)
    membership, assistance = await history(node, "membership"), await history(node, "assistance")
    for name, entries in (("membership", membership), ("assistance", assistance)):
        found += [f"{name}: {fault}" for fault in malformed(entries)]
    found += unkept(load, membership)
    found += await effects(node, load, membership, assistance)
    if not found:
        found += await forgotten(load, load.commands if remembered is None else remembered)
        found += await differs_rebuilt(node)
    return found


async def history(node: Node, name: str) -> list[Entry]:
    """A service's whole history, as it stands in its table."""
    connection = await asyncpg.connect(node.dsn(name))
    rows = await connection.fetch("select position, stream, version, leaf, record from events order by position")
    await connection.close()
    wrong = [row["position"] for row in rows if leaf_hash(row["record"]) != row["leaf"]]
    assert not wrong, f"{name}: records that do not hash to their leaf: {wrong[:SHOWN]}"
    return [Entry(row["position"], row["stream"], row["version"], row["leaf"], decode(row["record"])) for row in rows]


def malformed(entries: list[Entry]) -> list[str]:
    """Positions without a gap from 0; in each stream, versions one after another from 1; each record of its place."""
    found = []
    if [entry.position for entry in entries] != list(range(len(entries))):
        found.append("positions are not gapless")
    versions: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.version != versions[entry.stream] + 1:
            found.append(f"{entry.stream} goes from version {versions[entry.stream]} to {entry.version} at position {entry.position}")
        versions[entry.stream] = entry.version
        if (entry.envelope.stream, entry.envelope.version) != (entry.stream, entry.version):
            found.append(f"position {entry.position} holds the record of {entry.envelope.stream} v{entry.envelope.version}")
    return _few(found)


def unkept(load: Load, entries: list[Entry]) -> list[str]:
    """Every accepted command's events once and where the answer says; none of a refused one; none of nobody's."""
    found = []
    by_trace: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_trace[entry.envelope.correlation].append(entry)
    at: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        at[entry.stream].append(entry.position)
    for command in load.commands:
        events = by_trace.pop(command.trace, [])
        what = f"{command.path} ({command.key})"
        if not command.accepted:
            if events:
                found.append(f"{what} was refused and yet led to {len(events)} events")
            continue
        stream, version, position = command.told
        types = [entry.envelope.type for entry in events if entry.stream == stream]
        if command.effect is not None and types != [command.effect]:
            found.append(f"{what} should have led to one {command.effect}, and led to {types}")
        if len(events) > 1:
            found.append(f"{what} led to {len(events)} events")
        if any((entry.stream, entry.version, entry.position) != command.told for entry in events):
            found.append(f"{what} was told {command.told}, and its event is at {events[0].position}")
        if sum(each <= position for each in at[stream]) != version:
            found.append(f"{what}: {stream} was not at version {version} at position {position}")
    lost = {entry.stream for rest in by_trace.values() for entry in rest if entry.stream.startswith("member-")}
    if lost:
        found.append(f"events of commands that nobody sent: {sorted(lost)[:SHOWN]}")
    return _few(found)


async def incomplete(node: Node, seconds_max: float = PATIENCE_SECONDS) -> list[str]:
    """Every consumer, every view and the relay at the end of the histories, within the time."""
    pools = [await asyncpg.create_pool(node.dsn(name), min_size=1, max_size=1) for name in SERVICES]
    membership, assistance = pools
    behind: list[str] = []

    async def caught_up() -> bool:
        try:
            return await looked()
        except asyncpg.UndefinedTableError:  # a process that is only just starting
            behind.append("a database has no tables yet")
            return False

    async def looked() -> bool:
        behind.clear()
        for source, reading in (
            ("membership", membership),
            ("assistance", assistance),
        ):
            head = await reading.fetchval("select coalesce(max(position), -1) from events")
            for name, pool in zip(SERVICES, pools, strict=True):
                rows = await pool.fetch("select consumer, last from cursors where source = $1", source)
                behind.extend(f"{name}: {row['consumer']} at {row['last']} of {head}" for row in rows if row["last"] != head)
            if source == "membership":
                last = await reading.fetchval("select last from relay where topic = $1", TOPIC)
                behind.extend([] if last == head else [f"the relay at {last} of {head}"])
                followers = await assistance.fetchval("select count(*) from cursors where source = 'membership'")
                behind.extend([] if followers == 2 else [f"{followers} consumers of membership in assistance"])
        return not behind

    try:
        await until(caught_up, "everything is followed", seconds_max)
    except AssertionError as error:
        return [f"{error}: {'; '.join(behind)}"]
    finally:
        for pool in pools:
            await pool.close()
    return []


async def effects(node: Node, load: Load, membership: list[Entry], assistance: list[Entry]) -> list[str]:
    """Each event of membership took effect once: in the tallies, in assistance's view of people, in what followed from it there."""
    found = []
    for name in SERVICES:
        found += await miscounted(node, name, membership)
    connection = await asyncpg.connect(node.dsn("assistance"))
    people = {row["person"]: (row["organisation"], row["standing"]) for row in await connection.fetch("select * from people")}
    stuck = await connection.fetchval("select (select count(*) from parked_keys) + (select count(*) from refused_reactions)")
    await connection.close()
    found += [f"{stuck} reactions are parked or refused"] if stuck else []
    wrong = [one for one in load.members if people.get(one.member) != (one.organisation, one.standing)]
    if wrong:
        found.append(f"{len(wrong)} people stand in assistance otherwise than was acknowledged, e.g. {wrong[0]}")
    ended = Counter(entry.envelope.causation for entry in assistance if entry.envelope.type == "assistance.EligibilityEnded.v1")
    ends = {entry.envelope.id for entry in membership if entry.envelope.type in {effect for _, effect in ENDS.values()}}
    if ended != Counter(ends):
        found.append(f"{len(ends)} memberships ended, {ended.total()} times was eligibility ended; these differ: {ended - Counter(ends)}")
    return found


async def miscounted(node: Node, name: str, membership: list[Entry]) -> list[str]:
    """Events that a service's views have missed or taken more than once."""
    connection = await asyncpg.connect(node.dsn(name))
    times = {row["position"]: row["times"] for row in await connection.fetch("select position, times from tally")}
    await connection.close()
    twice = sorted(position for position, count in times.items() if count != 1)
    happened = {entry.position for entry in membership if entry.envelope.type.startswith("membership.")}  # no word on epochs
    missing = sorted(happened - times.keys())
    found = [f"applied more than once in {name}: positions {twice[:SHOWN]} ({len(twice)})"] if twice else []
    return found + ([f"never applied in {name}: positions {missing[:SHOWN]} ({len(missing)})"] if missing else [])


async def forgotten(load: Load, commands: Sequence[Command]) -> list[str]:
    """The same key again, now at this process and now at that: the same answer."""
    asked = [one for one in commands if one.accepted]
    doors, turn = load.node.doors, asyncio.Semaphore(16)
    found = []

    async def ask(number: int) -> None:
        async with turn:
            command = asked[number]
            again = await load.repeat(command, doors[number % len(doors)])
            if not again.accepted or again.told != command.told or not again.answer["repeated"]:
                found.append(f"{command.path} ({command.key}) was told {command.told}, and asked again {again.answer}")

    await asyncio.gather(*map(ask, range(len(asked))))
    load.counts["asked again"] += len(asked)
    return _few(found)


async def differs_rebuilt(node: Node) -> list[str]:
    """Every view of both services, live and rebuilt: the same digest."""
    found = []
    for name in SERVICES:
        async with _views(node, name) as views:
            for pool, group, reader in views:
                before = await _digests(pool, group.projections)
                await rebuild(group, reader, pool)
                after = await _digests(pool, group.projections)
                found += [f"{name}: {view} differs once it is rebuilt" for view in before if before[view] != after[view]]
    return found


@asynccontextmanager
async def _views(node: Node, name: str) -> AsyncIterator[list[tuple[Pool, ProjectionGroup, PostgresStore]]]:
    told = {key.removeprefix("TONGXIN_").lower(): value for key, value in node.settings(name).items() if key.startswith("TONGXIN_")}
    password = node.machine.secrets.password(service(name))
    for dsn in ("database_dsn", "vault_dsn"):
        told[dsn] = told[dsn].replace(f"{name}@", f"{name}:{password}@", 1)
    settings = settings_of(name, **(told | {"sources": json.loads(told["sources"])}))
    declared = create_app(name, settings).declaration
    vault = PostgresVault(told["vault_dsn"], MasterKey.from_file(settings.master_key_file))
    await vault.start()
    async with (
        asyncpg.create_pool(told["database_dsn"], min_size=1, max_size=4) as own,
        asyncpg.create_pool(told["vault_dsn"], min_size=1, max_size=2) as search,
        asyncpg.create_pool(node.dsn("membership"), min_size=1, max_size=2) as membership,
    ):
        made = groups(name, declared.projections, declared.catalogue, opener=Sealer(vault, principal=f"service:{name}"))
        homes = {"service": own, "vault": search}
        yield [(homes[group.home], group, PostgresStore(own if group.source == name else membership)) for group in made]
    await vault.close()


async def _digests(pool: Pool, projections: Sequence[Projection]) -> dict[str, str]:
    async with pool.acquire() as connection:
        return {projection.name: await digest(connection, projection) for projection in projections}


def _few(found: list[str]) -> list[str]:
    return found if len(found) <= SHOWN else [*found[:SHOWN], f"… and {len(found) - SHOWN} more"]
