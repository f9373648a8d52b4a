"""How large a body may be: counted while it streams, so that a missing or lying Content-Length changes nothing."""

from collections.abc import Callable
from typing import TypeVar

from starlette.types import Message, Receive, Scope

from foundation.http.headers import headers_of
from foundation.http.problems import BodyTooLarge

MIB = 1 << 20
BODY_BYTES_MAX = MIB
"""What a route takes unless it says otherwise with `body_up_to`."""

SCOPE_KEY = "tongxin.body"

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def body_up_to(bytes_max: int) -> Callable[[Endpoint], Endpoint]:
    """Another limit for one route, as for uploads; goes below the route's own decorator."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.body_bytes_max = bytes_max  # type: ignore[attr-defined]
        return endpoint

    return mark


def limit_of(endpoint: Callable[..., object]) -> int:
    """The limit of a route's endpoint, in bytes."""
    return int(getattr(endpoint, "body_bytes_max", BODY_BYTES_MAX))


class CountedBody:
    """The `receive` of one request: raises BodyTooLarge once more than `bytes_max` bytes came, or were announced."""

    __slots__ = ("_announced", "_receive", "_received", "bytes_max")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._received = 0
        self._announced = _content_length(scope)
        self.bytes_max = BODY_BYTES_MAX

    async def __call__(self) -> Message:
        if self._announced > self.bytes_max:
            raise self._refusal()
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self.bytes_max:
                raise self._refusal()
        return message

    def _refusal(self) -> BodyTooLarge:
        return BodyTooLarge(limit=self.bytes_max)


def _content_length(scope: Scope) -> int:
    value = headers_of(scope).get(b"content-length", b"")
    return int(value) if value.isdigit() else 0
