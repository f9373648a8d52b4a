"""A person is erased by every service, and stays so: also where an old backup of the vault comes back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import httpx
import membership.main
import pytest
from contracts.foundation import ErasureBasis
from contracts.values import resident_check
from foundation.broker.memory import MemoryBroker
from foundation.log.proofs import inclusion, root, verify_inclusion
from foundation.merkle import node_hash
from foundation.record import leaf_hash
from foundation.running import Parts
from foundation.store.port import Recorded

from tests.support import Midday

from .running_node import BOSS, TOP, RunningNode, until

UNION = "370902001001"
DIVISIONS = f"""code,name,level,parent
{TOP},泰安市,city,
370902,泰山区,county,{TOP}
370902001,岱庙街道,township,370902
{UNION},东岳社区居委会,community,370902001
""".encode()
NUMBER = "37090219800131001" + resident_check("37090219800131001")
STEWARD = "b" * 32
KEYS = ("state", "wrapping_keys", "keys", "shares", "documents", "tombstones", "erasures", "restrictions", "spoiled")
"""The vault's tables that know of keys."""


@pytest.fixture
async def member(node: RunningNode) -> str:
    """Somebody who is a member."""
    assert (await node.upload("membership/imports/divisions?effective_on=2020-01-01", DIVISIONS)).status_code == 200
    await node.appoint(STEWARD, "steward", TOP)
    body = {"organisation": UNION, "on": "2024-05-01", "name": "欧阳金丝雀", "document": {"kind": "resident", "number": NUMBER}}
    answer = await node.post("membership/members", body | {"phone": "13900001234"}, by=STEWARD)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["stream"].removeprefix("member-"))


async def ordered(node: RunningNode, person: str, *, key: str | None = None) -> httpx.Response:
    body = {"basis": ErasureBasis.consent_withdrawn, "note": "书面申请"}
    answer = await node.post(f"membership/people/{person}/erasure", body, key=key)
    assert answer.status_code == 202, answer.text
    return answer


async def told(node: RunningNode, person: str, service: str = "membership") -> dict[str, Any]:
    """What a service did, once it has."""
    found: list[dict[str, Any]] = []

    async def carried_out() -> bool:
        answer = await node.get(f"{service}/operation/erasures/{person}", by="service:node")
        found[:] = [answer.json()]
        return answer.status_code == 200 and answer.json()["carried_out"]

    await until(carried_out)
    return found[0]


async def erased(node: RunningNode, person: str) -> dict[str, Any]:
    await ordered(node, person)
    for service in node.services:
        assert (await told(node, person, service))["done"]
    return await told(node, person)


async def records(node: RunningNode) -> Sequence[Recorded]:
    return await node.services["membership"].http.state.application.store.read(-1)  # type: ignore[no-any-return]


@asynccontextmanager
async def vault_of(node: RunningNode) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(node.vault_dsn)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def started_again(node: RunningNode) -> AsyncIterator[httpx.AsyncClient]:
    """Membership as a process that starts now would find it."""
    parts = Parts(clock=Midday(), broker=MemoryBroker(), client=node.client, exit=lambda _: None)
    service = membership.main.create_app(node.services["membership"].settings, parts=parts)  # type: ignore[arg-type]
    async with (
        service.http.router.lifespan_context(service.http),
        httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://again") as client,
    ):
        client.headers["authorization"] = f"Bearer {node.issuer.mint(STEWARD)}"
        yield client


async def keys_of(node: RunningNode, person: str) -> int:
    async with vault_of(node) as vault:
        found: int = await vault.fetchval("select count(*) from vault.keys_of($1)", person)
        return found


async def test_every_service_tells_what_it_destroyed_and_reads_say_erased(node: RunningNode, member: str) -> None:
    done = await erased(node, member)
    assert [one["type"] for one in done["records"]][:2] == ["membership.ErasureOrdered.v1", "foundation.ErasureBegun.v1"]
    assert [(one["purpose"], one["keys"]) for one in done["destroyed"]] == [("erasure", 0), ("membership", 1), ("roster", 0)]
    there = (await told(node, member, "assistance"))["destroyed"]
    assert {one["purpose"]: one["keys"] for one in there} == {"assistance": 0, "hardship": 0}, "of somebody who never asked for aid"
    for one in done["records"]:
        assert leaf_hash(one["record"].encode()).hex() == one["leaf"]
    head = (await records(node))[-1].position
    view = (await node.get(f"membership/members/{member}", by=STEWARD, at_least=f"membership:{head}")).json()
    assert (view["name"], view["notice"]["state"], view["notice"]["en"][:6]) == (None, "erased", "Erased")
    listed = (await node.get("membership/directory", org=UNION, by=STEWARD)).json()["items"]
    assert [(one["name"], one["notice"]["zh"]) for one in listed] == [(None, "个人信息已依法删除。")]
    assert await keys_of(node, member) == 0
    # The same order again, under another key: it was given.
    await ordered(node, member)
    assert (await told(node, member))["records"] == done["records"]


