"""The full append path: decide, seal, command id, commit; each command opens a new stream.

python -m benchmarks.ours.append DSN VAULT_DSN CALLERS EVENTS known|new
`known`: about one of a thousand people whose keys are at hand; `new`: each about a new person, whose key is made durable first.
"""

import os
import sys
from uuid import uuid4

import uvloop
from foundation.commands import Actor, CommandRef

from benchmarks.load import callers, report
from benchmarks.ours.store import THING, Do, full_path

BY = Actor("0" * 32, "370902", "bench")


PEOPLE = 1_000


async def main(dsn: str, vault_dsn: str, count: int, events: int, who: str) -> None:
    """Measure, after a short warm-up."""
    async with full_path(dsn, vault_dsn) as path:
        people = [os.urandom(16).hex() for _ in range(PEOPLE)]

        def asked(total: int) -> list[tuple[str, Do, CommandRef]]:
            whom = (people[number % PEOPLE] if who == "known" else os.urandom(16).hex() for number in range(total))
            return [(os.urandom(16).hex(), Do(person, "欧阳娜娜"), CommandRef(uuid4(), b"h" * 32)) for person in whom]

        async def measured(total: int) -> dict[str, float]:
            commands = asked(total)  # made before the clock runs, as every peer's are

            async def once(_: int, number: int) -> None:
                thing, command, key = commands[number]
                await path.handler.handle(THING, thing, command, by=BY, key=key)

            return await callers(count, total, once)

        await measured(max(PEOPLE, 4 * count))
        figures = await measured(events)
        record = await path.store.read(-1, limit=1)
        report(**figures, record_bytes=len(record[0].record))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
