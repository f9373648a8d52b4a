"""The HTTP side of a service in one place: routes, exception handlers, middleware, and the OpenAPI document."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Lifespan

from foundation import commands, record
from foundation.decider import Refusal
from foundation.http import problems
from foundation.http.auth import KeysUnavailable, TokenExpired, TokenInvalid, TokenMissing
from foundation.http.caller import ActingAsNeeded, AuthorityStale, NotPermitted
from foundation.http.direct import Commands
from foundation.http.edge import Edge
from foundation.http.routing import Route, Router, methods_at
from foundation.progress import Halted
from foundation.store import port as store
from foundation.store import writer
from foundation.telemetry import Metrics, Traces
from foundation.vault import port as vault

NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
"""FastAPI's own would export query strings, exception messages and refused input. The edge does it without them."""


class Http(FastAPI):
    """FastAPI with a middleware stack of our own, every layer of which is named here."""

    def __init__(self, *, metrics: Metrics, traces: Traces, **options: Any) -> None:
        self._metrics, self._traces = metrics, traces
        super().__init__(telemetry=NO_TELEMETRY, redirect_slashes=False, redoc_url=None, **options)

    def build_middleware_stack(self) -> ASGIApp:
        """From the outside in: trace, count, log and catch bugs; commands on their short way; for the rest of the routes, exceptions that
        are answers, and FastAPI's exit stack."""
        answers = handlers()
        app: ASGIApp = AsyncExitStackMiddleware(self.router)
        app = ExceptionMiddleware(app, handlers=answers)
        app = Commands(app, self.router.routes, answers)
        return Edge(app, metrics=self._metrics, traces=self._traces)

    def openapi(self) -> dict[str, Any]:
        """FastAPI's document with the Problem schema, 401 and 403 where a token is asked for."""
        if self.openapi_schema is None:
            _complete(super().openapi())
        return super().openapi()


def build(name: str, version: str, routers: Sequence[Router], *, lifespan: Lifespan[Any], metrics: Metrics, traces: Traces) -> Http:
    """The application of these routes. Raises TypeError on routes that are not `foundation.http.routing.Route`."""
    http = Http(title=f"Tongxin {name}", version=version, lifespan=lifespan, metrics=metrics, traces=traces)
    for router in routers:
        for route in router.routes:
            if not isinstance(route, Route):
                raise TypeError(f"{route} is not of a foundation.http.routing.Router: it would skip the checks that every route makes")
            # Taken over as they are: FastAPI's include_router matches every request twice, for prefixes that we do not use.
            http.router.routes.append(route)
    return http


# ------------------------------------------------------------------------------------------------ exception handlers


def handlers() -> dict[Any, Callable[..., Any]]:
    """Every exception that is an answer. What is not here is a bug, and the edge answers it."""

    def answer(of: Callable[[Any], Refusal]) -> Callable[[Request, Exception], Any]:
        async def handle(request: Request, error: Exception) -> Response:
            return problems.problem(of(error), trace=request.scope.get("tongxin.trace"))

        return handle

    async def of_the_router(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names the methods of the first route at the address only.
            error.headers = {"allow": methods_at(request.app.router.routes, request.scope)}
        return problems.problem(problems.from_http_exception(error), trace=request.scope.get("tongxin.trace"))

    return {
        Refusal: answer(lambda refusal: refusal),
        RequestValidationError: answer(problems.from_validation),
        HTTPException: of_the_router,
        commands.Contended: answer(lambda _: problems.Contended()),
        record.RecordTooLarge: answer(lambda error: problems.RecordTooLarge(size=error.size)),
        writer.Overloaded: answer(lambda _: problems.Overloaded()),
        store.StoreFull: answer(lambda _: problems.HistoryFull()),
        store.StoreUnavailable: answer(lambda _: problems.HistoryUnavailable()),
        store.WritesRefused: answer(lambda _: problems.WritesRefused()),
        vault.VaultUnavailable: answer(lambda _: problems.VaultUnavailable()),
        vault.KeyDestroyed: answer(lambda _: problems.PersonErased()),
        Halted: answer(lambda _: problems.HistoryUnavailable("stopped")),
        KeysUnavailable: answer(lambda _: problems.Unavailable("issuer")),
        asyncpg.DiskFullError: answer(lambda _: problems.HistoryFull()),
        **{
            unreachable: answer(lambda _: problems.HistoryUnavailable("database"))
            for unreachable in (
                *(asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.TooManyConnectionsError),
                asyncpg.UndefinedTableError,  # a read model that is being built for the first time
                *(ConnectionError, TimeoutError, asyncpg.InternalClientError),
            )
        },
    }


# ----------------------------------------------------------------------------------------------------------- OpenAPI


def _complete(document: dict[str, Any]) -> None:
    _, definitions = models_json_schema([(problems.Problem, "serialization")], ref_template="#/components/schemas/{model}")
    document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
    secured = problems.problems(TokenMissing, TokenInvalid, TokenExpired, NotPermitted, ActingAsNeeded, AuthorityStale)
    for operation in (one for operations in document["paths"].values() for one in operations.values() if "security" in one):
        responses: dict[int | str, Any] = {int(status): response for status, response in operation["responses"].items()}
        operation["responses"] = {str(status): response for status, response in problems.merged(responses, secured).items()}
