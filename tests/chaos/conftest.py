"""The machine that is broken on purpose, and what was counted while it was."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .machine import Machine

COUNTED: list[tuple[str, Mapping[str, object]]] = []


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """Two PostgreSQL and a broker; whatever was started on them is ended, however the tests went."""
    place = Path(tempfile.mkdtemp(prefix="tongxin-chaos-"))
    place.chmod(0o711)
    machine = Machine(place / "node")
    try:
        yield machine
    finally:
        machine.stop()
        if not os.environ.get("TONGXIN_CHAOS_KEEP"):
            shutil.rmtree(place, ignore_errors=True)


class Counts:
    """What a test wants to have said about itself at the end of the run."""

    def __init__(self, test: str) -> None:
        self._test = test

    def say(self, **counts: object) -> None:
        """Print these at the end."""
        COUNTED.append((self._test, counts))


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Counts:
    """Counts that are printed whether the test fails or not."""
    return Counts(request.node.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTED:
        terminalreporter.section("chaos: what was done and counted")
    for test, told in COUNTED:
        terminalreporter.write_line(f"{test}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items()))
