"""Projections: tables that follow one history, applied in batches and rebuilt beside themselves.

DESIGN 5, docs/decisions/0005-projections.md.

A projection is a pure consequence of the history: what it writes depends on the events alone, so live and rebuilt tables are identical.
Its physical tables are `<table>_<version>_<build>`; a view `<table>` shows the live build, and readers know only that.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from contracts.kernel import Catalogue, Event

from foundation.cursor import Connection
from foundation.history import Happened, Reading
from foundation.store.port import Recorded

Home = Literal["service", "vault"]
"""Which database a projection's tables lie in. Plaintext about persons (search tables) lies in the vault's only."""

DECODE_AT_ONCE = 500
"""Records decoded in one go: a few milliseconds, after which other tasks have their turn."""

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_NOT_FROM_EVENTS = re.compile(
    r"\b(small|big)?serial\b|\bgenerated\b[^,]*\bidentity\b|\bnextval\b|\bnow\s*\(|\b(current|clock|statement|transaction)_timestamp\b"
    r"|\bcurrent_(date|time|user)\b|\bgen_random_uuid\b|\buuidv[47]\b|\brandom\s*\(|\breferences\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a projection.

    `columns` is what stands between the brackets of `create table`, with the primary key. `indexes` are statements with the placeholder
    `{table}` (`create index on {table} (parent)`), run after the load in a rebuild. `personal` names the columns that a digest leaves out.
    """

    name: str
    columns: str
    indexes: tuple[str, ...] = ()
    personal: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"{self.name!r} is no table name: lower-case letters, digits and underscores, at most 40")
        for ddl in (self.columns, *self.indexes):
            if found := _NOT_FROM_EVENTS.search(ddl):
                raise ValueError(f"table {self.name}: {found[0]!r} does not follow from the events, or ties streams together")
        for index in self.indexes:
            if "{table}" not in index:
                raise ValueError(f"table {self.name}: an index is made on {{table}}: {index}")


Tables: TypeAlias = Mapping[str, str]
"""The physical name of each of a projection's tables, by its own name; safe to put into SQL."""

Apply: TypeAlias = Callable[[Connection, Tables, Sequence[Happened]], Awaitable[None]]
"""Write a batch of events, in order and set-based, into the tables. Reads nothing but these tables and the events; what it leaves behind
does not depend on where batches end, which differs between live and rebuilt."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A read model of one source's history.

    Raise `version` whenever `tables`, `apply` or `events` change: the next start then rebuilds. `events` are the types it wants (None: all
    that the catalogue knows); `opens` names the sealed fields that it wants opened (True: all), which only tables in the vault may hold.
    """

    name: str
    source: str
    version: int
    tables: tuple[Table, ...]
    apply: Apply
    home: Home = "service"
    opens: bool | frozenset[str] = False
    events: frozenset[type[Event]] | None = None

    def __post_init__(self) -> None:
        if not self.tables or self.version < 1:
            raise ValueError(f"projection {self.name} needs tables, and a version from 1")
        if self.opens and self.home != "vault":
            raise ValueError(f"projection {self.name} opens sealed fields, so its home is the vault")

    def physical(self, build: int) -> Tables:
        """The physical tables of one build."""
        return {table.name: physical(table.name, self.version, build) for table in self.tables}


def physical(table: str, version: int, build: int) -> str:
    """The name of one build's table."""
    return f"{table}_{version}_{build}"


class Opener(Protocol):
    """Opens sealed fields; `foundation.vault.sealer.Sealer` is one."""

    async def open(self, batch: Sequence[Happened], *, only: Collection[str] | None = None) -> Sequence[Happened]:
        """The same events with their sealed fields (`only` those named) opened, or ERASED."""
        ...


@dataclass(frozen=True, slots=True)
class Build:
    """One build of one projection, as the database knows it."""

    projection: str
    version: int
    build: int
    tables: tuple[str, ...]


class NotBuilt(Exception):
    """Projections have no live build in the version that this program applies: rebuild them first."""

    def __init__(self, consumer: str, projections: Sequence[str]) -> None:
        super().__init__(f"{consumer}: not built in this program's version: {', '.join(projections)}")
        self.projections = tuple(projections)


class Superseded(Exception):
    """A newer program has taken these tables over: this one must not write them any more."""

    def __init__(self, consumer: str, projections: Sequence[str]) -> None:
        super().__init__(f"{consumer}: a newer program has taken over {', '.join(projections)}")


@dataclass(frozen=True, slots=True)
class Batch:
    """Typed events, sealed as they stand in the history and, where somebody needs them, opened."""

    events: Sequence[Happened]
    opened: Sequence[Happened]


