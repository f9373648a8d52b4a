"""A membership service on fresh databases, with a city, a county, a union and a steward: in this process or in one of its own."""

import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from contracts.membership import Level, OrganisationKind, Role
from foundation.broker.memory import MemoryBroker
from foundation.clock import SystemClock
from foundation.commands import Actor
from foundation.http.caller import Application
from foundation.http.tokens import NodeIssuer, SigningKey
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
from node.embedded.ports import free_port
from pydantic import SecretStr

CITY, COUNTY, UNION = "3709", "370911", "370911001.1"
STEWARD = "5" * 32
SINCE = date(2020, 1, 1)


@dataclass(frozen=True)
class MembershipNode:
    """Settings of a service whose databases are prepared."""

    settings: Settings

    def token(self) -> str:
        """A token of the steward."""
        key = SigningKey.at(self.settings.signing_key_file)
        return NodeIssuer(key, issuer=self.settings.node_issuer, audience="tongxin", clock=SystemClock()).mint(STEWARD)

    @asynccontextmanager
    async def inside(self) -> AsyncIterator[Application]:
        """The running service in this process, its broker in memory."""
        service = create_app(self.settings, parts=Parts(broker=MemoryBroker()))
        async with service.http.router.lifespan_context(service.http):
            yield service.http.state.application

    @contextmanager
    def outside(self) -> Iterator[int]:
        """The service in a process of its own, with the real broker; gives its port."""
        port = free_port()
        said = self.settings
        environment = os.environ | {
            "TONGXIN_NODE_ORG": said.node_org,
            "TONGXIN_DATABASE_DSN": said.database_dsn.get_secret_value(),
            "TONGXIN_VAULT_DSN": said.vault_dsn.get_secret_value(),
            "TONGXIN_KAFKA_BOOTSTRAP": said.kafka_bootstrap,
            "TONGXIN_MASTER_KEY_FILE": str(said.master_key_file),
            "TONGXIN_SIGNING_KEY_FILE": str(said.signing_key_file),
            "TONGXIN_REQUEST_KEY_FILE": str(said.request_key_file),
            "TONGXIN_TOPIC_PREFIX": f"bench-{secrets.token_hex(4)}.",
            "TONGXIN_LOG_LEVEL": "warning",
            "TONGXIN_PORT": str(port),
        }
        server = subprocess.Popen([sys.executable, "-m", "membership"], env=environment)
        try:
            yield port
        finally:
            server.terminate()
            server.wait()


async def prepare(dsn: str, vault_dsn: str, bootstrap: str, folder: Path) -> MembershipNode:
    """Keys, vault, unions and the steward's appointment."""
    MasterKey.create(folder / "master.key")
    keeper = Keeper(vault_dsn, MasterKey.from_file(folder / "master.key"))
    await keeper.prepare()
    role = f"membership_{secrets.token_hex(4)}"
    await keeper.admit(role, "secret", ["membership", "roster"])
    owner = urlsplit(vault_dsn)
    node = MembershipNode(
        Settings(
            node_org=CITY,
            database_dsn=SecretStr(dsn),
            vault_dsn=SecretStr(f"postgresql://{role}:secret@{owner.hostname}:{owner.port}{owner.path}"),
            kafka_bootstrap=bootstrap,
            master_key_file=folder / "master.key",
            signing_key_file=folder / "node.pem",
            request_key_file=folder / "request.key",
        )
    )
    rows = [
        (CITY, Level.city, OrganisationKind.federation, None),
        (COUNTY, Level.county, OrganisationKind.federation, CITY),
        (UNION, Level.grassroots, OrganisationKind.enterprise, COUNTY),
    ]
    by = Actor("bootstrap", CITY, "0" * 32)
    async with node.inside() as app:
        for code, level, kind, parent in rows:
            await app.handler.handle_joint(FOUND, organisations.Found(code, level, Particulars(code, kind), parent, parent, SINCE), by=by)
        appoint = appointments.Appoint(STEWARD, secrets.token_hex(16), CITY, Role.steward, SINCE)
        await app.handler.handle_joint(APPOINT, appoint, by=by)
    return node
