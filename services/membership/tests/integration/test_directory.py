"""The directory's tables say the same however the history is cut into batches, and its keys are those of the people it has."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest
from contracts.kernel import ERASED, Event
from contracts.membership import MemberAdmitted, MemberCorrected, MemberLeft, MemberLinked, MemberResumed, MemberSuspended, MemberUnlinked
from foundation.cursor import Connection
from foundation.decoding import with_values
from foundation.history import Happened
from foundation.record import Envelope
from membership.directory.keys import keys_of
from membership.directory.members import CURRENT, MEMBERS, PEOPLE
from msgspec import Raw

DAY = date(2026, 3, 2)
UNIONS = ("370911001.1", "370911002.1")
PEOPLE_IDS = [letter * 32 for letter in "abcdef"]
ERASED_PERSON = PEOPLE_IDS[-1]
NAMES = ("王伟明", "单雄信", "欧阳娜娜", "阿依古丽·买买提", "Maria Garcia")
PHONES = ("13800138000", "13905381234", "")
TABLES = [table for projection in (MEMBERS, PEOPLE) for table in projection.tables]


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    for table in TABLES:
        await connection.execute(f"create table {table.name} ({table.columns})")
    yield connection
    await connection.close()


def history(seed: int) -> list[Happened]:
    """What may happen to some people, each in their own stream; one of them was erased, so that no name of theirs opens."""
    chance = random.Random(seed)
    versions = dict.fromkeys(PEOPLE_IDS, 0)
    found = []
    for position in range(60):
        person = chance.choice(PEOPLE_IDS)
        event = _one(chance, person) if versions[person] else _admitted(chance, person)
        if person == ERASED_PERSON and event.__dict__.get("name"):
            event = with_values(event, {"name": ERASED})
        versions[person] += 1
        envelope = Envelope("", "", event.TYPE, f"member-{person}", datetime(2026, 3, 2, tzinfo=UTC), versions[person], "", "", Raw(b"{}"))
        found.append(Happened(position, envelope, event))
    return found


def _admitted(chance: random.Random, person: str) -> Event:
    return MemberAdmitted(
        member=person, organisation=chance.choice(UNIONS), name=chance.choice(NAMES), phone=chance.choice(PHONES), joined_on=DAY
    )


def _one(chance: random.Random, person: str) -> Event:
    union = chance.choice(UNIONS)
    return chance.choice(
        [
            MemberCorrected(member=person, name=chance.choice(NAMES), effective_on=DAY),
            MemberCorrected(member=person, phone=chance.choice(PHONES), effective_on=DAY),
            MemberSuspended(member=person, organisation=union, reason="", effective_on=DAY),
            MemberResumed(member=person, organisation=union, effective_on=DAY),
            MemberLeft(member=person, organisation=union, effective_on=DAY),
            MemberAdmitted(member=person, organisation=union, joined_on=DAY),
            MemberLinked(member=person, same_as="9" * 32, effective_on=DAY),
            MemberUnlinked(member=person, was_same_as="9" * 32, effective_on=DAY),
        ]
    )


async def tables_after(connection: Connection, batches: Sequence[Sequence[Happened]]) -> list[list[tuple[Any, ...]]]:
    for table in TABLES:
        await connection.execute(f"truncate {table.name}")
    for batch in batches:
        for projection in (MEMBERS, PEOPLE):
            async with connection.transaction():
                await projection.apply(connection, {table.name: table.name for table in projection.tables}, batch)
    return [[tuple(row) for row in await connection.fetch(f"select * from {table.name} order by 1, 2")] for table in TABLES]


async def test_batches_do_not_matter_and_keys_follow_from_people(connection: Connection) -> None:
    for seed in range(6):
        told, chance = history(seed), random.Random(seed)
        whole = await tables_after(connection, [told])
        assert await tables_after(connection, [[one] for one in told]) == whole
        cuts = sorted(chance.sample(range(1, len(told)), 5))
        assert await tables_after(connection, [told[a:b] for a, b in zip([0, *cuts], [*cuts, len(told)], strict=True)]) == whole
        members, people, keys = whole
        assert ERASED_PERSON not in [row[0] for row in people]
        assert {row[0] for row in members} - {ERASED_PERSON} == {row[0] for row in people}
        assert keys == sorted(
            (key, person, union, status in CURRENT and not linked)
            for person, union, status, linked, name, phone, _ in people
            for key in keys_of(name, phone)
        )


async def test_a_row_that_came_after_the_erasure_goes_with_the_next_word_of_the_person(connection: Connection) -> None:
    """Opened just before the erasure and written just after it: what follows in the history says so, however it is cut."""
    person = PEOPLE_IDS[0]
    admitted = MemberAdmitted(member=person, organisation=UNIONS[0], name=NAMES[0], phone=PHONES[0], joined_on=DAY)
    corrected = with_values(MemberCorrected(member=person, name=NAMES[1], effective_on=DAY), {"name": ERASED})
    told = [
        Happened(at, Envelope("", "", one.TYPE, f"member-{person}", datetime(2026, 3, 2, tzinfo=UTC), at + 1, "", "", Raw(b"{}")), one)
        for at, one in enumerate([admitted, corrected])
    ]
    for batches in ([told], [[one] for one in told]):
        members, people, keys = await tables_after(connection, batches)
        assert ([row[0] for row in members], people, keys) == ([person], [], [])
