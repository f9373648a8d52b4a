"""What the vault's owner does: prepare it, admit services, set rules, give up what is lost, purge after erasures, rotate the master key.

Everything here needs the vault instance's superuser; services never have it (docs/decisions/0003-vault.md).
"""

import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.migrations import migrate
from foundation.sealing import KEY_BYTES, b64, unb64
from foundation.vault.masterkey import MasterKey, MasterKeyUnusable, unwrap, wrap
from foundation.vault.port import EVERY_PURPOSE
from foundation.vault.wrapping import BUCKETS, INDEX_CONTEXT, key_context, wrapping_context

MIGRATIONS = files("foundation.vault") / "migrations"

INSTANCE_SETTINGS = MappingProxyType(
    {
        "wal_recycle": "off",  # a recycled segment keeps its old bytes until they are written over
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "archive_mode": "off",
        "log_statement": "none",
        "log_min_error_statement": "panic",  # no statement, and so no value, in the server's log
        "log_error_verbosity": "terse",  # no DETAIL either: it quotes rows
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }
)
"""How the vault's PostgreSQL is run. `purge` refuses where bytes would outlive it."""

SETTLED_SECONDS = 60.0
"""How old an erasure is when a purge takes it up: by then nobody writes any more what was opened before."""

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")

_MISSING = """
    select distinct w.kid from unnest($1::bytea[]) w(kid)
    where not exists (select from vault.keys k where k.kid = w.kid)
      and not exists (select from vault.tombstones t where t.kid = w.kid)
"""
if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


class PurgeIncomplete(Exception):
    """Something keeps old bytes on the disk: the sentence says what. The erasures stay listed and the next purge takes them up."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did; `waiting` erasures had not settled and are for the next."""

    erasures: int
    waiting: int
    keys_rewrapped: int
    buckets: int
    tables_rewritten: int


