"""Backup and restore of a node's databases (docs/decisions/0010-backup.md says why in this order, and what each loses).

    manifest.json     when, of which node, how far each history went, the digest of each file
    node.json         what was settled at first start
    services.tar.gz   the services' server as a base backup: every history and view at one moment
    vault.dump        the vault, taken after it: every key that those histories need; no search tables, they are made anew

Secrets are not in it: a backup that held the master key would undo every erasure. They are escrowed apart (`secrets/`).
"""

import asyncio
import gzip
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from pydantic import BaseModel, ValidationError

from node import status
from node.embedded.postgres import Postgres, PostgresFailed
from node.errors import NotRunning, UsageError, of_file
from node.folder import DataFolder, NodeConfig
from node.parts import servers
from node.topology import SERVICES, VAULT

SERVICES_FILE, VAULT_FILE = "services.tar.gz", "vault.dump"


class Manifest(BaseModel):
    """What a backup holds."""

    taken_at: datetime
    organisation: str
    positions: dict[str, int | None]
    sha256: dict[str, str]


def take(folder: DataFolder, target: Path, report: Callable[[str], None]) -> Manifest:
    """Back a running node up into a new folder. Raises NotRunning, UsageError, PostgresFailed."""
    config = folder.supervised()
    postgres, vault = servers(folder, config.ports)
    if not (postgres.ready() and vault.ready()):
        raise NotRunning("a backup needs the node's databases, and they do not run", "start the node with `tongxin up`")
    if target.exists():
        raise UsageError(f"{target} exists already", "name a folder that does not exist yet")
    target.mkdir(parents=True, mode=0o700)
    try:
        return _take(folder, target, report)
    except BaseException:
        # Half a backup is none, and would be in the way of the next attempt.
        shutil.rmtree(target, ignore_errors=True)
        raise


def _take(folder: DataFolder, target: Path, report: Callable[[str], None]) -> Manifest:
    config = folder.config()
    postgres, vault = servers(folder, config.ports)
    # The manifest promises positions that were reached before the copy began.
    positions = {name: service.position for name, service in status.of(folder).services.items()}
    report("the services' histories")
    with tempfile.TemporaryFile(dir=target) as copied, gzip.open(target / SERVICES_FILE, "wb", compresslevel=3) as packed:
        arguments = ("--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--no-password")
        postgres.run("pg_basebackup", *postgres.connection, *arguments, sink=copied)
        copied.seek(0)
        shutil.copyfileobj(copied, packed, 1 << 20)
    report("the vault")
    with (target / VAULT_FILE).open("wb") as dumped:
        vault.run("pg_dump", *vault.connection, "--format=custom", "--exclude-schema=search_*", "--no-password", VAULT, sink=dumped)
    report("digests")
    (target / "node.json").write_text(config.model_dump_json(indent=2) + "\n")
    digests = {name: _digest(target / name) for name in (SERVICES_FILE, VAULT_FILE, "node.json")}
    manifest = Manifest(taken_at=datetime.now(UTC), organisation=config.organisation, positions=positions, sha256=digests)
    (target / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def read(source: Path) -> Manifest:
    """A backup's manifest, its files checked against it. Raises UsageError."""
    try:
        manifest = Manifest.model_validate_json((source / "manifest.json").read_bytes())
        damaged = [name for name, digest in manifest.sha256.items() if _digest(source / name) != digest]
    except OSError as error:
        raise UsageError(f"{source} is not a whole backup: {of_file(error)}", "name a folder that `tongxin backup` made") from error
    except ValidationError as error:
        raise UsageError(f"{source} is not a whole backup: its manifest.json is damaged", "take another one") from error
    if damaged:
        raise UsageError(f"this backup is damaged: {', '.join(damaged)}", "take another one")
    return manifest


def restore(folder: DataFolder, source: Path, report: Callable[[str], None], *, vault_too: bool = False) -> Manifest:
    """Put a backup in the place of a stopped node's databases; what was there is kept beside, with the moment in its name.

    A vault that is there stays, unless `vault_too`: it has every key of the backup's, those made since, and none that was destroyed since.
    The broker's data stay: where the topics hold events that the backup does not, the services refuse to write until those are
    re-appended, or a new epoch is declared (DESIGN 3). Raises UsageError, AlreadyRunning, PostgresFailed.
    """
    report("checking the backup")
    manifest = read(source)
    folder.create()
    if not (folder.secrets / "master.key").exists():
        raise UsageError(
            f"{folder.secrets}/master.key is missing; without it nothing in the vault can be opened", "put the escrowed secrets there first"
        )
    with folder.lock():
        if not folder.exists():
            folder.save_config(NodeConfig.model_validate_json((source / "node.json").read_bytes()))
        if manifest.organisation != folder.config().organisation:
            raise UsageError(
                f"this is a backup of the node of {manifest.organisation}, and {folder.root} is that of {folder.config().organisation}",
                "name another --data-dir",
            )
        postgres, vault = servers(folder, folder.supervised().ports)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        report("the vault")
        if vault_too or not (vault.folder / "data").exists():
            _put_aside(vault, stamp)
            _restore_vault(vault, source / VAULT_FILE)
        else:
            _check_vault(vault)
        report("the services' histories")
        _put_aside(postgres, stamp)
        _restore_services(postgres, source / SERVICES_FILE)
    return manifest


def _put_aside(server: Postgres, stamp: str) -> None:
    if (server.folder / "data").exists():
        (server.folder / "data").rename(server.folder / f"data.before-{stamp}")


def _check_vault(vault: Postgres) -> None:
    """Raises UsageError where the vault that is there cannot be used."""
    try:
        vault.start()
        try:
            asyncio.run(_whole(vault.dsn(VAULT)))
        finally:
            vault.stop()
    except (PostgresFailed, OSError, asyncpg.PostgresError) as error:
        raise UsageError(
            f"the vault that is there cannot be read: {error}", "`--vault` puts the backup's in its place; keys made since are lost then"
        ) from error


async def _whole(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.fetch("select sum(length(wrapped)) from vault.keys")
        await connection.fetch("select * from vault.wrapping_keys_v1()")
    finally:
        await connection.close()


def _restore_vault(vault: Postgres, dump: Path) -> None:
    vault.start()
    try:
        asyncio.run(_empty_vault(vault.dsn()))
        with dump.open("rb") as dumped:
            arguments = ("--exit-on-error", "--single-transaction", "--no-password", f"--dbname={VAULT}")
            vault.run("pg_restore", *vault.connection, *arguments, source=dumped)
    finally:
        vault.stop()


async def _empty_vault(dsn: str) -> None:
    admin = await asyncpg.connect(dsn)
    try:
        # The dump grants to them; the next start gives them their passwords and schemas.
        for service in SERVICES:
            await admin.execute(f"create role {service.name} login")
        await admin.execute(f"create database {VAULT}")
    finally:
        await admin.close()


def _restore_services(postgres: Postgres, packed: Path) -> None:
    postgres.prepare_folder()
    making = postgres.folder / "data.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    with tarfile.open(packed, "r:gz") as archive:
        archive.extractall(making, filter="data")
    making.chmod(0o700)
    postgres.give(making, *making.rglob("*"))
    postgres.run("pg_verifybackup", str(making))
    # The server's own password is this folder's, not the one of the day of the backup.
    with tempfile.TemporaryFile() as statement:
        statement.write(f"alter role postgres password '{postgres.password}'\n".encode())
        statement.seek(0)
        postgres.run("postgres", "--single", "-D", str(making), "postgres", source=statement)
    making.rename(postgres.folder / "data")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
