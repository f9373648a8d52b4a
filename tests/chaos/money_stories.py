"""Short stories in which one protection of money alone stands between a fault and a second payment, or a line below zero.

Nothing in them is left to chance: what would be a race is held at the point where it hurts, and let go once both are there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from assistance.payments.standing import DUE

from .machine import COPY, Node, until
from .money import APPROVER, DEPUTY, Bank, Case, Fund, Money
from .money_checks import twice

OTHER = "assistance" + COPY


@dataclass(frozen=True, slots=True)
class Scene:
    """A fund with money for one case, the case and a rival for the money, and everybody who has to do with them."""

    money: Money
    fund: Fund
    case: Case
    rival: Case

    @property
    def node(self) -> Node:
        return self.money.node

    @property
    def bank(self) -> Bank:
        return self.money.bank

    async def alone(self) -> None:
        """One process of assistance from now on."""
        self.node.stop(OTHER)
        await self.money.hasten("delete from leases")  # as if those of the other had run out

    async def granted(self) -> None:
        """The case is granted, and shown as due."""
        await self.money.done(APPROVER, "/aid/decisions", await self.money.decision(APPROVER, self.fund, [self.case]))

        async def due() -> bool:
            return await self.stage() == "due"

        await until(due, "the entitlement is due")

    async def stage(self) -> str:
        """How the payment is shown to stand; "" where it is not shown yet."""
        shown = await self.money.see(APPROVER, f"/payments/entitlements/{self.case.entitlement}")
        return str(shown["stage"]) if shown else ""

    async def send(self) -> str:
        """The payment in a batch of its own, released; the batch."""
        batch, shown = await self.money.batch(self.fund, entitlements=[self.case.entitlement])
        await self.money.let_go(batch, shown)
        return batch

    async def settled(self) -> None:
        """Paid: whoever looks pays again what is due again. Or paid twice."""

        async def over() -> bool:
            stage = await self.stage()
            if stage in DUE:
                await self.send()
            return stage == "paid" or bool(twice(self.bank, self.fund))

        await until(over, "the payment is over")


async def killed(scene: Scene) -> None:
    """The bank pays and does not answer; who sent it is killed before anything is recorded. A bank that would take the file again."""
    await _killed(scene, takes_twice=True)


async def killed_at_a_bank_that_looks(scene: Scene) -> None:
    """The same, at a bank that answers a file it has with a refusal."""
    await _killed(scene, takes_twice=False)


async def _killed(scene: Scene, *, takes_twice: bool) -> None:
    await scene.alone()
    await scene.granted()
    await scene.bank.behave(hung_files_every=1, takes_twice=takes_twice)
    await scene.bank.has(await scene.send())
    scene.node.kill("assistance")
    await scene.bank.behave(takes_twice=takes_twice)
    await scene.money.hasten("delete from leases")  # as if they had run out
    await scene.settled()


async def hung(scene: Scene) -> None:
    """The bank pays, dies before it answers, and on the first question does not know the file yet."""
    await scene.alone()
    await scene.granted()
    await scene.bank.behave(hung_files_every=1)
    await scene.bank.has(await scene.send())
    scene.bank.kill()
    await scene.bank.start(late_asks=1)
    await scene.settled()


async def two_makers(scene: Scene) -> None:
    """Two batches are filled while what is shown as due is late."""
    await scene.granted()
    async with _late(scene.node, "payments"):
        batches = [await scene.money.batch(scene.fund, entitlements=[scene.case.entitlement]) for _ in range(2)]
    for batch, shown in batches:
        await scene.money.let_go(batch, shown)
    for batch, shown in batches:
        if shown["count"]:
            await scene.bank.has(batch)
    await scene.settled()


async def told_again(scene: Scene) -> None:
    """The money comes back and is sent again; the statement tells of both, and tells again of what came back."""
    await scene.granted()
    await scene.bank.behave(returned_every=1)
    await scene.send()
    await scene.settled()
    await scene.bank.behave()
    await scene.money.compare(scene.fund)
    await scene.money.correct(scene.case.entitlement)
    await scene.settled()
    await scene.money.compare(scene.fund)


async def two_senders(scene: Scene) -> None:
    """Two processes are about to send one batch: each has read that it is released."""
    await scene.granted()
    await scene.bank.behave(takes_twice=True)
    async with AsyncExitStack() as stack:
        async with _late(scene.node, "batches"):
            batch = await scene.send()
            waiting = await stack.enter_async_context(_history_held(scene.node))
        await waiting(1)
        await scene.money.hasten("delete from leases where name = 'batches'")  # the other's turn
        await waiting(2)
    await scene.bank.has(batch)
    await scene.settled()


async def two_decisions(scene: Scene) -> None:
    """Two processes are about to grant the money that is there for one."""
    whose = list(zip((APPROVER, DEPUTY), (scene.case, scene.rival), scene.node.addresses("assistance"), strict=True))
    bodies = [await scene.money.decision(by, scene.fund, [case]) for by, case, _ in whose]
    async with _history_held(scene.node) as waiting:
        asked = [
            asyncio.create_task(scene.money.ask(by, "/aid/decisions", body, door))
            for (by, _, door), body in zip(whose, bodies, strict=True)
        ]
        await waiting(2)
    answers = await asyncio.gather(*asked)
    loser = [str(one.answer["type"]).rpartition(":")[2] for one in answers if not one.accepted]
    assert loser in ([], ["line-exhausted"]), loser


@asynccontextmanager
async def _late(node: Node, view: str) -> AsyncIterator[None]:
    """Nothing reaches one of assistance's views meanwhile; it is read as it stands."""
    connection = await asyncpg.connect(node.dsn("assistance"))
    try:
        async with connection.transaction():
            await connection.execute(f"lock table {view} in share mode")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def _history_held(node: Node) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Nobody writes to assistance's history meanwhile. What is given returns once so many processes wait to."""
    connection = await asyncpg.connect(node.dsn("assistance"))

    async def waiting(processes: int) -> None:
        async def there() -> bool:
            found = await connection.fetchval(
                "select count(*) from pg_locks join pg_database d on d.oid = database"
                " where locktype = 'advisory' and not granted and d.datname = current_database()"
            )
            return bool(found >= processes)

        await until(there, f"{processes} processes wait to write")

    try:
        async with connection.transaction():
            await connection.execute("select lock_history()")
            yield waiting
    finally:
        await connection.close()
