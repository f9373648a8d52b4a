"""A service's own log, as its routes serve it."""

from dataclasses import dataclass

from foundation.log.keys import LogKeys
from foundation.log.policy import Party, Policy
from foundation.log.reaches import epoch_of
from foundation.log.storage import LogDamaged, LogStore
from foundation.log.tiles import Tile
from foundation.log.witness import Witness


@dataclass(frozen=True, slots=True)
class OwnLog:
    """What is published of a log, and the witness that this service is to others."""

    service: str
    store: LogStore
    keys: LogKeys
    witness: Witness

    async def checkpoint(self, size: int | None = None) -> str | None:
        """The note of the published checkpoint of this size; the newest without one."""
        found = await self.store.published(size)
        return None if found is None else found.note

    async def tile(self, tile: Tile) -> bytes | None:
        """A hash tile or an entry bundle; None where the newest published checkpoint does not cover all of it: that may still turn out
        otherwise, after a restored backup, and readers keep tiles for ever. Raises LogDamaged where it covers what is not there.
        """
        newest = await self.store.published()
        if newest is None or tile.leaves.stop > newest.size:
            return None
        found = await self.store.bundle(tile) if tile.level is None else (await self.store.tiles([tile])).get(tile)
        if found is None:
            raise LogDamaged(f"{tile.path()} is gone")
        return found

    async def verifiers(self) -> str:
        """The log's verifier key of the epoch it is in, a line."""
        epoch, _ = await epoch_of(self.store.pool)
        return f"{self.keys.signing(self.service, epoch).verifier}\n"

    async def policy(self) -> bytes:
        """The log and the node's other services as its witnesses. How many of them are enough is for the reader to say."""
        epoch, _ = await epoch_of(self.store.pool)
        witnesses = {name: Party(keys.witness) for name, keys in self.keys.others(self.service).items()}
        return Policy((Party(self.keys.signing(self.service, epoch).verifier),), witnesses).encode()
