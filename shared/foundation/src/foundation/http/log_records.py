"""One unit's part of a history, for its auditors: the records of its subtree, each to be proven by the log's public tiles."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from foundation.http.caller import App, Application, Caller
from foundation.http.problems import HistoryUnavailable, problems
from foundation.http.routing import Router
from foundation.log.extract import POSITION_BYTES, Placed, framed
from foundation.record import decode
from foundation.store.port import StoreUnavailable

ANSWER_BYTES_MAX = 8_000_000
"""Bytes of records in one answer at the most, and a page more."""

POSITIONS_MAX = 20_000
"""How many positions are looked at for one answer."""

READ_AT_ONCE = 1_000

router = Router(tags=["log"])

Unit = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Position = Annotated[int, Query(ge=-1, le=2**62)]


@router.get(
    "/log/units/{unit}/records",
    response_class=Response,
    responses={
        200: {
            "description": "The last position looked at (8 bytes), then each record as position (8 bytes), length (2 bytes) and bytes.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(HistoryUnavailable),
    },
)
async def records(unit: Unit, caller: Caller, app: App, after: Position = -1) -> Response:
    """The records behind a position that were made for a unit or one below it, or name one, as the hierarchy stands today.

    For its auditors. Records that name no unit, as those of confidential cases, are not among them.
    """
    await caller.require_service_or("auditor", unit=unit)
    try:
        looked, found = await _below(app, unit, after, app.today())
    except StoreUnavailable:
        raise HistoryUnavailable() from None
    return Response(looked.to_bytes(POSITION_BYTES, "big") + found, media_type="application/octet-stream")


async def _below(app: Application, unit: str, after: int, today: date) -> tuple[int, bytes]:
    units = frozenset(app.authority.below(unit, today))
    end, looked, found = (await app.store.head()).position, after, bytearray()
    while looked < min(end, after + POSITIONS_MAX) and len(found) < ANSWER_BYTES_MAX:
        page = await app.store.read(looked, limit=READ_AT_ONCE)
        if not page:
            break
        for one in page:
            if _concerns(one.record, units):
                found += framed(Placed(one.position, one.record))
        looked = page[-1].position
    return max(looked, 0), bytes(found)


def _concerns(record: bytes, units: frozenset[str]) -> bool:
    said = decode(record)
    return said.org in units or any(isinstance(value, str) and value in units for value in said.data.values())
