"""What a command is: who gives it, what it may be known by when it comes again, and what it is answered with (DESIGN 4)."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from foundation.decider import Refusal

ATTEMPTS_MAX = 20
"""How often a command is decided anew when its streams move under it (each time some other command got through) or its keys come in."""


class Actor(Struct, frozen=True):
    """Who acts, for which unit, and in which conversation; all of it goes into the record's envelope, none of it names a person."""

    principal: str
    org: str | None
    correlation: str
    causation: str | None = None


class CommandRef(Struct, frozen=True):
    """A command that may come twice: its id and the keyed hash of the request."""

    id: UUID
    request_hmac: bytes


class Accepted(Struct, frozen=True):
    """Durable: the (first) stream, its version, the history's position reached, and whether this answer was given before."""

    stream: str
    version: int
    position: int
    repeated: bool = False


class IdempotencyKeyReused(Refusal):
    """The same key came before with another request (draft-ietf-httpapi-idempotency-key-header, 2.7)."""

    status = 422


class PreconditionFailed(Refusal):
    """The stream is not at the version the caller saw (RFC 9110, 13.1.1)."""

    status = 412

    def __init__(self, stream: str, version: int) -> None:
        super().__init__(stream=stream, version=version)
        self.version = version


class Contended(Exception):
    """The command's streams moved under it every time; nothing was written and it may be sent again."""

    def __init__(self, streams: Sequence[str]) -> None:
        super().__init__(f"gave up after {ATTEMPTS_MAX} attempts: {', '.join(streams)} moved each time")
        self.streams = tuple(streams)
