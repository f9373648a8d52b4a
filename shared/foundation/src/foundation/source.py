"""Another service's history over HTTP: what consumers ask and rebuilds read (DESIGN 6). The server's half is `http.history`."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import httpx
import orjson

from foundation.consumer import HistoryDiffers, Standing
from foundation.record import RecordMalformed, leaf_hash
from foundation.store.port import NO_LEAF, Epoch, Recorded, StoreUnavailable

ANSWER_BYTES_MAX = 16_000_000
"""More than this is not read of any answer; the server gives half as much."""

LIMIT_MAX = 5_000
"""The most records that the server gives at once."""


class SourceUnavailable(StoreUnavailable):
    """The source does not answer, or not as a source does; callers may try again."""


class EpochChanged(HistoryDiffers):
    """The source has declared another epoch than the one followed."""

    def __init__(self, followed: int, stands: int | None) -> None:
        super().__init__(f"the source is in {'another epoch' if stands is None else f'epoch {stands}'}, {followed} was followed: rebuild")
        self.followed, self.stands = followed, stands


class HttpReader:
    """`consumer.Source` and `store.port.Reader` over HTTP. Every call ends within `timeout_seconds`, one way or the other.

    What arrives is checked to go on where it should: positions follow one another and leaf hashes are computed here.
    """

    def __init__(self, base_url: str, token: Callable[[], str], client: httpx.AsyncClient, *, timeout_seconds: float = 20) -> None:
        self._base_url, self._token, self._client = base_url.rstrip("/"), token, client
        self._timeout_seconds = timeout_seconds
        self._followed: tuple[int, int, bytes] | None = None  # epoch, position and leaf where `read` has come to

    # ------------------------------------------------------------------------------------------------ consumer.Source

    async def head(self, at: int = -1) -> Standing:
        """See consumer.Source.head. Raises SourceUnavailable."""
        _, _, body = await self._get("/history/head", {"at": at})
        try:
            answer = orjson.loads(body)
            leaf = None if answer["at"] is None else bytes.fromhex(answer["at"])
            begun = tuple(Epoch(int(one["epoch"]), int(one["begins"])) for one in answer.get("epochs", ()))
            return Standing(int(answer["epoch"]), int(answer["position"]), bytes.fromhex(answer["leaf"]), leaf, begun)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnavailable(f"{self._base_url} gave a head that is none: {type(error).__name__}") from None

    async def events(self, epoch: int, after: int, leaf: bytes, upto: int, limit: int) -> Sequence[Recorded]:
        """See consumer.Source.events. Raises EpochChanged, HistoryDiffers, SourceUnavailable."""
        asked = {"epoch": epoch, "after": after, "leaf": leaf.hex(), "upto": upto, "limit": min(limit, LIMIT_MAX)}
        status, headers, body = await self._get("/history/events", asked)
        if status == httpx.codes.CONFLICT:
            raise _difference(body, epoch, after)
        if headers.get("first-position") != str(after + 1) or headers.get("epoch") != str(epoch):
            raise SourceUnavailable(f"{self._base_url} gave records of another place than asked for")
        try:
            return [recorded(position, record) for position, record in enumerate(_frames(body), after + 1)]
        except RecordMalformed as error:
            raise SourceUnavailable(f"{self._base_url}: {error}") from None

    # ---------------------------------------------------------------------------------------------- store.port.Reader

    async def leaf_at(self, position: int) -> bytes | None:
        """See Reader.leaf_at. Raises SourceUnavailable."""
        return (await self.head(position)).at

    async def epochs(self) -> Sequence[Epoch]:
        """See Reader.epochs. Raises SourceUnavailable."""
        return (await self.head()).begun

    async def read(self, after: int, *, limit: int = 1_000, upto: int | None = None) -> Sequence[Recorded]:
        """See Reader.read: at most as many as one answer holds. Reading on from where the last read ended, it checks that the source's
        history is still the same; raises EpochChanged, HistoryDiffers, SourceUnavailable."""
        if self._followed is None or self._followed[1] != after:
            standing = await self.head(after)
            if standing.at is None:
                return ()
            self._followed = (standing.epoch, after, standing.at if after >= 0 else NO_LEAF)
        epoch, _, leaf = self._followed
        found = await self.events(epoch, after, leaf, 2**62 if upto is None else upto, limit)
        if found:
            self._followed = (epoch, found[-1].position, found[-1].leaf)
        return found

    # --------------------------------------------------------------------------------------------------------- HTTP

    async def _get(self, path: str, query: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                headers = {"authorization": f"Bearer {self._token()}"}
                async with self._client.stream("GET", self._base_url + path, params=query, headers=headers) as response:
                    body = await _bounded(response)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise SourceUnavailable(f"{self._base_url} does not answer: {type(error).__name__}") from error
        if response.status_code not in (httpx.codes.OK, httpx.codes.CONFLICT):
            raise SourceUnavailable(f"{self._base_url} answers {response.status_code} to {path}")
        return response.status_code, response.headers, body


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise SourceUnavailable(f"an answer over {ANSWER_BYTES_MAX:,} bytes from {response.url.host}")
    return bytes(body)


def _difference(body: bytes, epoch: int, after: int) -> HistoryDiffers:
    problem: dict[str, Any] = {}
    with suppress(ValueError):
        problem = orjson.loads(body)
    if "epoch" in problem:
        return EpochChanged(epoch, problem["epoch"])
    return HistoryDiffers(f"the source holds another record at position {after} than was followed, or none")


def _frames(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        if end > len(body) or end == at + 2:
            raise RecordMalformed("an answer ends within a record")
        yield body[at + 2 : end]
        at = end


def recorded(position: int, record: bytes) -> Recorded:
    """A record in its place, its stream, version and type read from its own bytes. Raises RecordMalformed."""
    try:
        attributes = orjson.loads(record)
        return Recorded(position, attributes["subject"], attributes["streamversion"], attributes["type"], record, leaf_hash(record))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordMalformed(f"not a record at position {position}: {type(error).__name__}") from None