async def test_only_the_nodes_administrator_orders_and_only_about_somebody_known(node: RunningNode, member: str) -> None:
    body = {"basis": "unlawful"}
    assert (await node.post(f"membership/people/{member}/erasure", body, by=STEWARD)).status_code == 403
    assert (await node.post(f"membership/people/{'0' * 32}/erasure", body, by=BOSS)).status_code == 404
    assert (await node.post(f"membership/people/{member}/erasure", {"basis": "because"}, by=BOSS)).status_code == 422
    assert (await node.get(f"membership/operation/erasures/{member}", by="service:node")).status_code == 404


async def test_an_old_vault_backup_does_not_bring_keys_back(node: RunningNode, member: str) -> None:
    async with vault_of(node) as vault:
        await vault.execute("create schema backup;" + ";".join(f"create table backup.{one} as select * from vault.{one}" for one in KEYS))
    await erased(node, member)
    async with vault_of(node) as vault, vault.transaction():
        await vault.execute(";".join(f"truncate vault.{one} cascade" for one in KEYS))
        await vault.execute(";".join(f"insert into vault.{one} select * from backup.{one}" for one in KEYS))
    assert await keys_of(node, member) == 1, "the backup holds the key"
    async with started_again(node) as client:
        assert await keys_of(node, member) == 0
        view = (await client.get(f"/members/{member}")).json()
        assert (view["name"], view["erased"]) == (None, ["name", "document", "phone"])
    async with vault_of(node) as vault:
        [[kid]] = await vault.fetch("select kid from vault.tombstones where subject = $1", member)
        assert await vault.fetchval("select count(*) from backup.keys where kid = $1", kid) == 1


async def test_a_key_that_is_missing_without_a_tombstone_is_an_alarm(node: RunningNode, member: str) -> None:
    async with vault_of(node) as vault:
        await vault.execute("delete from vault.keys where owner = $1; select vault.new_epoch()".replace("$1", f"'{member}'"))
    async with started_again(node) as client:
        assert (await client.get(f"/members/{member}")).status_code == 500


async def test_a_proof_made_before_an_erasure_checks_after_it(node: RunningNode, member: str) -> None:
    before = await records(node)
    leaves = [one.leaf for one in before]

    def read(level: int, index: int) -> bytes:
        return leaves[index] if level == 0 else node_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))

    [admitted] = [one for one in before if one.stream == f"member-{member}"]
    proof, top = inclusion(admitted.position, len(before), read), root(len(before), read)
    await erased(node, member)
    after = await records(node)
    assert [one.record for one in after[: len(before)]] == [one.record for one in before]
    verify_inclusion(admitted.position, len(before), leaf_hash(after[admitted.position].record), proof, top)


async def test_what_must_be_kept_is_restricted_until_it_may_go(node: RunningNode, member: str) -> None:
    await node.keeper.hold(member, "court 12", purpose="membership")
    await ordered(node, member)
    kept = await told(node, member)
    assert (kept["done"], kept["kept"]) == (False, [{"purpose": "membership", "ground": "hold", "until": None, "source": None}])
    assert await keys_of(node, member) == 1
    view = (await node.get(f"membership/members/{member}", by=STEWARD)).json()
    assert (view["name"], view["notice"]["state"]) == (None, "restricted")
    refused = await node.post(f"membership/members/{member}/suspension", {"on": "2024-06-01", "reason": "x"}, by=STEWARD)
    assert refused.status_code == 410
    await node.keeper.release(member, "court 12")
    # A process that starts looks at once; one that runs, every ten minutes.
    async with started_again(node):

        async def done() -> bool:
            return bool((await told(node, member))["done"])

        await until(done)
    assert await keys_of(node, member) == 0


async def test_retention_counts_from_the_order_by_the_rule_in_force(node: RunningNode, member: str) -> None:
    await node.keeper.retain("membership", 10, "an old rule", since=date(1999, 1, 1))
    await node.keeper.retain("membership", 30, "a rule", since=date(2016, 1, 1), in_use=True)
    await node.keeper.retain("membership", 1, "a rule to come", since=date(2999, 1, 1))
    await ordered(node, member)
    kept = await told(node, member)
    [one] = kept["kept"]
    assert (one["purpose"], one["ground"], one["source"]) == ("membership", "retention", "a rule")
    until_ = datetime.fromisoformat(one["until"])
    assert (until_ - datetime.fromisoformat(kept["ordered_at"])).days == 30
    assert until_ > datetime.now(UTC)
    # The law has these data kept and read.
    view = (await node.get(f"membership/members/{member}", by=STEWARD)).json()
    assert (view["name"], view["erased"]) == ("欧阳金丝雀", [])
