"""What only a vault on PostgreSQL can get wrong: processes, crashes, roles, stale memory, master keys."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import ANY

import asyncpg
import pytest
from foundation.sealing import b64
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey, MasterKeyUnusable
from foundation.vault.port import Key, KeyDestroyed, KeyMissing, KeyOf, Opening, PurposeForbidden, Tombstone, VaultUnavailable
from foundation.vault.postgres import PostgresVault

from tests.support import PATIENCE_SECONDS, as_role

from .following import until

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ANN, BEA = "a" * 32, "b" * 32


@asynccontextmanager
async def opened(dsn: str, master: MasterKey, *, stale_seconds: float = 2.0) -> AsyncIterator[PostgresVault]:
    vault = PostgresVault(dsn, master, stale_seconds=stale_seconds)
    await vault.start()
    try:
        yield vault
    finally:
        await vault.close()


async def test_processes_agree_on_every_key_and_person(vault_dsn: str, master: MasterKey) -> None:
    async with opened(vault_dsn, master) as one, opened(vault_dsn, master) as other:
        wanted = [KeyOf((f"{n}",), "m") for n in range(3_000)] + [KeyOf((f"{n}", ANN), "case", f"r{n}") for n in range(50)]
        documents = [("id", f"{n}", "CN") for n in range(5_000)]
        # In opposite orders, at the same time: neither may wait for a row of the other while the other waits for one of its own.
        keys = await asyncio.gather(one.keys_for(wanted), other.keys_for(wanted[::-1]))
        persons = await asyncio.gather(one.persons(documents), other.persons(documents[::-1]))
    assert [key.kid for key in keys[0]] == [key.kid for key in keys[1]][::-1]
    assert persons[0] == persons[1][::-1]


async def test_an_erasure_reaches_the_memory_of_other_processes(vault_dsn: str, master: MasterKey) -> None:
    async with opened(vault_dsn, master) as one, opened(vault_dsn, master) as other:
        [key] = await one.keys_for([KeyOf((ANN,), "m")])
        await other.keys_for([KeyOf((ANN,), "m")])
        assert isinstance((await other.keys([key.kid]))[key.kid], Key)
        await one.erase(ANN, purposes=None, basis="asked for", at=NOW)
        await until(lambda: other.held_for(KeyOf((ANN,), "m")) is None)
        assert isinstance((await other.keys([key.kid]))[key.kid], Tombstone)


async def test_keys_that_are_lost_are_an_alarm_until_somebody_gives_them_up(vault_dsn: str, master: MasterKey) -> None:
    keeper, lost = Keeper(vault_dsn, master), b64(bytes(16))
    async with opened(vault_dsn, master) as vault:
        [key] = await vault.keys_for([KeyOf((ANN,), "m")])
        [destroyed] = await vault.keys_for([KeyOf((BEA,), "m")])
        await vault.erase(BEA, purposes=None, basis="asked for", at=NOW)
        assert await keeper.missing([key.kid, destroyed.kid, lost, lost]) == [lost]
        with pytest.raises(KeyMissing):
            await vault.keys([lost])
        assert [await keeper.give_up([key.kid, destroyed.kid, lost], "lost") for _ in range(2)] == [1, 0]
        found = await vault.keys([key.kid, destroyed.kid, lost])
        assert [type(found[kid]) for kid in (key.kid, destroyed.kid, lost)] == [Key, Tombstone, Tombstone]
        assert found[lost].basis == "lost"  # type: ignore[union-attr]  # it is a tombstone, as was just seen


async def test_what_was_sealed_here_opens_without_another_trip(vault_dsn: str, master: MasterKey) -> None:
    """Once it is known how values of a purpose are opened; and a purpose that turns confidential is known as such from then on."""
    async with opened(vault_dsn, master) as vault:
        [first] = await vault.keys_for([KeyOf((ANN,), "m")])
        await vault.keys([first.kid])
        [made] = await vault.keys_for([KeyOf((BEA,), "m")])
        connection = await asyncpg.connect(vault_dsn)
        async with connection.transaction():
            await connection.execute("lock vault.keys in access exclusive mode")
            assert await vault.keys([made.kid]) == {made.kid: made}
        await connection.close()
        await Keeper(vault_dsn, master).flag_confidential("m")
        await until(lambda: vault.held_for(KeyOf((BEA,), "m")) is None)
        [again] = await vault.keys_for([KeyOf((BEA,), "m")])
        assert (await vault.keys([again.kid])) == {made.kid: made._replace(confidential=True, cipher=ANY)}


async def test_memory_is_void_when_the_vault_does_not_answer(vault_dsn: str, master: MasterKey) -> None:
    """A process cut off from the vault hears of no erasure: it stops using what it remembers within the bound."""
    async with opened(vault_dsn, master, stale_seconds=0.5) as vault:
        [key] = await vault.keys_for([KeyOf((ANN,), "m")])
        await until(lambda: vault.held_for(KeyOf((ANN,), "m")) is not None)
        blocker = await asyncpg.connect(vault_dsn)
        async with blocker.transaction():
            await blocker.execute("lock vault.state in access exclusive mode")
            await until(lambda: vault.held_for(KeyOf((ANN,), "m")) is None)
        await blocker.close()
        assert (await vault.keys_for([KeyOf((ANN,), "m")]))[0].kid == key.kid


async def test_no_key_is_made_past_an_erasure_under_way(vault_dsn: str, master: MasterKey) -> None:
    async with opened(vault_dsn, master) as vault:
        eraser = await asyncpg.connect(vault_dsn)
        transaction = eraser.transaction()
        await transaction.start()
        await eraser.fetch("select * from vault.erase_v1($1, null, 'asked for', $2, null)", ANN, NOW)
        asked = asyncio.create_task(vault.keys_for([KeyOf((ANN,), "m")]))
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        observer = await asyncpg.connect(vault_dsn)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not asked.done() and not await observer.fetchval(waiting):
                pass
        await transaction.commit()
        with pytest.raises(KeyDestroyed):
            await asked
        assert await observer.fetchval("select count(*) from vault.keys") == 0
        await eraser.close()
        await observer.close()


async def test_a_service_reaches_its_own_purposes_and_tables_only(vault_dsn: str, master: MasterKey) -> None:
    keeper = Keeper(vault_dsn, master)
    roles = {purpose: f"toy_{purpose}_{os.getpid()}" for purpose in ("membership", "aid")}
    for purpose, role in roles.items():
        await keeper.admit(role, "pw", [purpose])
    await keeper.flag_confidential("aid")
    ours, theirs = as_role(vault_dsn, roles["membership"], "pw"), as_role(vault_dsn, roles["aid"], "pw")
    async with opened(ours, master) as membership, opened(theirs, master) as assistance:
        [mine] = await membership.keys_for([KeyOf((ANN,), "membership")])
        [aid] = await assistance.keys_for([KeyOf((ANN,), "aid")])
        for forbidden in (
            membership.keys_for([KeyOf((ANN,), "aid")]),
            membership.keys([aid.kid]),
            membership.erase(ANN, purposes=["aid"], basis="b", at=NOW),
            membership.restrict(ANN, purposes=["aid"], basis="b", at=NOW),
        ):
            with pytest.raises(PurposeForbidden, match="aid"):
                await forbidden
        # A forbidden key fails its own caller alone.
        refused, given = await asyncio.gather(
            membership.keys_for([KeyOf((BEA,), "aid")]), membership.keys_for([KeyOf((BEA,), "membership")]), return_exceptions=True
        )
        assert isinstance(refused, PurposeForbidden)
        assert not isinstance(given, BaseException)

        search, other = await asyncpg.connect(ours), await asyncpg.connect(theirs)
        for connection in (search, other):
            await connection.execute("create table people (person text primary key, name text)")
            await connection.execute("insert into people values ($1, 'x'), ($2, 'y')", ANN, BEA)
        for statement in (
            *(f"select * from vault.{table}" for table in ("keys", "wrapping_keys", "state", "documents", "openings", "erasures")),
            f"select * from search_{roles['aid']}.people",
            "insert into vault.grants values (session_user, '*')",
            "delete from vault.openings",
            "create table vault.x ()",
            "create table public.x ()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await search.execute(statement)

        await assistance.record_openings([Opening("clerk", aid.kid, "aid", "e1")])
        owner = await asyncpg.connect(vault_dsn)
        assert [tuple(row) for row in await owner.fetch("select principal, purpose, event from vault.openings")] == [
            (f"{roles['aid']}:clerk", "aid", "e1")
        ]
        # All purposes of a service are its own: neither the other's keys nor its search rows go.
        assert await membership.erase(ANN, purposes=None, basis="asked for", at=NOW) == [mine.kid]
        assert isinstance((await assistance.keys([aid.kid]))[aid.kid], Key)
        assert await search.fetchval("select array_agg(person) from people") == [BEA]
        assert await other.fetchval("select array_agg(person order by person) from people") == [ANN, BEA]
        for connection in (search, other, owner):
            await connection.close()
    admin = await asyncpg.connect(vault_dsn)
    for role in roles.values():
        await admin.execute(f'drop owned by "{role}" cascade; drop role "{role}"')
    await admin.close()


async def test_an_unreachable_vault_says_so(vault_dsn: str, master: MasterKey) -> None:
    vault = PostgresVault(vault_dsn.replace("127.0.0.1", "127.0.0.254").rsplit(":", 1)[0] + ":1/x", master)
    with pytest.raises(VaultUnavailable):
        await vault.start()
    with pytest.raises(VaultUnavailable):
        await vault.keys_for([KeyOf((ANN,), "m")])


async def test_a_vault_keeps_to_its_master_key(vault_dsn: str, master: MasterKey) -> None:
    other = MasterKey(os.urandom(32))
    with pytest.raises(MasterKeyUnusable, match=master.id):
        await Keeper(vault_dsn, other).prepare()
    with pytest.raises(MasterKeyUnusable, match=master.id):
        await PostgresVault(vault_dsn, other).start()
    await Keeper(vault_dsn, master).prepare()


async def test_a_vault_that_was_not_prepared_says_so(database: str, master: MasterKey) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await PostgresVault(database, master).start()


async def test_the_master_key_can_be_rotated(vault_dsn: str, master: MasterKey) -> None:
    new = MasterKey(os.urandom(32))
    async with opened(vault_dsn, master) as vault:
        [key] = await vault.keys_for([KeyOf((ANN,), "m")])
        person = await vault.person("id", "1")
    await Keeper(vault_dsn, master).rotate_master(new)
    with pytest.raises(MasterKeyUnusable):
        await PostgresVault(vault_dsn, master).start()
    async with opened(vault_dsn, new) as vault:
        assert (await vault.keys_for([KeyOf((ANN,), "m")]))[0].kid == key.kid
        assert await vault.find_person("id", "1") == person


async def test_an_altered_vault_is_noticed(vault_dsn: str, master: MasterKey) -> None:
    """A wrapped key is bound to whose it is: swapping rows does not make one person's key another's."""
    async with opened(vault_dsn, master) as vault:
        one, _ = await vault.keys_for([KeyOf((ANN,), "m"), KeyOf((ANN,), "aid")])
    connection = await asyncpg.connect(vault_dsn)
    await connection.execute("update vault.keys k set wrapped = o.wrapped from vault.keys o where o.kid <> k.kid")
    await connection.close()
    async with opened(vault_dsn, master) as vault:
        with pytest.raises(MasterKeyUnusable, match="altered"):
            await vault.keys([one.kid])


def test_a_master_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = MasterKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKey.from_file(path).id == made.id == MasterKey.from_text(path.read_text()).id
    with pytest.raises(FileExistsError):
        MasterKey.create(path)
    path.chmod(0o640)
    with pytest.raises(MasterKeyUnusable, match="chmod 600"):
        MasterKey.from_file(path)
    for text in ("", "short", "x" * 43 + "!"):
        with pytest.raises(MasterKeyUnusable):
            MasterKey.from_text(text)
