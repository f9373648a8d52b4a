"""Has a roster read in a process of its own (`reader`), under limits of memory and time.

The file goes in by a pipe and rows come out by a pipe: no plaintext touches a disk.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import orjson

from membership.rosters.rows import Person, Refused
from membership.rosters.sheet import FileRefused

_LINE_BYTES_MAX = 64 << 20


async def read(file: bytes, today: date) -> AsyncIterator[bytes]:
    """The rows of a roster, a thousand at a time, as `rows` reads them. Raises FileRefused; a reader that dies is a broken file."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "membership.rosters.reader", today.isoformat()),
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
