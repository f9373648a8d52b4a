"""Fixtures of foundation's own suites."""

import os

import pytest
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey


@pytest.fixture
def master() -> MasterKey:
    """A master key of this test alone."""
    return MasterKey(os.urandom(32))


@pytest.fixture
async def vault_dsn(database: str, master: MasterKey) -> str:
    """The DSN of a prepared vault, a database of its own, wrapped by `master`."""
    await Keeper(database, master).prepare()
    return database
