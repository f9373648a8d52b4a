"""What each service is told at its start, as environment variables `TONGXIN_*` (foundation.settings reads them)."""

import json

from node.databases import Secrets
from node.embedded.postgres import Postgres
from node.folder import DataFolder
from node.topology import SERVICES, VAULT, ServiceSpec


def environment(folder: DataFolder, service: ServiceSpec, postgres: Postgres, vault: Postgres) -> dict[str, str]:
    """One service's settings. Says where secrets are; the secrets that a DSN needs are in the environment of that process alone."""
    config = folder.config()
    kept = Secrets(folder.secrets)
    password = kept.password(service)
    return {
        "TONGXIN_PORT": str(config.ports.of(service)),
        "TONGXIN_DATABASE_DSN": postgres.dsn(service.name, user=service.name, password=password),
        "TONGXIN_VAULT_DSN": vault.dsn(VAULT, user=service.name, password=password),
        "TONGXIN_KAFKA_BOOTSTRAP": f"127.0.0.1:{config.ports.broker}",
        "TONGXIN_NODE_ORG": config.organisation,
        "TONGXIN_SOURCES": json.dumps({other.name: config.ports.url(other) for other in SERVICES}),
        "TONGXIN_MASTER_KEY_FILE": str(kept.master_key),
    }
