"""The tree's tables say on every day what the unions' own streams say, however the history is cut into batches."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from contracts.kernel import Event
from contracts.membership import Level, OrganisationKind, Relation
from foundation.cursor import Pool
from foundation.decider import NOON, JointDecider, Refusal
from foundation.history import Happened
from foundation.record import Envelope, decode, encode
from membership.organisations import commands, tree
from membership.organisations.commands import Particulars
from membership.organisations.organisation import DISSOLVE, FOUND, MERGE, MOVE, ORGANISATION, Ended, Organisation, Standing, Unfounded

NEW_YEAR = date(2026, 1, 1)
LEVELS = [Level.province, *[Level.county] * 3, *[Level.township] * 5, *[Level.grassroots] * 5]
CODES = [f"{number:02d}" for number in range(len(LEVELS))]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        for table in tree.TREE.tables:
            await pool.execute(f"create table {table.name} ({table.columns})")
        yield pool


def history(seed: int) -> list[Event]:
    """What came of many random commands."""
    chance = random.Random(seed)
    unions: dict[str, Organisation] = {}
    events: list[Event] = []

    def ask(joint: JointDecider[Any], command: Any) -> None:
        try:
            parts = joint.parts(command)
            decided = joint.decide(command, [unions.get(part.id, Unfounded()) for part in parts], NOON)
        except Refusal:
            return
        for part, added in zip(parts, decided, strict=True):
            unions[part.id] = ORGANISATION.fold(added, unions.get(part.id, Unfounded()))
            events.extend(added)

    def some_day() -> date:
        return NEW_YEAR + timedelta(days=chance.randrange(6))

    for number, level in enumerate(LEVELS):
        parent = None if number == 0 else chance.choice([CODES[above] for above in range(number) if LEVELS[above] is not level])
        ask(
            FOUND, commands.Found(CODES[number], level, Particulars(f"工会{number}", OrganisationKind.federation), parent, parent, NEW_YEAR)
        )
    for _ in range(60):
        code, other = chance.sample(CODES, 2)
        match chance.randrange(8):
            case 0:
                ask(MERGE, commands.Merge((code,), other, some_day()))
            case 1:
                ask(DISSOLVE, commands.Dissolve(code, chance.choice([None, other]), some_day()))
            case _:
                ask(MOVE, commands.Move(code, chance.choice(list(Relation)), other, some_day()))
    return events


def happened(events: Sequence[Event]) -> list[Happened]:
    at = datetime(2026, 3, 2, tzinfo=UTC)

    def envelope(event: Event) -> Envelope:
        return decode(
            encode(
                id="",
                source="",
                type=event.TYPE,
                stream="",
                time=at,
                version=1,
                correlation="",
                causation=None,
                actor="",
                org=None,
                data={},
            )
        )

    return [Happened(n, envelope(event), event) for n, event in enumerate(events)]


def answers_for(unions: dict[str, Organisation], code: str, day: date) -> str:
    """Who answers for a union on a day."""
    union = unions[code]
    while isinstance(union, Ended) and union.ended_on <= day:
        code = union.successor
        union = unions[code]
    return code


def path(unions: dict[str, Organisation], code: str | None, day: date) -> list[str]:
    found: list[str] = []
    while code is not None:
        found.append(code)
        union = unions[code]
        was = union.was if isinstance(union, Ended) else union
        assert isinstance(was, Standing)
        parent = was.parents.at(day)
        code = None if parent is None else answers_for(unions, parent, day)
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_the_tables_say_what_the_streams_say(pool: Pool, seed: int) -> None:
    events = history(seed)
    told = happened(events)
    chance = random.Random(seed)
    async with pool.acquire() as connection:
        while told:
            cut = chance.randint(1, 9)
            await tree.apply(connection, {table.name: table.name for table in tree.TREE.tables}, told[:cut])
            told = told[cut:]
    unions = {code: ORGANISATION.fold([event for event in events if event.organisation == code]) for code in CODES}  # type: ignore[attr-defined]
    assert any(isinstance(union, Ended) for union in unions.values())
    for day in (NEW_YEAR + timedelta(days=offset) for offset in range(7)):
        standing = [code for code in CODES if answers_for(unions, code, day) == code]
        for code in CODES:
            found = [union.code for union in await tree.path(pool, code, day)]
            assert found == (path(unions, code, day) if code in standing else []), (seed, code, day)
        whole = await tree.subtree(pool, "00", day, depth=20, limit=1_000)
        assert sorted(union.code for union in whole) == standing
        assert [union.depth for union in whole] == [len(path(unions, union.code, day)) - 1 for union in whole]
        for union in whole:
            recorded = unions[union.code]
            was = recorded.was if isinstance(recorded, Ended) else recorded
            assert isinstance(was, Standing)
            funding = was.funding_parents.at(day)
            assert union.funding_parent == (None if funding is None else answers_for(unions, funding, day))


async def test_before_there_was_anything(pool: Pool) -> None:
    assert await tree.subtree(pool, "00", NEW_YEAR, depth=20, limit=1_000) == []
    assert await tree.path(pool, "00", NEW_YEAR) == []
