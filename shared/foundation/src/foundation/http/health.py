"""Whether a service lives, is ready, and how it does: for supervisors, `tongxin status` and Prometheus. Nothing here is secret."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from foundation.http.routing import Router
from foundation.telemetry import Metrics

CHECK_SECONDS_MAX = 2.0


class Component(BaseModel):
    """One part of a service: whether it does its work, and what there is to say about it."""

    ready: bool
    detail: dict[str, Any] = {}


class Readiness(BaseModel):
    """Ready when every component is. `position` is the history's last position, -1 while it is empty; lags are in events."""

    service: str
    ready: bool
    position: int | None
    relay_lag: int | None
    projection_lag: int | None
    components: dict[str, Component]


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


Check = Callable[[], Awaitable[Component]]


async def readiness(service: str, checks: Mapping[str, Check]) -> Readiness:
    """Ask every component, each for CHECK_SECONDS_MAX at the most."""
    answers = await asyncio.gather(*(_asked(check) for check in checks.values()))
    components = dict(zip(checks, answers, strict=True))

    def said(component: str, key: str) -> int | None:
        return components[component].detail.get(key) if component in components else None

    return Readiness(
        service=service,
        ready=all(answer.ready for answer in answers),
        position=said("database", "position"),
        relay_lag=said("relay", "lag"),
        projection_lag=said("projections", "lag"),
        components=components,
    )


async def _asked(check: Check) -> Component:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check()
    except Exception as error:
        return Component(ready=False, detail={"error": type(error).__name__})


def router(service: str, checks: Mapping[str, Check], metrics: Metrics) -> Router:
    """`/healthz`, `/readyz` and `/metrics`."""
    router = Router(tags=["operation"])

    @router.get("/healthz")
    async def healthz() -> Alive:
        """Whether the process is alive. Says nothing about what it depends on."""
        return Alive()

    @router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready: which component is not, and why."}})
    async def readyz() -> Response:
        """Whether commands and queries can be served now, with every component's word on it."""
        found = await readiness(service, checks)
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def exposition() -> Response:
        """Prometheus metrics."""
        return PlainTextResponse(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
