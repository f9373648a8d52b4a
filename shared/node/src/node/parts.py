"""The parts of a node as the supervisor handles them: each can be launched, looked at and stopped."""

import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from node import processes
from node.embedded.broker import NoidaBroker, answers
from node.embedded.postgres import Postgres
from node.folder import DataFolder
from node.topology import POSTGRES_SETTINGS, VAULT_SETTINGS, Ports


class Part(Protocol):
    """One program that has to run."""

    name: str
    port: int
    log: Path

    def launch(self) -> None:
        """Start it; do not wait."""
        ...

    def pid(self) -> int | None:
        """Its process while it lives."""
        ...

    def ready(self) -> bool:
        """Whether those who need it may start."""
        ...

    def stop(self) -> None:
        """End it cleanly, or at least surely."""
        ...


class PostgresPart:
    """An embedded PostgreSQL."""

    def __init__(self, name: str, server: Postgres) -> None:
        self.name, self.server = name, server
        self.port, self.log = server.port, server.folder / "log"

    def launch(self) -> None:
        self.server.launch()

    def pid(self) -> int | None:
        return self.server.pid()

    def ready(self) -> bool:
        return self.server.ready()

    def stop(self) -> None:
        self.server.stop()


STOP_SECONDS_MAX = 20
"""How long a service may take to finish what it has begun; then it is killed, which loses nothing that was acknowledged."""

BROKER_STOP_SECONDS_MAX = 90
"""The embedded broker writes all its topics when it ends, a kilobyte a record; killed, it would lose what it has not written."""


class ProcessPart(ABC):
    """A program of the node's own: found again by the mark in its environment."""

    stop_seconds_max = STOP_SECONDS_MAX

    def __init__(self, folder: DataFolder, name: str, port: int) -> None:
        self.name, self.port, self.log = name, port, folder.log(name)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs."""

    def environment(self) -> Mapping[str, str]:
        """What it is told, beside our own environment."""
        return {}

    def launch(self) -> None:
        self._process = processes.spawn(self._folder.root, self.name, self.command(), environment=self.environment(), log=self.log)

    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def ready(self) -> bool:
        return self.pid() is not None

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=self.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ServicePart(ProcessPart):
    """One service's process."""

    def __init__(self, folder: DataFolder, name: str, port: int, environment: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(folder, name, port)
        self._told = environment

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", self.name]

    def environment(self) -> Mapping[str, str]:
        return self._told()


class KeeperPart(ProcessPart):
    """Whoever purges the vault; it listens nowhere."""

    NAME = "keeper"

    def __init__(self, folder: DataFolder, environment: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(folder, self.NAME, 0)
        self._told = environment

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "node.keeping"]

    def environment(self) -> Mapping[str, str]:
        return self._told()


class BrokerPart(ProcessPart):
    """The embedded broker."""

    NAME = "broker"
    stop_seconds_max = BROKER_STOP_SECONDS_MAX

    def __init__(self, folder: DataFolder, port: int) -> None:
        super().__init__(folder, self.NAME, port)
        self._broker = NoidaBroker(folder.broker, port)

    def command(self) -> Sequence[str]:
        return self._broker.command()

    def ready(self) -> bool:
        return self.pid() is not None and answers(self.port)


def servers(folder: DataFolder, ports: Ports) -> tuple[Postgres, Postgres]:
    """The services' PostgreSQL and the vault's."""
    return (
        Postgres(folder.root / "postgres", ports.postgres, settings=POSTGRES_SETTINGS, programs=folder.programs),
        Postgres(folder.root / "vault", ports.vault, settings=VAULT_SETTINGS, programs=folder.programs),
    )
