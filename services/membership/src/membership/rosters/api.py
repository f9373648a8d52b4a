"""Routes of rosters: send a file in, see what it would do, apply it, follow it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from contracts.kernel import OrgCode
from contracts.membership import RecordId
from fastapi import Query
from foundation.http.caller import App, Caller, Calling
from foundation.http.limits import body_up_to
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from foundation.texts import LANGUAGES
from pydantic import Field
from starlette.requests import Request

from membership.members.api import REGISTRARS
from membership.organisations import errors as organisations
from membership.organisations.organisation import ORGANISATION, standing_on
from membership.rosters import errors
from membership.rosters.importing import Rosters
from membership.rosters.refusals import sentence
from membership.rosters.sheet import FILE_BYTES_MAX, FileRefused
from membership.rosters.work import STAGES, Work

ANSWER_SECONDS_MAX = 20
"""How long an upload waits for its dry run before it answers with the progress so far."""

_TYPES = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/octet-stream")


class RosterView(Body):
    """How far a roster has come. Kinds of `counts`: joined, transferred, changed, unchanged, left, held (not named, but kept, because rows
    of the roster could not be read), refused."""

    roster: RecordId
    organisation: OrgCode
    digest: str = Field(description="SHA-256 of the file.")
    complete: bool
    stage: Literal[STAGES]  # type: ignore[valid-type]
    received_at: datetime
    rows: int = Field(description="Rows of the file; 0 until the dry run is done.")
    done: int = Field(description="Rows dealt with in this stage.")
    counts: Mapping[str, int] = Field(description="In `checked`, what applying it would do; in `applied`, what it did.")
    refusal: Mapping[str, str] | None = Field(default=None, description="Why the file as a whole was refused.")


class RefusalView(Body):
    """A row that is not taken."""

    row: int = Field(description="Its number in the file, the heading being counted.")
    rule: str
    zh: str
    en: str


class DifferenceView(Body):
    """A row that changes something about a known person, or a member (row 0) whom a complete roster does not name."""

    row: int
    kind: str
    person: str
    fields: list[str]


def _view(work: Work) -> RosterView:
    refusal = None if work.rule is None else {"rule": work.rule, **_sentences(work.rule, work.arguments)}
    return RosterView(
        roster=work.roster,
        organisation=work.organisation,
        digest=work.digest,
        complete=work.complete,
        stage=work.stage,
        received_at=work.received_at,
        rows=work.rows,
        done=work.done,
        counts=work.counts,
        refusal=refusal,
    )


def _sentences(rule: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    return {language: sentence(rule, language, **arguments) for language in LANGUAGES}


async def _readable(roster: str, caller: Calling, rosters: Rosters) -> Work:
    """A roster, for registrars of its union or above. Raises RosterUnknown, and what `require` raises."""
    work = await rosters.works.read(roster)
    if work is None:
        raise errors.RosterUnknown(roster)
    await caller.require(*REGISTRARS, unit=work.organisation)
    return work


def routes(rosters: Rosters) -> Router:
    """The routes, on the rosters of one service."""
    router = Router(tags=["rosters"])

    @router.post(
        "/rosters",
        status_code=202,
        responses=problems(errors.RosterRefused, organisations.OrganisationUnknown, organisations.OrganisationEnded),
        openapi_extra={
            "requestBody": {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES}}
        },
    )
    @body_up_to(FILE_BYTES_MAX)
    async def receive(
        request: Request, caller: Caller, app: App, *, org: OrgCode, complete: Annotated[bool, Query()] = False
    ) -> RosterView:
        """Send a roster in, as the body, and have it looked over; registrar of the union. Nothing is changed by this.

        `complete`: it names every member, so who is not on it has left. The same file again is the same roster.
        """
        await caller.require(*REGISTRARS, unit=org)
        union, _ = await app.state(ORGANISATION, org)
        standing_on(union, org, app.today())
        try:
            roster = await rosters.receive(org, await request.body(), complete=complete, by=caller.actor(org))
        except FileRefused as refused:
            raise errors.RosterRefused(refused.rule, **refused.arguments) from None
        await rosters.settled(roster, ANSWER_SECONDS_MAX)
        return _view(await _readable(roster, caller, rosters))

    @router.post("/rosters/{roster}/application", status_code=202, responses=problems(errors.RosterUnknown, errors.RosterNotChecked))
    async def apply(roster: RecordId, caller: Caller) -> RosterView:
        """Apply a roster whose dry run is done; registrar of the union. Follow it at the roster's own address; again is no harm."""
        work = await _readable(roster, caller, rosters)
        if work.stage not in ("checked", "applying", "applied"):
            raise errors.RosterNotChecked(roster)
        await rosters.apply(roster, caller.actor(work.organisation))
        return _view(await _readable(roster, caller, rosters))

    @router.get("/rosters/{roster}", responses=problems(errors.RosterUnknown))
    async def read(roster: RecordId, caller: Caller) -> RosterView:
        """How far a roster has come."""
        return _view(await _readable(roster, caller, rosters))

    @router.get("/rosters/{roster}/refusals", responses=problems(errors.RosterUnknown))
    async def refusals(roster: RecordId, caller: Caller, app: App, *, limit: Limit = 100, cursor: Cursor = None) -> Page[RefusalView]:
        """The rows that are not taken, each with the reason."""
        await _readable(roster, caller, rosters)
        query = f"/rosters/{roster}/refusals"
        row, person = app.cursors.read(cursor, query=query) or (-1, "")
        found = await rosters.works.findings(roster, ["refused"], after=(row, person), limit=limit)
        items = [
            RefusalView(row=finding.row, rule=finding.rule or "", **_sentences(finding.rule or "", finding.arguments or {}))
            for finding in found
        ]
        more = app.cursors.make([found[-1].row, found[-1].person], query=query) if len(found) == limit else None
        return Page(items=items, next=more)

    @router.get("/rosters/{roster}/differences", responses=problems(errors.RosterUnknown))
    async def differences(roster: RecordId, caller: Caller, app: App, *, limit: Limit = 100, cursor: Cursor = None) -> Page[DifferenceView]:
        """What the dry run found beside joiners and refusals: changes, transfers, and members whom a complete roster does not name."""
        await _readable(roster, caller, rosters)
        query = f"/rosters/{roster}/differences"
        row, person = app.cursors.read(cursor, query=query) or (-1, "")
        found = await rosters.works.findings(roster, ["changed", "transferred", "left", "held"], after=(row, person), limit=limit)
        items = [
            DifferenceView(row=finding.row, kind=finding.kind, person=finding.person, fields=(finding.arguments or {}).get("fields", []))
            for finding in found
        ]
        more = app.cursors.make([found[-1].row, found[-1].person], query=query) if len(found) == limit else None
        return Page(items=items, next=more)

    return router
