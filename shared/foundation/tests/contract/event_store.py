"""What every event store does, adapter by adapter: the contract suite of `store.port.EventStore`.

A test class derives from `EventStoreContract` and gives it a fixture `store`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from foundation.record import RECORD_BYTES_MAX, leaf_hash
from foundation.store.port import (
    NO_LEAF,
    Appended,
    AppendRequest,
    CommandKey,
    Conflict,
    EventStore,
    Head,
    KeyReused,
    NewEvent,
    Recorded,
    Remembered,
    Repeated,
    StreamAppend,
)


def event(text: str = "one") -> NewEvent:
    return NewEvent("test.Happened.v1", text.encode())


def to(stream: str, expected: int, *texts: str) -> StreamAppend:
    return StreamAppend(stream, expected, tuple(event(text) for text in texts))


def request(*streams: StreamAppend, command: CommandKey | None = None, on: Sequence[AppendRequest] = ()) -> AppendRequest:
    return AppendRequest(streams, command, tuple(on))


def command(id: UUID | None = None, *, hmac: bytes = b"hmac", result: bytes = b"result") -> CommandKey:
    return CommandKey(id or uuid4(), hmac, result)


def texts(events: Sequence[Recorded]) -> list[str]:
    return [one.record.decode() for one in events]


class EventStoreContract:
    """The tests; `store` is a fresh, started store."""

    async def test_an_empty_history(self, store: EventStore) -> None:
        assert await store.head() == Head(0, -1, NO_LEAF)
        assert await store.leaf_at(0) is None
        assert await store.leaf_at(-1) is None
        assert list(await store.read(-1)) == []
        assert list(await store.read_stream("a-1")) == []
        assert await store.read_streams(["a-1", "a-2"]) == {"a-1": [], "a-2": []}
        assert await store.versions(["a-1"]) == {"a-1": 0}
        assert await store.remembered([uuid4()]) == {}
        assert list(await store.append([])) == []

    async def test_events_stand_as_appended(self, store: EventStore) -> None:
        assert await store.append([request(to("a-1", 0, "x", "y")), request(to("a-2", 0, "z"))]) == [Appended(1), Appended(2)]
        x, y, z = (
            Recorded(position, stream, version, "test.Happened.v1", text.encode(), leaf_hash(text.encode()))
            for position, (stream, version, text) in enumerate([("a-1", 1, "x"), ("a-1", 2, "y"), ("a-2", 1, "z")])
        )
        assert list(await store.read(-1)) == [x, y, z]
        assert list(await store.read(0)) == [y, z]
        assert list(await store.read(-1, limit=2)) == [x, y]
        assert list(await store.read(-1, upto=0)) == [x]
        assert list(await store.read(0, upto=0)) == []
        assert list(await store.read(2)) == []
        assert list(await store.read_stream("a-1")) == [x, y]
        assert list(await store.read_stream("a-1", after=1)) == [y]
        streams = await store.read_streams(["a-2", "a-1", "a-3", "a-2"])
        assert {stream: list(events) for stream, events in streams.items()} == {"a-1": [x, y], "a-2": [z], "a-3": []}
        assert await store.versions(["a-1", "a-3", "a-1"]) == {"a-1": 2, "a-3": 0}
        assert await store.head() == Head(0, 2, z.leaf)
        assert await store.leaf_at(1) == y.leaf
        assert await store.leaf_at(3) is None

    async def test_a_conflict_carries_the_newer_events_and_spoils_nothing_else(self, store: EventStore) -> None:
        await store.append([request(to("a-1", 0, "x", "y", "z"))])
        low, other, high = await store.append(
            [request(to("a-1", 1, "late")), request(to("a-2", 0, "fine")), request(to("a-1", 7, "early"))]
        )
        assert isinstance(low, Conflict)
        assert (low.stream, low.expected, texts(low.newer)) == ("a-1", 1, ["y", "z"])
        assert other == Appended(3)
        assert high == Conflict("a-1", 7, ())
        assert texts(await store.read(-1)) == ["x", "y", "z", "fine"]

    async def test_conflicts_on_one_stream_carry_each_its_own_newer_events(self, store: EventStore) -> None:
        await store.append([request(to("a-1", 0, "x", "y"))])
        requests = [request(to("a-1", expected, text)) for expected, text in [(2, "z"), (1, "b"), (0, "c"), (2, "d")]]
        appended, *conflicts = await store.append(requests)
        assert appended == Appended(2)
        newer = [(one.expected, texts(one.newer)) for one in conflicts if isinstance(one, Conflict)]
        assert newer == [(1, ["y", "z"]), (0, ["x", "y", "z"]), (2, ["z"])]

    async def test_a_request_is_all_or_nothing(self, store: EventStore) -> None:
        await store.append([request(to("a-2", 0, "there"))])
        [outcome] = await store.append([request(to("a-1", 0, "x"), to("a-2", 0, "y"))])
        assert isinstance(outcome, Conflict)
        assert outcome.stream == "a-2"
        assert await store.append([request(to("a-1", 0, "x"), to("a-2", 1, "y"))]) == [Appended(2)]

    async def test_a_guard_without_events_checks_the_version(self, store: EventStore) -> None:
        outcomes = await store.append(
            [request(to("a-1", 0, "x"), to("a-2", 0)), request(to("a-3", 0, "y"), to("a-2", 1)), request(to("a-2", 0))]
        )
        assert outcomes == [Appended(0), Conflict("a-2", 1, ()), Appended(0)]
        assert await store.versions(["a-2", "a-3"]) == {"a-2": 0, "a-3": 0}

    async def test_requests_of_a_batch_chain_on_one_stream(self, store: EventStore) -> None:
        first = request(to("a-1", 0, "1", "2"))
        second = request(to("a-1", 2, "3"), on=[first])
        third = request(to("a-1", 3, "4"), to("a-2", 0, "5"), on=[second])
        assert await store.append([first, second, third]) == [Appended(1), Appended(2), Appended(4)]
        assert texts(await store.read_stream("a-1")) == ["1", "2", "3", "4"]

    async def test_what_was_decided_on_a_failed_request_fails_even_if_its_version_fits(self, store: EventStore) -> None:
        await store.append([request(to("a-1", 0, "x"))])
        failed = request(to("a-1", 0, "y"))
        fits = request(to("a-2", 0, "z"), on=[failed])
        joined = request(to("a-3", 0, "z"), on=[request(to("a-9", 0)), fits])
        free = request(to("a-2", 0, "w"))
        outcomes = await store.append([failed, fits, joined, free])
        assert isinstance(outcomes[0], Conflict)
        assert outcomes[1:] == [Conflict("a-2", 0, ()), Conflict("a-3", 0, ()), Appended(1)]

    async def test_a_stream_goes_on_past_a_failed_request_in_its_batch(self, store: EventStore) -> None:
        outcomes = await store.append(
            [request(to("a-1", 0, "x")), request(to("a-1", 0, "y"), to("a-2", 0, "y")), request(to("a-1", 1, "z"), to("a-2", 0, "z"))]
        )
        assert isinstance(outcomes[1], Conflict)
        assert (outcomes[0], outcomes[2]) == (Appended(0), Appended(2))
        assert texts(await store.read(-1)) == ["x", "z", "z"]

    async def test_an_accepted_command_is_answered_again_for_ever(self, store: EventStore) -> None:
        key = command()
        assert await store.append([request(to("a-1", 0, "x"), command=key), request(to("a-2", 0, "y"))]) == [Appended(0), Appended(1)]
        again = command(key.id, result=b"another")
        assert await store.append([request(to("a-1", 1, "x"), command=again)]) == [Repeated(b"result", 0)]
        assert await store.append([request(to("a-1", 1, "x"), command=command(key.id, hmac=b"other"))]) == [KeyReused()]
        assert await store.remembered([key.id, uuid4(), key.id]) == {key.id: Remembered(b"hmac", b"result", 0)}
        assert (await store.head()).position == 1

    async def test_one_command_twice_in_a_batch(self, store: EventStore) -> None:
        key = command()
        requests = [
            request(to("a-1", 0, "x"), command=key),
            request(to("a-1", 1, "y"), command=key),
            request(to("a-2", 0, "z"), command=command(key.id, hmac=b"other")),
            request(to("a-2", 0, "w")),
        ]
        assert await store.append(requests) == [Appended(0), Repeated(b"result", 0), KeyReused(), Appended(1)]

    async def test_only_accepted_commands_are_remembered(self, store: EventStore) -> None:
        key = command()
        outcomes = await store.append([request(to("a-1", 4, "x"), command=key), request(to("a-1", 0, "y"), command=key)])
        assert outcomes == [Conflict("a-1", 4, ()), Appended(0)]
        assert (await store.remembered([key.id]))[key.id].position == 0

    async def test_what_was_decided_on_a_repeated_command_is_decided_anew(self, store: EventStore) -> None:
        key = command()
        await store.append([request(to("a-1", 0, "x"), command=key)])
        repeated = request(to("a-1", 1, "x"), command=key)
        assert await store.append([repeated, request(to("a-2", 0, "y"), on=[repeated])]) == [Repeated(b"result", 0), Conflict("a-2", 0, ())]

    async def test_a_command_without_events_reaches_the_end(self, store: EventStore) -> None:
        key = command()
        await store.append([request(to("a-1", 0, "x"))])
        assert await store.append([request(to("a-2", 0, "y")), request(to("a-1", 1), command=key)]) == [Appended(1), Appended(1)]
        assert (await store.remembered([key.id]))[key.id].position == 1

    @pytest.mark.parametrize("streams", [(), (to("a-1", 0, "x"), to("a-1", 1, "y")), (to("a-1", -1, "x"),)])
    async def test_a_request_that_cannot_be_meant(self, store: EventStore, streams: tuple[StreamAppend, ...]) -> None:
        with pytest.raises(ValueError, match=r"stream|version"):
            await store.append([request(to("a-2", 0, "fine")), request(*streams)])
        assert (await store.head()).position == -1

    async def test_the_largest_records_and_odd_text(self, store: EventStore) -> None:
        large = NewEvent("test.Large.v1", b"x" * RECORD_BYTES_MAX)
        odd = "组织-𠮷田\u2028 'quoted\" \\ %s {}, NULL"
        await store.append([request(StreamAppend(odd, 0, (large, large))), request(to(odd, 2, odd))])
        assert [len(one.record) for one in await store.read_stream(odd)] == [60_000, 60_000, len(odd.encode())]
        assert (await store.read_stream(odd))[2].record.decode() == odd

    async def test_racing_appends_to_one_stream(self, store: EventStore) -> None:
        outcomes = await asyncio.gather(*(store.append([request(to("a-1", 0, str(number)))]) for number in range(20)))
        assert sum(isinstance(one, Appended) for [one] in outcomes) == 1
        assert (await store.head()).position == 0

    async def test_a_subscriber_sees_the_past_and_then_what_comes(self, store: EventStore) -> None:
        await store.append([request(to("a-1", 0, *(str(number) for number in range(2_500))))])
        seen: list[Recorded] = []
        async with aclosing(cast("Any", store.subscribe(9))) as batches:
            async for batch in batches:
                seen.extend(batch)
                if seen[-1].position == 2_499:
                    await store.append([request(to("a-2", 0, "x")), request(to("a-1", 0, "no")), request(to("a-2", 1, "y"))])
                if seen[-1].position == 2_501:
                    break
        assert [one.position for one in seen] == list(range(10, 2_502))
        assert seen == list(await store.read(9, limit=10_000))

    async def test_slow_and_quick_subscribers_see_the_same(self, store: EventStore) -> None:
        large = NewEvent("test.Large.v1", b"x" * RECORD_BYTES_MAX)
        go_on = asyncio.Event()
        started = asyncio.Event()

        async def follow(*, slowly: bool) -> list[int]:
            positions: list[int] = []
            async with aclosing(cast("Any", store.subscribe(-1))) as batches:
                async for batch in batches:
                    positions.extend(one.position for one in batch)
                    if slowly:
                        started.set()
                        await go_on.wait()
                    if positions[-1] == 150:
                        break
            return positions

        followers = [asyncio.create_task(follow(slowly=slowly)) for slowly in (True, False)]
        await store.append([request(to("a-1", 0, "first"))])
        await started.wait()
        for number in range(150):
            await store.append([request(StreamAppend(f"b-{number}", 0, (large,)))])
        go_on.set()
        assert await asyncio.gather(*followers) == [list(range(151))] * 2
