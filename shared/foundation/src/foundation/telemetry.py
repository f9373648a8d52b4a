"""Logs, traces and metrics. What may be logged is decided here once, so that no plaintext about a person can get into a log by mistake."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import walk_tb
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer, set_span_in_context
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

# ------------------------------------------------------------------------------------------------------------------ logs

_LOGGED_WORDS = """
    acknowledged actor after attempt attempts behind build by bytes command component consumer continued_at count delay_seconds done
    duration_ms ends_at epoch error event expected frames from_position idle key key_kind kind lag last left level line logger method offset
    ours part partition parts pid port position positions process projection projections reaction reason records refusal requests
    retry_in_seconds root roster route seconds seen service signal since size source state status step stream table tables timer topic
    trace upto url version waited_seconds was witness
"""
LOGGED = frozenset(_LOGGED_WORDS.split())
"""The keys that a log line may carry. Any other is withheld: a name, a number or a body has no key here to travel under."""

WORDS_ONLY = frozenset({"error", "reason"})
"""Of these only what stands before a bracket is written: a `repr` of an exception goes on with what it was about."""

_TOKEN_LIKE = re.compile(r"[^\x20-\x7e]|\d{15,17}[\dXx]|1[3-9]\d{9}")
"""Text beyond ASCII, mainland identity numbers and mobile numbers are withheld even under a key that may be logged."""

_trace: ContextVar[str | None] = ContextVar("trace", default=None)


def bind_trace(trace: str) -> None:
    """Let this task's log lines carry a trace id."""
    _trace.set(trace)


def redacted(event: MutableMapping[str, Any]) -> dict[str, Any]:
    """What of a log line may be written."""
    return {key: _shown(value, key) if key in LOGGED else "withheld" for key, value in event.items()}


def _shown(value: Any, key: str) -> Any:
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 10_000_000_000 else "withheld"
        case str():
            if key in WORDS_ONLY:
                value = value.split("(", 1)[0]
            return "withheld" if _TOKEN_LIKE.search(value) else value[:500]
        case list() | tuple() | set() | frozenset():
            return [_shown(one, key) for one in list(value)[:50]]
        case BaseException():
            return type(value).__name__
        case _:
            return type(value).__name__


def _line(_: Any, method: str, event: MutableMapping[str, Any]) -> str:
    error = event.pop("exc_info", None)
    if error:
        event.update(described(sys.exc_info()[1] if error is True else error[1] if isinstance(error, tuple) else error))
    trace = _trace.get()
    if trace is not None:
        event.setdefault("trace", trace)
    event["level"] = method
    return orjson.dumps({"time": datetime.now(UTC), **redacted(event)}).decode()


