"""One hot stream: 5,000 callers at once for 260 places through `decide`; every answer durable before it leaves.

python -m benchmarks.ours.hot DSN VAULT_DSN CALLERS PLACES
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import uvloop
from contracts.kernel import Event
from foundation.commands import Actor, CommandRef
from foundation.decider import Decider, Refusal

from benchmarks.load import report
from benchmarks.ours.store import Take, Taken, full_path

BY = Actor("0" * 32, "370902", "bench")


class Full(Refusal):
    """No place is left."""


def decide(command: Take, taken: frozenset[str], now: datetime) -> Sequence[Event]:
    """A place, if there is one; nothing for who has one."""
    if command.by in taken:
        return []
    if len(taken) >= command.places:
        raise Full("every place is taken", places=command.places)
    return [Taken(by=command.by)]


def evolve(taken: frozenset[str], event: Event) -> frozenset[str]:
    """Who has a place."""
    return taken | {event.by} if isinstance(event, Taken) else taken


SESSION: Decider[frozenset[str], Take] = Decider("session", frozenset(), decide, evolve)


async def main(dsn: str, vault_dsn: str, count: int, places: int) -> None:
    """Measure three rounds, each on a new stream, and check that exactly the places were taken."""
    async with full_path(dsn, vault_dsn) as path:
        seconds = []
        for number in range(3):
            accepted = 0
            session = f"s{number}"

            async def one(session: str, command: Take, key: CommandRef) -> None:
                nonlocal accepted
                try:
                    await path.handler.handle(SESSION, session, command, by=BY, key=key)
                    accepted += 1
                except Full:
                    pass

            asked = [(session, Take(uuid4().hex, places), CommandRef(uuid4(), b"h" * 32)) for _ in range(count)]
            began = time.perf_counter()
            await asyncio.gather(*(one(*of) for of in asked))
            seconds.append(time.perf_counter() - began)
            stored = len(await path.store.read_stream(f"session-{session}"))
            if (accepted, stored) != (places, places):
                raise AssertionError(f"{accepted} accepted and {stored} stored for {places} places")
        median = sorted(seconds)[1]
        report(rate=count / median, seconds=median, accepted=places)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
