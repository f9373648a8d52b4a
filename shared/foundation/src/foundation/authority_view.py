"""The authority view of one service: its tables, fed by the history that tells who may act, and the copy of them in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import asyncpg
from contracts.kernel import AuthorityChange, Event

from foundation.authority import Authority, Changes, Grant, Standing, fold
from foundation.batched import Shared
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

ChangesOf = Callable[[Event], Sequence[AuthorityChange]]
"""What an event changes in who may act for what; most change nothing. Given by the contract module, pure."""

REFRESH_SECONDS = 1.0
"""How often the tables are asked for newer rows; a refusal asks at once, so a fresh grant works at once."""


def authority_projection(source: str, changes_of: ChangesOf, events: frozenset[type[Event]] | None = None) -> Projection:
    """The tables `authority_units` and `authority_grants`, following a service's history. `events`: the types that change anything."""

    async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
        changes = fold((one.position, change) for one in batch for change in changes_of(one.event))
        if changes:
            await _write(connection, tables, changes)

    return Projection(
        name="authority",
        source=source,
        version=1,
        tables=(
            Table(
                "authority_units",
                "unit text not null, since date not null, ended boolean not null, parent text, successor text, position bigint not null,"
                " primary key (unit, since, ended)",
                indexes=("create index on {table} (position)",),
            ),
            Table(
                "authority_grants",
                "id text primary key, principal text not null, unit text not null, role text not null, valid_from date not null,"
                " valid_until date, position bigint not null",
                indexes=("create index on {table} (position)",),
            ),
        ),
        apply=apply,
        events=events,
    )


async def _write(connection: Connection, tables: Tables, changes: Changes) -> None:
    units, grants = tables["authority_units"], tables["authority_grants"]
    if changes.standings:
        rows = list(changes.standings.values())
        await connection.execute(
            f"insert into {units} as t (unit, since, ended, parent, successor, position)"  # noqa: S608 - our own table's name
            " select * from unnest($1::text[], $2::date[], $3::boolean[], $4::text[], $5::text[], $6::bigint[])"
            " on conflict (unit, since, ended) do update"
            " set parent = excluded.parent, successor = excluded.successor, position = excluded.position",
            *([getattr(row, column) for row in rows] for column in ("unit", "since", "ended", "parent", "successor", "position")),
        )
    if changes.revoked:
        await connection.execute(
            f"update {grants} t set valid_until = least(t.valid_until, r.valid_until), position = r.position"  # noqa: S608
            " from unnest($1::text[], $2::date[], $3::bigint[]) as r (id, valid_until, position) where t.id = r.id",
            list(changes.revoked),
            [valid_until for valid_until, _ in changes.revoked.values()],
            [position for _, position in changes.revoked.values()],
        )
    if changes.grants:
        given = list(changes.grants.values())
        await connection.execute(
            f"insert into {grants} (id, principal, unit, role, valid_from, valid_until, position)"  # noqa: S608
            " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::date[], $7::bigint[])"
            " on conflict (id) do update set principal = excluded.principal, unit = excluded.unit, role = excluded.role,"
            " valid_from = excluded.valid_from, valid_until = excluded.valid_until, position = excluded.position",
            *(
                [getattr(g, column) for g in given]
                for column in ("id", "principal", "unit", "role", "valid_from", "valid_until", "position")
            ),
        )


@dataclass(frozen=True, slots=True)
class Newer:
    """Rows changed after a position, with the newest position there is and the epoch of the history they follow."""

    standings: Sequence[Standing]
    grants: Sequence[Grant]
    position: int
    epoch: int


class Rows(Protocol):
    """Where the view reads from."""

    async def newer(self, position: int) -> Newer:
        """What changed after a position."""
        ...


class TableRows:
    """The projection's tables, through their views."""

    def __init__(self, pool: Pool, source: str) -> None:
        self._pool, self._source = pool, source

    async def newer(self, position: int) -> Newer:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            [(newest, epoch)] = await connection.fetch(
                "select greatest((select max(position) from authority_units), (select max(position) from authority_grants), -1),"
                " (select coalesce(max(epoch), 0) from cursors where source = $1)",
                self._source,
            )
            if newest == position:
                return Newer((), (), newest, epoch)
            units = await connection.fetch(
                "select unit, since, parent, ended, successor, position from authority_units where position > $1", position
            )
            grants = await connection.fetch(
                "select id, principal, unit, role, valid_from, valid_until, position from authority_grants where position > $1", position
            )
        return Newer([Standing(*row) for row in units], [Grant(*row) for row in grants], newest, epoch)


class AuthorityView:
    """Answers who may act from memory, and knows how old what it knows may be.

    `behind` is the age in seconds of the newest proof that the tables hold all of their source (the consumer's last reconcile; 0 where
    the source is the service's own history). `catch_up` returns once the tables hold all that the source holds now, where that can be
    waited for.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        monotonic: Callable[[], float],
        behind: Callable[[], float] = lambda: 0.0,
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._rows, self._monotonic, self._behind, self._catch_up = rows, monotonic, behind, catch_up
        self._authority = Authority()
        self._epoch = 0
        self._refreshed_at: float | None = None
        self._looks: Shared[None, None] = Shared(self._look, at_once=1)

    def age_seconds(self) -> float:
        """How long ago everything there was to know was known here; infinite before the first load."""
        if self._refreshed_at is None:
            return float("inf")
        return self._behind() + self._monotonic() - self._refreshed_at

    async def grants(self, principal: str, roles: Sequence[str], unit: str, on: date) -> list[Grant]:
        """The grants by which a principal may act in one of the roles for a unit on a day. A no is said only after a fresh look.

        Raises what looking raises.
        """
        found = self._authority.grants(principal, roles, unit, on)
        if not found:
            if self._catch_up is not None:
                await self._catch_up()
            await self.refresh()
            found = self._authority.grants(principal, roles, unit, on)
        return found

    def roles(self, principal: str, on: date) -> list[Grant]:
        """Everything a principal holds on a day."""
        return self._authority.roles(principal, on)

    def path(self, unit: str, on: date) -> tuple[str, ...]:
        """The unit that answers for `unit` on a day, then all above it."""
        return self._authority.path(unit, on)

    def below(self, unit: str, on: date) -> tuple[str, ...]:
        """Every unit for which `unit` answers on a day, itself among them."""
        return self._authority.below(unit, on)

    async def refresh(self) -> None:
        """Take in what the tables have that memory has not; whoever asks meanwhile shares the next look. Raises what reading raises."""
        await self._looks([None])

    async def _look(self, asked: list[None]) -> Sequence[None]:
        started = self._monotonic()
        newer = await self._rows.newer(self._authority.position)
        if newer.position < self._authority.position or newer.epoch != self._epoch:
            # The tables follow another history now: nothing that was learnt before holds.
            newer = await self._rows.newer(-1)
            self._authority, self._epoch = Authority(), newer.epoch
        self._authority.learn(newer.standings, newer.grants)
        self._refreshed_at = started
        return asked

    async def follow(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Refresh for ever; what goes wrong shows as age."""
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
                await self.refresh()
            await sleep(REFRESH_SECONDS)
