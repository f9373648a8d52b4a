"""Routes of the directory. Whom somebody looks for is in the body, never in a URL: names and numbers would end up in logs."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from contracts.kernel import OrgCode, PersonId
from contracts.values import DocumentKind, ValueRefused, identity_number
from fastapi import Query
from foundation.http.caller import App, Application, Caller
from foundation.http.pagination import LIMIT_MAX, Cursor, Limit, Page
from foundation.http.routing import Body, Router
from pydantic import Field

from membership.directory.keys import QUESTION_CHARACTERS_MAX, lookups
from membership.directory.members import CURRENT, MemberStatus
from membership.directory.search import START, Found, by_person, search
from membership.erasures.notices import Notice, notices

router = Router(tags=["directory"])

READERS = ("clerk", "approver", "finance", "steward", "auditor", "org-admin")

_NUMBERS = (DocumentKind.resident, DocumentKind.hong_kong_residence, DocumentKind.macau_residence, DocumentKind.taiwan_residence)


class EntryView(Body):
    """A member in a list: the name in full, the phone masked, the identity number not at all."""

    person: PersonId
    organisation: OrgCode
    status: MemberStatus
    name: str | None = Field(description="None where it was erased.")
    phone: str | None
    kind: str | None
    joined_on: date | None
    since: date | None = Field(description="From when the status holds.")
    notice: Notice | None = Field(description="Why there is no name, in words.")


class SearchBody(Body):
    """`q`: a name or two characters in a row of it, pinyin, initials, a mixture (王w), a phone number or its end, an identity number."""

    q: str = Field(min_length=1, max_length=QUESTION_CHARACTERS_MAX)
    org: OrgCode
    current: bool = Field(default=True, description="Only those who are members now.")
    limit: int = Field(default=50, ge=1, le=LIMIT_MAX)
    cursor: str | None = Field(default=None, max_length=1_000)


def masked(phone: str | None) -> str | None:
    """A phone number of which the middle is not shown: 138****8000."""
    return None if phone is None else phone[:3] + "*" * max(0, len(phone) - 7) + phone[-4:] if len(phone) > 7 else "*" * len(phone)


@router.post("/directory/searches")
async def find(body: SearchBody, caller: Caller, app: App) -> Page[EntryView]:
    """Find members of a union and all below it; staff there or above. A query: nothing is changed, and it may be sent again."""
    await caller.require(*READERS, unit=body.org)
    below = _below(app, body.org)
    document = await _by_document(app, body.q)
    if document is not None:
        found = [one for one in (await by_person(app.search, document)).values() if below is None or one.organisation in below]
        return Page(items=await _views(app, found))
    query = f"/directory/searches {body.org} {body.current} {body.q}"
    key, person = app.cursors.read(body.cursor, query=query) or START
    found = await search(app.search, lookups(body.q), organisations=below, current=body.current, after=(key, person), limit=body.limit)
    more = app.cursors.make(list(found[-1].place), query=query) if len(found) == body.limit else None
    return Page(items=await _views(app, found), next=more)


@router.get("/directory")
async def members(
    caller: Caller,
    app: App,
    *,
    org: OrgCode,
    status: Annotated[list[MemberStatus] | None, Query(description="Current members, where none is named.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EntryView]:
    """The members of a union and all below it, union by union; staff there or above."""
    await caller.require(*READERS, unit=org)
    chosen = sorted(status or CURRENT)
    query = f"/directory {org} {chosen}"
    organisation, person = app.cursors.read(cursor, query=query) or ("", "")
    rows = await app.pool.fetch(
        "select person, organisation, status, kind, joined_on, since from directory_members"
        " where ($1::text[] is null or organisation in (select o from unnest($1) o)) and status = any ($2)"
        " and coalesce(linked_to, '') = '' and (organisation, person) > ($3, $4) order by organisation, person limit $5",
        *(_below(app, org), chosen, organisation, person, limit),
    )
    named = await by_person(app.search, [row["person"] for row in rows])
    said = await notices(app.pool, [row["person"] for row in rows if row["person"] not in named])
    more = app.cursors.make([rows[-1]["organisation"], rows[-1]["person"]], query=query) if len(rows) == limit else None
    return Page(items=[_view(row, named.get(row["person"]), said.get(row["person"])) for row in rows], next=more)


def _below(app: Application, org: OrgCode) -> list[str] | None:
    """The unions to look in; None for all there are, where the union is the top of this node."""
    return None if org == app.node_org else list(app.authority.below(org, app.today()))


async def _by_document(app: Application, question: str) -> list[str] | None:
    """Who has the identity number that a question is; None where it is none."""
    found = []
    for kind in _NUMBERS:
        try:
            number = identity_number(kind, question, today=app.today())
        except ValueRefused:
            continue
        found.append((kind.value, number, "CN"))
    if not found:
        return None
    return [person for person in await app.vault.find_persons(found) if person is not None]


async def _views(app: Application, found: Sequence[Found]) -> list[EntryView]:
    rows = await app.pool.fetch(
        "select person, organisation, status, kind, joined_on, since from directory_members where person = any ($1)",
        [one.person for one in found],
    )
    known = {row["person"]: row for row in rows}
    # The two homes follow the history each for itself: whom one of them does not have yet comes with the next look.
    return [_view(known[one.person], one) for one in found if one.person in known]


def _view(row: Any, found: Found | None, notice: Notice | None = None) -> EntryView:
    return EntryView(
        person=row["person"],
        organisation=row["organisation"],
        status=row["status"],
        kind=row["kind"],
        joined_on=row["joined_on"],
        since=row["since"],
        name=None if found is None else found.name,
        phone=None if found is None else masked(found.phone),
        notice=notice,
    )
