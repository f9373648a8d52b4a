"""Going on after a source has declared a new epoch (docs/decisions/0013-epochs.md).

Whoever has applied nothing that was given up goes on by itself (`consumer`). Who has, halts: views are made anew; reactions cannot be
undone, so an operator decides that what they did stands, and that they go on where the histories part.
"""

from dataclasses import dataclass

import structlog

from foundation import cursor as cursors
from foundation.consumer import Source
from foundation.cursor import Cursor, Pool
from foundation.decider import Refusal

log = structlog.get_logger()


class SourceNotInLaterEpoch(Refusal):
    """The source has not declared an epoch after the one that is followed, or its history is another one altogether."""


@dataclass(frozen=True, slots=True)
class Continued:
    """Where a consumer goes on: after position `last`, in `epoch`. Up to `was` it had applied; what lies between was given up."""

    consumer: str
    source: str
    epoch: int
    was: int
    last: int


async def go_on(pool: Pool, consumer: str, source: str, reader: Source) -> Continued:
    """Move a consumer's cursor into its source's epoch, to where that parted from what was followed, if it went beyond.

    What is parked or refused of records that were given up goes with them. Nothing is changed where the epoch is the same. Raises
    SourceNotInLaterEpoch, StoreUnavailable, CursorMoved.
    """
    async with pool.acquire() as connection:
        was = await cursors.read(connection, consumer, source)
    standing = await reader.head(was.last)
    if standing.epoch == was.epoch and standing.at == was.leaf:
        return Continued(consumer, source, was.epoch, was.last, was.last)
    parted = standing.parted(was.epoch)
    if standing.epoch <= was.epoch or parted is None or (was.last < parted and standing.at != was.leaf):
        raise SourceNotInLaterEpoch(source=source, epoch=standing.epoch, consumer=consumer, follows=was.epoch)
    last = min(was.last, parted - 1)
    leaf = (await reader.head(last)).at
    if leaf is None:
        raise SourceNotInLaterEpoch("parting", source=source, position=last)
    async with pool.acquire() as connection, connection.transaction():
        await cursors.lock(connection, consumer, source)
        await cursors.move(connection, consumer, source, was, Cursor(standing.epoch, last, leaf))
        for table in ("parked_events", "refused_reactions"):
            await connection.execute(
                f"delete from {table} where consumer = $1 and source = $2 and position > $3",  # noqa: S608 - one of these two
                *(consumer, source, last),
            )
        await connection.execute(
            "delete from parked_keys k where consumer = $1 and source = $2 and not exists ("
            " select from parked_events e where e.consumer = k.consumer and e.source = k.source and e.key = k.key)",
            *(consumer, source),
        )
    log.error("consumer goes on in a new epoch", consumer=consumer, source=source, epoch=standing.epoch, was=was.last, position=last)
    return Continued(consumer, source, standing.epoch, was.last, last)
