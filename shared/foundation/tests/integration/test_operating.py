"""The operator's routes of a running service: rebuild, what is parked, try it again, go on in a new epoch."""

from typing import Any

import asyncpg
import httpx
import pytest
from foundation.reactions import Issue, Reaction

from . import two_services
from .two_services import DESK, Node, UnitFounded, running, until

BODY = {"parent": "37", "chair": "c" * 32, "chair_name": "李四光"}
NODE = "service:node"


async def asked(two: Node, client: httpx.AsyncClient, method: str, path: str, body: Any = None, *, by: str = NODE) -> httpx.Response:
    return await client.request(method, f"http://{path}", json=body, headers=two.headers(by, idempotency_key=path[:40]))


async def founded(two: Node, client: httpx.AsyncClient, unit: str) -> str:
    answer = await client.post(f"http://units/units/{unit}", json=BODY, headers=two.headers(idempotency_key=f"found-{unit}"))
    assert answer.status_code == 200, answer.text
    return str(answer.headers["position"])


async def opened(two: Node, client: httpx.AsyncClient, unit: str) -> bool:
    return bool((await client.get(f"http://desks/desks/{unit}", headers=two.headers())).json() is True)


async def test_a_rebuild_makes_every_view_anew_and_readers_see_no_difference(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        position = await founded(two, client, "3709")
        ready = f"desks/units?at_least={position}"

        async def followed() -> bool:
            return (await client.get(f"http://{ready}", headers=two.headers())).status_code == 200

        await until(followed)
        before = (await client.get(f"http://{ready}", headers=two.headers())).json()
        done = await asked(two, client, "POST", "desks/operation/rebuild")
        assert done.status_code == 200, done.text
        assert {(name, one["position"]) for one in done.json() for name in one["projections"]} == {("authority", 2), ("listing", 2)}
        assert (await client.get(f"http://{ready}", headers=two.headers())).json() == before
        own = await asked(two, client, "POST", "units/operation/rebuild")
        assert {name for one in own.json() for name in one["projections"]} == {"authority", "chairs"}
        for path in ("desks/operation/rebuild", "units/operation/rebuild"):
            assert (await asked(two, client, "POST", path, by=two_services.ADMIN)).status_code == 403


async def test_what_is_parked_is_shown_and_tried_again(two: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"3709"}

    def open_desk(event: UnitFounded) -> Issue:
        if event.unit in broken:
            raise ZeroDivisionError("李四光")
        return Issue(DESK, event.unit, event.unit)

    monkeypatch.setattr(two_services, "open_desk", Reaction("open_desk", UnitFounded, open_desk))
    async with running(two, "units", "desks") as client:
        assert (await asked(two, client, "GET", "desks/operation/parked")).json() == []
        await founded(two, client, "3709")
        await founded(two, client, "3710")
        await until(lambda: opened(two, client, "3710"))

        async def parked() -> bool:  # with the batch's end, after the other unit's desk
            return bool((await asked(two, client, "GET", "desks/operation/parked")).json())

        await until(parked)
        [one] = (await asked(two, client, "GET", "desks/operation/parked")).json()
        assert one.pop("parked_at")
        assert one == {"source": "units", "key": "unit-3709", "error": "ZeroDivisionError", "events": 1, "first_position": 2}

        replay = {"source": "units", "key": "unit-3709"}
        failed = await asked(two, client, "POST", "desks/operation/replay", replay)
        assert failed.json() == {"done": 0, "left": 1, "error": "ZeroDivisionError"}
        assert not await opened(two, client, "3709")
        broken.clear()
        tried = await client.post("http://desks/operation/replay", json=replay, headers=two.headers(NODE, idempotency_key="again"))
        assert tried.json() == {"done": 1, "left": 0, "error": None}
        assert await opened(two, client, "3709")
        assert (await asked(two, client, "GET", "desks/operation/parked")).json() == []
        for nothing in ({"source": "units", "key": "unit-9"}, {"source": "nobody", "key": "unit-3709"}):
            answer = await client.post(
                "http://desks/operation/replay", json=nothing, headers=two.headers(NODE, idempotency_key=str(nothing))
            )
            assert answer.json() == {"done": 0, "left": 0, "error": None}


async def test_followers_go_on_in_a_new_epoch(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        position = await founded(two, client, "3709")

        async def followed() -> bool:
            return (await client.get(f"http://desks/desks/3709?at_least={position}", headers=two.headers())).json() is True

        await until(followed)
        same = await asked(two, client, "POST", "desks/operation/history/following", {"source": "units"})
        assert {(one["consumer"], one["epoch"], one["was"], one["last"]) for one in same.json()} == {
            ("desks-service", 0, 2, 2),
            ("desks-reactions", 0, 2, 2),
        }
    database = await asyncpg.connect(two.settings["units"].database_dsn.get_secret_value())
    tables = await database.fetch("select tablename from pg_tables where schemaname = 'public' and tablename like 'log%'")
    for (table,) in tables:
        await database.execute(f"set session_replication_role = replica; delete from {table}")
    await database.execute("set session_replication_role = replica; delete from commands; delete from events where position = 2")
    await database.close()
    two.broker.wipe("tongxin.units.events")
    async with running(two, "desks", "units") as client:
        assert (await founded_status(two, client, "3710")) == 503
        head = await asked(two, client, "POST", "units/operation/history/epoch")
        assert head.json() == {"epoch": 1, "position": 2}
        told = (await client.get("http://units/history/head", headers=two.headers(NODE))).json()
        assert told["epochs"] == [{"epoch": 1, "begins": 2}]

        async def written() -> bool:
            return (await founded_status(two, client, "3711")) == 200

        await until(written)
        moved = await client.post(
            "http://desks/operation/history/following", json={"source": "units"}, headers=two.headers(NODE, idempotency_key="moved")
        )
        assert {one["consumer"]: (one["epoch"], one["was"]) for one in moved.json()} == {"desks-service": (1, 2), "desks-reactions": (1, 2)}
        await until(lambda: opened(two, client, "3711"))
        assert await opened(two, client, "3709"), "what was done on a record that was given up stands"


async def founded_status(two: Node, client: httpx.AsyncClient, unit: str) -> int:
    headers = two.headers(idempotency_key=f"found-{unit}")
    return (await client.post(f"http://units/units/{unit}", json=BODY, headers=headers)).status_code
