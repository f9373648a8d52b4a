"""What each service is told at its start, as environment variables `TONGXIN_*` (foundation.settings reads them)."""

import json
from pathlib import Path

from foundation.vault.masterkey import MasterKey

from node.databases import role_password
from node.embedded.postgres import Postgres
from node.folder import DataFolder
from node.topology import SERVICES, ServiceSpec


def environment(folder: DataFolder, service: ServiceSpec, postgres: Postgres, vault: Postgres) -> dict[str, str]:
    """One service's settings. Says where secrets are; the secrets that a DSN needs are in the environment of that process alone."""
    config = folder.config()
    password = role_password(folder, service)
    return {
        "TONGXIN_PORT": str(config.ports.of(service)),
        "TONGXIN_DATABASE_DSN": postgres.dsn(service.name, user=service.name, password=password),
        "TONGXIN_VAULT_DSN": vault.dsn("vault", user=service.name, password=password),
        "TONGXIN_KAFKA_BOOTSTRAP": f"127.0.0.1:{config.ports.broker}",
        "TONGXIN_NODE_ORG": config.organisation,
        "TONGXIN_SOURCES": json.dumps({other.name: config.ports.url(other) for other in SERVICES}),
        "TONGXIN_MASTER_KEY_FILE": str(master_key_file(folder)),
    }


def master_key_file(folder: DataFolder) -> Path:
    """The file of the node's master key, made at first start."""
    path = folder.secrets / "master.key"
    if not path.exists():
        MasterKey.create(path)
    return path
