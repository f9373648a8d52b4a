"""How far a log's witnesses have seen its history: what the rollback guard asks beside the topic and the followers (DESIGN 3)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from foundation.cursor import Pool
from foundation.log.checkpoint import Checkpoint
from foundation.log.cosigners import Cosigner, WitnessAhead, WitnessDiffers
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned
from foundation.log.note import sign
from foundation.log.origin import Origin
from foundation.log.storage import LogStore, Stored
from foundation.merkle import EMPTY_ROOT
from foundation.store.guard import Reach, Witness


async def epoch_of(pool: Pool) -> tuple[int, int]:
    """The history's epoch, and the position of its first record (-1 in the first epoch, which has none of its own)."""
    row = await pool.fetchrow("select epoch, position from epochs order by epoch desc limit 1")
    return (0, -1) if row is None else (row["epoch"], row["position"])


class Reaches:
    """Asks the log itself, the file beside the database, and every sibling."""

    def __init__(
        self, pool: Pool, store: LogStore, keys: LogKeys, service: str, *, memory: LastSigned, cosigners: Sequence[Cosigner]
    ) -> None:
        self._pool, self._store, self._keys, self._service = pool, store, keys, service
        self._memory, self._cosigners = memory, cosigners

    def witnesses(self) -> dict[str, Witness]:
        """By the words in which a refusal names them."""
        siblings = {f"the witness in {cosigner.name}": self._sibling(cosigner) for cosigner in self._cosigners}
        return {"the log": self._integrated, "the last checkpoint signed": self._remembered, **siblings}

    async def _integrated(self) -> Reach:
        """More has been integrated than the history holds: its end was cut off."""
        epoch, _ = await epoch_of(self._pool)
        return Reach(epoch, (await self._store.edge()).size - 1)

    async def _remembered(self) -> Reach | None:
        last = self._memory.read()
        if last is None:
            return None
        integrated = await self._store.edge()
        differs = last.size <= integrated.size and await self._store.root(last.size) != last.root
        return Reach(Origin.parse(last.origin).epoch, last.size - 1, differs)

    def _sibling(self, cosigner: Cosigner) -> Witness:
        async def reach() -> Reach:
            epoch, first = await epoch_of(self._pool)
            newest = await self._store.newest()
            asked = newest if newest is not None and newest.size > first else self._empty(epoch)
            try:
                await cosigner.ask(self._keys.origin(self._service, epoch), asked)
            except WitnessAhead as ahead:
                return Reach(epoch, ahead.size - 1)
            except WitnessDiffers:
                return Reach(epoch, asked.size - 1, differs=True)
            return Reach(epoch, asked.size - 1)

        return reach

    def _empty(self, epoch: int) -> Stored:
        """A checkpoint of no records, to ask with where there is none."""
        checkpoint = Checkpoint(self._keys.origin(self._service, epoch), 0, EMPTY_ROOT)
        note = sign(checkpoint.body(), self._keys.signing(self._service, epoch))
        return Stored(0, epoch, EMPTY_ROOT, note, datetime.min.replace(tzinfo=UTC), None, ())
