"""What each process is told at its start, as environment variables `TONGXIN_*` (foundation.settings reads them)."""

import json

from node.databases import Secrets
from node.folder import DataFolder
from node.topology import SERVICES, VAULT, ServiceSpec


def environment(folder: DataFolder, service: ServiceSpec) -> dict[str, str]:
    """One service's settings. It says where secrets are and holds none."""
    config = folder.config()
    kept = Secrets(folder.secrets)
    bank = {} if config.bank_url is None else {"TONGXIN_BANK_URL": config.bank_url}
    return {
        **(bank if service.name == "assistance" else {}),
        "PGPASSFILE": str(kept.password_file(service)),
        "TONGXIN_PORT": str(config.ports.of(service)),
        "TONGXIN_DATABASE_DSN": f"postgresql://{service.name}@127.0.0.1:{config.ports.postgres}/{service.name}",
        "TONGXIN_VAULT_DSN": f"postgresql://{service.name}@127.0.0.1:{config.ports.vault}/{VAULT}",
        "TONGXIN_MASTER_KEY_FILE": str(kept.master_key),
        "TONGXIN_SIGNING_KEY_FILE": str(kept.signing_key),
        "TONGXIN_REQUEST_KEY_FILE": str(kept.request_key),
        "TONGXIN_LOG_DIR": str(kept.log),
        "TONGXIN_KAFKA_BOOTSTRAP": f"127.0.0.1:{config.ports.broker}",
        "TONGXIN_NODE_ORG": config.organisation,
        "TONGXIN_SOURCES": json.dumps({other.name: config.ports.url(other) for other in SERVICES}),
    }


def keepers(folder: DataFolder, vault_dsn: str) -> dict[str, str]:
    """What the vault's keeper is told: it alone is the vault's superuser."""
    return {"TONGXIN_VAULT_ADMIN_DSN": vault_dsn, "TONGXIN_MASTER_KEY_FILE": str(Secrets(folder.secrets).master_key)}
