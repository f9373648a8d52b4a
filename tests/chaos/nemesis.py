"""Breaks a node at points that a seed decides, in the load's own time."""

import asyncio
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import asyncpg
from foundation.broker.kafka import KafkaBroker
from foundation.broker.port import BrokerUnavailable

from .load import Load
from .machine import COPY, SERVICES, TOPIC, Node, until

LEASES = ("relay:%", "consumer:assistance-%")
LEASE_SECONDS_MAX = 16
"""A lease runs out after 10 s; a bound on waiting for somebody else to take it."""

REMEMBERED = 100_000


class Nemesis:
    """Seeded faults against the processes of one scenario, each healed again; `done` counts them."""

    def __init__(self, load: Load, chance: Random) -> None:
        self.load, self.node, self.machine = load, load.node, load.node.machine
        self.done: Counter[str] = Counter()
        self._chance = chance
        self._asleep: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, Callable[[], Awaitable[None]]] = {
            **{f"kill {name}": self._kills(name) for name in (*SERVICES, *(one + COPY for one in SERVICES))},
            **{f"pause {name}": self._pauses(name) for name in SERVICES},
            "kill postgres": self._crash_postgres,
            "kill vault": self._crash_vault,
            "kill broker": self._crash_broker,
            "wipe broker": self._wipe_broker,
        }

    def round(self) -> list[str]:
        """Every fault once, in the seed's order, long pauses first: they last while others happen."""
        names = list(self._faults)
        self._chance.shuffle(names)
        return sorted(names, key=lambda name: not name.startswith("pause"))

    async def commit(self, name: str) -> None:
        """One fault, after as many answers as the seed says; an outage lasts for so many attempts."""
        await self.load.answers(self._chance.randrange(5, 80))
        await self._faults[name]()
        self.done[name] += 1

    async def heal(self) -> None:
        """Wake whoever sleeps, and start what does not run."""
        for task in list(self._asleep.values()):
            await task
        await asyncio.to_thread(self.machine.start)

    def _kills(self, name: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            self.node.kill(name)

        return kill

    def _pauses(self, name: str) -> Callable[[], Awaitable[None]]:
        async def pause() -> None:
            if name not in self._asleep:
                self._asleep[name] = asyncio.create_task(self._sleep(name))

        return pause

    async def _sleep(self, name: str) -> None:
        """Stopped until its copy has taken over its leases, then awake too late; at the latest after LEASE_SECONDS_MAX."""
        database, lease = name, LEASES[SERVICES.index(name)]
        before = await self._holders(database, lease)
        self.node.pause(name)

        async def taken() -> bool:
            now = await self._holders(database, lease)
            return bool(before) and bool(now) and not set(before) & set(now)

        try:
            await until(taken, "the leases are taken over", LEASE_SECONDS_MAX)
            self.done[f"lease of {name} taken over while it slept"] += 1
        except AssertionError:
            self.done[f"{name} slept for {LEASE_SECONDS_MAX} s"] += 1
        finally:
            self.node.resume(name)
            del self._asleep[name]

    async def _holders(self, database: str, lease: str) -> list[object]:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(self.node.dsn(database), timeout=2)
            try:
                return [row["holder"] for row in await connection.fetch("select holder from leases where name like $1", lease)]
            finally:
                await connection.close()
        return []

    async def _crash_postgres(self) -> None:
        await asyncio.to_thread(self.machine.postgres.stop, how=signal.SIGKILL)
        await self.load.more(self._chance.randrange(0, 60))
        await asyncio.to_thread(self.machine.postgres.start)

    async def _crash_vault(self) -> None:
        await asyncio.to_thread(self.machine.vault.stop, how=signal.SIGKILL)
        await self.load.more(self._chance.randrange(0, 60))
        await asyncio.to_thread(self.machine.vault.start)

    async def _crash_broker(self, *, wipe: bool = False) -> None:
        await asyncio.to_thread(self.machine.broker.stop, how=signal.SIGKILL)
        await self.load.more(self._chance.randrange(0, 60))
        if wipe:
            self.machine.wipe_broker()
        await asyncio.to_thread(self.machine.broker.start)

    async def _wipe_broker(self) -> None:
        await self._crash_broker(wipe=True)


class Tee:
    """Sends every message of the topic a second time, a batch at a time and backwards: doubled, late and out of order."""

    def __init__(self, node: Node) -> None:
        self._broker = KafkaBroker(node.machine.broker.bootstrap, timeout_seconds=3)
        self._done: deque[int] = deque(maxlen=REMEMBERED)
        self.doubled = 0

    async def run(self) -> None:
        """For ever."""
        offset: int | None = 0
        try:
            while True:
                try:
                    fetched = await self._broker.fetch(TOPIC, offset, limit=100, timeout_ms=200)
                    fresh = {one.position: one for one in fetched.messages if one.position not in self._done}
                    if fresh:
                        await self._broker.produce(TOPIC, [fresh[position] for position in sorted(fresh, reverse=True)])
                        self._done.extend(fresh)
                        self.doubled += len(fresh)
                    offset = fetched.next
                except BrokerUnavailable:
                    await asyncio.sleep(0.2)
        finally:
            await self._broker.close()