class ProjectionGroup:
    """The projections of one source and home, applied in one transaction under one cursor (consumer, source).

    It is the effect of a `consumer.Consumer` for another service's history; `projection_runner.ProjectionRunner` follows the own one.
    """

    def __init__(self, consumer: str, projections: Sequence[Projection], catalogue: Catalogue, *, opener: Opener | None = None) -> None:
        """Raises ValueError where the projections do not share a source and a home, or claim the same names."""
        if len({(projection.source, projection.home) for projection in projections}) != 1:
            raise ValueError(f"{consumer}: a group of projections shares one source and one home")
        names = [projection.name for projection in projections]
        tables = [table.name for projection in projections for table in projection.tables]
        if len(set(names)) < len(names) or len(set(tables)) < len(tables):
            raise ValueError(f"{consumer}: two projections or two tables have one name")
        if opener is None and any(projection.opens for projection in projections):
            raise ValueError(f"{consumer}: sealed fields are to be opened, and there is no opener")
        self.consumer, self.projections, self.catalogue = consumer, tuple(projections), catalogue
        self.source, self.home = projections[0].source, projections[0].home
        self._opener = opener
        self._wanted = {
            projection.name: frozenset(catalogue) if projection.events is None else projection.events for projection in projections
        }
        self._reading = Reading(catalogue, self.wanted)

    def only(self, names: Sequence[str]) -> "ProjectionGroup":
        """The same group with some of its projections."""
        chosen = [projection for projection in self.projections if projection.name in names]
        return ProjectionGroup(self.consumer, chosen, self.catalogue, opener=self._opener)

    @property
    def wanted(self) -> frozenset[type[Event]]:
        """Every type of event that one of these projections wants."""
        return frozenset().union(*self._wanted.values())

    async def batch(self, records: Sequence[Recorded]) -> Batch:
        """The events that these projections want. Raises EventTypeUnknown, RecordMalformed, ValidationError, and what opening raises."""
        return await self.opened(await decoded(self._reading, records))

    async def opened(self, events: Sequence[Happened]) -> Batch:
        """Events, these projections' own or more, opened where one of them needs it. Raises what opening raises."""
        if self._opener is None or not any(projection.opens for projection in self.projections):
            return Batch(events, ())
        opening = [projection for projection in self.projections if projection.opens]
        wanted = frozenset().union(*(self._wanted[projection.name] for projection in opening))
        fields = [projection.opens for projection in opening if isinstance(projection.opens, frozenset)]
        only = frozenset().union(*fields) if len(fields) == len(opening) else None
        return Batch(events, await self._opener.open([happened for happened in events if type(happened.event) in wanted], only=only))

    async def apply(self, connection: Connection, batch: Sequence[Happened]) -> None:
        """Write events into the live tables, inside the transaction that holds the group's cursor. Raises NotBuilt, Superseded."""
        live = await self.live(connection)
        await self.apply_to(connection, live, await self.opened(batch))

    async def apply_to(self, connection: Connection, builds: Mapping[str, Tables], batch: Batch) -> None:
        """Write events into chosen builds: the tables of each projection, by its name."""
        for projection in self.projections:
            wanted = self._wanted[projection.name]
            events = [happened for happened in (batch.opened if projection.opens else batch.events) if type(happened.event) in wanted]
            if events:
                await projection.apply(connection, builds[projection.name], events)

    async def live(self, connection: Connection) -> Mapping[str, Tables]:
        """The live tables of each projection. Read after the cursor is locked: a switch holds the same lock.

        Raises NotBuilt, Superseded: whoever moves the cursor must write every live table of the group, or it would miss events.
        """
        builds = {build.projection: build for build in await self.builds(connection, live=True)}
        declared = {projection.name: projection for projection in self.projections}
        newer = [name for name, build in builds.items() if name not in declared or build.version > declared[name].version]
        if newer:
            raise Superseded(self.consumer, newer)
        missing = [name for name, projection in declared.items() if name not in builds or builds[name].version < projection.version]
        if missing:
            raise NotBuilt(self.consumer, missing)
        return {name: projection.physical(builds[name].build) for name, projection in declared.items()}

    async def builds(self, connection: Connection, *, live: bool) -> list[Build]:
        """The group's builds that are live, or those that are not."""
        rows = await connection.fetch(
            "select projection, version, build, tables from projection_builds where consumer = $1 and source = $2 and live = $3",
            *(self.consumer, self.source, live),
        )
        return [Build(row["projection"], row["version"], row["build"], tuple(row["tables"])) for row in rows]


async def decoded(reading: Reading, records: Sequence[Recorded]) -> list[Happened]:
    """The events that a reading wants; others have their turn meanwhile. Raises what reading raises."""
    events: list[Happened] = []
    for first in range(0, len(records), DECODE_AT_ONCE):
        events += reading.all(records[first : first + DECODE_AT_ONCE])
        await asyncio.sleep(0)
    return events


def groups(service: str, projections: Sequence[Projection], catalogue: Catalogue, *, opener: Opener | None = None) -> list[ProjectionGroup]:
    """A service's projections by source and home. The consumer is `<service>-<home>`: the vault's database is shared by services."""
    keys = dict.fromkeys((projection.source, projection.home) for projection in projections)
    return [
        ProjectionGroup(
            f"{service}-{home}",
            [projection for projection in projections if (projection.source, projection.home) == (source, home)],
            catalogue,
            opener=opener,
        )
        for source, home in keys
    ]
