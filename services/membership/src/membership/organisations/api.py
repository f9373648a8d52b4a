"""Routes of the union tree."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from itertools import islice
from typing import Annotated

import orjson
from contracts.kernel import OrgCode
from contracts.membership import Level, OrganisationKind, Relation
from contracts.values import Day, DivisionCode, Uscc, line
from fastapi import Query
from foundation.commands import Actor
from foundation.decider import Refusal
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.limits import MIB, body_up_to
from foundation.http.problems import MediaTypeUnsupported, problems
from foundation.http.routing import Body, Router
from foundation.refusals import said
from foundation.texts import LANGUAGES
from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import StreamingResponse

from membership.organisations import commands, errors, tree
from membership.organisations.commands import MERGED_MAX, Particulars
from membership.organisations.divisions import DivisionsUnreadable, foundings
from membership.organisations.organisation import DISSOLVE, FOUND, MERGE, MOVE, ORGANISATION, Ended, Standing, Unfounded

router = Router(tags=["organisations"])

ADMIN = "org-admin"
IMPORT_BYTES_MAX = 16 * MIB
IMPORTED_AT_ONCE = 256
"""Rows of one level in hand together: enough to fill the writer's batches."""

_STANDING = (errors.OrganisationUnknown, errors.OrganisationEnded, errors.OrganisationNotYetFounded)
_MOVING = (*_STANDING, errors.StandingOutOfOrder, errors.TopOfNode)

UnionName = Annotated[str, AfterValidator(line), Field(min_length=1, max_length=100)]
FoundedOn = Annotated[Day | None, Query(description="The day they are founded on; today where none is named.")]
AsOf = Annotated[Day | None, Query(description="The day to look at; today where none is named.")]


class ParticularsBody(Body):
    """What is written about a union and may change."""

    name: UnionName
    kind: OrganisationKind
    uscc: Uscc | None = None
    division: DivisionCode | None = None

    def particulars(self) -> Particulars:
        return Particulars(self.name, self.kind, self.uscc, self.division)


class FoundBody(ParticularsBody):
    organisation: OrgCode
    level: Level
    parent: OrgCode | None = None
    funding_parent: OrgCode | None = Field(default=None, description="The parent, where none is named.")
    effective_on: Day


class ChangeBody(ParticularsBody):
    effective_on: Day


class MoveBody(Body):
    relation: Relation
    parent: OrgCode
    effective_on: Day


class MergeBody(Body):
    organisations: list[OrgCode] = Field(min_length=1, max_length=MERGED_MAX)
    effective_on: Day


class DissolveBody(Body):
    successor: OrgCode | None = Field(default=None, description="Who takes what stood below it; its parent, where nobody is named.")
    effective_on: Day


class OrganisationView(Body):
    """A union as it stood on a day."""

    organisation: OrgCode
    name: str
    level: Level
    kind: OrganisationKind
    uscc: str | None
    division: str | None
    parent: OrgCode | None
    funding_parent: OrgCode | None
    depth: int


class OrganisationWithPath(OrganisationView):
    path: list[OrganisationView] = Field(description="Everything above it, nearest first.")


class Tree(Body):
    """A union and everything below it on a day, level by level. `complete` is false where `limit` cut it off."""

    as_of: Day
    organisations: list[OrganisationView]
    complete: bool


def _view(union: tree.Union) -> OrganisationView:
    return OrganisationView(organisation=union.code, **{name: getattr(union, name) for name in _SHOWN})


_SHOWN = ("name", "level", "kind", "uscc", "division", "parent", "funding_parent", "depth")


async def _require_above(organisation: OrgCode, caller: Calling, app: Application) -> None:
    """Go on for an administrator of the union above: nobody moves or ends their own. At the top, its own."""
    union, _ = await app.state(ORGANISATION, organisation)
    match union:
        case Standing():
            above = union.parents.latest
        case Ended():
            above = union.successor
        case Unfounded():
            above = None
    await caller.require(ADMIN, unit=above or organisation)


# ------------------------------------------------------------------------------------------------------------ commands


@router.post(
    "/organisations",
    status_code=201,
    responses=problems(errors.OrganisationExists, *_STANDING, errors.ParentMissing, errors.StandingOutOfOrder),
)
async def found(body: FoundBody, caller: Caller, app: App) -> Accepted:
    """Found a union; administrator of its parents or above."""
    await caller.require(ADMIN, unit=body.parent or body.organisation)
    funding_parent = body.funding_parent or body.parent
    if funding_parent not in (None, body.parent):
        await caller.require(ADMIN, unit=funding_parent)
    command = commands.Found(body.organisation, body.level, body.particulars(), body.parent, funding_parent, body.effective_on)
    if command.parent is None and command.organisation != app.node_org:
        raise errors.ParentMissing(command.organisation)
    return await app.handle_joint(FOUND, command, by=caller)


@router.post(
    "/organisations/{organisation}/particulars",
    responses=problems(*_STANDING, errors.StandingChanged),
)
async def change(organisation: OrgCode, body: ChangeBody, caller: Caller, app: App) -> Accepted:
    """Change what is written about a union, from a day on; its administrator or above."""
    await caller.require(ADMIN, unit=organisation)
    return await app.handle(ORGANISATION, organisation, commands.Change(organisation, body.particulars(), body.effective_on), by=caller)


