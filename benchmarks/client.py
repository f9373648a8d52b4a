"""A small HTTP/1.1 load generator over keep-alive connections: cheap enough that the server is what is measured."""

import asyncio
import time
from collections.abc import Callable, Mapping

import uvloop

from benchmarks.load import callers

CONNECTIONS = 64
WAIT_SECONDS = 60

Request = tuple[str, Mapping[str, str], bytes]


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer, which must carry its Content-Length."""
        lines = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        start = lowered.index(b"content-length:") + 15
        length = int(lowered[start : lowered.index(b"\r\n", start)])
        return int(head[9:12]), await self._reader.readexactly(length) if length else b""


async def connect(port: int) -> Connection:
    """A connection to a server on this machine, waiting until it listens. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return Connection(*await asyncio.open_connection("127.0.0.1", port))
            except OSError:
                await asyncio.sleep(0.05)


def load(port: int, requests: int, make: Callable[[int], Request]) -> dict[str, float]:
    """`requests` POSTs over CONNECTIONS connections after a warm-up of a tenth; each must be answered with 2xx."""

    async def run() -> dict[str, float]:
        connections = [await connect(port) for _ in range(CONNECTIONS)]
        prepared = [make(number) for number in range(requests + requests // 10)]

        async def one(caller: int, number: int) -> None:
            status, body = await connections[caller].post(*prepared[number])
            if not 200 <= status < 300:
                raise AssertionError(f"{status}: {body[:300]!r}")

        await callers(CONNECTIONS, requests // 10, lambda caller, number: one(caller, requests + number))
        began = time.perf_counter()
        figures = await callers(CONNECTIONS, requests, one)
        return figures | {"seconds": time.perf_counter() - began}

    return uvloop.run(run())
