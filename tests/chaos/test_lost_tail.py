"""The topic loses its tail, and then nothing more is said: only asking the source can tell."""

import asyncio
import signal

import pytest

from tests.support import PATIENCE_SECONDS

from .checks import violations
from .conftest import Counts
from .load import Load
from .machine import TOPIC, Machine, running, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


async def test_a_lost_tail_and_then_silence(machine: Machine, counts: Counts) -> None:
    async with running(machine) as node:
        load = Load(node, 1)
        try:
            found = await lose_the_tail(load, counts)
        finally:
            await load.close()
    assert not found, "\n".join(found)


async def lose_the_tail(load: Load, counts: Counts, *, seconds_max: float = PATIENCE_SECONDS) -> list[str]:
    """Assistance sleeps while events come and go; what is wrong afterwards."""
    node, machine = load.node, load.node.machine
    await load.settle()
    node.pause("assistance")
    load.start()
    await load.more(300)
    await load.stop()
    head = max(command.told[2] for command in load.commands if command.accepted)

    async def sent() -> bool:  # and the relay knows it: what it thinks unsent it would send again
        return await node.last_in_topic() == await node.relayed() == head

    await until(sent, "the relay has sent everything")
    await asyncio.to_thread(machine.broker.stop, how=signal.SIGKILL)
    await asyncio.to_thread(machine.broker.start)
    last = await node.last_in_topic()
    if last == head:  # a broker that keeps what it acknowledged has to be robbed of it
        await asyncio.to_thread(machine.broker.stop, how=signal.SIGKILL)
        machine.wipe_broker()
        await asyncio.to_thread(machine.broker.start)
        last = await node.last_in_topic()
    node.resume("assistance")
    found = await violations(load, seconds_max=seconds_max)
    counts.say(topic=TOPIC, head=head, left_in_topic=last, commands=len(load.commands), violations=len(found))
    assert await node.last_in_topic() == last, "nobody has sent the tail again"
    return found
