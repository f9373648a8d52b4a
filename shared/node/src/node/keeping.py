"""Purges the vault regularly, as its superuser: `python -m node.keeping`. It makes unrecoverable what erasures have destroyed.

Told by the environment: TONGXIN_VAULT_ADMIN_DSN (database `vault`) and TONGXIN_MASTER_KEY_FILE. A purge locks the search tables while it
rewrites them, so there is at most one in EVERY_SECONDS however many erasures there are; docs/decisions/0003-vault.md says what one costs.
"""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import asyncpg
import structlog
from foundation.telemetry import configure_logging
from foundation.vault.keeper import Keeper, PurgeIncomplete
from foundation.vault.masterkey import MasterKey, MasterKeyUnusable
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

EVERY_SECONDS = 600.0

log = structlog.get_logger()


class Settings(BaseSettings):
    """Environment variables `TONGXIN_*`."""

    model_config = SettingsConfigDict(env_prefix="TONGXIN_", frozen=True, hide_input_in_errors=True)

    vault_admin_dsn: SecretStr
    master_key_file: Path
    purge_every_seconds: float = EVERY_SECONDS


async def keep(keeper: Keeper, every_seconds: float, stopped: asyncio.Event) -> None:
    """Purge whenever something waits, until told to stop; what fails is told and tried again the next time."""
    while not stopped.is_set():
        try:
            if await keeper.waiting():
                done = await keeper.purge()
                log.info("vault purged", count=done.erasures, left=done.waiting, tables=done.tables_rewritten)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            log.warning("vault not purged", error=type(error).__name__)
        except (PurgeIncomplete, MasterKeyUnusable) as error:
            log.error("vault not purged: an operator has to look", error=type(error).__name__)
        with suppress(TimeoutError):
            async with asyncio.timeout(every_seconds):
                await stopped.wait()


async def run(settings: Settings) -> None:
    """Keep the vault until SIGTERM."""
    configure_logging("info")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    keeper = Keeper(settings.vault_admin_dsn.get_secret_value(), MasterKey.from_file(settings.master_key_file))
    await keep(keeper, settings.purge_every_seconds, stopped)


if __name__ == "__main__":
    asyncio.run(run(Settings()))
