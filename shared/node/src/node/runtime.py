"""What a node's life begins and ends with: the plan of its parts, and the end of whatever an earlier life left behind."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from node import databases, processes
from node.environment import environment, keepers
from node.folder import DataFolder
from node.parts import BROKER_STOP_SECONDS_MAX, STOP_SECONDS_MAX, BrokerPart, KeeperPart, Part, PostgresPart, ServicePart, servers
from node.topology import SERVICES, VAULT


@dataclass(frozen=True, slots=True)
class Planned:
    """A part, what must be ready before it starts, and what is done once before its first start."""

    part: Part
    needs: tuple[Part, ...] = ()
    prepare: Callable[[], None] | None = None


def plan(folder: DataFolder) -> list[Planned]:
    """The parts of this node in the order of their start."""
    ports = folder.config().ports
    postgres, vault = servers(folder, ports)
    stores = (PostgresPart("postgres", postgres), PostgresPart("vault", vault))
    broker = BrokerPart(folder, ports.broker)
    provisioned = Once(lambda: asyncio.run(databases.provision(postgres.dsn(), vault.dsn(), databases.Secrets(folder.secrets))))
    services = [
        Planned(
            ServicePart(folder, service.name, ports.of(service), partial(environment, folder, service)),
            needs=(*stores, broker),
            prepare=provisioned,
        )
        for service in SERVICES
    ]
    keeper = Planned(KeeperPart(folder, lambda: keepers(folder, vault.dsn(VAULT))), needs=stores, prepare=provisioned)
    return [*(Planned(store) for store in stores), Planned(broker), *services, keeper]


def sweep(folder: DataFolder) -> list[str]:
    """End, services first, what runs on this data folder though its supervisor does not. Returns the parts that did."""
    left = processes.marked(folder.root)
    broker = left.pop(BrokerPart.NAME, [])
    processes.stop([process for part in left.values() for process in part], grace_seconds=STOP_SECONDS_MAX)
    processes.stop(broker, grace_seconds=BROKER_STOP_SECONDS_MAX)
    found = [*left, *([BrokerPart.NAME] if broker else [])]
    for server in servers(folder, folder.config().ports):
        if server.pid() is not None:
            found.append(server.folder.name)
            server.stop()
    return found


class Once:
    """A step that is carried out by the first who comes, and again only if it failed."""

    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step
        self._done = False

    def __call__(self) -> None:
        if not self._done:
            self._step()
            self._done = True
