"""The OpenAPI document against what the service does: schemathesis looks for anything undocumented."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any

import pytest
import schemathesis
import uvicorn
from foundation.http.tokens import SigningKey
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from .sample import Sample, running


@pytest.fixture
def served(signing_key: SigningKey) -> Iterator[tuple[str, Sample]]:
    """The sample behind a real HTTP server, in a thread of its own."""
    up: Future[tuple[str, Sample, uvicorn.Server]] = Future()

    async def serve() -> None:
        async with running(signing_key, with_hidden=False) as sample:
            server = uvicorn.Server(uvicorn.Config(sample.http, port=0, http="httptools", log_config=None, access_log=False))
            serving = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            up.set_result((f"http://127.0.0.1:{port}", sample, server))
            await serving

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    url, sample, server = up.result(timeout=30)
    yield url, sample
    server.should_exit = True
    thread.join(timeout=30)


def test_every_route_documents_the_common_answers(served: tuple[str, Sample]) -> None:
    schema = served[1].http.openapi()
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert {"400", "401", "403", "404", "406", "413", "415", "422", "500", "503"} <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                assert status == "200" or list(answer["content"]) == ["application/problem+json"]
    write = schema["paths"]["/units/{unit}/notes/{note}/text"]["post"]
    assert {parameter["name"] for parameter in write["parameters"]} >= {"Idempotency-Key", "If-Match", "unit", "note"}
    assert set(write["responses"]["200"]["headers"]) == {"ETag", "Position"}
    assert {"409", "412"} <= set(write["responses"])
    assert "at_least" in {parameter["name"] for parameter in schema["paths"]["/notes/{note}"]["get"]["parameters"]}


def test_schemathesis_finds_nothing(served: tuple[str, Sample]) -> None:
    url, sample = served
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    # Whether a valid key, position, cursor or version is accepted depends on what happened before, which no schema says.
    [positive_data_acceptance] = schemathesis.checks.CHECKS.get_by_names(["positive_data_acceptance"])
    tried = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def probe(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers={"Authorization": sample.headers()["authorization"]}, excluded_checks=[positive_data_acceptance])

        probe()
    assert tried > 100
