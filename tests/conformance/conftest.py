"""One node for all tests that only ask it things."""

from collections.abc import Iterator

import pytest
from node.embedded.postgres import Postgres

from .served import Served, served


@pytest.fixture(scope="session")
def it(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The whole node, served."""
    with served(postgres, tmp_path_factory.mktemp("conformance")) as running:
        yield running
