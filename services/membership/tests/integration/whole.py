"""The whole membership service on PostgreSQL, with a city, a county and two unions, and people who may act there."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
from contracts.membership import Level, OrganisationKind, Role
from foundation.broker.memory import MemoryBroker
from foundation.commands import Actor
from foundation.http.caller import Application
from foundation.running import Parts
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey
from membership.appointments import commands as appointments
from membership.appointments.appointment import APPOINT
from membership.main import create_app
from membership.organisations import commands as organisations
from membership.organisations.commands import Particulars
from membership.organisations.organisation import FOUND
from membership.settings import Settings
from node.embedded.postgres import Postgres

from tests.support import as_role, execute, fresh_database, issuer_of

CITY, COUNTY, UNION, OTHER_UNION, OTHER_COUNTY = "3709", "370911", "370911001.1", "370911001.2", "370902"
STEWARD, ELSEWHERE = "5" * 32, "e" * 32
SINCE = date(2020, 1, 1)
BY = Actor("bootstrap", CITY, "0" * 32)


class Node:
    """Databases and keys of one node; `service` starts the service on them, as often as wanted."""

    def __init__(self, folder: Path, databases: dict[str, str], role: str) -> None:
        self.settings = Settings(
            node_org=CITY,
            database_dsn=databases["membership"],
            vault_dsn=as_role(databases["vault"], role, "secret"),
            kafka_bootstrap="in memory",
            master_key_file=folder / "master.key",
            signing_key_file=folder / "node.pem",
            request_key_file=folder / "request.key",
        )
        self.databases = databases

    @asynccontextmanager
    async def service(self) -> AsyncIterator[tuple[Application, httpx.AsyncClient]]:
        """The running service and a client that calls as STEWARD."""
        service = create_app(self.settings, parts=Parts(broker=MemoryBroker()))
        async with service.http.router.lifespan_context(service.http):
            app: Application = service.http.state.application
            transport = httpx.ASGITransport(service)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://membership", headers=self.bearer(STEWARD), timeout=120
            ) as client:
                yield app, client

    def bearer(self, principal: str) -> dict[str, str]:
        """The header of a principal's token."""
        return {"authorization": f"Bearer {issuer_of(self.settings).mint(principal)}"}


@asynccontextmanager
async def node(postgres: Postgres, folder: Path) -> AsyncIterator[Node]:
    """A fresh node, gone afterwards."""
    suffix = secrets.token_hex(4)
    role = f"membership_{suffix}"
    async with fresh_database(postgres, f"h_membership_{suffix}") as service, fresh_database(postgres, f"h_vault_{suffix}") as vault:
        MasterKey.create(folder / "master.key")
        keeper = Keeper(vault, MasterKey.from_file(folder / "master.key"))
        await keeper.prepare()
        await keeper.admit(role, "secret", ["membership", "roster"])
        it = Node(folder, {"membership": service, "vault": vault}, role)
        async with it.service() as (app, _):
            await found(app)
        yield it
    await execute(postgres, f'drop role "{role}"')


async def found(app: Application) -> None:
    """The unions, and who may act: STEWARD everywhere, ELSEWHERE only in the other county."""
    rows: list[tuple[str, Level, OrganisationKind, str | None]] = [
        (CITY, Level.city, OrganisationKind.federation, None),
        (COUNTY, Level.county, OrganisationKind.federation, CITY),
        (OTHER_COUNTY, Level.county, OrganisationKind.federation, CITY),
        (UNION, Level.grassroots, OrganisationKind.enterprise, COUNTY),
        (OTHER_UNION, Level.grassroots, OrganisationKind.enterprise, COUNTY),
    ]
    for code, level, kind, parent in rows:
        await app.handler.handle_joint(FOUND, organisations.Found(code, level, Particulars(code, kind), parent, parent, SINCE), by=BY)
    for principal, organisation in ((STEWARD, CITY), (ELSEWHERE, OTHER_COUNTY)):
        command = appointments.Appoint(principal, secrets.token_hex(16), organisation, Role.steward, SINCE)
        await app.handler.handle_joint(APPOINT, command, by=BY)


async def settled(client: httpx.AsyncClient, roster: str, stage: str) -> dict[str, Any]:
    """Ask until a roster has come to a stage (bounded by the test's own time limit)."""
    while True:
        view: dict[str, Any] = (await client.get(f"/rosters/{roster}")).raise_for_status().json()
        if view["stage"] == stage:
            return view
        if view["stage"] in ("applied", "failed", "refused"):
            raise AssertionError(view)
        await asyncio.sleep(0.02)
