"""Databases and roles on the embedded servers: one database and its own role per service, one vault that they share."""

import secrets

import asyncpg
from foundation import files

from node.embedded.postgres import Postgres
from node.folder import DataFolder
from node.topology import SERVICES, ServiceSpec


def role_password(folder: DataFolder, service: ServiceSpec) -> str:
    """The password of a service's role, made at first start."""
    made = files.ensure(folder.secrets / f"{service.name}.password", lambda: secrets.token_urlsafe(24).encode())
    return made.read_text()


async def provision(folder: DataFolder, postgres: Postgres, vault: Postgres) -> None:
    """Make what is missing. Safe to repeat."""
    for server, databases in ((postgres, {service.name: service.name for service in SERVICES}), (vault, {"vault": "postgres"})):
        admin = await asyncpg.connect(server.dsn())
        try:
            for service in SERVICES:
                await _role(admin, service.name, role_password(folder, service))
            for database, owner in databases.items():
                if not await admin.fetchval("select true from pg_database where datname = $1", database):
                    await admin.execute(f"create database {database} owner {owner}")
                await admin.execute(f"revoke connect on database {database} from public")
        finally:
            await admin.close()


async def _role(admin: asyncpg.Connection, name: str, password: str) -> None:
    verb = "alter" if await admin.fetchval("select true from pg_roles where rolname = $1", name) else "create"
    quoted = await admin.fetchval("select quote_literal($1)", password)
    await admin.execute(f"{verb} role {name} login password {quoted}")
