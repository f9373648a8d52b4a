"""Makes what a node in containers lacks before its services start: `python -m node.prepare`. Safe to repeat.

That is its data folder with the secrets, the databases and roles on servers that somebody else runs, and where the services are, so that
`tongxin` finds them.
"""

import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from node.databases import Secrets, provision
from node.errors import NodeError
from node.folder import DataFolder
from node.lifecycle import settle


class Settings(BaseSettings):
    """Environment variables `TONGXIN_*`; `node_org` and `sources` as the services have them (foundation.settings)."""

    model_config = SettingsConfigDict(env_prefix="TONGXIN_", frozen=True, hide_input_in_errors=True)

    data_dir: Path
    node_org: str
    sources: dict[str, str]

    postgres_admin_dsn: SecretStr
    vault_admin_dsn: SecretStr
    """Superusers; the vault's server is another one, and its database is made here."""


async def prepare(settings: Settings) -> None:
    """Make what is missing. Raises UsageError where the folder belongs to another organisation's node."""
    folder = DataFolder(settings.data_dir)
    folder.create()
    settle(folder, None, settings.node_org, settings.sources)
    await provision(settings.postgres_admin_dsn.get_secret_value(), settings.vault_admin_dsn.get_secret_value(), Secrets(folder.secrets))


if __name__ == "__main__":
    try:
        asyncio.run(prepare(Settings()))
    except NodeError as error:
        sys.exit(f"error: {error.what}\n  {error.remedy}")
