"""Membership and assistance as their `main` declares them, on real databases, in one process, with a broker in memory between them."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import assistance.main
import httpx
import membership.main
import rights.main
from assistance.settings import Settings as AssistanceSettings
from foundation.broker.memory import MemoryBroker
from foundation.broker.port import Broker
from foundation.clock import Clock
from foundation.http.tokens import NodeIssuer, SigningKey
from foundation.running import Parts
from foundation.service import Service
from foundation.settings import Settings
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey
from membership.settings import Settings as MembershipSettings
from node.embedded.postgres import Postgres
from node.topology import SERVICES

from tests.support import PATIENCE_SECONDS, Midday, as_role, by_name, execute, fresh_database, issuer_of

TOP = "3709"
BOSS = "a" * 32
"""The node's first administrator."""


@dataclass(frozen=True, slots=True)
class RunningNode:
    """Both services, reached by name, and whatever is needed to speak to them."""

    client: httpx.AsyncClient
    issuer: NodeIssuer
    keeper: Keeper
    vault_dsn: str
    databases: dict[str, str]
    services: dict[str, Service]
    key: SigningKey

    async def get(self, url: str, *, by: str = BOSS, **params: Any) -> httpx.Response:
        """Ask a service: `membership/organisations/tree`."""
        return await self._answered("GET", url, params=params, headers=self._headers(by))

    async def post(self, url: str, body: Any, *, by: str = BOSS, key: str | None = None) -> httpx.Response:
        """Send a command, under a key of its own unless one is given."""
        headers = self._headers(by) | {"idempotency-key": key or secrets.token_hex(8)}
        return await self._answered("POST", url, json=body, headers=headers)

    async def upload(self, url: str, body: bytes, *, by: str = BOSS, media_type: str = "text/csv") -> httpx.Response:
        """Send a file."""
        headers = self._headers(by) | {"content-type": media_type, "idempotency-key": secrets.token_hex(8)}
        return await self._answered("POST", url, content=body, headers=headers)

    async def appoint(self, principal: str, role: str, organisation: str) -> str:
        """Appoint somebody from long ago on; who."""
        body = {"principal": principal, "organisation": organisation, "role": role, "valid_from": "2020-01-01"}
        answer = await self.post("membership/appointments", body)
        assert answer.status_code == 201, answer.text
        return principal

    async def _answered(self, method: str, url: str, **request: Any) -> httpx.Response:
        """An answer other than "not yet" (503), where there is one in time: it asks to be asked again. A command keeps its key then."""
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self.client.request(method, f"http://{url}", **request)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > gives_up_at:
                return answer
            await asyncio.sleep(0.1)

    def _headers(self, by: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.issuer.mint(by)}"}


async def until(what: Callable[[], Awaitable[bool]], seconds_max: float = PATIENCE_SECONDS) -> None:
    """Return once it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds_max):
        while not await what():  # noqa: ASYNC110 - what is waited for is on the other side of HTTP
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_node(
    postgres: Postgres,
    folder: Path,
    *,
    vault: Postgres | None = None,
    broker: Broker | None = None,
    with_rights: bool = False,
    clock: Clock | None = None,
    bank: Any = None,
) -> AsyncIterator[RunningNode]:
    """A node of its own for one test; its databases go with it. `vault`: an instance of its own for the vault, as nodes have.

    `with_rights`: with the rights service, whose events assistance reacts to; else that one is away. `clock`: the time for all of them.
    `bank`: an ASGI application that assistance sends payments to, as `http://bank`.
    """
    suffix = secrets.token_hex(4)
    names = ("membership", "assistance", *(("rights",) if with_rights else ()))
    servers = {**dict.fromkeys(names, postgres), "vault": vault or postgres}
    async with AsyncExitStack() as stack:
        databases = {name: await stack.enter_async_context(fresh_database(on, f"e2e_{name}_{suffix}")) for name, on in servers.items()}
        yield await stack.enter_async_context(_started(databases, suffix, folder, Parts(clock or Midday(), broker or MemoryBroker()), bank))
    for name in names:
        await execute(servers["vault"], f'drop role "{name}_{suffix}"')


@asynccontextmanager
async def _started(databases: dict[str, str], suffix: str, folder: Path, given: Parts, bank: Any) -> AsyncIterator[RunningNode]:
    MasterKey.create(folder / "master.key")
    keeper = Keeper(databases["vault"], MasterKey.from_file(folder / "master.key"))
    await keeper.prepare()
    services: dict[str, Service] = {}
    mounts: dict[str, httpx.ASGITransport] = {} if bank is None else {"bank": httpx.ASGITransport(bank)}
    of_assistance: dict[str, Any] = {} if bank is None else {"bank_url": "http://bank", "bank_poll_seconds": 0.05}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(transport=by_name(mounts), timeout=60))
        for name, main, kind in (
            ("membership", membership.main, MembershipSettings),
            ("assistance", assistance.main, AssistanceSettings),
            ("rights", rights.main, Settings),
        ):
            if name not in databases:
                continue
            role = f"{name}_{suffix}"
            await keeper.admit(role, "secret", next(spec.purposes for spec in SERVICES if spec.name == name))
            settings = kind(
                node_org=TOP,
                database_dsn=databases[name],
                vault_dsn=as_role(databases["vault"], role, "secret"),
                master_key_file=folder / "master.key",
                kafka_bootstrap="unused",
                topic_prefix=f"e2e-{suffix}.",
                sources={name: f"http://{name}" for name in ("membership", "assistance", "rights")},
                signing_key_file=folder / "node.pem",
                request_key_file=folder / f"{name}.request",
                database_connections=8,
                **(of_assistance if name == "assistance" else {}),
            )
            parts = replace(given, client=client)
            service = main.create_app(settings, parts=parts)
            await stack.enter_async_context(service.http.router.lifespan_context(service.http))
            services[name], mounts[name] = service, httpx.ASGITransport(service)
        key = SigningKey.at(folder / "node.pem")
        node = RunningNode(client, issuer_of(settings, given.clock), keeper, databases["vault"], databases, services, key)
        answer = await node.post("membership/appointments/first", {"principal": BOSS}, by="service:node")
        assert answer.status_code == 201, answer.text
        yield node
