"""Routes of the books: finance, approvers, stewards and auditors of an organisation or above read them."""

import asyncio
from typing import Annotated, Literal

from contracts.assistance.funds import EntitlementId, LineId
from contracts.kernel import OrgCode
from contracts.membership import RecordId
from fastapi import Query
from foundation.http.caller import App, Caller
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from starlette.responses import Response

from assistance.funds.api import READERS
from assistance.funds.errors import LineUnknown
from assistance.ledger import errors, export, lineage
from assistance.ledger.chart import chart
from assistance.ledger.postings import Account

router = Router(tags=["ledger"])

YearAsked = Annotated[int, Query(ge=2000, le=2100)]


AfterAsked = Annotated[int, Query(ge=0, le=10**9)]

CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXPORT_MAX = 10_000
"""Vouchers in one file."""

USES_MAX = 10_000
"""Uses shown of one appropriation."""


class Entry(lineage.Booked):
    """A posting, with the account's Chinese name."""

    account_zh: str


class NumberedVoucher(lineage.Voucher):
    """A voucher on the unions' own chart; `debit` and `credit` are null where that chart has no entry for it."""

    debit: str | None
    credit: str | None


class Way(Body):
    """What happened to an entitlement's money, and the way back to the appropriations that it came from."""

    uses: list[lineage.Use]
    origins: list[lineage.Origin]


class Spread(Body):
    """The lots that an appropriation's money became, and what became of them. `complete` is false where there is more than is shown."""

    lots: list[lineage.Origin]
    uses: list[lineage.Use]
    complete: bool


def _named(found: lineage.Booked) -> Entry:
    return Entry(**found.model_dump(), account_zh=chart().names[Account(found.account)].zh)


def _on_chart(found: lineage.Voucher) -> NumberedVoucher:
    entry = chart().entry(found.event, found.source, found.booked_on)
    return NumberedVoucher(
        **found.model_dump(), debit=None if entry is None else entry.debit, credit=None if entry is None else entry.credit
    )


@router.get("/budget/lines")
async def list_lines(caller: Caller, app: App, organisation: OrgCode, year: YearAsked) -> list[lineage.Line]:
    """The budget lines of an organisation's year with their balances."""
    await caller.require(*READERS, unit=organisation)
    return list(await lineage.lines(app.pool, organisation, year))


@router.get("/budget/lines/{line}", responses=problems(LineUnknown))
async def read_line(line: LineId, caller: Caller, app: App) -> lineage.Line:
    """A budget line with its balances."""
    found = await lineage.line(app.pool, line)
    if found is None:
        raise LineUnknown(line)
    await caller.require(*READERS, unit=found.organisation)
    return found


@router.get("/budget/lines/{line}/entries", responses=problems(LineUnknown))
async def read_entries(*, line: LineId, caller: Caller, app: App, limit: Limit = 50, cursor: Cursor = None) -> Page[Entry]:
    """A line's journal, oldest first; both sides of a booking are on one page."""
    found = await lineage.line(app.pool, line)
    if found is None:
        raise LineUnknown(line)
    await caller.require(*READERS, unit=found.organisation)
    query = f"ledger entries {line}"
    place = app.cursors.read(cursor, query=query)
    entries = await lineage.entries(app.pool, line, after=-1 if place is None else place[0], limit=limit)
    more = app.cursors.make([entries[-1].position], query=query) if len(entries) >= limit else None
    return Page(items=[_named(one) for one in entries], next=more)


@router.get("/budget/vouchers")
async def list_vouchers(
    *, caller: Caller, app: App, organisation: OrgCode, year: YearAsked, limit: Limit = 50, cursor: Cursor = None
) -> Page[NumberedVoucher]:
    """The vouchers of an organisation's year in their order."""
    await caller.require(*READERS, unit=organisation)
    query = f"vouchers {organisation} {year}"
    place = app.cursors.read(cursor, query=query)
    found = await lineage.vouchers(app.pool, organisation, year, after=0 if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].number], query=query) if len(found) > limit else None
    return Page(items=[_on_chart(one) for one in found[:limit]], next=more)


@router.get(
    "/budget/vouchers/export",
    responses={200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (CSV, XLSX)}}},
    response_class=Response,
)
async def export_vouchers(
    *, caller: Caller, app: App, organisation: OrgCode, year: YearAsked, after: AfterAsked = 0, form: Literal["csv", "xlsx"] = "csv"
) -> Response:
    """The vouchers of an organisation's year for the accounting package, after a number; `x-last-voucher` is the last one of the file, to
    go on after, and `x-more` says whether there are more."""
    await caller.require(*READERS, unit=organisation)
    found = await lineage.vouchers(app.pool, organisation, year, after=after, limit=EXPORT_MAX + 1)
    rows = export.rows(found[:EXPORT_MAX], chart())
    data = await asyncio.to_thread(export.as_csv if form == "csv" else export.as_workbook, rows)
    last = found[:EXPORT_MAX][-1].number if found else after
    headers = {
        "content-disposition": f'attachment; filename="vouchers-{year}-{after + 1}.{form}"',
        "x-last-voucher": str(last),
        "x-more": str(len(found) > EXPORT_MAX).lower(),
    }
    return Response(data, media_type=CSV if form == "csv" else XLSX, headers=headers)


@router.get("/budget/entitlements/{entitlement}/lineage", responses=problems(errors.NothingBooked))
async def read_way(entitlement: EntitlementId, caller: Caller, app: App) -> Way:
    """Where an entitlement's money came from, back to the appropriations, and what became of it."""
    uses = await lineage.uses_of(app.pool, entitlement)
    if not uses:
        raise errors.NothingBooked(entitlement)
    origins = await lineage.origins(app.pool, list(dict.fromkeys((use.line, use.lot) for use in uses)))
    await caller.require(*READERS, unit=next(one.organisation for one in origins if one.line == uses[0].line))
    return Way(uses=list(uses), origins=list(origins))


@router.get("/budget/appropriations/{proposal}/lineage", responses=problems(errors.NothingBooked))
async def read_spread(proposal: RecordId, caller: Caller, app: App) -> Spread:
    """What became of an appropriation's money, down to payments and returns; for those who may see the organisation that it reached."""
    lots = await lineage.spread(app.pool, proposal)
    if not lots:
        raise errors.NothingBooked(proposal)
    await caller.require(*READERS, unit=lots[0].organisation)
    uses = await lineage.uses_below(app.pool, proposal, limit=USES_MAX + 1)
    return Spread(lots=list(lots), uses=list(uses[:USES_MAX]), complete=len(uses) <= USES_MAX)
