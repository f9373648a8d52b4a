"""What a caller may rely on: one answer per command, never before it is durable, never on facts that do not stand."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from contracts.kernel import Catalogue, Event, Personal, PersonId
from foundation.clock import SystemClock
from foundation.commands import Accepted, Actor, CommandRef, IdempotencyKeyReused, PreconditionFailed
from foundation.decider import Decider, JointDecider, Part, Refusal
from foundation.handler import Handler
from foundation.record import RecordTooLarge, decode
from foundation.store.memory import MemoryStore
from foundation.store.port import AppendRequest, Outcome, StoreUnavailable
from foundation.store.writer import GroupCommit
from foundation.vault.memory import MemoryVault
from foundation.vault.port import KeyDestroyed
from foundation.vault.sealer import Sealer


class SeatTaken(Event, type="sample.SeatTaken", version=1):
    by: str


class SeatFreed(Event, type="sample.SeatFreed", version=1):
    by: str


class GuestNamed(Event, type="sample.GuestNamed", version=1, subject="guest", purpose="guests"):
    guest: PersonId
    name: Personal[str]


@dataclass(frozen=True)
class Take:
    by: str


@dataclass(frozen=True)
class Free:
    by: str


@dataclass(frozen=True)
class Name:
    guest: str
    name: str


class Full(Refusal):
    """No seat is left."""


Seats = frozenset[str]


def decide_seat(command: Take | Free, taken: Seats, now: datetime) -> Sequence[Event]:
    match command:
        case Take(by):
            if by in taken:
                return []
            if len(taken) >= 3:
                raise Full("every seat is taken", seats=3)
            return [SeatTaken(by=by)]
        case Free(by):
            return [SeatFreed(by=by)] if by in taken else []


def evolve_seat(taken: Seats, event: Event) -> Seats:
    match event:
        case SeatTaken(by=by):
            return taken | {by}
        case SeatFreed(by=by):
            return taken - {by}
        case _:
            return taken


ROOM: Decider[Seats, Take | Free] = Decider("room", frozenset(), decide_seat, evolve_seat)
GUEST: Decider[int, Name] = Decider(
    "guest", 0, lambda command, _, __: [GuestNamed(guest=command.guest, name=command.name)], lambda n, _: n + 1, opens=lambda _: True
)
CATALOGUE = Catalogue(SeatTaken, SeatFreed, GuestNamed)
BY = Actor("0" * 32, "370902", "conversation")
GUEST_ID = "a" * 32


def key(number: int, body: bytes = b"body") -> CommandRef:
    return CommandRef(UUID(int=number), body.ljust(32, b"."))


class Gate(MemoryStore):
    """A store whose commits can be held back, and made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.failures = 0
        self.batches: list[int] = []

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        self.batches.append(len(requests))
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the database went away")
        return await super().append(requests)


@dataclass
class Node:
    store: Gate
    vault: MemoryVault
    another: Callable[[], Handler]
    handler: Handler


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    store, vault = Gate(), MemoryVault()
    writer = GroupCommit(store)
    await writer.start()

    def another() -> Handler:
        return Handler(
            store=store, writer=writer, sealer=Sealer(vault), catalogue=CATALOGUE, clock=SystemClock(), source="/nodes/3709/sample"
        )

    yield Node(store, vault, another, another())
    store.open.set()
    await writer.close()


async def settled(*waits: "asyncio.Future[Any]") -> list[Any]:
    return await asyncio.gather(*waits, return_exceptions=True)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_accepted_command_is_in_the_history_with_who_and_for_whom(node: Node) -> None:
    accepted = await node.handler.handle(ROOM, "1", Take("ann"), by=BY)
    [recorded] = await node.store.read_stream("room-1")
    envelope = decode(recorded.record)
    assert accepted == Accepted("room-1", 1, 0)
    assert (envelope.actor, envelope.org, envelope.version, envelope.data) == ("0" * 32, "370902", 1, {"by": "ann"})


async def test_a_burst_fills_exactly_the_seats_and_refuses_the_others(node: Node) -> None:
    answers = await settled(*(node.handler.handle(ROOM, "1", Take(f"guest {n}"), by=BY, key=key(n)) for n in range(500)))
    assert sum(isinstance(answer, Accepted) for answer in answers) == 3
    assert sum(isinstance(answer, Full) for answer in answers) == 497
    assert len(await node.store.read_stream("room-1")) == 3


