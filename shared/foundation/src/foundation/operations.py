"""What an operator asks of a running service: rebuild its read models, look at what is parked, try it again (DESIGN 5, 6)."""

from collections.abc import Sequence

from foundation import cursor as cursors
from foundation.consumer import Source
from foundation.cursor import Pool
from foundation.digests import Digests, digests_at
from foundation.parked import Parked, ParkedKey, Replayed
from foundation.parting import Continued, go_on
from foundation.projections import ProjectionGroup
from foundation.rebuild import Rebuilt, rebuild, rebuild_together
from foundation.recovery import Recovery
from foundation.store.port import Reader


class Operations:
    """Filled while a service starts: its projection groups, what its reactions have parked, and the way back of its history."""

    def __init__(self) -> None:
        self._groups: list[tuple[ProjectionGroup, Reader, Pool]] = []
        self._parked: dict[str, Parked] = {}
        self._reactions: dict[str, tuple[str, Source, Pool]] = {}
        self.recovery: Recovery | None = None

    def add_group(self, group: ProjectionGroup, reader: Reader, pool: "Pool") -> None:
        """A group that can be rebuilt from a history."""
        self._groups.append((group, reader, pool))

    def add_reactions(self, source: str, parked: Parked, consumer: str, reader: Source, pool: Pool) -> None:
        """Reactions to a source's events: their queue, which can be replayed, and their consumer, which can be moved into a new epoch."""
        self._parked[source] = parked
        self._reactions[source] = (consumer, reader, pool)

    async def rebuild(self) -> Sequence[Rebuilt]:
        """Every read model anew beside the live one, then switched; each history is read once. Raises what reading and applying raise."""
        found: list[Rebuilt] = []
        for source in dict.fromkeys(group.source for group, _, _ in self._groups):
            of_source = [each for each in self._groups if each[0].source == source]
            found += await rebuild_together([(group, pool) for group, _, pool in of_source], of_source[0][1])
        return found

    async def digests(self, source: str, position: int | None) -> Sequence[Digests]:
        """The digests of the read models of a source that lie in the service's own database; see `digests_at`.

        What lies in the vault holds plaintext and is left out.
        """
        groups = [each for each in self._groups if each[0].source == source and each[0].home == "service"]
        return [await digests_at(group, reader, pool, position) for group, reader, pool in groups]

    async def go_on(self, source: str) -> Sequence[Continued]:
        """After a source has declared an epoch: views that went beyond its beginning anew, reactions on from there.

        Raises SourceNotInLaterEpoch, and what reading and applying raise.
        """
        found = []
        for group, reader, pool in self._groups:
            if group.source == source:
                found.append(await self._view_goes_on(group, reader, pool))
        if source in self._reactions:
            consumer, own, pool = self._reactions[source]
            found.append(await go_on(pool, consumer, source, own))
        return found

    async def _view_goes_on(self, group: ProjectionGroup, reader: Reader, pool: Pool) -> Continued:
        async with pool.acquire() as connection:
            was = await cursors.read(connection, group.consumer, group.source)
        head = await reader.head()
        last = was.last if head.epoch == was.epoch else (await rebuild(group, reader, pool)).position
        return Continued(group.consumer, group.source, head.epoch, was.last, last)

    async def parked(self) -> Sequence[tuple[str, ParkedKey]]:
        """Every parked stream with the service whose events it is of, longest parked first."""
        return [(source, key) for source, parked in sorted(self._parked.items()) for key in await parked.list()]

    async def replay(self, source: str, key: str) -> Replayed:
        """Work a parked stream's events off; nothing where it is not parked. Raises what passes by itself."""
        return await self._parked[source].replay(key) if source in self._parked else Replayed(0, 0, None)
