"""Read models of which each row is the fold of one thing's events: the rows that a batch touches are read, moved on, and written back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from foundation.cursor import Connection
from foundation.history import Happened

Row: TypeAlias = dict[str, Any]


async def fold_rows(
    connection: Connection,
    table: str,
    columns: Mapping[str, str],
    batch: Sequence[Happened],
    *,
    change: Callable[[dict[str, Row], Happened], None],
    keys: Callable[[Happened], Sequence[str]],
) -> None:
    """`columns`: names and SQL types, the key first. `change` moves the rows, by key, on by one event; a row taken out is deleted."""
    key = next(iter(columns))
    touched = list(dict.fromkeys(one for happened in batch for one in keys(happened)))
    found = await connection.fetch(f"select {', '.join(columns)} from {table} where {key} = any ($1)", touched)  # noqa: S608 - our own names
    rows = {row[key]: dict(row) for row in found}
    for happened in batch:
        change(rows, happened)
    await connection.execute(f"delete from {table} where {key} = any ($1)", touched)  # noqa: S608
    if rows:
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1))
        await connection.execute(
            f"insert into {table} ({', '.join(columns)}) select * from unnest({arrays})",  # noqa: S608
            *([row[name] for row in rows.values()] for name in columns),
        )


def table_columns(columns: Mapping[str, str]) -> str:
    """The columns as `create table` takes them, the key first."""
    key, *_ = columns
    return f"{', '.join(f'{name} {kind}' for name, kind in columns.items())}, primary key ({key})"
