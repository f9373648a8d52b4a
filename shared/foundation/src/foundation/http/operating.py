"""Routes for the node's operator (`tongxin projections`, `tongxin parked`): whoever holds the node's own key."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field, StringConstraints

from foundation.broker.port import BrokerUnavailable
from foundation.decider import Refusal
from foundation.digests import PositionAhead
from foundation.http.caller import App, Application, Caller
from foundation.http.problems import Unavailable, problems
from foundation.http.routing import Body, Router
from foundation.http.tokens import OPERATOR
from foundation.parting import SourceNotInLaterEpoch
from foundation.recovery import Recovery
from foundation.store.guard import RestoreRefused

router = Router(tags=["operation"])

SOURCE = r"^[a-z][a-z0-9-]{0,39}$"
"""The name of a service."""


class HistoryNotRestored(Refusal):
    """What the topic holds does not continue the history: nothing was re-appended."""


class PositionNotReached(Refusal):
    """The read models have not come that far; `position` says how far they have."""


class RebuiltView(Body):
    """A group of read models that was made anew from its source's history."""

    projections: list[str]
    position: int = Field(description="The last position it holds; -1 where the history is empty.")
    events: int
    seconds: float


class ParkedView(Body):
    """A stream whose reactions fail, and how many of its events wait."""

    source: str
    key: str
    error: str = Field(description="The class of the failure.")
    parked_at: datetime
    events: int
    first_position: int


class ReplayBody(Body):
    source: Annotated[str, StringConstraints(pattern=SOURCE)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ReplayedView(Body):
    done: int
    left: int
    error: str | None = Field(description="What stopped it; null where nothing waits any more.")


@router.post("/operation/rebuild")
async def rebuild(caller: Caller, app: App) -> list[RebuiltView]:
    """Make every read model anew from the history, beside the live one, and switch. Readers see no gap."""
    caller.require_service(OPERATOR)
    return [
        RebuiltView(projections=list(done.projections), position=done.position, events=done.events, seconds=done.seconds)
        for done in await app.operations.rebuild()
    ]


class ProjectionDigestView(Body):
    projection: str
    version: int
    digest: str = Field(description="SHA-256 over the rows without personal columns, in hex.")


class DigestsView(Body):
    """The read models of one history as they stand at a position."""

    source: str
    position: int
    live: bool = Field(description="True: of the tables that readers see. False: made from the history for this question.")
    projections: list[ProjectionDigestView]


@router.get("/operation/digests", responses=problems(PositionNotReached))
async def digests(
    source: Annotated[str, Query(pattern=SOURCE)], caller: Caller, app: App, at: Annotated[int | None, Query(ge=-1, le=2**62)] = None
) -> list[DigestsView]:
    """Digests of the read models that follow a history, to compare a replay with; for the node's auditors and administrators.

    At a position before where they stand, they are made beside from the history up to there, and dropped again.
    """
    await caller.require_service_or("auditor", "org-admin", unit=app.node_org)
    try:
        found = await app.operations.digests(source, at)
    except PositionAhead as ahead:
        raise PositionNotReached(position=ahead.reached) from None
    return [
        DigestsView(
            source=one.source,
            position=one.position,
            live=one.live,
            projections=[ProjectionDigestView(projection=p.projection, version=p.version, digest=p.digest) for p in one.projections],
        )
        for one in found
    ]


@router.get("/operation/parked")
async def parked(caller: Caller, app: App) -> list[ParkedView]:
    """What is parked here."""
    caller.require_service(OPERATOR)
    return [
        ParkedView(
            source=source, key=one.key, error=one.error, parked_at=one.parked_at, events=one.events, first_position=one.first_position
        )
        for source, one in await app.operations.parked()
    ]


@router.post("/operation/replay")
async def replay(body: ReplayBody, caller: Caller, app: App) -> ReplayedView:
    """Try a parked stream again, in order, until it is free or fails again."""
    caller.require_service(OPERATOR)
    done = await app.operations.replay(body.source, body.key)
    return ReplayedView(done=done.done, left=done.left, error=done.error)


class HeadView(Body):
    """Where a history stands now."""

    epoch: int
    position: int


@router.post("/operation/history/restore", responses=problems(HistoryNotRestored))
async def restore(caller: Caller, app: App) -> HeadView:
    """Where writes are refused: re-append what the topic still holds beyond the end of the history, byte for byte."""
    caller.require_service(OPERATOR)
    try:
        head = await _recovery(app).take_back()
    except RestoreRefused as refused:
        raise HistoryNotRestored(reason=str(refused)) from None
    except BrokerUnavailable:
        raise Unavailable("topic") from None
    return HeadView(epoch=head.epoch, position=head.position)


@router.post("/operation/history/epoch", responses=problems(HistoryNotRestored))
async def declare_epoch(caller: Caller, app: App) -> HeadView:
    """Where writes are refused and nothing can be re-appended: give up what others have seen, and go on in a new epoch."""
    caller.require_service(OPERATOR)
    head = await _recovery(app).declare_epoch(caller.principal)
    return HeadView(epoch=head.epoch, position=head.position)


class GoOnBody(Body):
    source: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class ContinuedView(Body):
    """Where a consumer goes on: after `last`, in `epoch`; it had applied up to `was`."""

    consumer: str
    epoch: int
    was: int
    last: int


@router.post("/operation/history/following", responses=problems(SourceNotInLaterEpoch))
async def go_on(body: GoOnBody, caller: Caller, app: App) -> list[ContinuedView]:
    """After `source` has declared a new epoch: make views anew, and let reactions go on from where the epoch begins.

    What reactions did on records that were given up stands.
    """
    caller.require_service(OPERATOR)
    return [
        ContinuedView(consumer=one.consumer, epoch=one.epoch, was=one.was, last=one.last) for one in await app.operations.go_on(body.source)
    ]


def _recovery(app: Application) -> Recovery:
    if app.operations.recovery is None:
        raise HistoryNotRestored("none")
    return app.operations.recovery
