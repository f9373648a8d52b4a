"""Routes that read JSON strictly and document what every route may answer."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, get_type_hints

from fastapi import APIRouter
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.routing import Route as StarletteRoute
from starlette.types import Scope

from foundation.commands import IdempotencyKeyReused, PreconditionFailed
from foundation.http.answers import ACCEPTED_RESPONSE, Accepted
from foundation.http.caller import BEARER
from foundation.http.conditions import IF_MATCH, IfMatchMalformed
from foundation.http.direct import DirectCommand
from foundation.http.idempotency import IDEMPOTENCY_KEY, IdempotencyKeyMalformed, IdempotencyKeyMissing
from foundation.http.limits import BODY_BYTES_MAX, SCOPE_KEY, limit_of
from foundation.http.problems import (
    COMMON,
    Contended,
    PersonErased,
    RecordTooLarge,
    WritesRefused,
    merged,
    problems,
)
from foundation.http.strict import StrictRequest, check_accept, check_content_type, check_text
from foundation.http.waiting import AT_LEAST

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
        if "GET" in (self.methods or ()) and _knows_its_caller(self.dependant):  # it is the caller's check that waits
            self.openapi_extra = {"parameters": [AT_LEAST], **(self.openapi_extra or {})}
        if self.is_command and (direct := DirectCommand.of(self)) is not None:
            self.app = direct

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
                check_accept(request)
            check_text(request)
            if takes_json:
                request = StrictRequest(request.scope, request.receive)
                await check_content_type(request)
            response = await handle(request)
            if status is not None and isinstance(response, Accepted):
                response.status_code = status
            return response

        return checked


def _knows_its_caller(dependant: Dependant) -> bool:
    return dependant.call is BEARER or any(map(_knows_its_caller, dependant.dependencies))


def methods_at(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """All methods that the routes at an address take, for Allow (RFC 9110, 10.2.1)."""
    found = (one.methods or () for one in routes if isinstance(one, StarletteRoute) and one.matches(scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for methods in found for method in methods}))


class Router(APIRouter):
    """An APIRouter of such routes: the only kind that a `Service` takes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, redirect_slashes=False, **options)
