"""The vault on its own PostgreSQL (docs/decisions/0003-vault.md): what a service reaches it with, under its own role.

Keys are wrapped here, in the process, so the database never sees one. Calls are coalesced: everybody who asks while a batch is under
way goes together in the next, one round trip and one commit for all.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from hmac import digest as hmac_digest
from typing import Any

import asyncpg
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.batched import Shared
from foundation.cursor import Pool
from foundation.ids import random_id
from foundation.sealing import b64, framed, unb64
from foundation.tasks import end
from foundation.vault.cache import Freshness, Recent
from foundation.vault.masterkey import MasterKey, MasterKeyUnusable
from foundation.vault.port import (
    Erasure,
    ErasureRefused,
    Held,
    Key,
    KeyDestroyed,
    KeyMissing,
    KeyOf,
    Opening,
    PurposeForbidden,
    PurposeRule,
    Retained,
    Tombstone,
    VaultUnavailable,
    Withheld,
)
from foundation.vault.wrapping import INDEX_CONTEXT, Offer, Wrapping, key_context, random_keys, wrapping_context

STALE_SECONDS = 2.0
"""How long a process may go on using a remembered key after another process has erased it, at the most."""

_FORBIDDEN = "V0001"
_ATTEMPTS_MAX = 20

log = structlog.get_logger()


class PostgresVault:
    """The adapter. `start` before use, `close` after; several processes may use one vault at a time."""

    def __init__(
        self,
        dsn: str,
        master: MasterKey,
        *,
        connections: int = 4,
        remembered_max: int = 200_000,
        stale_seconds: float = STALE_SECONDS,
        timeout_seconds: float = 30,
    ) -> None:
        self._dsn, self._master, self._connections, self._timeout_seconds = dsn, master, connections, timeout_seconds
        self._pool: Pool | None = None
        self._loaded: Wrapping | None = None
        self._reloading = asyncio.Lock()
        self._fresh = Freshness(stale_seconds)
        self._by_owner: Recent[KeyOf, Key] = Recent(remembered_max)
        self._by_kid: Recent[str, Key | Tombstone | Withheld] = Recent(remembered_max)
        self._opened: dict[str, bool] = {}  # the purposes that this process has opened values of, and whether they are confidential
        self._make: Shared[KeyOf, Key] = Shared(self._keys_for)
        self._fetch: Shared[str, Key | Tombstone | Withheld] = Shared(self._keys)
        self._identify = Shared(self._persons)
        self._log_openings = Shared(self._record_openings, at_once=1)
        self._watching: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------------------ life

    async def start(self) -> None:
        """Connect and load the wrapping keys. Raises VaultUnavailable, MasterKeyUnusable."""
        async with _reaching():
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._connections,
                command_timeout=self._timeout_seconds,
                reset=_nothing,  # no session state is ever set, and a reset is one more round trip for every call
            )
        try:
            await self._reload()
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Forget the keys and close the connections."""
        if self._watching is not None:
            await end([self._watching])
        self._forget()
        self._loaded = None
        if self._pool is not None:
            await self._pool.close()

    @property
    def _wrapping(self) -> Wrapping:
        if self._loaded is None:
            raise VaultUnavailable("the vault has not been started")
        return self._loaded

    def _forget(self) -> None:
        self._fresh.end()
        self._by_owner.clear()
        self._by_kid.clear()
        self._opened.clear()

    async def _reload(self) -> None:
        """Make sure that this process is at the vault's epoch; what it remembers from another one is forgotten."""
        async with self._reloading:
            asked_at = time.monotonic()
            row = await self._fetchrow("select * from vault.wrapping_keys_v1()")
            if row is None:
                raise MasterKeyUnusable("this vault has not been prepared")
            if row["master"] != self._master.id:
                raise MasterKeyUnusable(f"this vault is wrapped by master key {row['master']}, and {self._master.id} was given")
            if self._loaded is None or row["epoch"] != self._loaded.epoch:
                self._forget()
                self._loaded = Wrapping(
                    row["epoch"],
                    {
                        bucket: AESGCM(self._master.unwrap(wrapped, *wrapping_context(bucket)))
                        for bucket, wrapped in zip(row["buckets"], row["wrapped"], strict=True)
                    },
                    self._master.unwrap(row["index_key"], *INDEX_CONTEXT),
                )
            self._fresh.confirm(asked_at)

    async def _watch(self) -> None:
        """Follow the epoch: told by NOTIFY, asked often enough that keys stay usable, and void when nobody answers."""
        every_seconds = self._fresh.seconds / 3
        moved = asyncio.Event()
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=self._timeout_seconds, command_timeout=self._timeout_seconds)
                try:
                    await connection.add_listener("vault", lambda *_: moved.set())
                    while True:
                        moved.clear()
                        asked_at = time.monotonic()
                        if await connection.fetchval("select vault.epoch_v1()") == self._wrapping.epoch:
                            self._fresh.confirm(asked_at)
                        else:
                            self._forget()
                            await self._reload()
                        with suppress(TimeoutError):
                            async with asyncio.timeout(every_seconds):
                                await moved.wait()
                finally:
                    connection.terminate()
            except (*_UNREACHABLE, VaultUnavailable, MasterKeyUnusable) as error:
                log.warning("vault out of reach", error=repr(error))
                await asyncio.sleep(every_seconds)

    # ------------------------------------------------------------------------------------------------ keys

    async def keys_for(self, wanted: Sequence[KeyOf]) -> Sequence[Key]:
        held = [self.held_for(one) for one in wanted]
        missing = [one for one, key in zip(wanted, held, strict=True) if key is None]
        made = iter(await self._make(missing))
        return [next(made) if key is None else key for key in held]

    def held_for(self, wanted: KeyOf) -> Key | None:
        return self._by_owner.get(wanted) if self._fresh.holds() else None

    async def _keys_for(self, wanted: list[KeyOf]) -> Sequence[Key | Exception]:
        asked = sorted({(one.owner, one.purpose, one.record or ""): one for one in wanted}.items())
        for _ in range(_ATTEMPTS_MAX):
            wrapping = self._wrapping
            offers = [Offer(wrapping, *which, random) for (which, _), random in zip(asked, random_keys(len(asked)), strict=True)]
            shares = [
                (offer.kid, subject)
                for (_, one), offer in zip(asked, offers, strict=True)
                if " " in offer.owner
                for subject in one.subjects
            ]
            rows = await self._fetchall(
                "select outcome, ordinal, kid, wrapped from vault.keys_for_v1($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                wrapping.epoch,
                [offer.kid for offer in offers],
                [offer.owner for offer in offers],
                [offer.purpose for offer in offers],
                [offer.record for offer in offers],
                [offer.bucket for offer in offers],
                [offer.wrapped for offer in offers],
                [kid for kid, _ in shares],
                [subject for _, subject in shares],
            )
            if not rows or rows[0]["outcome"] != "stale":
                break
            await self._reload()
        else:
            raise VaultUnavailable("the wrapping keys changed all the time")
        found: list[Key | Exception] = [Key(b64(offer.kid), offer.cipher, offer.purpose) for offer in offers]
        for row in rows:
            offer, place = offers[row["ordinal"] - 1], row["ordinal"] - 1
            if row["outcome"] == "refused":
                found[place] = KeyDestroyed(offer.owner, offer.purpose)
            elif row["outcome"] == "forbidden":
                found[place] = PurposeForbidden(offer.purpose)
            else:
                kid = b64(row["kid"])
                context = key_context(kid, offer.owner, offer.purpose, offer.record)
                found[place] = Key(kid, wrapping.opened(offer.bucket, row["wrapped"], context), offer.purpose)
        answers = {which: key for (which, _), key in zip(asked, found, strict=True)}
        if wrapping.epoch == self._wrapping.epoch:
            for (_, one), key in zip(asked, found, strict=True):
                if isinstance(key, Key):
                    self._by_owner.put(one, key)
                    # What was just sealed is opened next, by the views: no need to fetch what was made here.
                    if one.purpose in self._opened:
                        self._by_kid.put(key.kid, key._replace(confidential=self._opened[one.purpose]))
        return [answers[one.owner, one.purpose, one.record or ""] for one in wanted]

    async def keys(self, kids: Sequence[str]) -> Mapping[str, Key | Tombstone | Withheld]:
        found: dict[str, Key | Tombstone | Withheld] = {}
        missing: list[str] = []
        fresh = self._fresh.holds()
        for kid in set(kids):
            key = self._by_kid.get(kid) if fresh else None
            if key is None:
                missing.append(kid)
            else:
                found[kid] = key
        found.update(zip(missing, await self._fetch(missing), strict=True))
        return found

    async def _keys(self, kids: list[str]) -> Sequence[Key | Tombstone | Withheld | Exception]:
        raw = {unb64(kid): kid for kid in kids}
        for _ in range(_ATTEMPTS_MAX):
            wrapping = self._wrapping
            rows = await self._fetchall("select * from vault.keys_v1($1)", list(raw))
            if not rows or rows[0]["epoch"] == wrapping.epoch:
                break
            await self._reload()
        else:
            raise VaultUnavailable("the wrapping keys changed all the time")
        answers = {kid: _answer(wrapping, kid, row) for row in rows for kid in (raw[row["kid"]],)}
        if wrapping.epoch == self._wrapping.epoch:
            for kid, answer in answers.items():
                if not isinstance(answer, Exception):
                    self._by_kid.put(kid, answer)
                if isinstance(answer, Key):
                    self._opened[answer.purpose] = answer.confidential
        return [answers[kid] for kid in kids]

    async def record_openings(self, openings: Sequence[Opening]) -> None:
        await self._log_openings(openings)

    async def _record_openings(self, openings: list[Opening]) -> Sequence[None]:
        await self._fetchall(
            "select vault.record_openings_v1($1, $2, $3, $4)",
            [one.principal for one in openings],
            [unb64(one.kid) for one in openings],
            [one.purpose for one in openings],
            [one.event for one in openings],
        )
        return [None] * len(openings)

    # ------------------------------------------------------------------------------------------------ persons

    async def person(self, kind: str, number: str, *, issuer: str = "CN") -> str:
        return (await self._identify([(kind, number, issuer)]))[0]

    async def persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str]:
        return await self._identify(documents)

    async def _persons(self, documents: list[tuple[str, str, str]]) -> Sequence[str]:
        digests = [self._digest(*document) for document in documents]
        ordered = sorted(set(digests))  # in one order everywhere, so that two processes cannot wait for each other
        offered = [random_id() for _ in ordered]
        rows = await self._fetchall("select ordinal, person from vault.persons_v1($1, $2)", ordered, offered)
        for row in rows:
            offered[row["ordinal"] - 1] = row["person"]
        found = dict(zip(ordered, offered, strict=True))
        return [found[digest] for digest in digests]

    async def bind(self, person: str, kind: str, number: str, *, issuer: str = "CN") -> str:
        rows = await self._fetchall("select person from vault.persons_v1($1, $2)", [self._digest(kind, number, issuer)], [person])
        return person if not rows else str(rows[0]["person"])

    async def find_person(self, kind: str, number: str, *, issuer: str = "CN") -> str | None:
        row = await self._fetchrow("select person from vault.find_persons_v1($1)", [self._digest(kind, number, issuer)])
        return None if row is None else str(row["person"])

    async def find_persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str | None]:
        digests = [self._digest(*document) for document in documents]
        rows = await self._fetchall("select digest, person from vault.find_persons_v1($1)", digests)
        found = {row["digest"]: str(row["person"]) for row in rows}
        return [found.get(digest) for digest in digests]

    def _digest(self, kind: str, number: str, issuer: str) -> bytes:
        return hmac_digest(self._wrapping.index_key, framed(kind, issuer, number), "sha256")

    # ------------------------------------------------------------------------------------------------ restriction and erasure

    async def restrict(self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime) -> None:
        await self._fetchall("select vault.restrict_v1($1, $2, $3, $4)", subject, purposes, basis, at)
        await self._reload()

    async def lift(self, subject: str, *, purposes: Sequence[str] | None) -> None:
        await self._fetchall("select vault.lift_v1($1, $2)", subject, purposes)
        await self._reload()

    async def erase(
        self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime, ended_at: datetime | None = None
    ) -> Sequence[str]:
        rows = await self._fetchall("select * from vault.erase_v1($1, $2, $3, $4, $5)", subject, purposes, basis, at, ended_at)
        reasons: list[Retained | Held] = []
        for row in rows:
            if row["kind"] == "held":
                reasons.append(Held(row["purpose"], row["source"]))
            elif row["kind"] == "retained":
                reasons.append(Retained(row["purpose"], row["until"], row["source"]))
        if reasons:
            raise ErasureRefused(subject, reasons)
        await self._reload()
        return [b64(row["kid"]) for row in rows]

    async def purposes(self, at: datetime) -> Sequence[PurposeRule]:
        return [PurposeRule(*row) for row in await self._fetchall("select * from vault.purposes_v1($1)", at)]

    async def reapply(self, erasures: Sequence[Erasure]) -> Sequence[Erasure]:
        asked = [(one, purpose) for one in erasures for purpose in one.purposes]
        rows = await self._fetchall(
            "select ordinal from vault.forgotten_v1($1, $2)", [one.subject for one, _ in asked], [purpose for _, purpose in asked]
        )
        forgotten = list(dict.fromkeys(asked[row["ordinal"] - 1][0] for row in rows))
        for one in forgotten:
            await self._fetchall(
                "select vault.reapply_v1($1, $2, $3, $4, $5)",
                one.subject,
                one.purposes,
                one.basis,
                one.at,
                [unb64(kid) for kid in one.kids],
            )
        if forgotten:
            await self._reload()
        return forgotten

    # ------------------------------------------------------------------------------------------------ the database

    async def _fetchall(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        if self._pool is None:
            raise VaultUnavailable("the vault has not been started")
        async with _reaching():
            try:
                return await self._pool.fetch(query, *arguments)
            except asyncpg.PostgresConnectionError:
                # The server was restarted, and the pool is full of dead connections. Every call here may be repeated.
                await self._pool.expire_connections()
                return await self._pool.fetch(query, *arguments)

    async def _fetchrow(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        rows = await self._fetchall(query, *arguments)
        return rows[0] if rows else None


async def _nothing(_: Any) -> None:
    pass


_UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
)


@asynccontextmanager
async def _reaching() -> AsyncIterator[None]:
    """The database's errors in the vault's words."""
    try:
        yield
    except (*_UNREACHABLE, asyncpg.InsufficientResourcesError) as error:
        raise VaultUnavailable(f"the vault cannot be reached: {error!r}") from error
    except asyncpg.PostgresError as error:
        if error.sqlstate == _FORBIDDEN:
            raise PurposeForbidden(str(error)) from None
        raise


def _answer(wrapping: Wrapping, kid: str, row: asyncpg.Record) -> Key | Tombstone | Withheld | Exception:
    _, _, owner, purpose, record, bucket, wrapped, confidential, granted, ended_at, basis = row
    if owner is None:
        return KeyMissing(kid) if ended_at is None else Tombstone(kid, ended_at, basis)
    if not granted:
        return PurposeForbidden(purpose)
    if ended_at is not None:
        return Withheld(kid, ended_at, basis)
    return Key(kid, wrapping.opened(bucket, wrapped, key_context(kid, owner, purpose, record)), purpose, confidential)
