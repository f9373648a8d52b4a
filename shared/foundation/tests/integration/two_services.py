"""Two small services as their `main.py` would declare them: `units` tells who may act, `desks` follows it and reacts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from contracts.kernel import AuthorityChange, Catalogue, Event, Granted, Personal, UnitPlaced
from foundation.broker.memory import MemoryBroker
from foundation.commands import Actor
from foundation.cursor import Connection
from foundation.decider import Decider, Refusal
from foundation.history import Happened
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller
from foundation.http.routing import Body, Router
from foundation.projections import Projection, Table, Tables
from foundation.reactions import Issue, reacts_to
from foundation.running import Parts
from foundation.service import AuthorityFrom, Service
from foundation.settings import Settings
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey

from tests.support import PATIENCE_SECONDS, as_role, by_name, issuer_of

SINCE = date(2020, 1, 1)
ADMIN = "a" * 32


class UnitFounded(Event, type="units.UnitFounded", version=1, subject="chair", purpose="units"):
    unit: str
    parent: str | None
    chair: str
    chair_name: Personal[str]


class ClerkAppointed(Event, type="units.ClerkAppointed", version=1):
    grant: str
    principal: str
    unit: str


class DeskOpened(Event, type="desks.DeskOpened", version=1):
    unit: str


def changes(event: Event) -> Sequence[AuthorityChange]:
    match event:
        case UnitFounded():
            return [UnitPlaced(event.unit, event.parent, SINCE)]
        case ClerkAppointed():
            return [Granted(event.grant, event.principal, event.unit, "clerk", SINCE, None)]
        case _:
            return []


@dataclass(frozen=True, slots=True)
class Found:
    unit: str
    parent: str | None
    chair: str
    chair_name: str


@dataclass(frozen=True, slots=True)
class Appoint:
    grant: str
    principal: str
    unit: str


class UnitExists(Refusal):
    """The unit has been founded before."""


def decide(command: Found | Appoint, founded: bool, _: datetime) -> Sequence[Event]:
    match command:
        case Found():
            if founded:
                raise UnitExists("this unit has been founded before")
            return [UnitFounded(unit=command.unit, parent=command.parent, chair=command.chair, chair_name=command.chair_name)]
        case Appoint():
            return [ClerkAppointed(grant=command.grant, principal=command.principal, unit=command.unit)]


UNIT: Decider[bool, Found | Appoint] = Decider("unit", False, decide, lambda founded, event: founded or isinstance(event, UnitFounded))
DESK: Decider[bool, str] = Decider("desk", False, lambda unit, opened, _: [] if opened else [DeskOpened(unit=unit)], lambda *_: True)


async def list_units(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    units = [one.event.unit for one in batch if isinstance(one.event, UnitFounded)]
    await connection.execute(f"insert into {tables['units']} select unnest($1::text[])", units)


async def list_names(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    rows = [(one.event.unit, one.event.chair_name) for one in batch if isinstance(one.event, UnitFounded)]
    await connection.executemany(f"insert into {tables['chairs']} values ($1, $2)", rows)


def listing(source: str) -> Projection:
    return Projection("listing", source, 1, (Table("units", "unit text primary key"),), list_units, events=frozenset({UnitFounded}))


CHAIRS = Projection(
    "chairs",
    "units",
    1,
    (Table("chairs", "unit text primary key, name text not null", personal=frozenset({"name"})),),
    list_names,
    home="vault",
    opens=True,
    events=frozenset({UnitFounded}),
)


@reacts_to(UnitFounded)
def open_desk(event: UnitFounded) -> Issue:
    return Issue(DESK, event.unit, event.unit)


units_router, desks_router = Router(), Router()


class FoundBody(Body):
    parent: str
    chair: str
    chair_name: str


@units_router.post("/units/{unit}")
async def found(unit: str, body: FoundBody, caller: Caller, app: App) -> Accepted:
    await caller.require("clerk", unit=body.parent)
    return await app.handle(UNIT, unit, Found(unit, body.parent, body.chair, body.chair_name), by=caller)


@units_router.get("/chairs")
async def chairs(caller: Caller, app: App) -> dict[str, str]:
    return {row["unit"]: row["name"] for row in await app.search.fetch("select unit, name from chairs")}


@desks_router.get("/units")
async def units(caller: Caller, app: App) -> list[str]:
    await caller.require("clerk", unit="37", fresh=True)
    return [row["unit"] for row in await app.pool.fetch("select unit from units order by unit")]


@desks_router.get("/desks/{unit}")
async def desk(unit: str, caller: Caller, app: App) -> bool:
    return (await app.state(DESK, unit))[0]


async def bootstrap(app: Application) -> None:
    """The first unit and its admin."""
    actor = Actor("bootstrap", None, "0" * 32)
    if (await app.state(UNIT, "37"))[1] == 0:
        await app.handler.handle(UNIT, "37", Found("37", None, "p" * 32, "张三丰"), by=actor)
        await app.handler.handle(UNIT, "37", Appoint("g1", ADMIN, "37"), by=actor)


EVENTS = (UnitFounded, ClerkAppointed, DeskOpened)
AUTHORITY = AuthorityFrom("units", changes, frozenset({UnitFounded, ClerkAppointed}))


@dataclass
class Node:
    """Both services' settings, the broker between them, and tokens."""

    folder: Path
    settings: dict[str, Settings]
    broker: MemoryBroker
    exits: list[int]

    def service(self, name: str, client: httpx.AsyncClient) -> Service:
        common: dict[str, Any] = {
            "name": name,
            "catalogue": Catalogue(*EVENTS),
            "authority": AUTHORITY,
            "parts": Parts(broker=self.broker, client=client, exit=self.exits.append),
        }
        if name == "units":
            return Service(
                self.settings[name],
                deciders=[UNIT],
                projections=[CHAIRS],
                routers=[units_router],
                prepare=bootstrap,
                **common,
            )
        return Service(
            self.settings[name], deciders=[DESK], projections=[listing("units")], reactions=[open_desk], routers=[desks_router], **common
        )

    def headers(self, principal: str = ADMIN, **more: str) -> dict[str, str]:
        token = issuer_of(self.settings["units"]).mint(principal)
        return {"authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in more.items()}}


@asynccontextmanager
async def node(folder: Path, suffix: str, databases: dict[str, str]) -> AsyncIterator[Node]:
    """Databases and settings of the two services. `databases`: DSN by name (units, desks, vault)."""
    if not (folder / "master.key").exists():
        MasterKey.create(folder / "master.key")
    keeper = Keeper(databases["vault"], MasterKey.from_file(folder / "master.key"))
    await keeper.prepare()
    roles = {name: f"{name}_{suffix}" for name in ("units", "desks")}
    for role in roles.values():
        await keeper.admit(role, "secret", ["units"])
    try:
        settings = {
            name: Settings(
                node_org="37",
                database_dsn=databases[name],
                vault_dsn=as_role(databases["vault"], roles[name], "secret"),
                master_key_file=folder / "master.key",
                kafka_bootstrap="unused",
                sources={"units": "http://units", "desks": "http://desks"},
                signing_key_file=folder / "node.pem",
                request_key_file=folder / f"{name}.request",
                database_connections=8,
                log_seconds=0.05,
            )
            for name in ("units", "desks")
        }
        yield Node(folder, settings, MemoryBroker(), [])
    finally:
        admin = await asyncpg.connect(databases["vault"])
        for role in roles.values():
            await admin.execute(f'drop owned by "{role}" cascade; drop role "{role}"')
        await admin.close()


@asynccontextmanager
async def running(two: Node, *names: str) -> AsyncIterator[httpx.AsyncClient]:
    """The services, started in that order, and a client that reaches them by name."""
    mounts: dict[str, httpx.ASGITransport] = {}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(transport=by_name(mounts)))
        for name in names:
            service: Service = two.service(name, client)
            await stack.enter_async_context(service.http.router.lifespan_context(service.http))
            mounts[name] = httpx.ASGITransport(service)
        yield client


async def until(what: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await what():  # noqa: ASYNC110 - it asks another service over HTTP
            await asyncio.sleep(0.02)
