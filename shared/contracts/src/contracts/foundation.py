"""Published events of every history, whichever service it belongs to."""

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.kernel import Event


class EpochOpened(Event, type="foundation.EpochOpened", version=1):
    """The first record of a new epoch: records that others had seen were lost for good, and the operator goes on without them.

    It names the log given up: its origin, how many records of it survive (this record's own position), and their Merkle root
    (RFC 6962, lower-case hex).
    """

    epoch: Annotated[int, Field(ge=1)]
    old_origin: str
    old_size: Annotated[int, Field(ge=0)]
    old_root: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
