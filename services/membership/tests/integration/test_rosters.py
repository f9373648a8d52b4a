"""Rosters on the whole service: dry run, application, again, interrupted, complete, moved, hostile (DOMAIN 1.5)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from foundation.http.caller import Application
from foundation.vault.port import KeyDestroyed, KeyOf
from membership.rosters.importing import Rosters
from membership.rosters.sample import HEADINGS, sample_rows
from membership.rosters.work import Works
from node.embedded.postgres import Postgres

from tests.support import PATIENCE_SECONDS

from .whole import CITY, ELSEWHERE, OTHER_UNION, UNION, Node, node, settled


@pytest.fixture
async def whole(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Node]:
    async with node(postgres, tmp_path) as it:
        yield it


def csv(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in [list(HEADINGS), *rows]).encode()


async def send(client: httpx.AsyncClient, file: bytes, org: str = UNION, *, complete: bool = False) -> dict[str, Any]:
    answer = await client.post(
        f"/rosters?org={org}&complete={str(complete).lower()}", content=file, headers={"content-type": "application/octet-stream"}
    )
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return await settled(client, view["roster"], "checked") if view["stage"] == "checking" else view


async def apply(client: httpx.AsyncClient, roster: str) -> dict[str, Any]:
    answer = await client.post(f"/rosters/{roster}/application")
    assert answer.status_code == 202, answer.text
    return await settled(client, roster, "applied")


async def position(app: Application) -> int:
    return (await app.store.head()).position


async def find(client: httpx.AsyncClient, question: str, org: str = CITY, **more: Any) -> list[dict[str, Any]]:
    answer = await client.post("/directory/searches", json={"q": question, "org": org, **more})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def pages(client: httpx.AsyncClient, question: str, limit: int) -> list[str]:
    """Everybody whom a question finds in the city, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = (await client.post("/directory/searches", json={"q": question, "org": CITY, "limit": limit, "cursor": cursor})).json()
        found += [one["person"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


async def caught_up(app: Application, client: httpx.AsyncClient) -> None:
    """The directory shows everything that has happened."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await client.get(f"/directory?org={CITY}&at_least=membership:{await position(app)}")).status_code == 503:
            continue


async def test_dry_run_then_application_until_everybody_is_found(whole: Node) -> None:
    rows, planted = sample_rows(600, "370911", seed=3, bad_share=0.02)
    async with whole.service() as (app, client):
        before = await position(app)
        view = await send(client, csv(rows))
        assert view["counts"] == {"joined": 588, "refused": 12}
        assert await position(app) == before + 1, "a dry run leaves nothing but that the roster came in"

        refusals = (await client.get(f"/rosters/{view['roster']}/refusals")).json()["items"]
        assert len(refusals) == planted.total()
        assert {refusal["rule"] for refusal in refusals} == {
            *("resident-checksum", "name-missing", "number-missing", "twice", "resident-birth", "phone-form")
        }
        wrong = next(refusal for refusal in refusals if refusal["rule"] == "resident-checksum")
        assert rows[wrong["row"] - 2][5] == "37090219900101123" + rows[wrong["row"] - 2][5][-1]
        assert wrong["zh"] == "身份证号校验位不符，某一位有误。"

        applied = await apply(client, view["roster"])
        assert applied["counts"] == {"joined": 588, "refused": 12}
        await caught_up(app, client)
        refused = {refusal["row"] for refusal in refusals}
        good = [row for number, row in enumerate(rows, 2) if number not in refused]
        for row in good[:20]:
            found = await find(client, row[1], limit=200)
            assert row[1] in {one["name"] for one in found}
        [one] = await find(client, good[0][5])
        assert one["name"] == good[0][1]
        assert "*" in (one["phone"] or "*")
        for question in ("王", "w", "li", "wang", "王w", good[0][1]):
            everybody = await find(client, question, UNION, limit=200)
            assert await find(client, question, OTHER_UNION) == [], "another union's members are not shown"
            paged = await pages(client, question, limit=7)
            assert paged[:200] == [one["person"] for one in everybody], question
            assert len(set(paged)) == len(paged), question
        listed = (await client.get(f"/directory?org={UNION}&limit=200")).json()
        assert len(listed["items"]) == 200
        assert len((await client.get(f"/directory?org={UNION}&limit=200&cursor={listed['next']}")).json()["items"]) == 200


async def test_the_same_file_twice_leads_to_no_new_event(whole: Node) -> None:
    rows, _ = sample_rows(200, "370911", seed=4, bad_share=0)
    async with whole.service() as (app, client):
        first = await send(client, csv(rows))
        await apply(client, first["roster"])
        after = await position(app)
        again = await send(client, csv(rows))
        assert (again["roster"], again["stage"], again["counts"]) == (first["roster"], "applied", {"joined": 200})
        await apply(client, again["roster"])
        # The same people in another file, by another name of the roster.
        other = await send(client, csv([*rows[1:], rows[0]]))
        assert other["counts"] == {"unchanged": 200}
        await apply(client, other["roster"])
        assert await position(app) == after + 3, "received, started, applied; nothing about anybody"


async def test_changes_transfers_and_leavers(whole: Node) -> None:
    rows, _ = sample_rows(50, "370911", seed=5, bad_share=0)
    rows = [row for row in rows if row[4] == "居民身份证"]
    async with whole.service() as (app, client):
        await apply(client, (await send(client, csv(rows)))["roster"])
        await caught_up(app, client)

        moved, changed, kept = rows[:5], rows[5:10], rows[10:20]
        gone = len(rows) - 20
        there = await send(client, csv(moved), OTHER_UNION)
        assert there["counts"] == {"transferred": 5}
        await apply(client, there["roster"])
        await caught_up(app, client)

        for row in changed:
            row[7] = "13912345678"
        view = await send(client, csv([*changed, *kept]), complete=True)
        assert view["counts"] == {"changed": 5, "unchanged": 10, "left": gone}
        differences = (await client.get(f"/rosters/{view['roster']}/differences?limit=200")).json()["items"]
        assert [one["fields"] for one in differences if one["kind"] == "changed"] == [["phone"]] * 5
        applied = await apply(client, view["roster"])
        assert applied["counts"] == {"changed": 5, "unchanged": 10, "left": gone}
        await caught_up(app, client)
        assert len((await client.get(f"/directory?org={UNION}")).json()["items"]) == 15
        assert len((await client.get(f"/directory?org={OTHER_UNION}")).json()["items"]) == 5
        assert len(await find(client, "13912345678")) == 5
        assert len((await client.get(f"/directory?org={UNION}&status=left&limit=200")).json()["items"]) == gone


async def test_nobody_has_left_while_rows_cannot_be_read(whole: Node) -> None:
    rows, _ = sample_rows(20, "370911", seed=6, bad_share=0)
    async with whole.service() as (app, client):
        await apply(client, (await send(client, csv(rows)))["roster"])
        await caught_up(app, client)
        rows[0][5] = ""
        view = await send(client, csv(rows[:10]), complete=True)
        assert view["counts"] == {"refused": 1, "unchanged": 9, "held": 11}
        await apply(client, view["roster"])
        await caught_up(app, client)
        assert len((await client.get(f"/directory?org={UNION}")).json()["items"]) == 20


@pytest.mark.parametrize("after_seconds", [0.0, 0.1, 0.3])
async def test_an_interrupted_application_goes_on_and_counts_the_whole(
    whole: Node, monkeypatch: pytest.MonkeyPatch, after_seconds: float
) -> None:
    rows, _ = sample_rows(3_500, "370911", seed=7, bad_share=0)
    batches = 0
    original = Rosters._apply_batch

    async def killed(self: Rosters, *of: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 3:
            await asyncio.sleep(after_seconds)  # the batches before it are under way, at no particular point
            raise asyncio.CancelledError
        return await original(self, *of)

    async with whole.service() as (app, client):
        view = await send(client, csv(rows))
        with monkeypatch.context() as patched:
            patched.setattr(Rosters, "_apply_batch", killed)
            await client.post(f"/rosters/{view['roster']}/application")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while batches < 3:
                    await client.get(f"/rosters/{view['roster']}")
                await asyncio.gather(*(task for task in asyncio.all_tasks() if "_guarded" in repr(task.get_coro())), return_exceptions=True)
        assert (await client.get(f"/rosters/{view['roster']}")).json()["stage"] == "applying"
    async with whole.service() as (app, client):
        applied = await settled(client, view["roster"], "applied")
        assert applied["counts"] == {"joined": 3_500}
        admitted = await app.pool.fetchval("select count(*) from events where type = 'membership.MemberAdmitted.v1'")
        assert admitted == 3_500


async def test_neither_tables_nor_events_hold_what_the_file_says_and_the_file_goes(whole: Node) -> None:
    rows, _ = sample_rows(30, "370911", seed=8, bad_share=0)
    rows[3][1], rows[4][5] = "金丝雀", ""
    async with whole.service() as (app, client):
        view = await send(client, csv(rows))
        assert await held(app) == [1, 1]
        await scan(app, "金丝雀", rows[3][5], rows[4][7])
        await apply(client, view["roster"])
    async with whole.service() as (app, _):  # its file goes right after the answer, or at the next start
        assert await held(app) == [0, 0]
        await scan(app, "金丝雀", rows[3][5], rows[4][7])
        works = Works(app.pool, app.vault)
        work = await works.read(view["roster"])
        assert work is not None
        with pytest.raises(LookupError):
            await works.file(work)
        with pytest.raises(KeyDestroyed):
            await app.vault.keys_for([KeyOf((work.file,), "roster")])


async def held(app: Application) -> list[int]:
    """How many parts of files there are, and batches of rows."""
    return [await app.pool.fetchval(f"select count(*) from {table}") for table in ("roster_files", "roster_rows")]


async def test_what_was_checked_is_applied_and_nothing_where_a_part_of_it_is_missing(whole: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = sample_rows(1_200, "370911", seed=12, bad_share=0)
    async with whole.service() as (app, client):
        view = await send(client, csv(rows), complete=True)
        await app.pool.execute("delete from roster_rows where batch = 1")
        await client.post(f"/rosters/{view['roster']}/application")
        await settled(client, view["roster"], "failed")

        again = await send(client, csv(rows), complete=True)
        monkeypatch.delattr("membership.rosters.importing.read")  # the file is read once, by the dry run
        assert (await apply(client, again["roster"]))["counts"] == {"joined": 1_200}


async def scan(app: Application, *canaries: str) -> None:
    """No row of any table of the service's database holds one of these."""
    async with app.pool.acquire() as connection:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        for table in tables:
            for canary in canaries:
                found = await connection.fetchval(
                    f"select count(*) from {table['tablename']} t where strpos(t::text, $1) > 0"
                    " or strpos(t::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0",
                    canary,
                )
                assert found == 0, (table["tablename"], canary)


async def test_an_erased_person_is_found_no_more_also_after_a_rebuild(whole: Node) -> None:
    rows, _ = sample_rows(30, "370911", seed=9, bad_share=0)
    rows[3][1] = "金丝雀"
    async with whole.service() as (app, client):
        await apply(client, (await send(client, csv(rows)))["roster"])
        await caught_up(app, client)
        [one] = await find(client, "金丝")
        await app.vault.erase(one["person"], purposes=None, basis="PIPL 47", at=app.clock.now())
        assert await find(client, "金丝") == []
        assert await find(client, rows[3][5]) == []
    vault = await asyncpg.connect(whole.databases["vault"])
    try:
        tables = await vault.fetch("select schemaname, tablename from pg_tables where tablename like 'directory%'")
        for table in tables:
            held = f"select count(*) from {table['schemaname']}.{table['tablename']} t where strpos(t::text, '金丝雀') > 0"
            assert await vault.fetchval(held) == 0
    finally:
        await vault.close()


async def test_who_may_and_what_is_refused(whole: Node) -> None:
    rows, _ = sample_rows(5, "370911", seed=10, bad_share=0)
    async with whole.service() as (_, client):
        view = await send(client, csv(rows))
        stranger = whole.bearer(ELSEWHERE)
        assert (await client.get(f"/rosters/{view['roster']}", headers=stranger)).status_code == 403
        assert (await client.post(f"/rosters?org={UNION}", content=csv(rows), headers=stranger)).status_code == 403
        assert (await client.post("/directory/searches", json={"q": "王", "org": UNION}, headers=stranger)).status_code == 403
        assert (await client.get(f"/directory?org={UNION}", headers=stranger)).status_code == 403
        assert (await client.post("/rosters?org=9999", content=csv(rows))).status_code == 403
        assert (await client.post(f"/rosters/{'0' * 32}/application")).status_code == 404
        empty = await client.post(f"/rosters?org={UNION}", content=b"")
        assert (empty.status_code, empty.json()["rule"]) == (422, "file-empty")
        nothing = await client.post(f"/rosters?org={UNION}", content=b"a,b\n1,2\n")
        assert nothing.status_code == 202, nothing.text
        assert nothing.json()["stage"] == "refused", nothing.text
        assert nothing.json()["refusal"]["rule"] == "no-headings"
        assert (await client.post(f"/rosters/{nothing.json()['roster']}/application")).status_code == 409
        again = await client.post(f"/rosters?org={UNION}", content=b"a,b\n1,2\n")
        assert again.json() == nothing.json() | {"received_at": again.json()["received_at"]}


async def test_days_of_joining_are_the_rosters(whole: Node) -> None:
    rows, _ = sample_rows(2, "370911", seed=11, bad_share=0)
    rows[0][14], rows[1][14] = "2019年5月4日", ""
    async with whole.service() as (app, client):
        await apply(client, (await send(client, csv(rows)))["roster"])
        await caught_up(app, client)
        listed = (await client.get(f"/directory?org={UNION}")).json()["items"]
        assert sorted(one["joined_on"] for one in listed) == ["2019-05-04", app.today().isoformat()]
