"""The processes of a node, to be killed: two PostgreSQL and a broker for the whole run, and one scenario's services on them.

Nothing here is the product's supervisor (tests/end_to_end tests that): what dies is started again at once, so that it can die again.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
from foundation.broker.kafka import KafkaBroker
from node import databases, processes
from node.embedded.broker import ApacheKafka, NoidaBroker
from node.embedded.ports import free_port
from node.environment import environment
from node.folder import DataFolder, NodeConfig
from node.parts import servers
from node.topology import PORTS, VAULT, Ports, service

from tests.support import PATIENCE_SECONDS

SERVICES = ("membership", "assistance")
COPY = "-copy"
"""Marks the second process of a service: `membership-copy`."""
COPIES = 20
"""Copies listen so much above their service's port."""
PROGRAM = Path(__file__).with_name("program.py")
TOPIC = "tongxin.membership.events"


async def until(what: Callable[[], Awaitable[bool]], why: str, seconds_max: float = PATIENCE_SECONDS) -> None:
    """Return once it is so. Raises AssertionError with what was waited for."""
    try:
        async with asyncio.timeout(seconds_max):
            while not await what():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{why}: not within {seconds_max:.0f} s") from None


class Machine:
    """Servers that outlive scenarios."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.create()
        self.ports = Ports(free_port(COPIES + PORTS))
        self.folder.save_config(NodeConfig(base_port=self.ports.base))
        self.secrets = databases.Secrets(self.folder.secrets)
        self.postgres, self.vault = servers(self.folder, self.ports)
        self.apache = os.environ.get("TONGXIN_TEST_BROKER") == "apache"
        self.broker = (ApacheKafka if self.apache else NoidaBroker)(root / "broker", self.ports.broker)
        self._nursery: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start whatever does not run."""
        for server in (self.postgres, self.vault, self.broker):
            server.start()

    def bear(self, name: str, trade: str, **how: Any) -> psutil.Process:
        """A new process (program.TRADES), which is not our child: it is gone once it has ended."""
        log = self.folder.log(name)
        log.parent.mkdir(exist_ok=True)
        if self._nursery is None:
            self._nursery = subprocess.Popen(
                [sys.executable, str(PROGRAM), *SERVICES],
                env={**os.environ, processes.MARK: processes.mark(self.folder.root, "chaos")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        asked, answered = self._nursery.stdin, self._nursery.stdout
        assert asked is not None
        assert answered is not None
        asked.write(json.dumps({"log": str(log), "trade": trade, "how": how}) + "\n")
        asked.flush()
        return psutil.Process(int(answered.readline()))

    def stop(self) -> None:
        """End everything that was started here."""
        processes.stop([one for part in processes.marked(self.folder.root).values() for one in part], grace_seconds=0)
        if self._nursery is not None:
            with self._nursery:
                pass  # its pipes are closed, and it is waited for
        for server in (self.postgres, self.vault, self.broker):
            with suppress(Exception):
                server.stop(how=signal.SIGKILL)

    def wipe_broker(self) -> None:
        """Lose everything that the stopped broker had."""
        shutil.rmtree(self.broker.folder / "data", ignore_errors=True)

    async def fresh(self) -> None:
        """Empty databases and an empty broker, for a scenario."""
        await asyncio.to_thread(self.broker.stop, how=signal.SIGKILL)
        self.wipe_broker()
        await asyncio.to_thread(self.start)
        for server, names in ((self.postgres, SERVICES), (self.vault, (VAULT,))):
            admin = await asyncpg.connect(server.dsn())
            for name in names:
                await admin.execute(f"drop database if exists {name} with (force)")
            await admin.close()
        await databases.provision(self.postgres.dsn(), self.vault.dsn(), self.secrets)
        for signed in (self.folder.secrets / "log").glob("*.checkpoint"):
            signed.unlink()  # else a history that begins anew is one that was rolled back


class Node:
    """The services of one scenario. Names of processes: a service's, or with COPY behind for a second one on the same databases."""

    def __init__(self, machine: Machine, without: Mapping[str, str] | None = None, more: Mapping[str, str] | None = None) -> None:
        """`without`: by service, the parts of it that are left out (program.WITHOUT), separated by commas. `more`: settings."""
        self.machine, self._without, self._more = machine, dict(without or {}), more or {}
        self._processes: dict[str, psutil.Process] = {}
        self._wanted: set[str] = set()
        self.deaths = 0

    def url(self, name: str) -> str:
        """The address of a process."""
        return f"http://127.0.0.1:{self._port(name)}"

    @property
    def doors(self) -> list[str]:
        """The addresses of all processes of membership that should run."""
        return self.addresses("membership")

    def addresses(self, service: str) -> list[str]:
        """The addresses of all processes of a service that should run."""
        return [self.url(name) for name in sorted(self._wanted & {service, service + COPY})]

    def dsn(self, name: str) -> str:
        """A service's database, as superuser."""
        return self.machine.postgres.dsn(name)

    def settings(self, name: str) -> dict[str, str]:
        """The environment of a process: the node's, though not all services that it names run here."""
        told = environment(self.machine.folder, service(name.removesuffix(COPY)))
        return told | {"TONGXIN_PORT": str(self._port(name)), **self._more}

    def start(self, name: str) -> None:
        """Start a process, and from now on again whenever it dies."""
        self._wanted.add(name)
        of = name.removesuffix(COPY)
        parts = [part for part in self._without.get(of, "").split(",") if part]
        self._processes[name] = self.machine.bear(name, "service", service=of, parts=parts, environment=self.settings(name))

    async def leave_out(self, service: str, *parts: str) -> None:
        """From now on without these parts and with all others, also in whichever processes start later."""
        self._without[service] = ",".join(parts)
        for url in self.addresses(service):

            async def told(url: str = url) -> bool:
                with suppress(httpx.HTTPError):
                    async with httpx.AsyncClient() as client:
                        return (await client.post(f"{url}/without", json=parts)).status_code == 204
                return False

            await until(told, f"{service} is told to do without {parts}")

    def stop(self, name: str) -> None:
        """Kill a process for good."""
        self._wanted.discard(name)
        self.kill(name)

    def kill(self, name: str) -> None:
        """kill -9."""
        with suppress(psutil.NoSuchProcess):
            self._processes[name].kill()
            self._processes[name].wait()

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._processes[name].send_signal(signal.SIGCONT)

    async def tend(self) -> None:
        """Start again what has died, for ever."""
        while True:
            for name in sorted(self._wanted):
                if not self._processes[name].is_running():
                    self.deaths += 1
                    self.start(name)
            await asyncio.sleep(0.1)

    def memory_mb(self) -> int:
        """What the services' processes hold now."""
        return sum(one.memory_info().rss for one in self._processes.values() if one.is_running()) // 2**20

    async def last_in_topic(self) -> int:
        """The position of the newest message of membership's topic; -1 where there is none."""
        broker = KafkaBroker(self.machine.broker.bootstrap)
        try:
            newest = await broker.last(TOPIC)
            return -1 if newest is None else newest.position
        finally:
            await broker.close()

    async def relayed(self) -> int:
        """The position up to which membership's relay knows its topic to hold everything, as it has saved it; -1 where it knows nothing."""
        connection = await asyncpg.connect(self.dsn("membership"))
        try:
            return int(await connection.fetchval("select coalesce(max(last), -1) from relay where topic = $1", TOPIC))
        finally:
            await connection.close()

    def _port(self, name: str) -> int:
        copied = COPIES if name.endswith(COPY) else 0
        return self.machine.ports.of(service(name.removesuffix(COPY))) + copied


@asynccontextmanager
async def running(
    machine: Machine, *names: str, without: Mapping[str, str] | None = None, more: Mapping[str, str] | None = None
) -> AsyncIterator[Node]:
    """Processes on empty databases; afterwards none is left."""
    await machine.fresh()
    node = Node(machine, without, more)
    tending = asyncio.create_task(node.tend())
    try:
        for name in names or SERVICES:
            node.start(name)
        yield node
    finally:
        tending.cancel()
        for name in list(node._processes):
            node.stop(name)
