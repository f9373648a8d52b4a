"""Reading one's own writes: a query names positions that it must not be behind, and waits for them, bounded (DESIGN 4)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from foundation.decider import Refusal
from foundation.http.faults import fault
from foundation.http.problems import RequestInvalid, Unavailable
from foundation.progress import Halted

WAIT_SECONDS_MAX = 2.0
_POSITION = re.compile(r"([a-z][a-z0-9-]{0,39}):(0|[1-9][0-9]{0,17})")

Reached = Callable[[int], Awaitable[None]]
"""Returns once everything that queries read here holds a source's events up to a position."""


class NotReached(Unavailable):
    """The position is not reached here yet; ask again."""


class SourceUnknown(Refusal):
    """The position is of a history that this service does not follow."""

    status = 422


def parse_position(text: str) -> tuple[str, int]:
    """`<service>:<position>` as a Position header carries it. Raises RequestInvalid."""
    found = _POSITION.fullmatch(text)
    if found is None:
        raise RequestInvalid(errors=[fault("query", "/at_least", "position")])
    return found.group(1), int(found.group(2))


async def wait_for(positions: Sequence[str], sources: Mapping[str, Reached], *, seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Return once every position is reached. Raises NotReached after `seconds_max`, SourceUnknown, RequestInvalid."""
    wanted = [parse_position(position) for position in positions]
    unknown = [source for source, _ in wanted if source not in sources]
    if unknown:
        raise SourceUnknown(follows=sorted(sources))
    try:
        async with asyncio.timeout(seconds_max):
            for source, position in wanted:
                await sources[source](position)
    except (TimeoutError, Halted):
        raise NotReached() from None


AT_LEAST: dict[str, Any] = {
    "name": "at_least",
    "in": "query",
    "required": False,
    "description": "Positions (`<service>:<position>`) that the answer must not be behind, as commands gave them in `Position`. Waits a"
    " moment, then 503.",
    "schema": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z][a-z0-9-]{0,39}:(0|[1-9][0-9]{0,17})$"}, "maxItems": 8},
    "style": "form",
    "explode": True,
}
"""How it is documented on every query."""
