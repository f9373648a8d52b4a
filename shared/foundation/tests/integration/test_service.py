"""Services as their composition roots declare them, whole: two of them on PostgreSQL, vault and a broker in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from foundation.cursor import Connection
from foundation.erasure.eraser import Eraser
from foundation.history import Happened
from foundation.life import EXIT_DEAD, patiently
from foundation.projection_runner import ProjectionRunner
from foundation.projections import Tables
from foundation.store.writer import GroupCommit
from foundation.vault.postgres import PostgresVault

from . import two_services
from .two_services import ADMIN, Node, running, until

BODY = {"parent": "37", "chair": "c" * 32, "chair_name": "李四光"}


async def test_a_command_is_seen_in_the_own_read_model_and_in_another_service(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        answer = await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k1"))
        assert answer.status_code == 200, answer.text
        position = answer.headers["position"]
        # The own vault table, with the name opened.
        chairs = await client.get(f"http://units/chairs?at_least={position}", headers=two.headers())
        assert chairs.json() == {"37": "张三丰", "3709": "李四光"}

        # The other service's view and reaction; waits for the position there.
        async def followed() -> bool:
            there = await client.get(f"http://desks/units?at_least={position}", headers=two.headers())
            return there.status_code == 200 and there.json() == ["37", "3709"]

        await until(followed)

        async def reacted() -> bool:
            return (await client.get("http://desks/desks/3709", headers=two.headers())).json() is True

        await until(reacted)


async def test_readiness_speaks_of_every_part(two: Node) -> None:
    async with running(two, "units", "desks") as client:

        async def ready() -> bool:
            answers = [await client.get(f"http://{name}/readyz") for name in ("units", "desks")]
            return all(answer.status_code == 200 for answer in answers)

        await until(ready)
        document = (await client.get("http://units/readyz")).json()
        assert (document["service"], document["ready"], document["position"], document["projection_lag"]) == ("units", True, 1, 0)
        parts = {*("database", "vault", "writer", "guard", "log"), *("projections", "authority", "relay", "consumers")}
        assert set(document["components"]) == parts
        text = (await client.get("http://desks/metrics")).text
        assert 'tongxin_consumer_lag{consumer="desks-service",source="units"}' in text
        assert "tongxin_parked_keys 0.0" in text


async def test_what_was_answered_survives_a_restart(two: Node) -> None:
    async with running(two, "units") as client:
        first = await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k1"))
    async with running(two, "units") as client:
        again = await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k1"))
        assert again.json() == {**first.json(), "repeated": True}
        other = await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k2"))
        assert (other.status_code, other.json()["type"]) == (409, "urn:tongxin:problem:unit-exists")


async def test_a_start_waits_for_its_views_however_long_they_take(two: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade a view is made anew from a history that may be long: who gave up would only begin again."""
    async with running(two, "units"):
        pass
    go, late = asyncio.Event(), 0

    async def slowly(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
        await go.wait()
        await two_services.list_names(connection, tables, batch)

    reached = ProjectionRunner.reached

    async def impatiently(self: ProjectionRunner, position: int, timeout_seconds: float | None = None) -> None:
        nonlocal late
        try:
            await reached(self, position, timeout_seconds)
        except TimeoutError:
            late += 1
            if late == 3:
                go.set()
            raise

    monkeypatch.setattr(two_services, "CHAIRS", replace(two_services.CHAIRS, version=2, apply=slowly))
    monkeypatch.setattr(ProjectionRunner, "reached", impatiently)
    monkeypatch.setattr("foundation.running.WAIT_SECONDS_MAX", 0.01)
    monkeypatch.setattr(patiently, "__kwdefaults__", {"seconds_max": 0})  # where waiting has a bound, it is over
    async with running(two, "units") as client:
        assert late >= 3
        assert (await client.get("http://units/chairs", headers=two.headers())).json() == {"37": "张三丰"}


async def test_money_waits_for_the_source_of_authority(two: Node) -> None:
    async with running(two, "desks") as client:
        # Nobody tells who may act: not even a refusal can be given for certain.
        answer = await client.get("http://desks/units", headers=two.headers())
        assert answer.status_code == 503
        assert (await client.get("http://desks/readyz")).status_code == 503


async def test_histories_are_for_services_and_auditors(two: Node) -> None:
    async with running(two, "units") as client:
        assert (await client.get("http://units/history/head")).status_code == 401
        assert (await client.get("http://units/history/head", headers=two.headers(ADMIN))).status_code == 403
        head = await client.get("http://units/history/head", headers=two.headers("service:desks"))
        assert head.json()["position"] == 1
        followed = await client.get("http://units/followed/units", headers=two.headers("service:desks"))
        assert followed.json()["position"] >= -1


async def test_a_history_that_lost_records_refuses_commands(two: Node) -> None:
    """A restored backup: the follower has seen more than the history holds."""
    async with running(two, "units", "desks") as client:
        position = (await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k1"))).headers["position"]

        async def followed() -> bool:
            return (await client.get(f"http://desks/units?at_least={position}", headers=two.headers())).status_code == 200

        await until(followed)
    database = await asyncpg.connect(two.settings["units"].database_dsn.get_secret_value())
    await database.execute("set session_replication_role = replica; delete from commands; delete from events where position = 2")
    await database.close()
    two.broker.wipe("tongxin.units.events")
    # The broker has forgotten; the follower, asked over HTTP, has not.
    async with running(two, "desks", "units") as client:
        answer = await client.post("http://units/units/3710", json=BODY, headers=two.headers(idempotency_key="k2"))
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:tongxin:problem:writes-refused")
        document = (await client.get("http://units/readyz")).json()
        assert document["components"]["guard"] == {"ready": False, "detail": {"ours": 1, "seen": 2, "by": "desks"}}


async def test_a_dead_writer_ends_the_process(two: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug in the writer")

    async with running(two, "units") as client:
        monkeypatch.setattr(GroupCommit, "_write", broken)
        answer = await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k1"))
        assert answer.status_code in {500, 503}
        assert two.exits == [EXIT_DEAD]


async def test_erasures_are_done_again_before_any_key_is_used(two: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old vault backup holds keys that were destroyed since: nothing may be opened or sealed with them in the meantime."""
    told: list[str] = []

    def telling(owner: type, name: str) -> None:
        does = getattr(owner, name)

        async def tells(*arguments: Any, **named: Any) -> Any:
            done = await does(*arguments, **named)
            told.append(name)
            return done

        monkeypatch.setattr(owner, name, tells)

    telling(Eraser, "remember")
    telling(PostgresVault, "keys_for")
    telling(PostgresVault, "keys")
    async with running(two, "units"):
        assert told[0] == "remember"
        assert "keys_for" in told[1:]
        assert "remember" not in told[1:]