class Keeper:
    """The owner's tasks on one vault, each on a connection of its own."""

    def __init__(self, dsn: str, master: MasterKey) -> None:
        self._dsn, self._master = dsn, master

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator["Connection"]:
        connection = await asyncpg.connect(self._dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def prepare(self) -> None:
        """Apply the migrations and, the first time, make the wrapping keys and the index key. Raises MasterKeyUnusable for another key."""
        await migrate(self._dsn, MIGRATIONS)
        async with self._connected() as connection, connection.transaction():
            await connection.execute("select vault.sole_lock()")
            master = await connection.fetchval("select master from vault.state")
            if master == self._master.id:
                return
            if master is not None:
                raise MasterKeyUnusable(f"this vault is wrapped by master key {master}, and {self._master.id} was given")
            index_key = self._master.wrap(os.urandom(KEY_BYTES), *INDEX_CONTEXT)
            await connection.execute("insert into vault.state (master, epoch, index_key) values ($1, 0, $2)", self._master.id, index_key)
            await connection.executemany(
                "insert into vault.wrapping_keys (bucket, wrapped) values ($1, $2)",
                [(bucket, self._master.wrap(os.urandom(KEY_BYTES), *wrapping_context(bucket))) for bucket in range(BUCKETS)],
            )

    async def admit(self, role: str, password: str, purposes: Sequence[str]) -> None:
        """Let a service in: a role that may use these purposes and owns the schema `search_<role>`, where its search tables go."""
        if not _NAME.match(role):
            raise ValueError(f"{role!r} is not a role's name")
        async with self._connected() as connection, connection.transaction():
            if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role):
                await connection.execute(f'create role "{role}" login')
            quoted = await connection.fetchval("select quote_literal($1)", password)
            database = await connection.fetchval("select quote_ident(current_database())")
            await connection.execute(f'alter role "{role}" password {quoted}')
            await connection.execute(f"revoke connect, temporary on database {database} from public")
            await connection.execute(f'grant connect on database {database} to "{role}"')
            await connection.execute(f'create schema if not exists "search_{role}" authorization "{role}"')
            await connection.execute(f'alter role "{role}" in database {database} set search_path = "search_{role}"')
            await connection.execute("delete from vault.grants where role = $1", role)
            await connection.executemany("insert into vault.grants (role, purpose) values ($1, $2)", [(role, one) for one in purposes])

    # ------------------------------------------------------------------------------------------------ rules

    async def flag_confidential(self, purpose: str) -> None:
        """From now on, every opening under this purpose is recorded."""
        async with self._connected() as connection, connection.transaction():
            await connection.execute(
                "insert into vault.purposes (purpose, confidential) values ($1, true)"
                " on conflict (purpose) do update set confidential = true",
                purpose,
            )
            await connection.execute("select vault.new_epoch()")

    async def retain(self, purpose: str, keep_days: int, source: str, *, since: date = date.min, in_use: bool = False) -> None:
        """From `since` on, keys of this purpose are kept so long after the purpose ended; `source` is the rule's.

        `in_use`: the law has them not only kept but read, so that a restriction leaves them as they are.
        """
        async with self._connected() as connection:
            await connection.execute(
                "insert into vault.retentions (purpose, keep_days, source, since, in_use) values ($1, $2, $3, $4, $5)"
                " on conflict (purpose, since) do update set keep_days = excluded.keep_days, source = excluded.source,"
                " in_use = excluded.in_use",
                *(purpose, keep_days, source, since, in_use),
            )

    async def hold(self, subject: str, reference: str, *, purpose: str = EVERY_PURPOSE) -> None:
        """A legal hold: nothing of this is destroyed until it is released."""
        async with self._connected() as connection:
            await connection.execute(
                "insert into vault.holds (subject, purpose, reference, since)"
                " values ($1, $2, $3, clock_timestamp()) on conflict do nothing",
                *(subject, purpose, reference),
            )

    async def release(self, subject: str, reference: str) -> None:
        """End a hold."""
        async with self._connected() as connection:
            await connection.execute("delete from vault.holds where subject = $1 and reference = $2", subject, reference)

    async def rotate_master(self, new: MasterKey) -> None:
        """Wrap everything under another master key, in one transaction; services then need the new one.

        The old wrappings are listed for the next purge, after which the old master key opens nothing that is left on the disk.
        """
        async with self._connected() as connection, connection.transaction():
            await connection.execute("select vault.sole_lock()")
            row = await connection.fetchrow("select * from vault.wrapping_keys_v1()")
            if row is None or row["master"] != self._master.id:
                raise MasterKeyUnusable(f"this vault is not wrapped by master key {self._master.id}")
            await connection.executemany(
                "update vault.wrapping_keys set wrapped = $2 where bucket = $1",
                [
                    (bucket, new.wrap(self._master.unwrap(wrapped, *wrapping_context(bucket)), *wrapping_context(bucket)))
                    for bucket, wrapped in zip(row["buckets"], row["wrapped"], strict=True)
                ],
            )
            index_key = new.wrap(self._master.unwrap(row["index_key"], *INDEX_CONTEXT), *INDEX_CONTEXT)
            await connection.execute("update vault.state set master = $1, index_key = $2", new.id, index_key)
            await connection.execute("insert into vault.spoiled (bucket) select bucket from vault.wrapping_keys on conflict do nothing")
            await connection.execute("select vault.new_epoch()")
        self._master = new

    # ------------------------------------------------------------------------------------------------ losses

    async def missing(self, kids: Sequence[str]) -> list[str]:
        """Which of these the vault has neither as keys nor as tombstones: an older copy of it was put in its place."""
        async with self._connected() as connection:
            rows = await connection.fetch(_MISSING, [unb64(kid) for kid in kids])
            return [b64(row["kid"]) for row in rows]

    async def give_up(self, kids: Sequence[str], basis: str) -> int:
        """Those of these that are missing are lost for good: what was sealed under them is read as erased from now on.

        Returns how many. Their tombstones name nobody, for whose they were is no more known here. A vault that has them may still be put
        in this one's place.
        """
        async with self._connected() as connection, connection.transaction():
            await connection.execute("select vault.sole_lock()")
            given_up = await connection.fetch(
                f"insert into vault.tombstones (kid, subject, destroyed_at, basis) select kid, '', clock_timestamp(), $2"  # noqa: S608
                f" from ({_MISSING}) m returning kid",
                *([unb64(kid) for kid in kids], basis),
            )
            if given_up:
                await connection.execute("select vault.new_epoch()")
        return len(given_up)

    # ------------------------------------------------------------------------------------------------ purge

    async def waiting(self, *, settled_seconds: float = SETTLED_SECONDS) -> bool:
        """Whether there is anything for a purge: an erasure that has settled, or a wrapping key to be replaced."""
        async with self._connected() as connection:
            found: bool = await connection.fetchval(
                "select exists (select from vault.spoiled) or exists (select from vault.erasures where not is_purged"
                " and recorded_at <= clock_timestamp() - make_interval(secs => $1))",
                settled_seconds,
            )
            return found

    async def purge(self, *, settled_seconds: float = SETTLED_SECONDS) -> Purged:
        """Make what was erased unrecoverable from this instance's disk, for all erasures that have settled, at once.

        Survivors are re-wrapped and the old wrapping keys go; what held plaintext or index entries is rewritten; the write-ahead log
        before it is removed. Search tables are locked while they are rewritten. Raises PurgeIncomplete.
        """
        async with self._connected() as connection:
            await _assert_scrubbable(connection)
            async with connection.transaction():
                await connection.execute("select vault.sole_lock()")
                settled = await connection.fetch(
                    "select subject, purpose from vault.erasures"
                    " where not is_purged and recorded_at <= clock_timestamp() - make_interval(secs => $1)",
                    settled_seconds,
                )
                spoiled = [row["bucket"] for row in await connection.fetch("select bucket from vault.spoiled")]
                for row in settled:
                    # Once more: a process may have written what it had opened just before the erasure.
                    await connection.execute("select vault.delete_search_rows(array[$1], array[$2])", row["subject"], row["purpose"])
                rewrapped = await self._rewrap(connection, spoiled)
            tables = await self._scrub(connection) if settled or spoiled else 0
            async with connection.transaction():
                await connection.execute("delete from vault.spoiled where bucket = any ($1)", spoiled)
                await connection.executemany(
                    "update vault.erasures set is_purged = true where subject = $1 and purpose = $2",
                    [(row["subject"], row["purpose"]) for row in settled],
                )
            waiting = await connection.fetchval("select count(*) from vault.erasures where not is_purged")
        return Purged(len(settled), waiting, rewrapped, len(spoiled), tables)

    async def _scrub(self, connection: "Connection") -> int:
        """Rewrite every relation that may hold old bytes, and remove the write-ahead log before. Returns how many tables."""
        tables = await connection.fetch(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema)'"
            " and (n.nspname <> 'vault' or c.relname in ('state', 'wrapping_keys', 'documents'))"
        )
        for (table,) in tables:
            await connection.execute(f"vacuum (full, analyze) {table}")
        # The planner's statistics quote values.
        await connection.execute("vacuum (full) pg_catalog.pg_statistic")
        # A checkpoint removes the segments before the one it starts in, and that one has to be new.
        await connection.execute("select pg_switch_wal()")
        await connection.execute("checkpoint")
        return len(tables)

    async def _rewrap(self, connection: "Connection", buckets: Sequence[int]) -> int:
        fresh: dict[int, AESGCM] = {}
        stale: dict[int, AESGCM] = {}
        for row in await connection.fetch("select bucket, wrapped from vault.wrapping_keys where bucket = any ($1)", buckets):
            bucket, raw = row["bucket"], os.urandom(KEY_BYTES)
            stale[bucket] = AESGCM(self._master.unwrap(row["wrapped"], *wrapping_context(bucket)))
            fresh[bucket] = AESGCM(raw)
            wrapped = self._master.wrap(raw, *wrapping_context(bucket))
            await connection.execute("update vault.wrapping_keys set wrapped = $2 where bucket = $1", bucket, wrapped)
        survivors = await connection.fetch(
            "select kid, owner, purpose, record, bucket, wrapped from vault.keys where bucket = any ($1)", buckets
        )
        rewrapped = []
        for row in survivors:
            context = key_context(b64(row["kid"]), row["owner"], row["purpose"], row["record"])
            rewrapped.append(wrap(fresh[row["bucket"]], unwrap(stale[row["bucket"]], row["wrapped"], *context), *context))
        await connection.execute(
            "update vault.keys k set wrapped = w.wrapped from unnest($1::bytea[], $2::bytea[]) w(kid, wrapped) where k.kid = w.kid",
            [row["kid"] for row in survivors],
            rewrapped,
        )
        await connection.execute("select vault.new_epoch()")
        return len(survivors)


async def _assert_scrubbable(connection: "Connection") -> None:
    if await connection.fetchval("show wal_recycle") != "off":
        raise PurgeIncomplete("wal_recycle is on: old segments are kept under new names")
    if await connection.fetchval("show archive_mode") != "off":
        raise PurgeIncomplete("archive_mode is on: archived segments hold what was erased")
    slots = await connection.fetchval("select count(*) from pg_replication_slots")
    if slots or await connection.fetchval("show wal_keep_size") != "0":
        raise PurgeIncomplete("replication slots or wal_keep_size hold old segments back")
