"""Group commit over a store that does what the test says."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from foundation.store.memory import MemoryStore
from foundation.store.port import (
    Appended,
    AppendRequest,
    Conflict,
    NewEvent,
    Outcome,
    StoreFull,
    StoreUnavailable,
    StreamAppend,
    WritesRefused,
)
from foundation.store.writer import BatchMeasured, GroupCommit, Overloaded


def request(stream: str, expected: int = 0, *, size: int = 1, on: Sequence[AppendRequest] = ()) -> AppendRequest:
    return AppendRequest((StreamAppend(stream, expected, (NewEvent("test.Happened.v1", b"x" * size),)),), None, tuple(on))


class Scripted(MemoryStore):
    """A memory store that notes each batch's streams, waits at a gate, and fails where `trouble` says so."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: Callable[[Sequence[AppendRequest]], BaseException | None] = lambda _: None

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        self.batches.append([one.streams[0].stream for one in requests])
        self.entered.set()
        await self.gate.wait()
        trouble = self.trouble(requests)
        if trouble is not None:
            raise trouble
        return await super().append(requests)


@pytest.fixture
def store() -> Scripted:
    return Scripted()


Start = Callable[..., Awaitable[GroupCommit]]


@pytest.fixture
async def started(store: Scripted) -> AsyncIterator[Start]:
    writers: list[GroupCommit] = []

    async def start(**limits: object) -> GroupCommit:
        writer = GroupCommit(store, **limits)  # type: ignore[arg-type]
        await writer.start()
        writers.append(writer)
        return writer

    yield start
    store.gate.set()
    for writer in writers:
        await writer.close()


async def held(store: Scripted, writer: GroupCommit) -> asyncio.Future[Outcome]:
    """Hold the writer in a first batch, so that what is submitted next waits together."""
    store.gate.clear()
    first = writer.submit(request("first-1"))
    await store.entered.wait()
    return first


async def test_what_waits_goes_together_in_order(store: Scripted, started: Start) -> None:
    measured: list[BatchMeasured] = []
    writer = await started(measured=measured.append)
    first = await held(store, writer)
    answers = [writer.submit(request(f"s-{number}", size=10)) for number in range(5)]
    assert writer.queued == 5
    store.gate.set()
    assert await asyncio.gather(first, *answers) == [Appended(position) for position in range(6)]
    assert store.batches == [["first-1"], [f"s-{number}" for number in range(5)]]
    assert [(batch.requests, batch.record_bytes) for batch in measured] == [(1, 1), (5, 50)]


async def test_batches_are_bounded_by_count_and_bytes(store: Scripted, started: Start) -> None:
    writer = await started(batch_max=3, bytes_max=100)
    first = await held(store, writer)
    sizes = [10, 10, 10, 10, 60, 60, 500, 10, 90, 10]
    answers = [writer.submit(request(f"s-{number}", size=size)) for number, size in enumerate(sizes)]
    store.gate.set()
    await asyncio.gather(first, *answers)
    assert [len(batch) for batch in store.batches] == [1, 3, 2, 1, 1, 2, 1]


async def test_a_full_queue_refuses_at_once(store: Scripted, started: Start) -> None:
    writer = await started(queue_max=2)
    first = await held(store, writer)
    answers = [writer.submit(request(f"s-{number}")) for number in range(2)]
    with pytest.raises(Overloaded, match="2 requests"):
        writer.submit(request("s-3"))
    store.gate.set()
    assert await asyncio.gather(first, *answers) == [Appended(0), Appended(1), Appended(2)]


