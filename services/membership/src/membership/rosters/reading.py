"""Reads a roster in a process of its own, under limits of memory and time, and streams what it finds as lines of JSON.

The file goes in by a pipe and rows come out by a pipe: no plaintext touches a disk. `python -m membership.rosters.reading TODAY`.
"""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import date
from itertools import islice
from typing import Any

import orjson

from membership.rosters.rows import Person, Refused, people
from membership.rosters.sheet import FILE_BYTES_MAX, FileRefused, tables

MEMORY_BYTES_MAX = 3 << 30
SECONDS_MAX = 300
ROWS_AT_ONCE = 1_000
_LINE_BYTES_MAX = 64 << 20


async def read(file: bytes, today: date) -> AsyncIterator[bytes]:
    """The rows of a roster, a thousand at a time, as `rows` reads them. Raises FileRefused; a reader that dies is a broken file."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "membership.rosters.reading", today.isoformat()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Its errors could quote what it read.
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES_MAX,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the reader has no pipes")
    feeding = asyncio.create_task(_feed(process.stdin, file))
    try:
        finished = False
        async for line in process.stdout:
            if line.startswith(b"["):
                yield line
                continue
            message = orjson.loads(line)
            if "refused" in message:
                raise FileRefused(message["refused"], **message["arguments"])
            finished = True
            break
        if not finished:
            raise FileRefused("file-broken")
    finally:
        feeding.cancel()
        if process.returncode is None:
            process.kill()
        await asyncio.gather(feeding, return_exceptions=True)
        await process.wait()


async def _feed(pipe: asyncio.StreamWriter, file: bytes) -> None:
    try:
        pipe.write(file)
        await pipe.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has refused the file before it had read it all
    finally:
        pipe.close()


def rows(batch: bytes) -> list[Person | Refused]:
    """The rows of one batch."""
    return [_row(entry) for entry in orjson.loads(batch)]


def _row(entry: list[Any]) -> Person | Refused:
    if len(entry) == 4:
        row, rule, arguments, document = entry
        return Refused(row, rule, arguments, None if document is None else (document[0], document[1], document[2]))
    row, name, document, phone, sex, categories, details, joined_on = entry
    kind, number, issuer = document
    return Person(row, name, (kind, number, issuer), phone, sex, None if categories is None else tuple(categories), details, joined_on)


def _entry(row: Person | Refused) -> tuple[Any, ...]:
    if isinstance(row, Refused):
        return row.row, row.rule, row.arguments, row.document
    return row.row, row.name, row.document, row.phone, row.sex, row.categories, row.details, row.joined_on


def _messages(file: bytes, today: date) -> Iterator[list[tuple[Any, ...]] | dict[str, Any]]:
    """Batches of rows, then a word on how it ended."""
    try:
        found = people(tables(file), today)
        while batch := list(islice(found, ROWS_AT_ONCE)):
            yield [_entry(row) for row in batch]
    except FileRefused as refused:
        yield {"refused": refused.rule, "arguments": refused.arguments}
        return
    except (ValueError, MemoryError, OSError):
        yield {"refused": "file-broken", "arguments": {}}
        return
    yield {"end": True}


def main() -> None:
    """Read a file from standard input; its rows go to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    file = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
    for message in _messages(file, date.fromisoformat(sys.argv[1])):
        sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
