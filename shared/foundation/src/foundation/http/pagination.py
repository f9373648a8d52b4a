"""Cursor pagination: an encrypted place to go on from, because a place in a list of people is personal data in a URL."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from hmac import digest
from typing import Annotated, Any, Generic, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Query
from pydantic import BaseModel
from starlette.requests import Request

from foundation.decider import Refusal

T = TypeVar("T")

LIMIT_MAX = 200
CURSOR_LENGTH_MAX = 1_000

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at the most.")]
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX, description="Where to go on: `next` of the page before.")]


class CursorInvalid(Refusal):
    """The cursor was not given by this service for this query."""

    status = 422


class Page(BaseModel, Generic[T]):
    """A page of a list, and where to go on (None: this was the last)."""

    items: list[T]
    next: str | None = None


class Cursors:
    """Makes cursors and reads them: AES-256-GCM under the service's own secret, bound to the query they belong to."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(digest(secret, b"tongxin cursor", "sha256"))

    def make(self, place: list[Any], *, query: str) -> str:
        """The cursor of a place, which is the sort key of the page's last item. `query` names the list and its filters."""
        nonce = os.urandom(12)
        sealed = nonce + self._cipher.encrypt(nonce, orjson.dumps(place), _bound(query))
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def read(self, cursor: str | None, *, query: str) -> list[Any] | None:
        """The place of a cursor; None for the beginning. Raises CursorInvalid."""
        if cursor is None:
            return None
        try:
            sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            place: list[Any] = orjson.loads(self._cipher.decrypt(sealed[:12], sealed[12:], _bound(query)))
        except (InvalidTag, ValueError):
            raise CursorInvalid() from None
        return place


def _bound(query: str) -> bytes:
    return sha256(query.encode()).digest()


def next_link(request: Request, cursor: str) -> str:
    """The Link header to the next page (RFC 8288)."""
    return f'<{request.url.include_query_params(cursor=cursor).replace(scheme="", netloc="")}>; rel="next"'
