"""Rosters under way, in the service's database: their progress, their sealed file and rows, what was found. No plaintext about anybody."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import orjson
from foundation.cursor import Pool
from foundation.vault.port import Key, KeyOf, Vault

PURPOSE = "roster"
"""Of the keys that seal files; such a key is destroyed once its roster has been applied."""

PART_BYTES = 1 << 20
NONCE_BYTES = 12

STAGES = ("checking", "checked", "applying", "applied", "refused", "expired", "failed")
RESUMED = ("checking", "applying")
"""Stages that go on by themselves after a restart."""

ANEW = ("refused", "expired", "failed")
"""Stages from which the same file, sent again, is looked at anew."""


@dataclass(frozen=True, slots=True)
class Work:
    """How far a roster has come."""

    roster: str
    organisation: str
    digest: str
    complete: bool
    principal: str
    file: str
    """Whose key seals the file."""

    stage: str
    received_at: datetime
    rows: int
    done: int
    counts: Mapping[str, int]
    rule: str | None
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the dry run found: a row and what it means, or a member (row 0) whom a complete roster does not name."""

    kind: str
    row: int
    person: str = ""
    rule: str | None = None
    arguments: Mapping[str, Any] | None = None


class Works:
    """The tables `roster_work`, `roster_files`, `roster_rows` and `roster_findings`."""

    def __init__(self, pool: Pool, vault: Vault) -> None:
        self._pool, self._vault = pool, vault

    async def read(self, roster: str) -> Work | None:
        """A roster's work."""
        rows = await self._pool.fetch(f"select {_COLUMNS} from roster_work where roster = $1", roster)  # noqa: S608 - our own columns
        return _work(rows[0]) if rows else None

    async def in_stage(self, stages: Sequence[str], *, before: datetime | None = None) -> list[Work]:
        """Every roster in one of these stages, received before a moment."""
        rows = await self._pool.fetch(
            f"select {_COLUMNS} from roster_work where stage = any ($1) and ($2::timestamptz is null or received_at < $2)",  # noqa: S608
            *(list(stages), before),
        )
        return [_work(row) for row in rows]

    async def dealt_with(self) -> list[Work]:
        """Every applied roster whose file is still there: the process ended between applying it and forgetting its file."""
        rows = await self._pool.fetch(
            f"select {_COLUMNS} from roster_work where stage = 'applied' and roster in (select roster from roster_files)"  # noqa: S608
        )
        return [_work(row) for row in rows]

    async def begin(self, work: Work, file: bytes) -> None:
        """Keep a roster's file, sealed, and its work; what was there of an earlier try goes."""
        key = await self._key(work.file)
        parts = [file[at : at + PART_BYTES] for at in range(0, len(file), PART_BYTES)]
        async with self._pool.acquire() as connection, connection.transaction():
            for table in ("roster_findings", "roster_rows", "roster_files", "roster_work"):
                await connection.execute(f"delete from {table} where roster = $1", work.roster)  # noqa: S608
            await connection.execute(
                "insert into roster_work (roster, organisation, digest, complete, principal, file, stage, received_at)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8)",
                *(work.roster, work.organisation, work.digest, work.complete, work.principal, work.file, work.stage, work.received_at),
            )
            for number, part in enumerate(parts):
                sealed = _sealed(key, part, _part(work.roster, number, len(parts)))
                await connection.execute("insert into roster_files (roster, part, sealed) values ($1, $2, $3)", work.roster, number, sealed)

    async def file(self, work: Work) -> bytes:
        """A roster's file, opened. Raises LookupError where it is gone, InvalidTag where it was tampered with."""
        roster = work.roster
        rows = await self._pool.fetch("select sealed from roster_files where roster = $1 order by part", roster)
        if not rows:
            raise LookupError(f"the file of roster {roster} is gone")
        key = await self._key(work.file)
        return b"".join(_opened(key, row["sealed"], _part(roster, number, len(rows))) for number, row in enumerate(rows))

    async def keep_rows(self, work: Work, batch: int, rows: bytes) -> None:
        """Keep what was read of a roster's file, sealed, a batch at a time from 0; read again, it takes the place of what was there."""
        await self._pool.execute(
            "insert into roster_rows (roster, batch, sealed) values ($1, $2, $3)"
            " on conflict (roster, batch) do update set sealed = excluded.sealed",
            *(work.roster, batch, _sealed(await self._key(work.file), rows, _batch(work.roster, batch))),
        )

    async def rows(self, work: Work) -> AsyncIterator[bytes]:
        """The batches of a roster's rows, opened, in order. Raises InvalidTag where one was tampered with."""
        for batch in count():
            sealed = await self._pool.fetchval("select sealed from roster_rows where roster = $1 and batch = $2", work.roster, batch)
            if sealed is None:
                return
            yield _opened(await self._key(work.file), sealed, _batch(work.roster, batch))

    async def forget_file(self, work: Work, *, at: datetime) -> None:
        """Destroy the key of a roster's file and rows, so that no backup holds them readable, and delete them: the file last, so that
        what is left shows."""
        await self._vault.erase(work.file, purposes=[PURPOSE], basis="the roster has been dealt with", at=at)
        await self._pool.execute("delete from roster_rows where roster = $1", work.roster)
        await self._pool.execute("delete from roster_files where roster = $1", work.roster)

    async def found(self, roster: str, findings: Iterable[Finding]) -> None:
        """Add findings; told twice they are there once."""
        rows = list(findings)
        await self._pool.execute(
            "insert into roster_findings (roster, kind, row, person, rule, arguments)"
            " select $1, k, r, p, u, a::jsonb from unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[]) o (k, r, p, u, a)"
            " on conflict do nothing",
            roster,
            *([getattr(row, column) for row in rows] for column in ("kind", "row", "person", "rule")),
            [None if row.arguments is None else orjson.dumps(row.arguments).decode() for row in rows],
        )

    async def findings(self, roster: str, kinds: Sequence[str], *, after: tuple[int, str], limit: int) -> list[Finding]:
        """Findings of these kinds in the order of rows, after a row and person."""
        rows = await self._pool.fetch(
            "select kind, row, person, rule, arguments from roster_findings"
            " where roster = $1 and kind = any ($2) and (row, person) > ($3, $4) order by row, person limit $5",
            *(roster, list(kinds), *after, limit),
        )
        return [Finding(row["kind"], row["row"], row["person"], row["rule"], orjson.loads(row["arguments"] or "{}")) for row in rows]

    async def progress(self, roster: str, done: int, counts: Counter[str]) -> None:
        """Say how far it is."""
        await self._pool.execute(
            "update roster_work set done = $2, counts = $3::jsonb where roster = $1", roster, done, orjson.dumps(counts).decode()
        )

    async def stage(
        self,
        roster: str,
        stage: str,
        *,
        counts: Counter[str] | None = None,
        rows: int | None = None,
        rule: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Enter a stage. A new stage that counts nothing yet begins at row 0."""
        await self._pool.execute(
            "update roster_work set stage = $2, counts = $3::jsonb, rows = coalesce($4, rows), done = coalesce($4, 0), rule = $5,"
            " arguments = $6::jsonb where roster = $1",
            *(roster, stage, orjson.dumps(counts or {}).decode(), rows, rule, orjson.dumps(arguments or {}).decode()),
        )

    async def _key(self, file: str) -> Key:
        (key,) = await self._vault.keys_for([KeyOf((file,), PURPOSE)])
        return key


_COLUMNS = "roster, organisation, digest, complete, principal, file, stage, received_at, rows, done, counts, rule, arguments"


def _work(row: Any) -> Work:
    values = dict(row)
    return Work(**(values | {"counts": orjson.loads(values["counts"]), "arguments": orjson.loads(values["arguments"] or "{}")}))


def _part(roster: str, part: int, parts: int) -> bytes:
    return f"roster {roster} {part} of {parts}".encode()


def _batch(roster: str, batch: int) -> bytes:
    return f"rows of roster {roster} {batch}".encode()


def _sealed(key: Key, plain: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.cipher.encrypt(nonce, plain, context)


def _opened(key: Key, sealed: bytes, context: bytes) -> bytes:
    return key.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
