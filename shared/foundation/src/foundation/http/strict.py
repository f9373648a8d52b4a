"""Requests read strictly: JSON as RFC 7493 wants it, media types as declared, text that a database can hold."""

import json
import re
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from foundation.http.faults import fault
from foundation.http.headers import headers_of
from foundation.http.problems import BodyMalformed, MediaTypeUnsupported, NotAcceptable, RequestInvalid

_UTF8 = (b"", b"charset=utf-8", b'charset="utf-8"')
_JSON_RANGES = (b"*/*", b"application/*", b"application/json", b"application/problem+json", b"")


class StrictRequest(Request):
    """A request whose JSON has UTF-8, no NaN, no name twice in an object, no endless nesting."""

    async def body(self) -> bytes:
        """The whole body, without the generators that Starlette sends every chunk through. Raises ClientDisconnect, BodyTooLarge."""
        if not hasattr(self, "_body"):
            chunks = []
            while not self._stream_consumed:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                self._stream_consumed = not message.get("more_body", False)
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        """The body's value. Raises BodyMalformed, RequestInvalid."""
        if not hasattr(self, "_json"):
            self._json = strict_json(await self.body())
        return self._json


def strict_json(body: bytes) -> Any:
    """The value of a JSON text. Raises BodyMalformed and RequestInvalid, which say what is wrong and where, never with what."""
    try:
        value = _decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BodyMalformed("encoding", offset=error.start) from None
    except json.JSONDecodeError as error:
        raise BodyMalformed("json", offset=error.pos) from None
    except RecursionError:
        raise BodyMalformed("depth") from None
    except ValueError:
        raise BodyMalformed("digits") from None
    if _ESCAPED.search(body) and _holds_half_text(value):
        raise _half_text("body")
    return value


_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""How U+0000 and surrogates, whole pairs or halves, come in through valid UTF-8."""


def _holds_half_text(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_half_text(name) or _holds_half_text(one) for name, one in value.items())
    if isinstance(value, list):
        return any(map(_holds_half_text, value))
    return isinstance(value, str) and _HALF_TEXT.search(value) is not None


_HALF_TEXT = re.compile("[\0\ud800-\udfff]")


def _half_text(where: str) -> RequestInvalid:
    # PostgreSQL's text cannot hold U+0000: recorded once, it would stop every projection. A lone surrogate is no character at all.
    return RequestInvalid(errors=[fault(where, "", "text")])


def check_text(request: Request) -> None:
    """Neither path nor query holds U+0000. Raises RequestInvalid."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise _half_text("path" if "\0" in request.scope["path"] else "query")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyMalformed("twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise BodyMalformed("infinite")


async def check_content_type(request: Request) -> None:
    """A body is JSON in UTF-8 and says so. Raises MediaTypeUnsupported."""
    value = headers_of(request.scope).get(b"content-type")
    if value == b"application/json":
        return
    if value is None:
        if not await request.body():
            return  # nothing was sent at all: what is missing is said better by the validation
    else:
        media_type, _, parameters = value.partition(b";")
        if media_type.strip().lower() == b"application/json" and parameters.strip().lower().strip(b'"') in _UTF8:
            return
    raise MediaTypeUnsupported(takes="application/json")


def check_accept(request: Request) -> None:
    """The caller takes JSON (RFC 9110, 12.5.1). Raises NotAcceptable."""
    value = headers_of(request.scope).get(b"accept")
    if value is not None and not any(kind.partition(b";")[0].strip().lower() in _JSON_RANGES for kind in value.split(b",")):
        raise NotAcceptable()


# Once: `json.loads` makes a decoder anew for every text that is to be read in another way than its own.
_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