async def test_a_poison_request_fails_alone_and_takes_only_its_followers(store: Scripted, started: Start) -> None:
    store.trouble = lambda requests: ValueError("poison") if any(one.streams[0].stream == "bad-1" for one in requests) else None
    writer = await started()
    first = await held(store, writer)
    good, poison, other = request("good-1"), request("bad-1"), request("good-2")
    follower = request("good-3", on=[good, poison])
    follower_of_follower = request("good-4", on=[follower])
    fine = request("good-1", 1, on=[good])
    answers = [writer.submit(one) for one in (good, poison, other, follower, follower_of_follower, fine)]
    store.gate.set()
    outcomes = await asyncio.gather(first, *answers, return_exceptions=True)
    assert isinstance(outcomes[2], ValueError)
    assert outcomes[:2] + outcomes[3:] == [
        *(Appended(0), Appended(1), Appended(2)),
        *(Conflict("good-3", 0, ()), Conflict("good-4", 0, ())),
        Appended(3),
    ]
    assert await store.versions(["good-3", "good-4"]) == {"good-3": 0, "good-4": 0}


async def test_what_was_decided_on_a_failed_earlier_batch_is_not_sent(store: Scripted, started: Start) -> None:
    writer = await started()
    stale = request("s-1", 5)
    first = await held(store, writer)
    answers = [first, writer.submit(stale)]
    store.gate.set()
    await asyncio.gather(*answers)
    sent = len(store.batches)
    assert await writer.submit(request("s-2", 0, on=[stale])) == Conflict("s-2", 0, ())
    assert len(store.batches) == sent


@pytest.mark.parametrize("trouble", [StoreUnavailable("away"), StoreFull("full"), WritesRefused(1, 2, "the topic")])
async def test_a_store_that_is_away_fails_the_batch_once_and_the_writer_goes_on(
    store: Scripted, started: Start, trouble: Exception
) -> None:
    writer = await started()
    first = await held(store, writer)
    answers = [writer.submit(request(f"s-{number}")) for number in range(3)]
    store.trouble = lambda requests: trouble if len(requests) == 3 else None
    store.gate.set()
    assert await first == Appended(0)
    assert await asyncio.gather(*answers, return_exceptions=True) == [trouble] * 3
    assert len(store.batches) == 2
    assert await writer.submit(request("s-1")) == Appended(1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_writer_that_dies_fails_every_waiter_and_says_so(store: Scripted) -> None:
    class Bug(BaseException):
        pass

    deaths: list[BaseException] = []
    writer = GroupCommit(store, batch_max=1, on_death=deaths.append)
    await writer.start()
    first = await held(store, writer)
    answers = [first, *(writer.submit(request(f"s-{number}")) for number in range(3))]
    store.trouble = lambda _: Bug()
    store.gate.set()
    assert [type(one) for one in await asyncio.gather(*answers, return_exceptions=True)] == [StoreUnavailable] * 4
    assert [type(death) for death in deaths] == [Bug]
    with pytest.raises(StoreUnavailable):
        writer.submit(request("s-9"))
    await writer.close()
    assert len(deaths) == 1


async def test_closing_writes_what_is_queued(store: Scripted, started: Start) -> None:
    writer = await started(batch_max=2)
    first = await held(store, writer)
    answers = [writer.submit(request(f"s-{number}")) for number in range(5)]
    closing = asyncio.create_task(writer.close())
    store.gate.set()
    await closing
    assert [one.result() for one in (first, *answers)] == [Appended(position) for position in range(6)]
    with pytest.raises(StoreUnavailable, match="stopped"):
        writer.submit(request("s-9"))


async def test_an_answer_nobody_waits_for_any_more_changes_nothing(store: Scripted, started: Start) -> None:
    writer = await started()
    first = await held(store, writer)
    gone, stays = writer.submit(request("s-1")), writer.submit(request("s-2"))
    gone.cancel()
    store.gate.set()
    assert [await first, await stays] == [Appended(0), Appended(2)]


async def test_a_long_chain_holds_no_memory(store: Scripted, started: Start) -> None:
    writer = await started()
    newest = request("s-1")
    oldest = weakref.ref(newest)
    await writer.submit(newest)
    for version in range(1, 50):
        newest = request("s-1", version, on=[newest])
        await writer.submit(newest)
    gc.collect()
    assert oldest() is None
