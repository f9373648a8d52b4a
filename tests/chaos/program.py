"""Runs a service as `python -m <service>` does: `python program.py SERVICE [PART,…]`; without the parts named, to show their need.

Both services get one more projection, the tally: how often each event of membership took effect in their views.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

from foundation import consumer
from foundation.broker.port import Message
from foundation.continuity import Arrived, Following
from foundation.cursor import Connection, Cursor
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables
from foundation.record import leaf_hash
from foundation.service import Service, run
from foundation.settings import Settings
from foundation.store.guard import RollbackGuard


async def _count(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    # Not idempotent on purpose: what is applied twice shows.
    times = Counter(one.position for one in batch)
    await connection.execute(
        f"insert into {tables['tally']} as t (position, times) select * from unnest($1::bigint[], $2::integer[])"
        " on conflict (position) do update set times = t.times + excluded.times",
        *(list(times), list(times.values())),
    )


TALLY = Projection(
    name="tally",
    source="membership",
    version=1,
    tables=(Table("tally", "position bigint primary key, times integer not null"),),
    apply=_count,
)


def create_app(name: str, settings: Settings) -> Service:
    """The service as its own `main` declares it, with the tally."""
    service: Service = import_module(f"{name}.main").create_app(settings)
    service.declaration = replace(service.declaration, projections=(*service.declaration.projections, TALLY))
    return service


def settings_of(name: str, **values: Any) -> Settings:
    """The service's settings, from the environment unless they are given."""
    settings: Settings = import_module(f"{name}.settings").Settings(**values)
    return settings


# ------------------------------------------------------------------------------------------------ what can be left out


def without_continuity() -> None:
    """A consumer that takes what the topic brings as it comes, as one that trusts Kafka would."""

    def trusting(_: Cursor, messages: Sequence[Message]) -> Following:
        return Following(tuple(Arrived(one.position, one.value, leaf_hash(one.value)) for one in messages), None)

    patch.object(consumer, "follow", trusting).start()


def without_reconcile() -> None:
    """A consumer that hears of nothing but what the topic brings."""

    async def never(_: consumer.Consumer) -> None:
        await asyncio.Event().wait()

    patch.object(consumer.Consumer, "reconcile", never).start()


def without_guard() -> None:
    """A history that is written whatever others have seen of it."""

    async def trusting(_: RollbackGuard) -> None:
        return

    patch.object(RollbackGuard, "check", trusting).start()


def without_silence() -> None:
    """A sender that takes silence for a no, as one that sends again would."""
    bank, port = import_module("assistance.bank.http").HttpBank, import_module("assistance.bank.port")
    send = bank.send

    async def impatient(self: Any, file: bytes, channel: Any) -> Any:
        answer = await send(self, file, channel)
        return port.RefusedFile("NOAS", b"") if isinstance(answer, port.NoAnswer) else answer

    patch.object(bank, "send", impatient).start()


WITHOUT: dict[str, Callable[[], None]] = {
    "continuity": without_continuity,
    "reconcile": without_reconcile,
    "guard": without_guard,
    "silence": without_silence,
}


if __name__ == "__main__":
    for part in sys.argv[2].split(",") if len(sys.argv) > 2 else ():
        WITHOUT[part]()
    run(lambda settings: create_app(sys.argv[1], settings), settings_of(sys.argv[1]))
