"""An auditor's work on a membership history: replayed from its log into an empty database, compared with the live node, and told."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from contracts.values import resident_check
from foundation.http.caller import Application
from foundation.log.reader import FolderFiles
from node import explain
from node.auditing import digests_in
from node.errors import NodeError
from node.replay import Live, Replay, run

from shared.foundation.tests.log.sample import WITNESS, checkpoint, key_of, put, write
from tests.support import PATIENCE_SECONDS

from .running_node import BOSS, TOP, RunningNode, until

KEY = key_of(f"union.example/{TOP}/membership")
COUNTY, TOWN, VILLAGE = "370902", "370902001", "370902001001"
DIVISIONS = f"""code,name,level,parent
{TOP},泰安市,city,
{COUNTY},泰山区,county,{TOP}
{TOWN},岱庙街道,township,{COUNTY}
{VILLAGE},东岳社区居委会,community,{TOWN}
"""
STEWARD, STRANGER, AUDITOR = "b" * 32, "c" * 32, "d" * 32


def identity(order: int) -> str:
    first17 = f"37090219800101{order:03d}"
    return first17 + resident_check(first17)


@pytest.fixture
async def town(node: RunningNode) -> RunningNode:
    """A village with thirty members, of whom some are suspended and some have left."""
    answer = await node.upload("membership/imports/divisions?effective_on=2020-01-01", DIVISIONS.encode())
    assert answer.status_code == 200, answer.text
    await node.appoint(STEWARD, "steward", VILLAGE)
    await node.appoint(AUDITOR, "auditor", TOP)
    for order in range(30):
        member = await admitted(node, order)
        for act in ("suspension", "departure")[: order % 3]:
            done = await node.post(f"membership/members/{member}/{act}", {"reason": "另有原因", "on": "2025-01-01"}, by=STEWARD)
            assert done.status_code == 200, done.text
    return node


async def admitted(node: RunningNode, order: int) -> str:
    body = {
        "organisation": VILLAGE,
        "on": "2024-05-01",
        "name": "阿依古丽·买买提",
        "document": {"kind": "resident", "number": identity(order)},
    }
    answer = await node.post("membership/members", body, by=STEWARD)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["stream"].partition("-")[2])


def application(node: RunningNode) -> Application:
    found: Application = node.services["membership"].http.state.application
    return found


async def exported(node: RunningNode, folder: Path, published: Sequence[int] = ()) -> list[bytes]:
    """The log of the history as it is now, and its records."""
    records = [one.record for one in await application(node).store.read(-1, limit=100_000)]
    write(folder, records, published, key=KEY)
    return records


async def replayed(node: RunningNode, folder: Path, dsn: str, **options: Any) -> Replay:
    """As the command line does it, in a thread of its own, the live services asked over HTTP."""
    loop = asyncio.get_running_loop()

    def live(service: str, source: str, position: int) -> Live | str:
        if service not in node.services:
            return "not running"
        answer = asyncio.run_coroutine_threadsafe(
            node.get(f"{service}/operation/digests", by="service:node", source=source, at=position), loop
        ).result(PATIENCE_SECONDS)
        return digests_in(answer.json()) if answer.status_code == 200 else str(answer.json()["detail"])

    return await asyncio.to_thread(partial(run, FolderFiles(folder), dsn, live=live, **options))


async def followed(node: RunningNode, position: int) -> None:
    """Once both services show everything up to a position."""

    async def shown() -> bool:
        answers = [await node.get(f"{name}/operation/digests", by="service:node", source="membership") for name in node.services]
        return all(answer.json()[0]["position"] == position for answer in answers)

    await until(shown)


async def empty(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return not await connection.fetchval("select exists (select from pg_namespace where nspname in ('membership', 'assistance'))")
    finally:
        await connection.close()


async def test_what_is_replayed_is_what_the_live_node_shows(town: RunningNode, tmp_path: Path, database: str) -> None:
    records = await exported(town, tmp_path / "exported")
    await followed(town, len(records) - 1)
    done = await replayed(town, tmp_path / "exported", database)
    assert (done.outcome.size, done.outcome.root) == (len(records), done.head.root)
    assert done.stood.witness == WITNESS.name
    verdicts = {f"{one.service}.{one.projection}": one.node for one in done.compared}
    assert {name: verdict for name, verdict in verdicts.items() if verdict != "not running"} == dict.fromkeys(
        [name for name in verdicts if name.split(".")[0] in town.services], "same"
    )
    assert {"membership.tree", "membership.directory_members", "assistance.people", "rights.authority"} <= verdicts.keys()
    assert done.left_out == ["membership.directory_people"], "plaintext needs keys, which an auditor has not"
    assert not done.differs
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("select status, count(*) from membership.directory_members group by 1 order by 1")
    assert [tuple(row) for row in rows] == [("active", 10), ("left", 10), ("suspended", 10)]
    await connection.close()


async def test_a_row_edited_on_the_live_node_shows(town: RunningNode, tmp_path: Path, database: str) -> None:
    records = await exported(town, tmp_path / "exported")
    await followed(town, len(records) - 1)
    connection = await asyncpg.connect(town.databases["membership"])
    await connection.execute(
        "update directory_members set status = 'active' where person = (select min(person) from directory_members where status = 'left')"
    )
    await connection.close()
    done = await replayed(town, tmp_path / "exported", database)
    assert [f"{one.service}.{one.projection}" for one in done.compared if one.node.startswith("differs")] == [
        "membership.directory_members"
    ]
    assert done.differs


async def test_as_of_an_earlier_moment(town: RunningNode, tmp_path: Path, database: str) -> None:
    before = len(await exported(town, tmp_path / "exported before")) - 7
    await admitted(town, 77)
    records = await exported(town, tmp_path / "exported", published=[before])
    seen = datetime.now(UTC) + timedelta(days=1)
    put(tmp_path / "exported", f"checkpoints/{before}", checkpoint(records[:before], key=KEY, at=int(seen.timestamp())))
    put(tmp_path / "exported", "checkpoint", checkpoint(records, key=KEY, at=int((seen + timedelta(days=1)).timestamp())))
    put(tmp_path / "exported", f"checkpoints/{len(records)}", checkpoint(records, key=KEY, at=int((seen + timedelta(days=1)).timestamp())))
    await followed(town, len(records) - 1)
    done = await replayed(town, tmp_path / "exported", database, moment=seen + timedelta(hours=1))
    assert (done.stood.checkpoint.size, done.outcome.size, done.head.size) == (before, before, len(records))
    said = {one.node for one in done.compared if one.service in town.services}
    assert said == {"same, made there for the question"}


async def test_only_the_first_events(town: RunningNode, tmp_path: Path, database: str) -> None:
    records = await exported(town, tmp_path / "exported")
    await followed(town, len(records) - 1)
    done = await replayed(town, tmp_path / "exported", database, size=20)
    assert done.outcome.size == 20
    assert {one.node for one in done.compared if one.service in town.services} == {"same, made there for the question"}


def _bit(folder: Path) -> None:
    bundle = next((folder / "tile" / "entries").rglob("*.p/*"))
    content = bytearray(bundle.read_bytes())
    content[-100] ^= 1
    bundle.write_bytes(content)


def _signature(folder: Path) -> None:
    note = (folder / "checkpoint").read_text()
    (folder / "checkpoint").write_text(note.replace("\n—", "\n—", 1).replace(note.split()[-1], note.split()[-1].swapcase()))


@pytest.mark.parametrize("damage", [_bit, _signature])
async def test_a_tampered_log_is_refused_before_anything_is_written(
    town: RunningNode, tmp_path: Path, database: str, damage: Callable[[Path], None]
) -> None:
    await exported(town, tmp_path / "exported")
    damage(tmp_path / "exported")
    with pytest.raises(NodeError, match="the log is damaged") as refused:
        await replayed(town, tmp_path / "exported", database)
    assert refused.value.remedy == "nothing was written"
    assert await empty(database)


async def test_what_cannot_be_replayed_is_said_in_a_sentence(town: RunningNode, tmp_path: Path, database: str) -> None:
    await exported(town, tmp_path / "exported")
    with pytest.raises(NodeError, match="had no checkpoint yet at 2020"):
        await replayed(town, tmp_path / "exported", database, moment=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(NodeError, match="goes up to"):
        await replayed(town, tmp_path / "exported", database, size=1_000_000)
    with pytest.raises(NodeError, match="two different questions"):
        await replayed(town, tmp_path / "exported", database, size=1, moment=datetime.now(UTC))
    assert await empty(database)
    with pytest.raises(NodeError, match="not empty"):
        await replayed(town, tmp_path / "exported", town.databases["membership"])


async def test_a_life_story_is_told_to_whoever_may_read_it(town: RunningNode, tmp_path: Path) -> None:
    member = await admitted(town, 88)
    stream = f"member-{member}"
    await town.post(f"membership/members/{member}/suspension", {"reason": "欠缴会费", "on": "2025-03-01"}, by=STEWARD)

    async def told(by: str) -> Any:
        return await town.get(f"membership/streams/{stream}/story", by=by)

    opened = "\n".join(map(str, explain.of_answer((await told(STEWARD)).json()["items"], stream)))
    assert "自2024年5月1日起成为370902001001的会员（正式会员）。" in opened
    assert "A member (regular) of 370902001001 from 1 May 2024 on." in opened
    assert "阿依古丽·买买提" in opened
    assert "欠缴会费" in opened
    assert "〔已密封〕" not in opened
    for reader in (BOSS, AUDITOR):
        assert "\n".join(map(str, explain.of_answer((await told(reader)).json()["items"], stream))) == opened
    sealed = (await told("service:node")).json()["items"]
    story = f"membership/streams/{stream}/story"
    first = (await town.get(story, by="service:node", limit=1)).json()
    second = (await town.get(story, by="service:node", cursor=first["next"])).json()
    assert (len(first["items"]), first["items"] + second["items"], second["next"]) == (1, sealed, None)
    assert (await town.get(story, by="service:node", cursor="nonsense")).status_code == 422
    assert all(one["opened"] == {} for one in sealed)
    assert "欠缴会费" not in json.dumps(sealed, ensure_ascii=False)
    assert (await told(STRANGER)).status_code == 403
    assert (await town.get("membership/streams/member-nobody/story", by=STRANGER)).status_code == 403, "it does not say who is there"
    assert (await town.get("membership/streams/member-nobody/story", by=AUDITOR)).status_code == 404

    records = await exported(town, tmp_path / "exported")
    offline = "\n".join(map(str, explain.of_records(records, stream)))
    assert offline.count("〔已密封〕") == sum(
        one["data"].get(name) is not None for one in sealed for name in ("name", "document", "reason")
    )
    assert "阿依古丽" not in offline

    await application(town).vault.erase(member, purposes=None, basis="本人要求", at=datetime.now(UTC))
    erased = "\n".join(map(str, explain.of_answer((await told(STEWARD)).json()["items"], stream)))
    assert "〔已删除〕 / [erased]" in erased
    assert "阿依古丽" not in erased
    assert "欠缴会费" not in erased
    assert "2024年5月1日" in erased, "what happened stands"
