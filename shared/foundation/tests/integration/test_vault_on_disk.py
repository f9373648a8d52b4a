"""After an erasure and a purge, no file of the vault's instance holds what was erased."""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hmac import digest as hmac_digest
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from foundation.sealing import b64, framed, unb64
from foundation.vault.keeper import INSTANCE_SETTINGS, Keeper, PurgeIncomplete
from foundation.vault.masterkey import MasterKey, unwrap
from foundation.vault.port import Key, KeyOf, Tombstone, VaultUnavailable
from foundation.vault.postgres import PostgresVault
from foundation.vault.wrapping import INDEX_CONTEXT, bucket_of, key_context, wrapping_context
from node.embedded.postgres import Postgres

from tests.support import as_role, started_postgres

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
NAME, PHONE, NUMBER = "欧阳金丝雀", "13900001234", "370902198001310019"


@pytest.fixture(scope="module")
def instance() -> Iterator[Postgres]:
    """A PostgreSQL that is run as the vault's is."""
    with started_postgres(INSTANCE_SETTINGS) as server:
        yield server


def found_in(folder: Path, needles: Mapping[str, bytes]) -> set[str]:
    """Which of the needles lie in any file below the folder."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {name for name, needle in needles.items() if needle in content}
    return found


async def secrets_of(dsn: str, master: MasterKey, kid: str) -> dict[str, bytes]:
    """What must not outlive the key: as its owner sees the vault before the erasure."""
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(
            "select k.*, w.wrapped as wrapping, s.index_key from vault.keys k join vault.wrapping_keys w using (bucket), vault.state s"
            " where kid = $1",
            unb64(kid),
        )
        assert row is not None
        wrapping = master.unwrap(row["wrapping"], *wrapping_context(row["bucket"]))
        raw = unwrap(AESGCM(wrapping), row["wrapped"], *key_context(b64(row["kid"]), row["owner"], row["purpose"], row["record"]))
        index_key = master.unwrap(row["index_key"], *INDEX_CONTEXT)
        return {
            "wrapped wrapping key": row["wrapping"],
            "blind index entry": hmac_digest(index_key, framed("id", "CN", NUMBER), "sha256"),
            "wrapping key": wrapping,
            "key": raw,
        }
    finally:
        await connection.close()


async def test_nothing_of_an_erased_person_is_left_on_the_disk(instance: Postgres, master: MasterKey) -> None:
    owner = instance.dsn()
    keeper = Keeper(owner, master)
    await keeper.prepare()
    await keeper.admit("membership", "pw", ["m"])
    role = as_role(owner, "membership", "pw")
    vault = PostgresVault(role, master)
    await vault.start()
    try:
        erased = await vault.person("id", NUMBER)
        survivor = next(str(n) for n in range(100_000) if bucket_of(str(n)) == bucket_of(erased))
        doomed, kept = await vault.keys_for([KeyOf((erased,), "m"), KeyOf((survivor,), "m")])
        await _search_rows(role, erased)
        needles = {
            "name": NAME.encode(),
            "phone": PHONE.encode(),
            "two letters": NAME[:2].encode(),
            "identity number": NUMBER.encode(),
            **await secrets_of(owner, master, doomed.kid),
        }
        admin = await asyncpg.connect(owner)
        await admin.execute("checkpoint")
        # What is looked for is there to be found, and what must never be on the disk is not there even now.
        assert found_in(instance.folder, needles) == {"name", "phone", "two letters", "blind index entry", "wrapped wrapping key"}
        # The planner's statistics quote it too: a purge that forgot them would be seen.
        assert await admin.fetchval("select count(*) from pg_stats where most_common_vals::text like $1", f"%{NAME[:2]}%")

        assert await vault.erase(erased, purposes=None, basis="asked for", at=NOW) == [doomed.kid]
        assert (await keeper.purge()).waiting == 1
        purged = await keeper.purge(settled_seconds=0)
        assert (purged.erasures, purged.waiting) == (1, 0)
        assert found_in(instance.folder, needles) == set()

        answers = await vault.keys([doomed.kid, kept.kid])
        assert answers[doomed.kid] == Tombstone(doomed.kid, NOW, "asked for")
        survived = answers[kept.kid]
        assert isinstance(survived, Key)
        assert survived.cipher.decrypt(bytes(12), kept.cipher.encrypt(bytes(12), b"x", b""), b"") == b"x"
        await vault.keys_for([KeyOf(("new",), "m")])
        assert (await keeper.purge(settled_seconds=0)).tables_rewritten == 0
        await admin.close()
    finally:
        await vault.close()


async def _search_rows(dsn: str, person: str) -> None:
    """Search tables as a service makes them, of a thousand people, one of them to be erased; changed and analysed on the way."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "create table people_1_1 (person text primary key, name text not null, phone text);"
            "create index on people_1_1 (name);"
            "create table grams_1_1 (gram text, person text, place integer, primary key (gram, person, place))"
        )
        rows = [(f"{n}", f"name {n}", f"{n}") for n in range(1_000)]
        await connection.executemany("insert into people_1_1 values ($1, $2, $3)", [*rows, (person, NAME, None)])
        await connection.execute("update people_1_1 set phone = $2 where person = $1", person, PHONE)
        grams = [(f"g{n}", f"{n}", 0) for n in range(1_000)] + [(NAME[:2], person, n) for n in range(100)]
        await connection.executemany("insert into grams_1_1 values ($1, $2, $3)", grams)
        await connection.execute("analyze people_1_1; analyze grams_1_1")
    finally:
        await connection.close()


async def test_keys_outlive_a_crash_and_purges_under_load(instance: Postgres, master: MasterKey) -> None:
    admin = await asyncpg.connect(instance.dsn())
    await admin.execute("create database crash")
    await admin.close()
    keeper = Keeper(instance.dsn("crash"), master)
    await keeper.prepare()
    vault = PostgresVault(instance.dsn("crash"), master)
    await vault.start()
    made: list[str] = []

    async def make(caller: int) -> None:
        for n in range(40):
            made.extend(key.kid for key in await vault.keys_for([KeyOf((f"{caller}-{n}",), "m")]))

    async def erase_and_purge() -> None:
        for n in range(5):
            await vault.erase(f"gone{n}", purposes=None, basis="asked for", at=NOW)
            await vault.keys_for([KeyOf((f"late{n}",), "m")])
            await vault.erase(f"late{n}", purposes=None, basis="asked for", at=NOW)
            assert (await keeper.purge(settled_seconds=0)).buckets == 1

    await asyncio.gather(*(make(caller) for caller in range(8)), erase_and_purge())
    instance.stop(how=signal.SIGKILL)
    with pytest.raises(VaultUnavailable):
        await vault.keys_for([KeyOf(("somebody",), "m")])
    instance.start()
    found = await vault.keys(made)
    assert all(isinstance(key, Key) for key in found.values())
    await vault.close()


async def test_a_purge_is_refused_where_the_instance_keeps_old_bytes(vault_dsn: str, master: MasterKey) -> None:
    with pytest.raises(PurgeIncomplete, match="wal_recycle"):
        await Keeper(vault_dsn, master).purge()
