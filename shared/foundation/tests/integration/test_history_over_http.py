"""A history over HTTP: the server's routes and the client that consumers and rebuilds read with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from foundation import source as sources
from foundation.consumer import HistoryDiffers
from foundation.decider import Refusal
from foundation.http import history
from foundation.http.history import history_router
from foundation.http.problems import problem
from foundation.rebuild import RANGE_EVENTS
from foundation.source import EpochChanged, HttpReader, SourceUnavailable
from foundation.store.memory import MemoryStore
from foundation.store.port import NO_LEAF, Head, StoreUnavailable
from starlette.requests import Request
from starlette.responses import Response

from .toy import UnitPlaced, UnitRenamed, append


class NotAllowed(Refusal):
    """Neither a service nor an auditor."""

    status = 403


async def only_services(request: Request) -> None:
    if request.headers.get("authorization") != "Bearer of a service":
        raise NotAllowed("for services and auditors")


def client_of(store: Any) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(history_router(store, only_services))

    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return problem(refusal)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app))


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await append(made, *[UnitPlaced(unit=str(n), parent=None, name="单位" * 10) for n in range(20)])
    return made


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(store) as made:
        yield made


@pytest.fixture
def reader(client: httpx.AsyncClient) -> HttpReader:
    return HttpReader("http://toy", lambda: "of a service", client)


async def test_the_same_history_arrives(store: MemoryStore, reader: HttpReader) -> None:
    assert await reader.read(-1) == await store.read(-1)
    assert await reader.read(3, limit=4, upto=6) == await store.read(3, limit=3)
    assert list(await reader.read(19)) == []
    assert list(await reader.read(40)) == []
    head = await store.head()
    standing = await reader.head(7)
    assert (standing.epoch, standing.position, standing.leaf) == (head.epoch, head.position, head.leaf)
    assert standing.at == await store.leaf_at(7)
    assert (await reader.head(-1)).at == NO_LEAF
    assert await reader.leaf_at(20) is None


async def test_it_is_read_in_bounded_answers(
    store: MemoryStore, reader: HttpReader, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ANSWER_BYTES_MAX", 1_500)
    monkeypatch.setattr(history, "READ_AT_ONCE", 3)
    first = await reader.read(-1)
    assert 1 < len(first) < 5
    found = list(first)
    while more := await reader.read(found[-1].position):
        found += more
    assert found == list(await store.read(-1))
    monkeypatch.setattr(history, "ANSWER_BYTES_MAX", 10)
    assert len(await reader.read(-1)) == 1, "a record over the bound is still given"
    monkeypatch.setattr(sources, "ANSWER_BYTES_MAX", 100)
    with pytest.raises(SourceUnavailable):
        await reader.read(-1)
    assert (await client.get("http://toy/history/events", params={"limit": history.EVENTS_MAX + 1})).status_code in (403, 422)


async def test_another_leaf_or_epoch_is_told(store: MemoryStore, reader: HttpReader) -> None:
    leaf = await store.leaf_at(3)
    assert leaf is not None
    assert len(await reader.events(0, 3, leaf, 100, 100)) == 16
    with pytest.raises(HistoryDiffers):
        await reader.events(0, 3, bytes(32), 100, 100)
    with pytest.raises(HistoryDiffers):
        await reader.events(0, -1, leaf, 100, 100)
    with pytest.raises(HistoryDiffers):
        await reader.events(0, 99, leaf, 100, 100)
    with pytest.raises(EpochChanged):
        await reader.events(1, 3, leaf, 100, 100)


async def test_a_history_that_was_rolled_back_between_two_reads_is_noticed(store: MemoryStore) -> None:
    """Leave out the leaf check in `events` and the reader goes on as if nothing had happened."""
    changing = Changing(store)
    async with client_of(changing) as client:
        reader = HttpReader("http://toy", lambda: "of a service", client)
        await reader.read(-1, limit=5)
        other = MemoryStore()
        await append(other, *[UnitRenamed(unit=str(n), name="other") for n in range(20)])
        changing.store = other
        with pytest.raises(HistoryDiffers):
            await reader.read(4)
        changing.store = store
        changing.epoch = 1
        with pytest.raises(EpochChanged):
            await reader.read(4)
        changing.broken = True
        with pytest.raises(SourceUnavailable):
            await reader.head()


class Changing:
    """A store that becomes another one."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.epoch, self.broken = store, 0, False

    async def head(self) -> Head:
        if self.broken:
            raise StoreUnavailable
        head = await self.store.head()
        return Head(self.epoch, head.position, head.leaf)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_strangers_are_turned_away(client: httpx.AsyncClient) -> None:
    for path in ("/history/head", "/history/events"):
        assert (await client.get("http://toy" + path, params={"epoch": 0, "leaf": "0" * 64})).status_code == 403
    with pytest.raises(SourceUnavailable, match="403"):
        await HttpReader("http://toy", lambda: "nobody", client).head()


@pytest.mark.parametrize("body", [b"\x00", b"\x00\x05abc", b"\x00\x00", b"\x00\x02{}", b"\x00\x03abc"])
async def test_an_answer_that_is_no_history_is_refused(body: bytes) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers={"epoch": "0", "first-position": "0"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        reader = HttpReader("http://toy", lambda: "", client)
        with pytest.raises(SourceUnavailable):
            await reader.events(0, -1, NO_LEAF, 10, 10)
        with pytest.raises(SourceUnavailable):
            await reader.head()


async def test_a_source_that_is_silent_is_given_up() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as client:
        with pytest.raises(SourceUnavailable):
            await HttpReader("http://toy", lambda: "", client, timeout_seconds=0.05).head()


def test_a_rebuild_asks_for_no_more_than_is_given() -> None:
    assert RANGE_EVENTS <= sources.LIMIT_MAX == history.EVENTS_MAX