async def test_a_refusal_leaves_nothing_for_the_garbage_collector(node: Node) -> None:
    """Frames in its traceback would hold the command, and the command its answer, which is the refusal: walking those took a third of a
    burst's time."""
    refused = 0

    async def one(number: int) -> None:
        nonlocal refused
        try:
            await node.handler.handle(ROOM, "1", Take(f"guest {number}"), by=BY, key=key(number))
        except Full:
            refused += 1

    await one(0)
    gc.collect()
    gc.disable()
    try:
        await asyncio.gather(*(one(number) for number in range(1, 200)))
        assert (refused, gc.collect() < 200) == (197, True)
    finally:
        gc.enable()


async def test_commands_for_one_stream_share_a_batch(node: Node) -> None:
    await settled(*(node.handler.handle(ROOM, "1", Take(f"guest {n}"), by=BY) for n in range(3)))
    assert node.store.batches == [3]


async def test_no_refusal_leaves_before_what_it_was_decided_on_is_durable(node: Node) -> None:
    await node.handler.handle(ROOM, "1", Take("ann"), by=BY)
    node.store.open.clear()
    takers = [node.handler.handle(ROOM, "1", Take(name), by=BY) for name in ("bea", "cid")]
    refused = node.handler.handle(ROOM, "1", Take("dan"), by=BY)
    already = node.handler.handle(ROOM, "1", Take("bea"), by=BY)
    await turns()
    assert not any(answer.done() for answer in (*takers, refused, already))
    node.store.open.set()
    assert isinstance((await settled(refused))[0], Full)
    assert (await already).version == 3


async def test_a_batch_that_fails_takes_the_refusals_that_rested_on_it_along(node: Node) -> None:
    """Three seats were taken in memory only; once that batch has failed, the fourth guest gets a seat instead of a refusal."""
    node.store.open.clear()
    takers = [node.handler.handle(ROOM, "1", Take(name), by=BY) for name in ("ann", "bea", "cid")]
    await turns()
    fourth = node.handler.handle(ROOM, "1", Take("dan"), by=BY)
    await turns()
    node.store.failures = 1
    node.store.open.set()
    assert all(isinstance(answer, StoreUnavailable) for answer in await settled(*takers))
    assert (await fourth).version == 1
    assert [decode(event.record).data["by"] for event in await node.store.read_stream("room-1")] == ["dan"]


async def test_the_same_key_gets_the_first_answer_for_ever(node: Node) -> None:
    first = await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(1))
    await node.handler.handle(ROOM, "1", Free("ann"), by=BY, key=key(2))
    again = await node.another().handle(ROOM, "1", Take("ann"), by=BY, key=key(1))
    assert again == Accepted(first.stream, first.version, first.position, repeated=True)
    assert len(await node.store.read_stream("room-1")) == 2


async def test_the_same_key_gets_its_answer_even_where_the_rule_would_refuse_by_now(node: Node) -> None:
    first = await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(1))
    await node.handler.handle(ROOM, "1", Free("ann"), by=BY)
    for name in ("bea", "cid", "dan"):
        await node.handler.handle(ROOM, "1", Take(name), by=BY)
    assert (await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(1))).version == first.version


async def test_a_key_with_another_request_is_refused(node: Node) -> None:
    await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(1))
    with pytest.raises(IdempotencyKeyReused):
        await node.handler.handle(ROOM, "1", Take("bea"), by=BY, key=key(1, b"other"))
    for name in ("bea", "cid"):
        await node.handler.handle(ROOM, "1", Take(name), by=BY)
    with pytest.raises(IdempotencyKeyReused):  # also where the rule refuses
        await node.handler.handle(ROOM, "1", Take("dan"), by=BY, key=key(1, b"other"))


async def test_twins_in_flight_share_one_answer(node: Node) -> None:
    node.store.open.clear()
    twins = [node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(1)) for _ in range(5)]
    with pytest.raises(IdempotencyKeyReused):
        await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(1, b"other"))
    twins[0].cancel()  # the first caller hangs up
    await turns()
    node.store.open.set()
    answers = await asyncio.gather(*twins[1:])
    assert {answer.version for answer in answers} == {1}
    assert len(await node.store.read_stream("room-1")) == 1


