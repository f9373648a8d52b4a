"""The whole way from a history to its consumers through a real broker that is killed and wiped: nothing missing, nothing twice.

noida-db loses what it had acknowledged in its last second or two when it is killed; Apache Kafka does not. The consumers cannot tell.
"""

import asyncio
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from foundation.broker.kafka import KafkaBroker
from foundation.consumer import Consumer, Pace
from foundation.cursor import Pool
from foundation.relay import Relay
from foundation.store.postgres import PostgresStore
from node.embedded.broker import ApacheKafka, NoidaBroker

from tests.support import PATIENCE_SECONDS, embedded_broker

from .following import CATALOGUE, LEDGER, Ledger, LocalSource, count_on, ledger, until

TOPIC = "numbers.events"
PACE = Pace(reconcile_seconds=0.5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NoidaBroker | ApacheKafka]:
    server = embedded_broker(tmp_path / "broker")
    server.start()
    yield server
    server.stop(how=signal.SIGKILL)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [1, 2])
async def test_kills_and_wipes_of_the_broker_lose_and_double_nothing(pool: Pool, server: NoidaBroker | ApacheKafka, seed: int) -> None:
    await pool.execute(LEDGER)
    chance = random.Random(seed)
    store = PostgresStore(pool)
    await store.start()
    brokers = [KafkaBroker(server.bootstrap, timeout_seconds=2) for _ in range(2)]
    relay = Relay(store, brokers[0], pool, topic=TOPIC)

    def consumer() -> Consumer:
        return Consumer(
            "ledger",
            "numbers",
            broker=brokers[1],
            reader=LocalSource(store),
            pool=pool,
            effect=Ledger(),
            topic=TOPIC,
            catalogue=CATALOGUE,
            pace=PACE,
        )

    running = consumer()
    relay.start()
    running.start()
    for trouble in ("none", "kill", "consumer", "wipe", "kill", "relay", "wipe"):
        await count_on(store, chance.randrange(20, 120))
        match trouble:
            case "kill" | "wipe":
                await asyncio.to_thread(server.stop, how=signal.SIGKILL)
                await count_on(store, chance.randrange(5, 40))
                if trouble == "wipe":
                    shutil.rmtree(server.folder / "data")
                await asyncio.to_thread(server.start)
            case "consumer":
                await running.close()
                running = consumer()
                running.start()
            case "relay":
                await relay.close()
                relay = Relay(store, brokers[0], pool, topic=TOPIC)
                relay.start()
        await count_on(store, chance.randrange(5, 40))
        if chance.random() < 0.5:
            await running.progress.reached((await store.head()).position, PATIENCE_SECONDS)
    head = (await store.head()).position
    await running.progress.reached(head, PATIENCE_SECONDS)
    await until(lambda: relay.state().acknowledged == head)

    await running.close()
    await relay.close()
    for broker in brokers:
        await broker.close()
    await store.close()
    assert await ledger(pool) == list(range(head + 1))