def described(error: BaseException | None) -> dict[str, Any]:
    """An exception as it may be logged: its kind and where it came from. Its message may quote what it was about, so it is left out."""
    if error is None:
        return {}
    causes: list[str] = []
    current: BaseException | None = error
    while current is not None and len(causes) < 5:
        causes.append(type(current).__name__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return {"error": " from ".join(causes), "frames": _frames(error.__traceback__)}


def _frames(traceback: TracebackType | None) -> list[str]:
    found = [f"{os.path.basename(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}" for frame, line in walk_tb(traceback)]
    return found[-12:]


class _Redacting(logging.Formatter):
    """Lines of libraries in the same form: the template of the message, with only its numbers filled in."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {"event": _template(record), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        return _line(None, record.levelname.lower(), event)


def _template(record: logging.LogRecord) -> str:
    text = str(record.msg).split("\n")[0]  # asyncio puts the repr of a failed task, its exception included, on the next lines
    arguments = record.args if isinstance(record.args, tuple) else ()
    try:
        return text % tuple(one if isinstance(one, int | float) else "?" for one in arguments) if arguments else text
    except (TypeError, ValueError):
        return text


def configure_logging(level: str, *, stream: TextIO = sys.stdout) -> None:
    """Make this process log JSON lines, its libraries included. Called once by whoever owns the process, never at import."""
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,  # whoever configures later, as tests do, is heard by loggers that were used before
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Redacting())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)  # requests are logged by the edge, which knows their route and not their query


# ---------------------------------------------------------------------------------------------------------------- traces

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def trace_of(traceparent: bytes | None) -> tuple[str, str | None, bool]:
    """Trace id, parent span id and whether it is sampled, from a W3C traceparent; a new trace where there is none, or a broken one."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None or found[1] == b"0" * 32 or found[2] == b"0" * 16:
        return os.urandom(16).hex(), None, False
    return found[1].decode(), found[2].decode(), bool(int(found[3], 16) & 1)


class Traces:
    """Spans, exported where an OTLP endpoint is configured and otherwise not even made."""

    def __init__(self, service: str, *, otlp_endpoint: str | None = None, processor: SpanProcessor | None = None) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        if otlp_endpoint is not None and processor is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - heavy, and rarely wanted

            processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint))
        if processor is not None:
            self._provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
            self._provider.add_span_processor(processor)
            self._tracer = self._provider.get_tracer("foundation")

    @property
    def enabled(self) -> bool:
        """Whether spans are exported, and so made."""
        return self._tracer is not None

    def span(
        self,
        name: str,
        *,
        trace: str | None = None,
        parent: str | None = None,
        links: Iterable[str] = (),
        server: bool = False,
        **attributes: Any,
    ) -> AbstractContextManager[Any]:
        """A span around a block. `trace` (32 hex) puts it into that trace, below the span `parent`; otherwise it goes below the current
        one. `links` names other traces it works for: the correlation ids of the records in a batch. Attributes are never personal."""
        if self._tracer is None:
            return nullcontext()
        context = None
        if trace is not None:
            context = set_span_in_context(NonRecordingSpan(_context(trace, parent or trace[:16])))
        linked = [Link(_context(one, one[:16])) for one in dict.fromkeys(links) if re.fullmatch(r"[0-9a-f]{32}", one)]
        kind = SpanKind.SERVER if server else SpanKind.INTERNAL
        return _failing_by_kind(
            self._tracer.start_as_current_span(
                name, context, kind, attributes, linked, record_exception=False, set_status_on_exception=False
            )
        )

    def close(self) -> None:
        """Send what is left; bounded by the exporter's own timeout."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def _failing_by_kind(started: AbstractContextManager[Span]) -> Iterator[Span]:
    """OpenTelemetry's own status quotes the exception's message, which may say anything about anybody."""
    with started as span:
        try:
            yield span
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def _context(trace: str, span: str) -> SpanContext:
    # A record names its conversation by the trace id alone (its bytes must not vary), so a linked span's id is made from it.
    return SpanContext(int(trace, 16), int(span, 16) or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


# --------------------------------------------------------------------------------------------------------------- metrics

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One service's metrics, in a registry of its own."""

    def __init__(self, service: str) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "tongxin_request_seconds",
            "Time to answer, by route and status",
            ("route", "method", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._request_series: dict[tuple[str, str, int], Any] = {}
        self.append_seconds = Histogram(
            "tongxin_append_seconds", "Time from a batch's send to its commit", buckets=_SECONDS, registry=self._registry
        )
        self.batch_size = Histogram(
            "tongxin_append_batch_size", "Commands in one commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512), registry=self._registry
        )
        self.bugs = Counter("tongxin_bugs", "Answers that were 500", registry=self._registry)
        self._gauges = _Gauges()
        self._registry.register(self._gauges)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer. Routes are templates, so the series stay few."""
        series = self._request_series.get((route, method, status))
        if series is None:
            series = self._request_series[route, method, status] = self._requests.labels(route, method, str(status))
        series.observe(seconds)

    def appended(self, size: int, seconds: float) -> None:
        """Count a batch of the writer."""
        self.batch_size.observe(size)
        self.append_seconds.observe(seconds)

    def gauge(self, name: str, documentation: str, read: Callable[[], float], **labels: str) -> None:
        """Show a number that is read when it is asked for. Nothing is shown while `read` raises."""
        self._gauges.add(f"tongxin_{name}", documentation, read, labels)

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    def __init__(self) -> None:
        self._gauges: dict[str, tuple[str, list[tuple[dict[str, str], Callable[[], float]]]]] = {}

    def add(self, name: str, documentation: str, read: Callable[[], float], labels: dict[str, str]) -> None:
        self._gauges.setdefault(name, (documentation, []))[1].append((labels, read))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, (documentation, series) in self._gauges.items():
            family = GaugeMetricFamily(name, documentation, labels=list(series[0][0]))
            for labels, read in series:
                family.add_metric(list(labels.values()), read())
            yield family
