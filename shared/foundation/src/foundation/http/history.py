"""A service's history for others to follow: `/history/head` and `/history/events`, answered from the primary (DESIGN 6).

For services and auditors only. What leaves are the records as they stand: sealed fields stay sealed.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from foundation.decider import Refusal
from foundation.http.problems import HistoryUnavailable, problems
from foundation.http.routing import Router
from foundation.store.port import NO_LEAF, Reader, Recorded, StoreUnavailable

EVENTS_MAX = 5_000
"""Records in one answer at the most."""

ANSWER_BYTES_MAX = 8_000_000
"""Bytes in one answer at the most; a first record is always given."""

READ_AT_ONCE = 250
"""Records read in one statement, so that what is held in memory stays near the size of the answer."""

MEDIA_TYPE = "application/octet-stream"
EPOCH_HEADER = "epoch"
FIRST_POSITION_HEADER = "first-position"

Position = Annotated[int, Query(ge=-1, le=2**62)]
Leaf = Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="SHA-256(0x00 ‖ record) in hex; zeros at position -1")]


class HistoryDiffers(Refusal):
    """This history holds another record at `after` than the caller's, or none."""


class OtherEpoch(Refusal):
    """This history is in another epoch; `epoch` says which."""


class EpochAnswer(BaseModel):
    """An epoch that was declared: its first record stands at `begins`; those before survived."""

    epoch: int
    begins: int


class HeadAnswer(BaseModel):
    """Where the history stands; `at` is its leaf hash at the position asked about, null beyond the end. Hashes in hex."""

    epoch: int
    position: int = Field(description="-1 while the history is empty")
    leaf: str
    at: str | None
    epochs: list[EpochAnswer]


def history_router(store: Reader, authorise: Callable[..., Any]) -> Router:
    """The routes over a store; `authorise` is a dependency that raises for whoever is neither a service nor an auditor."""
    router = Router(prefix="/history", tags=["history"], dependencies=[Depends(authorise)])

    @router.get("/head", responses=problems(HistoryUnavailable))
    async def head(at: Position = -1) -> HeadAnswer:
        """Where the history stands, and its leaf hash at a position: equal head and leaf prove a follower complete."""
        try:
            stands = await store.head()
            leaf = await _leaf_at(store, at)
            epochs = [EpochAnswer(epoch=one.epoch, begins=one.begins) for one in await store.epochs()]
        except StoreUnavailable:
            raise HistoryUnavailable() from None
        return HeadAnswer(
            epoch=stands.epoch, position=stands.position, leaf=stands.leaf.hex(), at=leaf.hex() if leaf else None, epochs=epochs
        )

    @router.get(
        "/events",
        response_class=Response,
        responses={
            200: {
                "description": "Records in order, each as its length (two bytes, big-endian) and its bytes; as many as fit.",
                "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
                "headers": {
                    EPOCH_HEADER: {"schema": {"type": "integer"}},
                    FIRST_POSITION_HEADER: {"schema": {"type": "integer"}},
                },
            },
            **problems(HistoryDiffers, OtherEpoch, HistoryUnavailable),
        },
    )
    async def events(
        epoch: Annotated[int, Query(ge=0, le=2**31 - 1)],
        leaf: Leaf,
        after: Position = -1,
        upto: Position = 2**62,
        limit: Annotated[int, Query(ge=1, le=EVENTS_MAX)] = 1_000,
    ) -> Response:
        """The records at after < position ≤ upto, if this history is the caller's up to `after`."""
        try:
            stands = (await store.head()).epoch
            if stands != epoch:
                raise OtherEpoch(epoch=stands)
            if (await _leaf_at(store, after)) != bytes.fromhex(leaf):
                raise HistoryDiffers(after=after)
            records = await _bounded(store, after, upto, limit)
        except StoreUnavailable:
            raise HistoryUnavailable() from None
        headers = {EPOCH_HEADER: str(epoch), FIRST_POSITION_HEADER: str(after + 1)}
        return Response(framed(records), headers=headers, media_type=MEDIA_TYPE)

    return router


async def _leaf_at(store: Reader, position: int) -> bytes | None:
    return NO_LEAF if position < 0 else await store.leaf_at(position)


async def _bounded(store: Reader, after: int, upto: int, limit: int) -> list[Recorded]:
    found: list[Recorded] = []
    size = 0
    while len(found) < limit:
        records = await store.read(after, limit=min(limit - len(found), READ_AT_ONCE), upto=upto)
        for recorded in records:
            size += 2 + len(recorded.record)
            if size > ANSWER_BYTES_MAX and found:
                return found
            found.append(recorded)
        if not records:
            break
        after = records[-1].position
    return found


def framed(records: Sequence[Recorded]) -> bytes:
    """The body of an answer."""
    return b"".join(part for one in records for part in (len(one.record).to_bytes(2, "big"), one.record))
