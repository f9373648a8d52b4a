"""What every vault does: one suite for each adapter."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from foundation.sealing import b64
from foundation.vault.keeper import Keeper
from foundation.vault.masterkey import MasterKey
from foundation.vault.memory import MemoryVault
from foundation.vault.port import (
    Erasure,
    ErasureRefused,
    Held,
    Key,
    KeyDestroyed,
    KeyMissing,
    KeyOf,
    Opening,
    Retained,
    Tombstone,
    Vault,
    Withheld,
)
from foundation.vault.postgres import PostgresVault

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ANN, BEA, CAI = "a" * 32, "b" * 32, "c" * 32


@dataclass
class Fixture:
    """A vault, and what its owner may do with it."""

    vault: Vault
    keeper: Any


@pytest.fixture(params=["memory", "postgres"])
async def under_test(request: pytest.FixtureRequest, vault_dsn: str, master: MasterKey) -> AsyncIterator[Fixture]:
    if request.param == "memory":
        memory = MemoryVault()
        yield Fixture(memory, memory)
        return
    vault = PostgresVault(vault_dsn, master)
    await vault.start()
    yield Fixture(vault, Keeper(vault_dsn, master))
    await vault.close()


def same(one: Key, other: Key) -> bool:
    """Whether two keys are one and the same, by id and by what they do."""
    nonce = os.urandom(12)
    return one.kid == other.kid and other.cipher.decrypt(nonce, one.cipher.encrypt(nonce, b"x", b""), b"") == b"x"


async def test_a_key_is_made_once_and_found_again(under_test: Fixture) -> None:
    vault = under_test.vault
    first, other, purpose = await vault.keys_for([KeyOf((ANN,), "m"), KeyOf((BEA,), "m"), KeyOf((ANN,), "aid")])
    assert len({first.kid, other.kid, purpose.kid}) == 3
    again, twice = await vault.keys_for([KeyOf((ANN,), "m"), KeyOf((ANN,), "m")])
    assert same(first, again)
    assert same(first, twice)
    found = (await vault.keys([first.kid]))[first.kid]
    assert isinstance(found, Key)
    assert same(first, found)
    held = vault.held_for(KeyOf((ANN,), "m"))
    assert held is not None
    assert same(first, held)


async def test_everybody_who_asks_at_once_gets_the_same_key(under_test: Fixture) -> None:
    answers = await asyncio.gather(*(under_test.vault.keys_for([KeyOf((f"{n % 7}",), "m")]) for n in range(100)))
    assert len({key.kid for [key] in answers}) == 7


async def test_a_record_of_several_people_has_a_key_of_its_own(under_test: Fixture) -> None:
    vault = under_test.vault
    of = KeyOf((BEA, ANN), "case", "r1")
    key, reordered, elsewhere, alone = await vault.keys_for(
        [of, KeyOf((ANN, BEA), "case", "r1"), KeyOf((ANN, BEA), "case", "r2"), KeyOf((ANN,), "case")]
    )
    assert same(key, reordered)
    assert len({key.kid, elsewhere.kid, alone.kid}) == 3
    destroyed = await vault.erase(BEA, purposes=["case"], basis="asked for", at=NOW)
    assert set(destroyed) == {key.kid, elsewhere.kid}
    found = await vault.keys([key.kid, elsewhere.kid, alone.kid])
    assert found[key.kid] == Tombstone(key.kid, NOW, "asked for")
    assert isinstance(found[alone.kid], Key)
    with pytest.raises(KeyDestroyed):
        await vault.keys_for([KeyOf((ANN, BEA), "case", "r3")])


def test_a_key_names_its_subjects() -> None:
    for subjects, record in (((), None), ((ANN, BEA), None), (("a b",), None), (("",), "r")):
        with pytest.raises(ValueError, match="key"):
            KeyOf(subjects, "m", record)


async def test_a_missing_key_is_an_alarm_and_not_an_erasure(under_test: Fixture) -> None:
    kid = b64(os.urandom(16))
    with pytest.raises(KeyMissing, match=kid):
        await under_test.vault.keys([kid])


async def test_an_erasure_destroys_the_purposes_it_names(under_test: Fixture) -> None:
    vault = under_test.vault
    membership, aid, other = await vault.keys_for([KeyOf((ANN,), "m"), KeyOf((ANN,), "aid"), KeyOf((BEA,), "m")])
    person = await vault.person("id", "1")
    assert await vault.erase(ANN, purposes=["m"], basis="left", at=NOW) == [membership.kid]
    # An answer that was lost on its way is given again.
    assert await vault.erase(ANN, purposes=["m"], basis="left", at=NOW) == [membership.kid]
    found = await vault.keys([membership.kid, aid.kid, other.kid])
    assert found[membership.kid] == Tombstone(membership.kid, NOW, "left")
    assert isinstance(found[aid.kid], Key)
    assert isinstance(found[other.kid], Key)
    assert vault.held_for(KeyOf((ANN,), "m")) is None
    with pytest.raises(KeyDestroyed):
        await vault.keys_for([KeyOf((ANN,), "m")])
    assert await vault.person("id", "1") == person


async def test_a_person_is_forgotten_with_the_last_key(under_test: Fixture) -> None:
    vault = under_test.vault
    person = await vault.person("id", "370902")
    await vault.keys_for([KeyOf((person,), "m"), KeyOf((person,), "aid")])
    await vault.erase(person, purposes=["m"], basis="left", at=NOW)
    assert await vault.find_person("id", "370902") == person
    await vault.erase(person, purposes=["aid"], basis="left", at=NOW)
    assert await vault.find_person("id", "370902") is None
    assert await vault.person("id", "370902") != person


async def test_erasing_everything_covers_what_is_yet_to_come(under_test: Fixture) -> None:
    vault = under_test.vault
    person = await vault.person("id", "1")
    await vault.erase(person, purposes=None, basis="asked for", at=NOW)
    assert await vault.find_person("id", "1") is None
    with pytest.raises(KeyDestroyed):
        await vault.keys_for([KeyOf((person,), "any")])


async def test_one_refused_key_does_not_fail_who_asks_at_the_same_time(under_test: Fixture) -> None:
    vault = under_test.vault
    await vault.erase(ANN, purposes=None, basis="asked for", at=NOW)
    refused, given = await asyncio.gather(
        vault.keys_for([KeyOf((ANN,), "m")]), vault.keys_for([KeyOf((BEA,), "m")]), return_exceptions=True
    )
    assert isinstance(refused, KeyDestroyed)
    assert not isinstance(given, BaseException)


async def test_documents_find_their_person(under_test: Fixture) -> None:
    vault = under_test.vault
    one = await vault.person("id", "1")
    assert len(one) == 32
    assert await vault.persons([("id", "1", "CN"), ("passport", "1", "CN"), ("id", "1", "HK"), ("id", "1", "CN")]) == [
        one,
        await vault.person("passport", "1"),
        await vault.person("id", "1", issuer="HK"),
        one,
    ]
    assert await vault.find_person("id", "1") == one
    assert await vault.find_person("id", "2") is None
    everybody = await asyncio.gather(*(vault.person("id", f"{n % 5}x") for n in range(50)))
    assert len(set(everybody)) == 5


async def test_a_person_may_have_several_documents(under_test: Fixture) -> None:
    vault = under_test.vault
    one = await vault.person("id", "1")
    assert await vault.bind(one, "id", "2") == one
    assert await vault.bind(one, "id", "2") == one
    assert await vault.find_person("id", "2") == one
    other = await vault.person("id", "3")
    assert await vault.bind(one, "id", "3") == other, "given out before"
    assert await vault.find_person("id", "3") == other


async def test_a_restriction_withholds_and_can_be_lifted(under_test: Fixture) -> None:
    vault = under_test.vault
    key, shared = await vault.keys_for([KeyOf((ANN,), "m"), KeyOf((ANN, BEA), "m", "r1")])
    await vault.restrict(ANN, purposes=["m"], basis="disputed", at=NOW)
    assert await vault.keys([key.kid, shared.kid]) == {
        key.kid: Withheld(key.kid, NOW, "disputed"),
        shared.kid: Withheld(shared.kid, NOW, "disputed"),
    }
    assert vault.held_for(KeyOf((ANN,), "m")) is None
    with pytest.raises(KeyDestroyed):
        await vault.keys_for([KeyOf((ANN,), "m")])
    await vault.lift(ANN, purposes=None)
    [again] = await vault.keys_for([KeyOf((ANN,), "m")])
    assert same(key, again)


async def test_retention_and_holds_stand_against_erasure(under_test: Fixture) -> None:
    vault, keeper = under_test.vault, under_test.keeper
    [voucher, _] = await vault.keys_for([KeyOf((ANN,), "voucher"), KeyOf((ANN,), "m")])
    await keeper.retain("voucher", 30, "a rule")
    await keeper.hold(ANN, "court 12")

    async def refused(**more: Any) -> set[Retained | Held]:
        with pytest.raises(ErasureRefused) as caught:
            await vault.erase(ANN, purposes=None, basis="asked for", at=NOW, **more)
        return set(caught.value.reasons)

    assert await refused() == {Held("*", "court 12"), Retained("voucher", None, "a rule")}
    await keeper.release(ANN, "court 12")
    ended_at = NOW - timedelta(days=29)
    assert await refused(ended_at=ended_at) == {Retained("voucher", ended_at + timedelta(days=30), "a rule")}
    assert isinstance((await vault.keys([voucher.kid]))[voucher.kid], Key)
    left = await vault.erase(ANN, purposes=["m"], basis="asked for", at=NOW)
    everything = await vault.erase(ANN, purposes=None, basis="asked for", at=NOW, ended_at=NOW - timedelta(days=30))
    assert set(everything) == {*left, voucher.kid}


async def test_the_rule_in_force_counts(under_test: Fixture) -> None:
    vault, keeper = under_test.vault, under_test.keeper
    await vault.keys_for([KeyOf((ANN,), "voucher")])
    await keeper.retain("voucher", 10, "old", since=date(1999, 1, 1))
    await keeper.retain("voucher", 20, "new", since=date(2026, 1, 1), in_use=True)
    await keeper.retain("voucher", 0, "to come", since=date(2027, 1, 1))
    for at, days, source in ((datetime(2025, 6, 1, tzinfo=UTC), 10, "old"), (NOW, 20, "new")):
        with pytest.raises(ErasureRefused) as caught:
            await vault.erase(ANN, purposes=["voucher"], basis="asked for", at=at, ended_at=at)
        assert caught.value.reasons == (Retained("voucher", at + timedelta(days=days), source),)
    in_time = datetime(2027, 6, 1, tzinfo=UTC)
    assert len(await vault.erase(ANN, purposes=["voucher"], basis="asked for", at=in_time, ended_at=in_time)) == 1


async def test_a_hold_on_one_purpose_lets_the_others_go(under_test: Fixture) -> None:
    vault, keeper = under_test.vault, under_test.keeper
    await vault.keys_for([KeyOf((ANN,), "case"), KeyOf((ANN,), "m")])
    await keeper.hold(ANN, "court 12", purpose="case")
    assert len(await vault.erase(ANN, purposes=["m"], basis="left", at=NOW)) == 1
    for purposes in (["case"], None):
        with pytest.raises(ErasureRefused):
            await vault.erase(ANN, purposes=purposes, basis="left", at=NOW)


async def test_confidential_keys_say_so_and_openings_are_kept(under_test: Fixture) -> None:
    vault, keeper = under_test.vault, under_test.keeper
    key, plain = await vault.keys_for([KeyOf((ANN,), "case"), KeyOf((ANN,), "m")])
    await keeper.flag_confidential("case")
    found = await vault.keys([key.kid, plain.kid])
    assert [found[kid].confidential for kid in (key.kid, plain.kid)] == [True, False]  # type: ignore[union-attr]
    await vault.record_openings([Opening("clerk", key.kid, "case", "e1")] * 2)


async def test_an_erasure_can_be_applied_again(under_test: Fixture) -> None:
    """As after a restore: the old vault has the key again, and has never seen another one that was erased meanwhile."""
    vault, keeper = under_test.vault, under_test.keeper
    await keeper.retain("m", 30, "a rule that had run out then")
    [key] = await vault.keys_for([KeyOf((ANN,), "m")])
    unseen = b64(os.urandom(16))
    erasure = Erasure(ANN, ("m",), "left", NOW, (key.kid, unseen))
    assert list(await vault.reapply([erasure])) == [erasure], "forgotten"
    assert list(await vault.reapply([erasure])) == [], "known"
    assert await vault.keys([key.kid, unseen]) == {kid: Tombstone(kid, NOW, "left") for kid in (key.kid, unseen)}
    with pytest.raises(KeyDestroyed):
        await vault.keys_for([KeyOf((ANN,), "m")])
