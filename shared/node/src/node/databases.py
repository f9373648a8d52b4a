"""Databases and roles: one database and its own role per service, and the vault that admits them.

`provision` runs at every start: the embedded runtime calls it, or `python -m node.prepare` where PostgreSQL is somebody else's.
"""

import secrets
from pathlib import Path

import asyncpg
from foundation import files
from foundation.http.tokens import SigningKey
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey

from node import retentions
from node.folder import DataFolder
from node.parts import servers
from node.topology import SERVICES, VAULT, ServiceSpec


class Secrets:
    """The node's secrets in one folder, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make_all(self) -> None:
        """Make every one, before any process asks."""
        for service in SERVICES:
            self.password_file(service)
        _ = self.master_key, self.signing_key, self.request_key

    def password_file(self, service: ServiceSpec) -> Path:
        """The file with the password of a service's roles, as PGPASSFILE wants it."""
        line = f"*:*:*:{service.name}:{secrets.token_urlsafe(24)}\n"
        return files.ensure(self.folder / f"{service.name}.pgpass", line.encode)

    def password(self, service: ServiceSpec) -> str:
        """The password of a service's roles."""
        return self.password_file(service).read_text().strip().rsplit(":", 1)[1]

    @property
    def master_key(self) -> Path:
        """The file of the vault's master key."""
        path = self.folder / "master.key"
        if not path.exists():
            MasterKey.create(path)
        return path

    @property
    def signing_key(self) -> Path:
        """The file of the key that signs the services' tokens, and people's while no OIDC provider is configured."""
        path = self.folder / "node.pem"
        SigningKey.at(path)
        return path

    @property
    def request_key(self) -> Path:
        """The file of the key for request hashes and cursors."""
        return files.ensure(self.folder / "request.key", lambda: secrets.token_bytes(32))

    @property
    def log(self) -> Path:
        """The folder of the transparency logs' keys, which the services make (foundation.log.keys)."""
        return self.folder / "log"


async def provision(postgres_dsn: str, vault_dsn: str, kept: Secrets) -> None:
    """Make what is missing, as superuser of both servers. Safe to repeat."""
    kept.make_all()
    admin = await asyncpg.connect(postgres_dsn)
    try:
        for service in SERVICES:
            await _role(admin, service.name, kept.password(service))
            await _database(admin, service.name, owner=service.name)
    finally:
        await admin.close()
    admin = await asyncpg.connect(vault_dsn)
    try:
        await _database(admin, VAULT, owner="postgres")
    finally:
        await admin.close()
    keeper = Keeper(_at(vault_dsn, VAULT), MasterKey.from_file(kept.master_key))
    await keeper.prepare()
    await retentions.put(keeper)
    for service in SERVICES:
        await keeper.admit(service.name, kept.password(service), service.purposes)


async def _role(admin: asyncpg.Connection, name: str, password: str) -> None:
    verb = "alter" if await admin.fetchval("select true from pg_roles where rolname = $1", name) else "create"
    quoted = await admin.fetchval("select quote_literal($1)", password)
    await admin.execute(f"{verb} role {name} login password {quoted}")


async def _database(admin: asyncpg.Connection, name: str, *, owner: str) -> None:
    if not await admin.fetchval("select true from pg_database where datname = $1", name):
        await admin.execute(f"create database {name} owner {owner}")
    await admin.execute(f"revoke connect, temporary on database {name} from public")


def _at(dsn: str, database: str) -> str:
    return f"{dsn.rsplit('/', 1)[0]}/{database}"


def keeper(folder: DataFolder) -> Keeper:
    """The vault's keeper, of a node whose servers are ours. Raises UsageError where they are containers."""
    _, vault = servers(folder, folder.supervised().ports)
    return Keeper(vault.dsn(VAULT), MasterKey.from_file(Secrets(folder.secrets).master_key))
