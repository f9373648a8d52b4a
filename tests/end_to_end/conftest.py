"""A running node for the stories."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from node.embedded.postgres import Postgres

from .running_node import RunningNode, running_node


@pytest.fixture
async def node(postgres: Postgres, tmp_path: Path) -> AsyncIterator[RunningNode]:
    """Membership and assistance, with the first administrator appointed."""
    async with running_node(postgres, tmp_path) as it:
        yield it