@router.post(
    "/organisations/{organisation}/moves",
    responses=problems(*_MOVING),
)
async def move(organisation: OrgCode, body: MoveBody, caller: Caller, app: App) -> Accepted:
    """Lead one of a union's relations to another parent; administrator above where it stands and where it goes."""
    await _require_above(organisation, caller, app)
    await caller.require(ADMIN, unit=body.parent)
    command = commands.Move(organisation, body.relation, body.parent, body.effective_on)
    return await app.handle_joint(MOVE, command, by=caller)


@router.post(
    "/organisations/{organisation}/mergers",
    responses=problems(*_MOVING, errors.MergedIntoItself),
)
async def merge(organisation: OrgCode, body: MergeBody, caller: Caller, app: App) -> Accepted:
    """Let unions go up in this one, with their members and what stands below them; administrator above all of them."""
    await _require_above(organisation, caller, app)
    for merged in dict.fromkeys(body.organisations):
        await _require_above(merged, caller, app)
    command = commands.Merge(tuple(dict.fromkeys(body.organisations)), organisation, body.effective_on)
    return await app.handle_joint(MERGE, command, by=caller)


@router.post(
    "/organisations/{organisation}/dissolution",
    responses=problems(*_MOVING, errors.MergedIntoItself),
)
async def dissolve(organisation: OrgCode, body: DissolveBody, caller: Caller, app: App) -> Accepted:
    """End a union; administrator above it, and above its successor where one is named."""
    await _require_above(organisation, caller, app)
    if body.successor is not None:
        await _require_above(body.successor, caller, app)
    return await app.handle_joint(DISSOLVE, commands.Dissolve(organisation, body.successor, body.effective_on), by=caller)


# ------------------------------------------------------------------------------------------------------------- import


@router.post(
    "/imports/divisions",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One JSON object a line: `done` of `total` rows so far; the last line says `accepted` and lists `refused` rows.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        },
        **problems(DivisionsUnreadable),
    },
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
@body_up_to(IMPORT_BYTES_MAX)
async def import_divisions(
    request: Request, *, caller: Caller, app: App, effective_on: FoundedOn = None, parent: OrgCode | None = None
) -> StreamingResponse:
    """Found a union for each division of a CSV `code,name,level,parent`; administrator of `parent`, or of the top.

    What is there already stays as it is, so the same file may be sent again, and goes on where it was cut off.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "text/csv":
        raise MediaTypeUnsupported(takes="text/csv")
    await caller.require(ADMIN, unit=parent or app.node_org)
    rows = _rows(await request.body(), app.node_org, parent, effective_on or app.today())
    lines = _imported(app, caller.actor(), rows)
    # Before the answer begins: where nothing can be recorded at all, that is the answer, and no broken stream.
    first = await anext(lines)
    return StreamingResponse(_going_on(first, lines), media_type="application/x-ndjson")


async def _going_on(first: bytes, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for later in lines:
        yield later


def _rows(body: bytes, top: OrgCode, parent: OrgCode | None, effective_on: date) -> list[commands.Found]:
    try:
        lines = body.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DivisionsUnreadable("encoding") from None
    # A parent is founded before what stands below it: level by level.
    levels = list(Level)
    return sorted(foundings(lines, top=top, below=parent or top, effective_on=effective_on), key=lambda row: levels.index(row.level))


async def _imported(app: Application, by: Actor, rows: Sequence[commands.Found]) -> AsyncIterator[bytes]:
    async def found_one(row: commands.Found) -> dict[str, str] | None:
        try:
            await app.handler.handle_joint(FOUND, row, by=by)
        except Refusal as refusal:
            zh, en = (said(refusal, language).detail for language in LANGUAGES)
            return {"organisation": row.organisation, "type": refusal.TYPE, "detail": zh, "en": en}
        return None

    refused: list[dict[str, str]] = []
    done = 0
    for level in Level:
        waiting = iter([row for row in rows if row.level is level])
        while batch := list(islice(waiting, IMPORTED_AT_ONCE)):
            refused += [answer for answer in await asyncio.gather(*map(found_one, batch)) if answer is not None]
            done += len(batch)
            yield orjson.dumps({"done": done, "total": len(rows)}) + b"\n"
    yield orjson.dumps({"done": done, "total": len(rows), "accepted": done - len(refused), "refused": refused}) + b"\n"


# ------------------------------------------------------------------------------------------------------------- queries


@router.get("/organisations/tree")
async def read_tree(
    *,
    caller: Caller,
    app: App,
    root: OrgCode | None = None,
    as_of: AsOf = None,
    depth: Annotated[int, Query(ge=0, le=20)] = 2,
    limit: Annotated[int, Query(ge=1, le=20_000)] = 5_000,
) -> Tree:
    """A union and what stood below it on a day; anybody who is known here."""
    day = as_of or app.today()
    unions = await tree.subtree(app.pool, root or app.node_org, day, depth=depth, limit=limit + 1)
    return Tree(as_of=day, organisations=[_view(union) for union in unions[:limit]], complete=len(unions) <= limit)


@router.get("/organisations/{organisation}", responses=problems(errors.OrganisationUnknown))
async def read(organisation: OrgCode, caller: Caller, app: App, as_of: AsOf = None) -> OrganisationWithPath:
    """A union on a day with everything above it; anybody who is known here."""
    unions = await tree.path(app.pool, organisation, as_of or app.today())
    if not unions:
        raise errors.OrganisationUnknown(organisation)
    own, *above = unions
    return OrganisationWithPath(**_view(own).model_dump(), path=[_view(union) for union in above])
