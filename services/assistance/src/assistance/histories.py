"""Several streams' events in one question to the store, whatever their number."""

from collections.abc import Sequence
from typing import Any, cast

from foundation.decider import Decider
from foundation.history import Happened, Reading
from foundation.http.caller import Application
from foundation.store.port import EventStore

from assistance.events import CATALOGUE

READ_AT_ONCE = 1_000

WHOLE = Reading(CATALOGUE)
"""Every event of a stream."""


async def histories(
    app: Application, decider: Decider[Any, Any], ids: Sequence[str], reading: Reading = WHOLE
) -> dict[str, list[Happened]]:
    """What the reading wants of several streams by id: durable, oldest first, sealed; nothing where there is no such stream."""
    # The store's whole port, of which routes are shown the reading half.
    store = cast(EventStore, app.store)
    found: dict[str, list[Happened]] = {}
    for first in range(0, len(ids), READ_AT_ONCE):
        streams = {decider.stream(one): one for one in ids[first : first + READ_AT_ONCE]}
        read = await store.read_streams(list(streams))
        found |= {streams[stream]: reading.all(recorded) for stream, recorded in read.items()}
    return found
