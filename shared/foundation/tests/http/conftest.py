"""The sample service, running, and what it logs."""

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from foundation.http.tokens import SigningKey
from foundation.telemetry import configure_logging

from .sample import Sample, running


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    """Everything this process logs during a test, as it would be written."""
    stream = io.StringIO()
    handlers, level = logging.root.handlers[:], logging.root.level
    configure_logging("INFO", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


@pytest.fixture
async def sample(signing_key: SigningKey) -> AsyncIterator[Sample]:
    async with running(signing_key) as it:
        yield it
