"""PostgreSQL restored from an old backup: writing is refused, what was seen is not unseen, and the operator has two ways out."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support import PATIENCE_SECONDS

from .checks import Entry, forgotten, history, incomplete, malformed, miscounted, unkept, violations
from .conftest import Counts
from .load import ATTEMPT_SECONDS, Command, Load
from .machine import Machine, Node, running, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

BACKUP = "membership_old"
NOT_YET = {"not-reached", "authority-stale"}
"""A process that has just started says so where its views are still on their way; it has not looked at the command then."""


async def test_records_that_the_topic_still_has_are_put_back(machine: Machine, counts: Counts) -> None:
    async with rolled_back(machine) as (load, remembered):
        old, seen = await refused(load)
        assert await load.operate("membership", "history/restore") == {"epoch": 0, "position": seen}
        before = len(load.commands)
        await writable(load)
        load.start()
        await load.answers(50)
        await load.stop()
        # Keys went with the database: records carry events, not who asked for them (docs/decisions/0009-fault-testing.md).
        found = await violations(load, remembered=[*remembered, *load.commands[before:]])
        counts.say(restored_to=old, seen=seen, put_back=seen - old, commands=len(load.commands), violations=len(found))
    assert not found, "\n".join(found)


async def test_what_only_followers_have_seen_ends_in_a_new_epoch(machine: Machine, counts: Counts) -> None:
    async with rolled_back(machine, wiped=True) as (load, remembered):
        node = load.node
        old, seen = await refused(load)
        before = await tally(node)
        assert await load.operate("membership", "history/epoch") == {"epoch": 1, "position": old + 1}
        given_up = len(load.commands) - len(remembered)
        load.commands = list(remembered)
        await writable(load)
        load.start()
        await load.answers(50)
        await load.stop()
        entries = await history(node, "membership")
        found = malformed(entries) + unkept(load, entries) + await forgotten(load, load.commands)
        await until(lambda: halted(node, "epoch"), "assistance refuses the other history")
        assert await tally(node) == before, "nothing of a refused history is applied"
        await load.operate("assistance", "rebuild")
        await until(lambda: follows(node, entries), "rebuilt views follow the new epoch")
        found += await miscounted(node, "assistance", entries)
        counts.say(restored_to=old, seen=seen, given_up=given_up, commands=len(load.commands), violations=len(found))
    assert not found, "\n".join(found)


# ------------------------------------------------------------------------------------------------------------ the story


@asynccontextmanager
async def rolled_back(machine: Machine, *, wiped: bool = False, without: str | None = None) -> AsyncIterator[tuple[Load, list[Command]]]:
    """A node whose membership database is as old as its backup, while assistance, and the topic unless `wiped`, have seen more.

    With it, the commands from before the backup.
    """
    async with running(machine, without={"membership": without} if without else None) as node:
        load = Load(node, 1)
        try:
            await load.settle()
            load.start()
            await load.answers(100)
            await load.stop()
            async with stopped(node) as admin:
                await admin.execute(f"drop database if exists {BACKUP}")
                await admin.execute(f"create database {BACKUP} template membership owner membership")
            backed_up = list(load.commands)
            load.start()
            await load.answers(100)
            await load.stop()
            assert await incomplete(node) == []
            async with stopped(node) as admin:
                await admin.execute("drop database membership with (force)")
                await admin.execute(f"alter database {BACKUP} rename to membership")
                if wiped:
                    await asyncio.to_thread(machine.broker.stop, how=signal.SIGKILL)
                    machine.wipe_broker()
                    await asyncio.to_thread(machine.broker.start)
            yield load, backed_up
        finally:
            await load.close()


@asynccontextmanager
async def stopped(node: Node) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Membership does not run and nobody is in its database meanwhile."""
    node.stop("membership")
    admin = await asyncpg.connect(node.dsn("postgres"))
    try:
        await admin.execute("select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = 'membership'")
        yield admin
    finally:
        await admin.close()
        node.start("membership")


async def refused(load: Load) -> tuple[int, int]:
    """Every command is refused by a clear problem, and nothing is written. The last position of the backup, and what was seen."""
    node = load.node
    old = len(await history(node, "membership")) - 1
    answers: list[httpx.Response] = []

    async def answered() -> bool:
        with suppress(httpx.HTTPError):
            answer = await load.once(load.suspension(load.hot[0], effect=False))
            if problem(answer) not in NOT_YET:
                answers.append(answer)
        return len(answers) >= 5

    await until(answered, "membership answers")
    for answer in answers:
        assert (answer.status_code, problem(answer)) == (503, "writes-refused"), answer.text
        assert "retry-after" in answer.headers
    ready = await readiness(node, "membership")
    guard = ready["components"]["guard"]
    assert (ready["ready"], guard["ready"], guard["detail"]["ours"]) == (False, False, old)
    await until(lambda: halted(node, "behind"), "assistance refuses the older history")
    assert len(await history(node, "membership")) == old + 1
    seen: int = guard["detail"]["seen"]
    assert seen > old
    return old, seen


async def writable(load: Load) -> None:
    """Commands are accepted again, without a restart."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await load.send(load.resumption(load.hot[0], effect=False))


async def halted(node: Node, why: str) -> bool:
    """Whether every consumer of membership in assistance has halted, for this reason."""
    details = (await readiness(node, "assistance"))["components"]["consumers"]["detail"]
    consumers = [one for name, one in details.items() if name.endswith(" of membership")]
    return len(consumers) == 2 and all(why in (one["halted"] or "") for one in consumers)


async def readiness(node: Node, name: str) -> dict[str, Any]:
    """What a process says of its parts, once it answers."""
    async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient(timeout=ATTEMPT_SECONDS) as client:
        while True:
            with suppress(httpx.HTTPError):
                return dict((await client.get(f"{node.url(name)}/readyz")).json())
            await asyncio.sleep(0.05)


def problem(answer: httpx.Response) -> str:
    """What kind of refusal it is; "" where it is none."""
    return str(answer.json().get("type", "")).rpartition(":")[2]


async def follows(node: Node, entries: list[Entry]) -> bool:
    """Whether assistance's views stand at the end of the history in its new epoch."""
    connection = await asyncpg.connect(node.dsn("assistance"))
    row = await connection.fetchrow("select epoch, last from cursors where consumer = 'assistance-service' and source = 'membership'")
    await connection.close()
    return row is not None and tuple(row) == (1, entries[-1].position)


async def tally(node: Node) -> list[tuple[int, int]]:
    """What assistance has applied."""
    connection = await asyncpg.connect(node.dsn("assistance"))
    rows = await connection.fetch("select position, times from tally order by position")
    await connection.close()
    return [tuple(row) for row in rows]
