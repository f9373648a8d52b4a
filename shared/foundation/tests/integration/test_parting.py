"""A source loses records for good and declares a new epoch: who goes on by itself, who waits for the operator, and from where."""

from collections.abc import Sequence
from typing import Any

import pytest
from foundation import cursor as cursors
from foundation.broker.memory import MemoryBroker
from foundation.clock import ManualClock
from foundation.consumer import Consumer, Effect, Pace
from foundation.cursor import Cursor, Pool
from foundation.parked import Parked, Queue
from foundation.parting import SourceNotInLaterEpoch, go_on
from foundation.reactions import Reactions
from foundation.store.memory import MemoryStore
from foundation.store.port import Epoch

from tests.support import PATIENCE_SECONDS

from .following import CATALOGUE, LEDGER, NOON, Ledger, LocalSource, count_on, history_of, ledger, until
from .test_reactions import Issued, tally

PACE = Pace(batch_max=20, poll_ms=20, reconcile_seconds=0.05)
WHO = ("service-reactions", "numbers")


def consumer(pool: Pool, source: LocalSource, effect: Effect) -> Consumer:
    return Consumer(
        *WHO, broker=MemoryBroker(), reader=source, pool=pool, effect=effect, topic="numbers.events", catalogue=CATALOGUE, pace=PACE
    )


async def parted(at: int, more: int, *, salt: int = 1) -> MemoryStore:
    """The history whose first `at` records survived, and what came then."""
    store = await history_of(at)
    await count_on(store, more, salt=salt)
    return store


def lose(source: LocalSource, store: MemoryStore, *epochs: int) -> None:
    """The source goes on with another history, in the last of the epochs that begin there."""
    source.store, source.epoch = store, len(epochs)
    source.begun = tuple(Epoch(number, begins) for number, begins in enumerate(epochs, 1))


async def applied(pool: Pool, source: LocalSource, upto: int) -> Consumer:
    """A consumer that has applied the history up to a position and is at rest."""
    made = consumer(pool, source, Ledger())
    made.start()
    await made.progress.reached(upto, PATIENCE_SECONDS)
    await made.close()
    return made


async def test_who_has_applied_nothing_that_was_given_up_goes_on_by_itself(pool: Pool) -> None:
    await pool.execute(LEDGER)
    source = LocalSource(await history_of(6))
    await applied(pool, source, 5)
    # What came after position 5 was lost before this consumer heard of it; twice, even.
    lose(source, await parted(6, 8), 6, 9)
    again = consumer(pool, source, Ledger())
    again.start()
    await again.progress.reached(13, PATIENCE_SECONDS)
    assert again.state().halted is None
    await again.close()
    assert await ledger(pool) == list(range(14))
    assert (await cursors.read(pool, *WHO)).epoch == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("store", ["beyond", "another"])
async def test_who_went_beyond_or_followed_another_history_halts(pool: Pool, store: str) -> None:
    await pool.execute(LEDGER)
    source = LocalSource(await history_of(8) if store == "beyond" else await history_of(4, salt=7))
    await applied(pool, source, 7 if store == "beyond" else 3)
    lose(source, await parted(6, 8), 6)
    again = consumer(pool, source, Ledger())
    again.start()
    await until(lambda: again.state().halted is not None)
    assert "epoch 1" in str(again.state().halted)
    await again.close()
    assert len(await ledger(pool)) == (8 if store == "beyond" else 4), "nothing of the other history took effect"


class _World:
    """Reactions to numbers, two of which fail and one of which is refused."""

    def __init__(self, pool: Pool, source: LocalSource) -> None:
        self.pool, self.source, self.issued = pool, source, Issued()
        self.queue = Queue(*WHO, ManualClock(NOON))
        self.effect = Reactions([tally], self.issued, self.queue)
        self.parked = Parked(self.queue, pool, source.store, CATALOGUE, self.effect.work)

    async def follow(self, upto: int) -> None:
        made = consumer(self.pool, self.source, self.effect)
        made.start()
        await made.progress.reached(upto, PATIENCE_SECONDS)
        await made.close()

    def numbers(self) -> Sequence[int]:
        return sorted(self.issued.accepted.values())


async def test_reactions_go_on_where_the_epoch_begins_once_the_operator_says_so(pool: Pool) -> None:
    world = _World(pool, LocalSource(await history_of(16)))
    world.issued.broken = {2, 11, 14}
    await world.follow(15)
    assert {key.key: key.events for key in await world.parked.list()} == {"count-2": 3, "count-1": 1, "count-4": 1}
    assert await pool.fetchval("select count(*) from refused_reactions") == 1, "thirteen"

    world.issued.broken = set()
    lose(world.source, await parted(10, 10), 10)
    world.parked = Parked(world.queue, pool, world.source.store, CATALOGUE, world.effect.work)
    moved = await go_on(pool, *WHO, world.source)
    assert (moved.epoch, moved.was, moved.last) == (1, 15, 9)
    # What was given up cannot be tried again; what survived still waits, and in its order.
    assert {key.key: key.events for key in await world.parked.list()} == {"count-2": 2}
    assert await pool.fetchval("select count(*) from refused_reactions") == 0
    before = world.numbers()
    await world.follow(19)
    assert (await world.parked.replay("count-2")).error is None
    # Once each, also those whose numbers had been given up: they are other events now.
    after = world.numbers()
    assert after == sorted([*before, 2, 7, *(number for number in range(10, 20) if number != 13)])
    assert await go_on(pool, *WHO, world.source) == type(moved)(*WHO, 1, 19, 19), "nothing more to do"


async def test_what_is_no_later_epoch_of_the_same_history_is_refused(pool: Pool) -> None:
    await pool.execute(LEDGER)
    source = LocalSource(await history_of(8))
    await applied(pool, source, 7)
    for store, epochs in (((await history_of(12, salt=3)), ()), ((await parted(4, 3)), ())):
        lose(source, store, *epochs)
        with pytest.raises(SourceNotInLaterEpoch):
            await go_on(pool, *WHO, source)
    lose(source, await history_of(20, salt=3), 12)  # parted later than we stand, and yet not what we followed
    with pytest.raises(SourceNotInLaterEpoch):
        await go_on(pool, *WHO, source)
    before: Any = await cursors.read(pool, *WHO)  # type: ignore[arg-type]
    assert (before.epoch, before.last) == (0, 7)
    assert isinstance(before, Cursor)
