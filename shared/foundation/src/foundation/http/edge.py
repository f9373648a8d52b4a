"""The outermost layer of a service: one pure ASGI middleware that traces, counts, measures, logs, and turns bugs into an answer.

One layer, because each costs every request; pure ASGI, because Starlette's BaseHTTPMiddleware costs a task and a queue.
"""

from time import perf_counter

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundation.http.headers import headers_of
from foundation.http.limits import SCOPE_KEY, CountedBody
from foundation.http.problems import InternalError, problem
from foundation.telemetry import Metrics, Traces, bind_trace, trace_of

log = structlog.get_logger()

UNROUTED = "(no route)"
QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/history/head"})
"""Asked every few seconds by machines: measured, not logged."""


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, traces: Traces) -> None:
        self._app, self._metrics, self._traces = app, metrics, traces
        self._log = log.bind()  # once: it costs as much as writing the line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        trace, parent, _ = trace_of(headers_of(scope).get(b"traceparent"))
        bind_trace(trace)
        scope["tongxin.trace"] = trace
        body = scope[SCOPE_KEY] = CountedBody(scope, receive)
        status = 0

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"trace-id", trace.encode())]
            await send(message)

        method = scope["method"]
        try:
            with self._traces.span(f"HTTP {method}", trace=trace, parent=parent, server=True, method=method):
                await self._app(scope, body, send_traced)
        except ClientDisconnect:
            pass  # who broke off hears no answer; a command is handled only once its body is whole, so nothing was done
        except Exception:
            self._metrics.bugs.inc()
            self._log.exception("request failed", route=_route(scope), method=method)
            if status == 0:
                await problem(InternalError(), trace=trace)(scope, receive, send_traced)
            else:
                raise  # half an answer is out: only a broken connection tells the caller so
        finally:
            seconds = perf_counter() - started
            route = _route(scope)
            self._metrics.request(route, method, status, seconds)
            if route not in QUIET:
                self._log.info("request", route=route, method=method, status=status, duration_ms=round(seconds * 1000, 2))


def _route(scope: Scope) -> str:
    """The route's template: the path itself holds ids, and a mistyped one may hold anything."""
    return getattr(scope.get("route"), "path", UNROUTED)
