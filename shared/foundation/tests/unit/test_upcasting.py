"""An event's first version, recorded years ago, and a program that knows the second: everything reads it, nothing is rewritten."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from contracts.kernel import Catalogue, Event, EventTypeUnknown, Personal, PersonId, upcasts
from foundation.clock import ManualClock
from foundation.commands import Actor
from foundation.decider import Decider
from foundation.handler import Handler
from foundation.history import Reading, happened
from foundation.store.memory import MemoryStore
from foundation.store.writer import GroupCommit
from foundation.vault.memory import MemoryVault
from foundation.vault.sealer import Sealer

ANN = "a" * 32
BY = Actor("somebody", "37", "c" * 32)


class NamedOnce(Event, type="toy.Named", version=1, subject="person", purpose="toys"):
    """As it was first: one text for the whole name."""

    person: PersonId
    full_name: Personal[str]
    grade: str


class Named(Event, type="toy.Named", version=2, subject="person", purpose="toys"):
    """As it is now: the name is called name, and the grade is a number."""

    person: PersonId
    name: Personal[str]
    grade: int


@upcasts("toy.Named.v1", to=Named)
def named_once(data: dict[str, Any]) -> dict[str, Any]:
    """Grades were letters."""
    return {"person": data["person"], "name": data["full_name"], "grade": "ABC".index(data["grade"]) + 1}


def decide(command: Sequence[Event], grades: tuple[int, ...], now: datetime) -> Sequence[Event]:
    return command


def _grades(grades: tuple[int, ...], event: Event) -> tuple[int, ...]:
    return (*grades, event.grade) if isinstance(event, Named) else grades


BEFORE, NOW = Catalogue(NamedOnce), Catalogue(Named, upcasters=[named_once])
PERSON: Decider[tuple[int, ...], Sequence[Event]] = Decider(category="person", initial=(), decide=decide, evolve=_grades)


class Program:
    """A program of some year on one history and one vault."""

    def __init__(self, store: MemoryStore, sealer: Sealer, catalogue: Catalogue) -> None:
        self.writer = GroupCommit(store, on_death=lambda _: None)
        clock = ManualClock(datetime(2026, 3, 2, tzinfo=UTC))
        self.handler = Handler(store=store, writer=self.writer, sealer=sealer, catalogue=catalogue, clock=clock, source="/nodes/1/toy")

    async def record(self, event: Event) -> None:
        await self.writer.start()
        await self.handler.handle(PERSON, ANN, [event], by=BY)
        await self.writer.close()


async def test_a_program_of_today_decides_reads_and_opens_what_was_recorded_in_an_older_version() -> None:
    store, sealer = MemoryStore(), Sealer(MemoryVault())
    await Program(store, sealer, BEFORE).record(NamedOnce(person=ANN, full_name="安娜", grade="B"))
    before = [one.record for one in await store.read(-1)]
    today = Program(store, sealer, NOW)
    await today.record(Named(person=ANN, name="安娜·李", grade=7))

    assert await today.handler.state(PERSON, ANN) == ((2, 7), 2)
    records = await store.read(-1)
    assert [one.record for one in records][:1] == before, "no record is ever written anew"
    assert [one.type for one in records] == ["toy.Named.v1", "toy.Named.v2"]
    read = Reading(NOW, [Named]).all(records)
    opened = [one.event for one in await sealer.open(read)]
    assert opened == [Named(person=ANN, name="安娜", grade=2), Named(person=ANN, name="安娜·李", grade=7)]


async def test_a_program_of_yesterday_stops_at_the_new_version() -> None:
    store, sealer = MemoryStore(), Sealer(MemoryVault())
    await Program(store, sealer, NOW).record(Named(person=ANN, name="安娜", grade=1))
    with pytest.raises(EventTypeUnknown):
        happened((await store.read(-1))[0], BEFORE)


def test_a_catalogue_finds_the_upcasters_of_its_modules() -> None:
    here = SimpleNamespace(__name__=__name__, Named=Named, named_once=named_once)
    found = Catalogue.of(here)
    assert dict(found.superseded) == {"toy.Named.v1": named_once}
    assert list(found) == [Named]
    assert "toy.Named.v1" in found
    elsewhere = SimpleNamespace(__name__="elsewhere", named_once=named_once)
    assert dict(Catalogue.of(elsewhere).superseded) == {}, "what a module only imports is not its own"


def test_two_ways_to_read_one_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"toy.Named.v1 is read in two ways"):
        Catalogue(NamedOnce, Named, upcasters=[named_once])
    for stored in ("toy.Named.v2", "toy.Named", "Named.v1", "toy.Named.vX"):
        with pytest.raises(TypeError, match="superseded"):
            upcasts(stored, to=Named)
