"""What is logged, traced and measured, and what is not."""

import asyncio
import io
import json
import logging

import pytest
import structlog
from foundation.http.tokens import SigningKey
from foundation.telemetry import Metrics, Traces, trace_of
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .sample import Sample, running

CANARIES = ("张三丰", "370902198801011234", "13800138000", "canary")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def assert_clean(text: str) -> None:
    for canary in CANARIES:
        assert canary not in text
        assert json.dumps(canary)[1:-1] not in text


async def test_requests_leave_no_personal_data_in_the_log(sample: Sample, logged: io.StringIO) -> None:
    body = {"text": "canary 张三丰 370902198801011234"}
    await sample.client.post("/units/370902/notes/one/text", json=body, headers=sample.headers(idempotency_key="canary-13800138000"))
    await sample.client.get("/notes/one?q=canary&cursor=张三丰", headers=sample.headers(user_agent="canary"))
    await sample.client.get("/canary/370902198801011234")
    await sample.client.get("/bug")
    text = logged.getvalue()
    assert_clean(text)
    found = lines(logged)
    assert [line["route"] for line in found if line["event"] == "request"] == [
        "/units/{unit}/notes/{note}/text",
        "/notes/{note}",
        "(no route)",
        "/bug",
    ]
    [bug] = [line for line in found if line["event"] == "request failed"]
    assert bug["error"] == "ValueError"
    assert any("sample.py" in frame for frame in bug["frames"])  # type: ignore[attr-defined]
    assert all(len(str(line["trace"])) == 32 for line in found)


def test_a_key_that_is_not_listed_is_withheld(logged: io.StringIO) -> None:
    structlog.get_logger().info("admitted", name="canary", stream="member-1", count=370902198801011234, kind="张三丰", port=8701)
    structlog.get_logger().error("refused", error=repr(ValueError("canary")))
    line, error = lines(logged)
    assert error["error"] == "ValueError"
    assert (line["name"], line["stream"], line["count"], line["kind"], line["port"]) == (
        "withheld",
        "member-1",
        "withheld",
        "withheld",
        8701,
    )


def test_libraries_are_logged_by_their_templates(logged: io.StringIO) -> None:
    logging.getLogger("asyncpg").warning("row %s refused after %d tries", "canary", 3)
    try:
        raise ValueError("canary")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("failed")
    first, second = lines(logged)
    assert first["event"] == "row ? refused after 3 tries"
    assert second["error"] == "ValueError"
    assert_clean(logged.getvalue())


async def test_a_task_that_failed_unseen_does_not_log_what_it_failed_with(logged: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError("canary")

    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_exception_handler({"message": "Task exception was never retrieved", "exception": ValueError("canary"), "future": future})
    future.cancel()
    assert lines(logged)
    assert_clean(logged.getvalue())


@pytest.mark.parametrize("bad", [None, b"", b"00-1-2-3", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01", b"\xff" * 55])
def test_a_bad_traceparent_is_a_new_trace(bad: bytes | None) -> None:
    trace, parent, _ = trace_of(bad)
    assert len(trace) == 32
    assert parent is None


async def test_a_command_is_one_trace_and_its_record_carries_it(signing_key: SigningKey) -> None:
    exporter = InMemorySpanExporter()
    traces = Traces("notes", processor=SimpleSpanProcessor(exporter))
    trace, parent = "ab" * 16, "12" * 8
    async with running(signing_key, traces=traces) as sample:
        headers = sample.headers(idempotency_key="k", traceparent=f"00-{trace}-{parent}-01")
        await sample.client.post("/units/370902/notes/one/text", json={"text": "canary"}, headers=headers)
        [recorded] = await sample.application.store.read(-1)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    server, command = spans["HTTP POST"], spans["command"]
    assert {f"{span.context.trace_id:032x}" for span in (server, command)} == {trace}
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == parent
    assert command.parent is not None
    assert command.parent.span_id == server.context.span_id
    assert json.loads(recorded.record)["correlationid"] == trace
    assert_clean(str([span.to_json() for span in spans.values()]))


def test_a_batch_links_to_the_conversations_it_works_for() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces("notes", processor=SimpleSpanProcessor(exporter))
    with traces.span("relay", links=["cd" * 16, "cd" * 16, "not a trace"], records=3):
        pass
    [span] = exporter.get_finished_spans()
    assert [f"{link.context.trace_id:032x}" for link in span.links] == ["cd" * 16]


def test_two_services_do_not_share_metrics() -> None:
    one, two = Metrics("one"), Metrics("two")
    one.request("/a", "GET", 200, 0.1)
    one.gauge("lag", "Lag", lambda: 3, consumer="x")
    assert b'route="/a"' in one.exposition()
    assert b'tongxin_lag{consumer="x"} 3.0' in one.exposition()
    assert b'route="/a"' not in two.exposition()
