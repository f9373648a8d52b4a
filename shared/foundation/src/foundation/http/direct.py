"""The hot path: a command route whose endpoint takes path parameters, one JSON body, the caller and the service, called without detours.

FastAPI validates the same with the same fields, but resolves dependencies anew for every request, which costs more than all of the rest.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from foundation.http.answers import Accepted
from foundation.http.caller import BEARER, application, check_command, the_application
from foundation.http.limits import SCOPE_KEY, limit_of
from foundation.http.strict import StrictRequest, check_accept, check_content_type, check_text

_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}


class DirectCommand:
    """The ASGI application of such a route."""

    def __init__(self, route: APIRoute, caller: str, app: str | None) -> None:
        self._endpoint: Callable[..., Awaitable[Accepted]] = route.endpoint
        self._path = [(field.name, field.alias, field) for field in route.dependant.path_params]
        self._body = route.dependant.body_params[0] if route.dependant.body_params else None
        self._caller, self._app = caller, app
        self._bytes_max, self._status = limit_of(route.endpoint), route.status_code

    @classmethod
    def of(cls, route: APIRoute) -> "DirectCommand | None":
        """For a route that wants nothing else; None where it does, and FastAPI handles it."""
        wants = route.dependant
        names = {id(one.call): one.name for one in wants.dependencies}
        caller, app = names.pop(id(BEARER), None), names.pop(id(the_application), None)
        others = (
            *(names, wants.query_params, wants.header_params, wants.cookie_params, wants.body_params[1:]),
            *(wants.request_param_name, wants.response_param_name, wants.background_tasks_param_name),
        )
        embedded = bool(wants.body_params) and route.body_field is not wants.body_params[0]
        if any(others) or embedded or caller is None or not iscoroutinefunction(route.endpoint):
            return None
        return cls(route, caller, app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self.answer(scope, receive)
        await answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive) -> Accepted:
        """The endpoint's answer, not sent yet. Raises what the checks, the validation and the endpoint raise."""
        request = StrictRequest(scope, receive)
        scope[SCOPE_KEY].bytes_max = self._bytes_max
        check_accept(request)
        check_text(request)
        # Before the body: a stranger does not get to make us parse it.
        values: dict[str, Any] = {self._caller: await BEARER(request)}
        if self._app is not None:
            values[self._app] = application(request)
        errors: list[Any] = []
        for name, alias, field in self._path:
            values[name], faults = field.validate(scope["path_params"][alias], values, loc=("path", alias))
            errors += faults
        if self._body is not None:
            await check_content_type(request)
            if await request.body():
                values[self._body.name], faults = self._body.validate(await request.json(), values, loc=("body",))
                errors += faults
            else:
                errors.append(_MISSING)
        if errors:
            raise RequestValidationError(errors)
        check_command(request)
        answer = await self._endpoint(**values)
        if self._status is not None:
            answer.status_code = self._status
        return answer


class Commands:
    """Finds direct command routes by the shape of their path, and leaves everything else to the router, which tries route after route.

    `refusals`: the answer to each kind of exception, as Starlette's ExceptionMiddleware takes them; it would stand between every request
    and its answer, where here only an exception costs something.
    """

    def __init__(
        self, app: ASGIApp, routes: Sequence[BaseRoute], refusals: Mapping[type[Exception], Callable[[Request, Any], Awaitable[Response]]]
    ) -> None:
        self._app, self._refusals = app, refusals
        self._by_shape: dict[tuple[str, str, int], list[tuple[APIRoute, DirectCommand]]] = {}
        for route in routes:
            if isinstance(route, APIRoute) and isinstance(route.app, DirectCommand) and (shape := _fixed_shape(route.path)) is not None:
                for method in route.methods or ():
                    self._by_shape.setdefault((method, *shape), []).append((route, route.app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for route, command in self._by_shape.get((scope["method"], *_shape(scope["path"])), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    answer = await self._answer(command, scope, receive)
                    await answer(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _answer(self, command: DirectCommand, scope: Scope, receive: Receive) -> Response:
        try:
            return await command.answer(scope, receive)
        except Exception as error:
            say = next((self._refusals[kind] for kind in type(error).__mro__ if kind in self._refusals), None)
            if say is None:
                raise  # a bug: the edge answers it
            answer = await say(Request(scope), error)
            error.__traceback__ = None  # or its frames, and what they hold, would live as long as whoever keeps the exception
            return answer


def _shape(path: str) -> tuple[str, int]:
    """The first segment and how many there are."""
    end = path.find("/", 1)
    return (path if end < 0 else path[:end]), path.count("/")


def _fixed_shape(template: str) -> tuple[str, int] | None:
    """The shape that all paths of a template have; None where they differ."""
    first, count = _shape(template)
    return None if "{" in first or ":path}" in template else (first, count)
