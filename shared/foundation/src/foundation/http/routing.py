"""Routes that read JSON strictly and document what every route may answer."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, get_type_hints

from fastapi import APIRouter
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from foundation.commands import IdempotencyKeyReused, PreconditionFailed
from foundation.http.answers import ACCEPTED_RESPONSE, Accepted
from foundation.http.conditions import IF_MATCH, IfMatchMalformed
from foundation.http.idempotency import IDEMPOTENCY_KEY, IdempotencyKeyMalformed, IdempotencyKeyMissing
from foundation.http.limits import BODY_BYTES_MAX, SCOPE_KEY, limit_of
from foundation.http.problems import (
    COMMON,
    BodyMalformed,
    Contended,
    MediaTypeUnsupported,
    NotAcceptable,
    PersonErased,
    RecordTooLarge,
    RequestInvalid,
    WritesRefused,
    merged,
    problems,
)

COMMAND_PROBLEMS = problems(
    *(IdempotencyKeyMissing, IdempotencyKeyMalformed, IdempotencyKeyReused, IfMatchMalformed, PreconditionFailed),
    *(PersonErased, RecordTooLarge, Contended, WritesRefused),
)
COMMON_PROBLEMS = problems(*COMMON)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Body(BaseModel):
    """A request body: unknown members are refused (events ignore them, HTTP forbids them: DESIGN 3)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Route(APIRoute):
    """A FastAPI route with strict JSON, its own body limit, and the common answers in its document."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, responses: dict[int | str, Any] | None = None, **options: Any) -> None:
        self.body_bytes_max = limit_of(endpoint)
        self.is_command = get_type_hints(endpoint).get("return") is Accepted
        if self.is_command:
            responses = merged({options.get("status_code") or 200: ACCEPTED_RESPONSE}, COMMAND_PROBLEMS, responses or {})
            options["openapi_extra"] = {"parameters": [IDEMPOTENCY_KEY, IF_MATCH], **(options.get("openapi_extra") or {})}
        super().__init__(path, endpoint, responses=merged(COMMON_PROBLEMS, responses or {}), **options)

    def get_route_handler(self) -> Handler:
        """FastAPI's own handler, behind the checks that it does not make."""
        handle = super().get_route_handler()
        answers_json = isinstance(self.response_class, DefaultPlaceholder)
        takes_json = self.body_field is not None
        bytes_max = self.body_bytes_max
        status = self.status_code

        async def checked(request: Request) -> Response:
            if bytes_max != BODY_BYTES_MAX:
                request.scope[SCOPE_KEY].bytes_max = bytes_max
            if answers_json:
                _check_accept(request)
            _check_text(request)
            if takes_json:
                request = StrictRequest(request.scope, request.receive)
                await _check_content_type(request)
            response = await handle(request)
            if status is not None and isinstance(response, Accepted):
                response.status_code = status
            return response

        return checked


class Router(APIRouter):
    """An APIRouter of such routes: the only kind that a `Service` takes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, redirect_slashes=False, **options)


class StrictRequest(Request):
    """A request whose JSON is read as RFC 7493 wants it: UTF-8, no NaN, no name twice in an object, no endless nesting."""

    async def json(self) -> Any:
        """The body's value. Raises BodyMalformed."""
        if not hasattr(self, "_json"):
            self._json = strict_json(await self.body())
        return self._json


def strict_json(body: bytes) -> Any:
    """The value of a JSON text. Raises BodyMalformed and RequestInvalid, which say what is wrong and where, never with what."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BodyMalformed("the body is not UTF-8", offset=error.start) from None
    except json.JSONDecodeError as error:
        raise BodyMalformed(f"the body is not JSON: {error.msg}", offset=error.pos) from None
    except RecursionError:
        raise BodyMalformed("the body is nested too deeply") from None
    except ValueError:
        raise BodyMalformed("the body holds a number with too many digits") from None
    if rb"\u0000" in body and _holds_nul(value):
        raise _nul("body")
    return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(one) for name, one in value.items())
    if isinstance(value, list):
        return any(_holds_nul(one) for one in value)
    return isinstance(value, str) and "\0" in value


def _nul(where: str) -> RequestInvalid:
    # PostgreSQL's text cannot hold it: recorded once, it would stop every projection.
    fault = {"in": where, "pointer": "", "message": "text cannot hold U+0000", "type": "nul"}
    return RequestInvalid("the request does not have the documented form", errors=[fault])


def _check_text(request: Request) -> None:
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise _nul("path" if "\0" in request.scope["path"] else "query")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyMalformed("an object in the body has the same name twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise BodyMalformed("NaN and Infinity are not JSON")


async def _check_content_type(request: Request) -> None:
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            media_type, _, parameters = value.partition(b";")
            if media_type.strip().lower() == b"application/json" and parameters.strip().lower().strip(b'"') in _UTF8:
                return
            break
    else:
        if not await request.body():
            return  # nothing was sent at all: what is missing is said better by the validation
    raise MediaTypeUnsupported("send the body as application/json in UTF-8")


_UTF8 = (b"", b"charset=utf-8", b'charset="utf-8')


def _check_accept(request: Request) -> None:
    for name, value in request.scope["headers"]:
        if name == b"accept":
            if any(kind.partition(b";")[0].strip().lower() in _JSON_RANGES for kind in value.split(b",")):
                return
            raise NotAcceptable("the answer is application/json, which the Accept header rules out")


_JSON_RANGES = (b"*/*", b"application/*", b"application/json", b"application/problem+json", b"")
