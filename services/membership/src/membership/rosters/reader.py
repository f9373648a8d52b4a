"""The process that reads one roster, under limits of memory and time: the file comes in by a pipe, its rows go out as lines of JSON.

`python -m membership.rosters.reader TODAY`. It imports little, because somebody waits for it to start.
"""

import resource
import sys
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any

import orjson

from membership.rosters.rows import Person, Refused, people
from membership.rosters.sheet import FILE_BYTES_MAX, FileRefused, tables

MEMORY_BYTES_MAX = 3 << 30
SECONDS_MAX = 300
ROWS_AT_ONCE = 1_000


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
