"""Everything at once: two processes of each service, every message twice, and whatever can die or sleep does."""

import asyncio
import os
import time
from contextlib import suppress
from random import Random

import pytest

from .checks import incomplete, violations
from .conftest import Counts
from .load import Load
from .machine import COPY, SERVICES, Machine, running
from .nemesis import Nemesis, Tee

# A Kafka client whose broker was killed may hang in its stop and is left behind (foundation.broker.kafka); it ends after its loop.
pytestmark = [pytest.mark.chaos, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SEEDS = [int(seed) for seed in os.environ.get("TONGXIN_CHAOS_SEEDS", "1,2").split(",")]
SECONDS = float(os.environ.get("TONGXIN_CHAOS_SECONDS", "0"))
"""How long faults go on in each seed's run; at least one round, in which every fault comes once."""


@pytest.mark.timeout(600 + 3 * SECONDS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_and_nothing_comes_twice(machine: Machine, counts: Counts, seed: int) -> None:
    began = time.monotonic()
    async with running(machine) as node:
        load, tee = Load(node, seed), Tee(node)
        nemesis = Nemesis(load, Random(seed))
        doubling = asyncio.create_task(tee.run())
        try:
            await load.settle()
            assert await incomplete(node) == []
            for name in SERVICES:  # they come second, so the others hold the leases when they are put to sleep
                node.start(name + COPY)
            load.start()
            faults_began = time.monotonic()
            while True:
                for fault in nemesis.round():
                    await nemesis.commit(fault)
                if time.monotonic() - faults_began >= SECONDS:
                    break
            await nemesis.heal()
            await load.more(100)
            await load.stop()
            found = await violations(load)
        finally:
            doubling.cancel()
            with suppress(asyncio.CancelledError):
                await doubling
            accepted = sum(command.accepted for command in load.commands)
            counts.say(
                seconds=round(time.monotonic() - began),
                commands=len(load.commands),
                accepted=accepted,
                refused=len(load.commands) - accepted,
                attempts=load.attempts,
                **{name.replace(" ", "_"): count for name, count in load.counts.items()},
                restarts=node.deaths,
                doubled=tee.doubled,
                faults=dict(nemesis.done),
            )
            await load.close()
    assert not found, "\n".join(found)
