"""The full append path: decide, make the person's key, seal, command id, commit; each command opens a new stream.

python -m benchmarks.ours.append DSN VAULT_DSN CALLERS EVENTS
"""

import os
import sys
from uuid import UUID, uuid4

import uvloop
from foundation.commands import Actor, CommandRef

from benchmarks.load import callers, report
from benchmarks.ours.store import THING, Do, full_path

BY = Actor("0" * 32, "370902", "bench")


async def main(dsn: str, vault_dsn: str, count: int, events: int) -> None:
    """Measure, after a short warm-up."""
    async with full_path(dsn, vault_dsn) as path:

        async def once(_: int, __: int) -> None:
            person = os.urandom(16).hex()
            key = CommandRef(UUID(bytes=uuid4().bytes), b"h" * 32)
            await path.handler.handle(THING, person, Do(person, "欧阳娜娜"), by=BY, key=key)

        await callers(count, min(events, 4 * count), once)
        figures = await callers(count, events, once)
        record = await path.store.read(-1, limit=1)
        report(**figures, record_bytes=len(record[0].record))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