async def test_a_refused_key_may_come_again(node: Node) -> None:
    for name in ("ann", "bea", "cid"):
        await node.handler.handle(ROOM, "1", Take(name), by=BY)
    with pytest.raises(Full):
        await node.handler.handle(ROOM, "1", Take("dan"), by=BY, key=key(9))
    await node.handler.handle(ROOM, "1", Free("ann"), by=BY)
    assert not (await node.handler.handle(ROOM, "1", Take("dan"), by=BY, key=key(9))).repeated


async def test_what_is_already_so_is_remembered_with_its_key(node: Node) -> None:
    await node.handler.handle(ROOM, "1", Take("ann"), by=BY)
    already = await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(5))
    assert (already.version, already.position) == (1, 0)
    await node.handler.handle(ROOM, "1", Free("ann"), by=BY)
    assert (await node.handler.handle(ROOM, "1", Take("ann"), by=BY, key=key(5))).repeated


async def test_if_match(node: Node) -> None:
    await node.handler.handle(ROOM, "1", Take("ann"), by=BY)
    assert (await node.handler.handle(ROOM, "1", Take("bea"), by=BY, expected=1)).version == 2
    with pytest.raises(PreconditionFailed) as failed:
        await node.handler.handle(ROOM, "1", Take("cid"), by=BY, expected=1)
    assert failed.value.version == 2


async def test_two_processes_decide_on_each_others_events(node: Node) -> None:
    handlers = [node.handler, node.another(), node.another()]
    answers = await settled(*(handlers[n % 3].handle(ROOM, "1", Take(f"guest {n}"), by=BY) for n in range(60)))
    assert sum(isinstance(answer, Accepted) for answer in answers) == 3
    assert len(await node.store.read_stream("room-1")) == 3


async def test_a_refusal_never_rests_on_a_cache_that_another_process_made_stale(node: Node) -> None:
    other = node.another()
    for name in ("ann", "bea", "cid"):
        await node.handler.handle(ROOM, "1", Take(name), by=BY)
    await other.handle(ROOM, "1", Free("ann"), by=BY)
    assert (await node.handler.handle(ROOM, "1", Take("dan"), by=BY)).version == 5


async def test_a_command_that_opens_a_stream_finds_one_that_is_there(node: Node) -> None:
    first = await node.handler.handle(GUEST, GUEST_ID, Name(GUEST_ID, "Ann"), by=BY)
    second = await node.another().handle(GUEST, GUEST_ID, Name(GUEST_ID, "Anna"), by=BY)
    assert (first.version, second.version) == (1, 2)


async def test_personal_values_are_sealed_in_the_record(node: Node) -> None:
    await node.handler.handle(GUEST, GUEST_ID, Name(GUEST_ID, "王伟"), by=BY)
    [recorded] = await node.store.read_stream(f"guest-{GUEST_ID}")
    assert "王伟".encode() not in recorded.record
    assert set(decode(recorded.record).data["name"]) == {"kid", "nonce", "ciphertext", "commitment"}


async def test_an_erased_person_stops_only_their_own_command(node: Node) -> None:
    await node.vault.erase("b" * 32, purposes=None, basis="asked", at=SystemClock().now())
    ids = [letter * 32 for letter in "abc"]
    answers = await settled(*(node.handler.handle(GUEST, guest, Name(guest, "Ann"), by=BY) for guest in ids))
    assert [type(answer) for answer in answers] == [Accepted, KeyDestroyed, Accepted]


async def test_an_oversize_event_is_refused_and_nothing_is_left_behind(node: Node) -> None:
    with pytest.raises(RecordTooLarge):
        await node.handler.handle(ROOM, "1", Take("x" * 70_000), by=BY)
    assert (await node.handler.handle(ROOM, "1", Take("ann"), by=BY)).version == 1


@dataclass(frozen=True)
class Swap:
    who: str
    leave: str
    enter: str


def decide_swap(command: Swap, states: Sequence[Seats], now: datetime) -> Sequence[Sequence[Event]]:
    leaving, entering = states
    if command.who not in leaving:
        raise Full("you have no seat to leave")
    return decide_seat(Free(command.who), leaving, now), decide_seat(Take(command.who), entering, now)


