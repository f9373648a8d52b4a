"""The authority view against a naive model, live against rebuilt, and memory against tables."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from random import Random

import asyncpg
import pytest
from contracts.kernel import AuthorityChange, Event, Granted, Revoked, UnitEnded, UnitPlaced
from foundation.authority import Authority, fold
from foundation.authority_view import AuthorityView, ChangesOf, TableRows, authority_projection
from foundation.cursor import Pool
from foundation.history import Happened
from foundation.migrations import FOUNDATION, migrate
from foundation.record import Envelope
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from .sample import NOW, ListedRows

UNITS = [f"u{number}" for number in range(7)]
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(6)]
units, days = st.sampled_from(UNITS), st.sampled_from(DAYS)
grants = st.sampled_from(["g0", "g1", "g2", "g3"])
changes = st.lists(
    st.one_of(
        st.builds(UnitPlaced, units, st.none() | units, days),
        st.builds(UnitEnded, units, st.none() | units, days),
        st.builds(Granted, grants, st.sampled_from(["p", "q"]), units, st.sampled_from(["clerk", "auditor"]), days, st.none() | days),
        st.builds(Revoked, grants, days),
    ),
    max_size=25,
)


def naive_chain(history: list[AuthorityChange], unit: str, on: date, *, dissolved: bool = False) -> list[str]:
    """Walk up by reading the whole history anew at every step; with the dissolved units on the way, if asked for."""
    chain: list[str] = []
    seen: set[str] = set()
    while unit not in seen:
        seen.add(unit)
        about = [(i, c) for i, c in enumerate(history) if isinstance(c, UnitPlaced | UnitEnded) and c.unit == unit and c.since <= on]
        words = [change for _, change in sorted(about, key=lambda one: (one[1].since, one[0]))]
        if words and isinstance(words[-1], UnitEnded) and words[-1].successor is not None:
            if dissolved:
                chain.append(unit)
            unit = words[-1].successor
            continue
        chain.append(unit)
        placed = [one for one in words if isinstance(one, UnitPlaced)]
        if not placed or placed[-1].parent is None:
            break
        unit = placed[-1].parent
    return chain


def naive(history: list[AuthorityChange], principal: str, role: str, unit: str, on: date) -> set[str]:
    """The grants that allow it, by reading the whole history anew."""
    held: dict[str, tuple[Granted, date | None]] = {}
    for change in history:
        if isinstance(change, Granted):
            held[change.grant] = (change, change.valid_until)
        elif isinstance(change, Revoked) and change.grant in held:
            grant, until = held[change.grant]
            held[change.grant] = (grant, change.valid_until if until is None else min(until, change.valid_until))
    chain = naive_chain(history, unit, on, dissolved=True)
    return {
        name
        for name, (grant, until) in held.items()
        if grant.principal == principal
        and grant.role == role
        and grant.valid_from <= on
        and (until is None or on < until)
        and grant.unit in chain
    }


def learnt(history: list[AuthorityChange]) -> Authority:
    authority = Authority()
    folded = fold(enumerate(history))
    authority.learn(folded.standings.values(), folded.grants.values())
    return authority


@given(changes, units, days, st.sampled_from(["clerk", "auditor"]))
@settings(max_examples=600, deadline=None)
def test_it_answers_as_reading_the_whole_history_does(history: list[AuthorityChange], unit: str, on: date, role: str) -> None:
    found = learnt(history).grants("p", (role,), unit, on)
    assert {grant.id for grant in found} == naive(history, "p", role, unit, on)


class Changed(Event, type="tests.Changed", version=1):
    """Stands for any event; the test says what it changes."""

    number: int


def happened(position: int) -> Happened:
    envelope = Envelope("i", "s", "tests.Changed.v1", "t-1", NOW, position + 1, "c", "a", Raw(b"{}"))
    return Happened(position, envelope, Changed(number=position))


def changes_in(history: Sequence[AuthorityChange]) -> ChangesOf:
    """An event says which of these it changes."""

    def changes_of(event: Event) -> Sequence[AuthorityChange]:
        assert isinstance(event, Changed)
        return [history[event.number]]

    return changes_of


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    await migrate(database, FOUNDATION)
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        yield pool


async def test_tables_hold_what_memory_holds_whatever_the_batches(pool: Pool) -> None:
    """Seeded random histories, applied in random batches, read back in random steps."""
    random = Random(20260302)
    for _ in range(12):
        history = [_random_change(random) for _ in range(60)]
        projection = authority_projection("tests", changes_in(history))
        tables = {table.name: table.name for table in projection.tables}
        async with pool.acquire() as connection:
            for table in projection.tables:
                await connection.execute(f"drop table if exists {table.name}; create table {table.name} ({table.columns})")
            view = AuthorityView(TableRows(pool, "tests"), monotonic=lambda: 0.0)
            cuts = sorted({0, 60, *(random.randrange(60) for _ in range(6))})
            for first, last in pairwise(cuts):
                async with connection.transaction():
                    await projection.apply(connection, tables, [happened(position) for position in range(first, last)])
                await view.refresh()
        for unit in UNITS:
            for on in DAYS:
                for principal in ("p", "q"):
                    found = {grant.id for grant in await view.grants(principal, ("clerk",), unit, on)}
                    assert found == naive(history, principal, "clerk", unit, on)


def _random_change(random: Random) -> AuthorityChange:
    unit, other, day = random.choice(UNITS), random.choice([None, *UNITS]), random.choice(DAYS)
    grant = f"g{random.randrange(4)}"
    one_of_each: list[AuthorityChange] = [
        UnitPlaced(unit, other, day),
        UnitEnded(unit, other, day),
        Granted(grant, random.choice("pq"), unit, "clerk", day, random.choice([None, *DAYS])),
        Revoked(grant, day),
    ]
    return random.choice(one_of_each)


async def test_a_history_begun_anew_is_learnt_anew() -> None:
    rows = ListedRows(UnitPlaced("u0", None, DAYS[0]), Granted("g", "p", "u0", "clerk", DAYS[0], None))
    view = AuthorityView(rows, monotonic=lambda: 0.0)
    assert await view.grants("p", ("clerk",), "u0", DAYS[0])
    rows.changes, rows.epoch = [UnitPlaced("u0", None, DAYS[0]), UnitPlaced("u1", "u0", DAYS[0])], 1
    await view.refresh()
    assert not await view.grants("p", ("clerk",), "u0", DAYS[0])


async def test_a_new_grant_works_at_once_and_a_yes_needs_no_look() -> None:
    rows = ListedRows(UnitPlaced("u0", None, DAYS[0]))
    view = AuthorityView(rows, monotonic=lambda: 0.0)
    assert not await view.grants("p", ("clerk",), "u0", DAYS[0])
    rows.changes.append(Granted("g", "p", "u0", "clerk", DAYS[0], None))
    looks = rows.looks
    assert await view.grants("p", ("clerk",), "u0", DAYS[0])
    assert rows.looks == looks + 1
    assert await view.grants("p", ("clerk",), "u0", DAYS[0])
    assert rows.looks == looks + 1


async def test_naming_units_that_do_not_exist_fills_no_memory() -> None:
    view = AuthorityView(ListedRows(UnitPlaced("u0", None, DAYS[0])), monotonic=lambda: 0.0)
    await view.refresh()
    for number in range(1_000):
        view.path(f"made up {number}", DAYS[0])
    assert len(view._authority._ways) == 0


def test_staff_of_a_dissolved_unit_do_not_get_the_powers_of_its_successor() -> None:
    """A village dissolved into its township: its clerk still sees to what was the village's, and to nothing of the township's."""
    authority = learnt(
        [
            UnitPlaced("county", None, DAYS[0]),
            UnitPlaced("township", "county", DAYS[0]),
            UnitPlaced("village", "township", DAYS[0]),
            UnitPlaced("group", "village", DAYS[0]),
            UnitPlaced("other", "township", DAYS[0]),
            Granted("g", "clerk", "village", "clerk", DAYS[0], None),
            Granted("h", "boss", "township", "clerk", DAYS[0], None),
            UnitEnded("village", "township", DAYS[2]),
        ]
    )
    allowed = {unit for unit in ("county", "township", "village", "group", "other") if authority.grants("clerk", ["clerk"], unit, DAYS[3])}
    assert allowed == {"village", "group"}
    assert all(authority.grants("boss", ["clerk"], unit, DAYS[3]) for unit in ("township", "village", "group", "other"))