SWAP: JointDecider[Swap] = JointDecider(lambda command: (Part(ROOM, command.leave), Part(ROOM, command.enter)), decide_swap)


async def test_a_rule_over_two_streams_is_one_append(node: Node) -> None:
    await settled(*(node.handler.handle(ROOM, "1", Take(f"guest {n}"), by=BY) for n in range(3)))
    await settled(*(node.handler.handle(ROOM, "2", Take(f"other {n}"), by=BY) for n in range(2)))
    swaps = [node.handler.handle_joint(SWAP, Swap(f"guest {n}", "1", "2"), by=BY) for n in range(3)]
    answers = await settled(*swaps)
    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    one, _ = await node.handler.state(ROOM, "1")
    two, _ = await node.handler.state(ROOM, "2")
    assert (len(one), len(two)) == (2, 3)


async def test_joint_and_single_commands_chain_on_each_other(node: Node) -> None:
    node.store.open.clear()
    first = node.handler.handle(ROOM, "1", Take("ann"), by=BY)
    swap = node.handler.handle_joint(SWAP, Swap("ann", "1", "2"), by=BY)
    last = node.handler.handle(ROOM, "2", Free("ann"), by=BY)
    await turns()
    node.store.open.set()
    answers = await asyncio.gather(first, swap, last)
    assert [answer.version for answer in answers] == [1, 2, 2]


@dataclass(frozen=True)
class TakeWhile:
    """Take a seat in one room while another has somebody in it: the second is only read."""

    who: str
    room: str
    other: str


def decide_while(command: TakeWhile, states: Sequence[Seats], now: datetime) -> Sequence[Sequence[Event]]:
    room, other = states
    if not other:
        raise Full("nobody is over there")
    return decide_seat(Take(command.who), room, now), ()


TAKE_WHILE: JointDecider[TakeWhile] = JointDecider(lambda command: (Part(ROOM, command.room), Part(ROOM, command.other)), decide_while)


async def test_rules_that_only_read_a_stream_do_not_depend_on_each_other(node: Node) -> None:
    await node.handler.handle(ROOM, "other", Take("ann"), by=BY)
    seen: list[AppendRequest] = []
    append = node.store.append

    async def watched(requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        seen.extend(requests)
        assert not any(request.decided_on for request in requests)
        return await append(requests)

    node.store.append = watched  # type: ignore[method-assign]  # the port, watched from outside
    await asyncio.gather(*(node.handler.handle_joint(TAKE_WHILE, TakeWhile("bea", f"r{n}", "other"), by=BY) for n in range(5)))
    assert [[(part.stream, len(part.events)) for part in request.streams] for request in seen] == [
        [(f"room-r{n}", 1), ("room-other", 0)] for n in range(5)
    ]


async def test_a_stream_that_was_read_must_not_have_moved(node: Node) -> None:
    await node.handler.handle(ROOM, "other", Take("ann"), by=BY)
    other = node.another()
    await node.handler.handle_joint(TAKE_WHILE, TakeWhile("bea", "r1", "other"), by=BY)
    await other.handle(ROOM, "other", Free("ann"), by=BY)
    with pytest.raises(Full):
        await node.handler.handle_joint(TAKE_WHILE, TakeWhile("cid", "r1", "other"), by=BY)


async def test_a_joint_rule_that_usually_opens_a_stream_finds_what_is_there(node: Node) -> None:
    opening = JointDecider(TAKE_WHILE.parts, TAKE_WHILE.decide, opens=lambda _: True)
    with pytest.raises(Full):  # read before it is refused: nobody is over there, and that is so
        await node.handler.handle_joint(opening, TakeWhile("bea", "r1", "other"), by=BY)
    await node.handler.handle(ROOM, "other", Take("ann"), by=BY)
    await node.handler.handle(ROOM, "r1", Take("cid"), by=BY)
    fresh = node.another()
    done = await fresh.handle_joint(opening, TakeWhile("bea", "r1", "other"), by=BY)
    again = await node.another().handle_joint(opening, TakeWhile("bea", "r1", "other"), by=BY)
    assert (done.version, again.version) == (2, 2)
