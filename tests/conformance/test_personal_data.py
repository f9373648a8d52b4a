"""Personal data planted through every route that takes some: found nowhere but in the vault, and after an erasure nowhere at all."""

import asyncio
import io
import logging
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from contracts.membership import MemberLeft
from contracts.values import resident_check
from foundation.broker.kafka import KafkaBroker
from foundation.http.caller import Application
from foundation.reactions import Issue, reacts_to
from foundation.telemetry import Traces, configure_logging
from node.embedded.broker import NoidaBroker
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres
from node.topology import POSTGRES_SETTINGS, VAULT_SETTINGS
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ..end_to_end.running_node import TOP, RunningNode, running_node, until
from .canaries import Canaries
from .served import DIVISIONS, NEIGHBOUR, OUTSIDER, STEWARD, TODAY, VILLAGE


def identity(order: int) -> str:
    first17 = f"37090219720613{order:03d}"
    return first17 + resident_check(first17)


ZHANG = Canaries.of(
    "欧阳𠮷龘",
    "13987650421",
    number=identity(701),
    address="丝雀胡同柒号院",
    employer="丝雀面粉三厂",
    reason="丝雀与车间主任争执",
    statement="丝雀并非同一人",
    shelf="丝雀柜第九格",
    passport="EC0Q7Z413",
)
"""Comes by single requests."""

LI = Canaries.of("阿依古丽·䶮䶮", "18612349876", number=identity(702), address="雀鸣里叁拾号", reason="雀鸣里来信")
"""Applies, and is refused."""

WANG = Canaries.of("东方玥㛃", "15233445566", number=identity(703), employer="鸣蝉纺织二厂")
"""Comes by a roster."""

REFUSED = Canaries.of(
    "司空䴙䴘", "17755667788", number=identity(704)[:-1] + ("0" if identity(704)[-1] != "0" else "1"), employer="落雁砖窑"
)
"""A row of the roster that is refused."""

NOTE = Canaries({"note": "丝雀撤回同意书第捌页"})
"""Why somebody is erased, in words."""

ALL = ZHANG | LI | WANG | REFUSED | NOTE
SEALED = {"address", "employer", "reason", "statement", "shelf", "passport", "number"}


@reacts_to(MemberLeft, name="fails_always")
def fails_always(event: MemberLeft) -> Issue:
    """A reaction with a bug whose message tells everything."""
    raise ValueError(f"{ZHANG.planted['name']} {ZHANG.planted['number']} {event!r}")


@dataclass
class Observed:
    """A node and everything that it tells the world."""

    node: RunningNode
    services_server: Postgres
    vault_server: Postgres
    broker_server: NoidaBroker
    broker: KafkaBroker
    logged: io.StringIO
    spans: InMemorySpanExporter
    refusals: list[str] = field(default_factory=list)

    @property
    def membership(self) -> Application:
        found: Application = self.node.services["membership"].http.state.application
        return found


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that the services log, as they would write it."""
    stream = io.StringIO()
    handlers, level = logging.root.handlers[:], logging.root.level
    configure_logging("debug", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def servers() -> Iterator[tuple[Postgres, Postgres, NoidaBroker]]:
    """The services' PostgreSQL, the vault's and the broker, each with its own files, run as a node runs them."""
    folder = Path(tempfile.mkdtemp(prefix="tongxin-canary-"))
    folder.chmod(0o711)
    services = Postgres(folder / "services", free_port(), settings=dict(POSTGRES_SETTINGS))
    vault = Postgres(folder / "vault", free_port(), settings=dict(VAULT_SETTINGS))
    broker = NoidaBroker(folder / "broker", free_port())
    for server in (services, vault, broker):
        server.start()
    try:
        yield services, vault, broker
    finally:
        for server in (services, vault, broker):
            server.stop(how=signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def it(
    servers: tuple[Postgres, Postgres, NoidaBroker], logged: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Observed]:
    services, vault, broker_server = servers
    spans = InMemorySpanExporter()
    monkeypatch.setattr("foundation.service.Traces", lambda name, otlp_endpoint: Traces(name, processor=SimpleSpanProcessor(spans)))
    monkeypatch.setattr("assistance.main.REACTIONS", (fails_always,))
    broker = KafkaBroker(broker_server.bootstrap)
    async with running_node(services, tmp_path, vault=vault, broker=broker) as node:
        it = Observed(node, *servers, broker, logged, spans)

        async def note(answer: httpx.Response) -> None:
            if answer.status_code >= 400:
                it.refusals.append((await answer.aread()).decode())

        node.client.event_hooks["response"].append(note)
        answer = await node.upload("membership/imports/divisions?effective_on=2020-01-01", DIVISIONS.encode())
        assert answer.status_code == 200
        await node.appoint(STEWARD, "steward", TOP)
        await node.appoint(OUTSIDER, "steward", "370911")
        yield it
    await broker.close()


# ---------------------------------------------------------------------------------------------------------- planting


def details(of: Canaries) -> dict[str, str]:
    return {name: of.planted[name] for name in ("address", "employer") if name in of.planted}


def person(of: Canaries) -> dict[str, Any]:
    document = {"kind": "resident", "number": of.planted["number"]}
    told = {"name": of.planted["name"], "phone": of.planted["phone"], "details": details(of)}
    return {"organisation": VILLAGE, "on": "2024-05-01", "document": document, **told}


async def plant(it: Observed) -> list[str]:
    """Everything about everybody, through every route that takes it. Who they are."""

    async def done(path: str, body: dict[str, Any], **more: Any) -> httpx.Response:
        answer = await it.node.post(f"membership/{path}", body, by=STEWARD, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer

    def why(of: Canaries) -> dict[str, str]:
        return {"on": TODAY, "reason": of.planted["reason"]}

    def who(answer: httpx.Response) -> str:
        return str(answer.json()["stream"].removeprefix("member-"))

    zhang = who(await done("members", person(ZHANG)))
    await done(f"members/{zhang}/suspension", why(ZHANG))
    await done(f"members/{zhang}/resumption", {"on": TODAY})
    passport = {"kind": "passport", "number": ZHANG.planted["passport"], "issuer": "FR"}
    again = {"name": ZHANG.planted["name"], "details": details(ZHANG), "phone": ZHANG.planted["phone"], "document": passport}
    await done(f"members/{zhang}/corrections", again | why(ZHANG))
    proof = {"kind": ZHANG.planted["statement"], "shelf": ZHANG.planted["shelf"]}
    document = {"kind": "resident", "number": ZHANG.planted["number"]}
    await done("transfers", {"organisation": NEIGHBOUR, "on": TODAY, "document": document, "proof": proof})
    transfer = (await it.node.get(f"membership/members/{zhang}", by=STEWARD)).json()["transfer"]["transfer"]
    objection = {"ground": "identity", "statement": ZHANG.planted["statement"], "on": TODAY}
    await done(f"members/{zhang}/transfers/{transfer}/objection", objection)
    await done(f"members/{zhang}/transfers/{transfer}/objection/dismissal", {"on": TODAY})
    await done(f"members/{zhang}/departure", why(ZHANG))
    await done(f"members/{zhang}/reinstatement", why(ZHANG) | {"organisation": NEIGHBOUR})
    await done(f"members/{zhang}/expulsion", why(ZHANG) | {"decision": "0" * 64})
    await done(f"members/{zhang}/reinstatement", why(ZHANG) | {"organisation": NEIGHBOUR})

    li = who(await done("applications", person(LI)))
    await done(f"members/{li}/application/refusal", why(LI) | {"organisation": VILLAGE})
    await done("applications", person(LI))

    await roster(it)
    found = await it.node.post("membership/directory/searches", {"q": WANG.planted["number"], "org": VILLAGE}, by=STEWARD)
    return [zhang, li, *(one["person"] for one in found.json()["items"])]


async def roster(it: Observed) -> None:
    rows = [
        f"{of.planted['name']},居民身份证,{of.planted['number']},{of.planted['phone']},{of.planted['employer']}" for of in (WANG, REFUSED)
    ]
    file = "\n".join(["姓名,证件类型,证件号码,手机号码,工作单位", *rows]).encode()
    answer = await it.node.upload(f"membership/rosters?org={VILLAGE}", file, by=STEWARD)
    assert answer.json()["counts"] == {"joined": 1, "refused": 1}, answer.text
    url = f"membership/rosters/{answer.json()['roster']}"
    await leaves_nothing(it)  # while the file waits, sealed
    assert (await it.node.post(f"{url}/application", None, by=STEWARD)).status_code == 202

    async def is_applied() -> bool:
        return bool((await it.node.get(url, by=STEWARD)).json()["stage"] == "applied")

    await until(is_applied)
    assert (await it.node.get(f"{url}/refusals", by=STEWARD)).json()["items"][0]["rule"] == "resident-checksum"
    head = (await it.membership.store.head()).position
    assert (await it.node.get("membership/organisations/tree", at_least=f"membership:{head}")).status_code == 200


async def provoke(it: Observed, people: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes and bugs, each with something personal in hand."""
    name, number, phone = (ZHANG.planted[one] for one in ("name", "number", "phone"))

    async def asked(method: str, path: str, *, by: str = STEWARD, headers: dict[str, str] | None = None, **request: Any) -> int:
        token = {"authorization": f"Bearer {it.node.issuer.mint(by)}", "idempotency-key": secrets.token_hex(8)}
        answer = await it.node.client.request(method, f"http://membership/{path}", headers=token | (headers or {}), **request)
        return answer.status_code

    body = person(ZHANG)
    for wrong in (
        body | {name: number},
        body | {"nickname": name},
        body | {"on": f"{number}"},
        body | {"phone": f"{phone}{name}"},
        body | {"document": {"kind": "resident", "number": REFUSED.planted["number"]}},
        body | {"document": {"kind": name, "number": number}},
        body | {"name": name + "\u0007"},
        body | {"name": [name]},
        body | {"organisation": name},
        body | {"categories": [name]},
        body | {"details": {name: number, "address": 7}},
        [body],
    ):
        assert await asked("POST", "members", json=wrong) == 422
    assert await asked("POST", "members", content=f'{{"name": "{name}", "x": {number}x}}'.encode()) in (400, 415)
    assert await asked("POST", "members", content=name.encode("gb18030"), headers={"content-type": "application/json"}) == 400
    for path in (
        f"members/{name}",
        f"members/{number}",
        f"{name}/{number}",
        f"directory?org={VILLAGE}&status={name}",
        f"organisations/{name}",
    ):
        assert await asked("GET", path) in (404, 422)
    assert await asked("GET", f"directory?org={VILLAGE}&cursor={phone}") == 422
    assert await asked("GET", f"directory?org={VILLAGE}&name={name}&phone={phone}", by=OUTSIDER) == 403
    # In headers, which are for anybody to fill.
    strange = {"x-name": number, "acting-as": number, "if-match": f'"{phone}x"', "traceparent": number, "user-agent": number}
    assert await asked("POST", "members", json=body, headers=strange) in (400, 403)
    assert await asked("POST", "members", json=body, headers={"idempotency-key": f"{phone} {number}"}) == 400
    assert await asked("GET", f"members/{people[0]}", headers={"authorization": f"Bearer {number}.{phone}.{number}"}) == 401
    for who in people:
        assert await asked("GET", f"members/{who}", by=OUTSIDER) in (403, 404)
        assert await asked("POST", f"members/{who}/suspension", by=OUTSIDER, json={"on": TODAY, "reason": name}) in (403, 404)
    assert await asked("POST", "members", by=OUTSIDER, json=body | {"organisation": "370911001001"}) == 409
    assert await asked("POST", "applications", by=OUTSIDER, json=body | {"organisation": "370911001001"}) == 409

    def fails(*of: Any, **more: Any) -> Any:
        held = {"name": name, "number": number, "of": of, "more": more}
        raise ValueError(f"{name} {number} {phone} {held}")

    for target in ("membership.people.identify", "membership.directory.api.lookups", "membership.members.api.record"):
        with monkeypatch.context() as patched:
            patched.setattr(target, fails)
            assert await asked("POST", "members", json=body) in (409, 500)
            assert await asked("POST", "directory/searches", json={"q": name, "org": VILLAGE}) in (200, 500)
            assert await asked("GET", f"members/{people[0]}") in (200, 500)
    with monkeypatch.context() as patched:
        patched.setattr("membership.rosters.importing.Rosters._check", fails)
        file = f"姓名,证件号码\n{name},{number}\n".encode()
        assert await asked("POST", f"rosters?org={VILLAGE}", content=file, headers={"content-type": "text/csv"}) == 202
    # A task that nobody waits for, and a library that quotes what it was given.
    task = asyncio.create_task(_fails_alone(fails))
    await asyncio.wait([task])
    del task
    logging.getLogger("some.library").warning("could not send %s to %r", name, {"number": number})
    logging.getLogger("some.library").error("failed", exc_info=ValueError(f"{name} {number}"))
    logging.getLogger("asyncpg").info("parameters: %s", [phone])
    structlog.get_logger().info("event with a stray value", name=name, person={"phone": phone}, error=f"ValueError('{name}')")


async def _fails_alone(fails: Any) -> None:
    fails()


async def carried_out(it: Observed, service: str, who: str) -> bool:
    """Whether a service has destroyed what it had; what it tells for the certificate holds nothing either."""
    answer = await it.node.get(f"{service}/operation/erasures/{who}", by="service:node")
    assert ALL.seen_in(answer.content) == set()
    return answer.status_code == 200 and bool(answer.json()["done"])


# ---------------------------------------------------------------------------------------------------------- scanning


async def leaves_nothing(it: Observed) -> None:
    """Nothing of anybody's in whatever the node shows, sends or keeps, but for the vault's search tables."""
    for dsn in (it.node.databases["membership"], it.node.databases["assistance"]):
        assert await ALL.seen_in_database(dsn) == {}
        await checkpointed(dsn)
    assert ALL.seen_in_folder(it.services_server.folder) == {}

    assert ALL.seen_in(it.logged.getvalue()) == set()
    assert ALL.seen_in_all(span.to_json() for span in it.spans.get_finished_spans()) == set()
    assert ALL.seen_in_all(it.refusals) == set()
    for service in it.node.services:
        for shown in ("metrics", "readyz", "openapi.json"):
            assert ALL.seen_in((await it.node.get(f"{service}/{shown}")).content) == set()
        sent = await it.broker.fetch(topic(it, service), 0, limit=10_000, timeout_ms=500)
        assert sent.messages or service != "membership"
        assert ALL.seen_in_all(part for message in sent.messages for part in (message.value, message.key)) == set()
    assert ALL.seen_in_folder(it.broker_server.folder) == {}


async def checkpointed(dsn: str) -> None:
    """What is in memory only is on the disk."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("checkpoint")
    await connection.close()


def topic(it: Observed, service: str) -> str:
    """Where the node's service tells its events."""
    return f"{it.node.services[service].settings.topic_prefix}{service}.events"


async def everything_is_followed(it: Observed) -> None:
    """Assistance has all that membership has, and the topic too."""
    head = (await it.membership.store.head()).position

    async def is_relayed() -> bool:
        newest = await it.broker.last(topic(it, "membership"))
        return newest is not None and newest.position == head

    async def is_parked() -> bool:
        parked = await it.node.get("assistance/operation/parked", by="service:node")
        return [one["error"] for one in parked.json()] == ["ValueError"]

    await until(is_relayed)
    await until(is_parked)


async def test_personal_data_is_nowhere_but_in_the_vault_and_after_an_erasure_nowhere(
    it: Observed, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    people = await plant(it)
    assert len(set(people)) == 3
    await provoke(it, people, monkeypatch)
    await everything_is_followed(it)
    assert sum("internal-error" in refusal for refusal in it.refusals) >= 3
    assert len(it.spans.get_finished_spans()) > 100
    assert it.logged.getvalue().count("request failed") >= 3
    await leaves_nothing(it)
    printed = capfd.readouterr()
    assert ALL.seen_in(printed.out + printed.err) == set()

    # In the vault it is where it is meant to be, and there alone; so the search finds what is there to be found.
    kept = await ALL.seen_in_database(it.node.databases["vault"])
    assert {table.split("_", 1)[0] for table in kept} == {"search"}, kept
    assert {name.split()[-1] for seen in kept.values() for name in seen} >= {"name", "phone"}
    assert not SEALED & {name.split()[-1] for seen in kept.values() for name in seen}, "no more than names, phones and their keys"
    await checkpointed(it.node.databases["vault"])
    assert ALL.seen_in_folder(it.vault_server.folder)

    await erased(it, people)


async def erased(it: Observed, people: list[str]) -> None:
    for who in people:
        body = {"basis": "consent-withdrawn", "note": NOTE.planted["note"]}
        answer = await it.node.post(f"membership/people/{who}/erasure", body)
        assert answer.status_code == 202, answer.text
        for service in it.node.services:
            await until(lambda service=service, who=who: carried_out(it, service, who))  # type: ignore[misc]
    head = (await it.membership.store.head()).position
    assert (await it.node.get("membership/organisations/tree", at_least=f"membership:{head}")).status_code == 200
    purged = await it.node.keeper.purge(settled_seconds=0)
    assert purged.waiting == 0

    assert await ALL.seen_in_database(it.node.databases["vault"]) == {}
    assert ALL.seen_in_folder(it.vault_server.folder) == {}

    for of in (ZHANG, LI, WANG):
        for question in (of.planted["name"], of.planted["name"][:2], of.planted["phone"], of.planted["number"]):
            found = await it.node.post("membership/directory/searches", {"q": question, "org": TOP, "current": False}, by=STEWARD)
            assert found.json()["items"] == [], question
    for who in people:
        view = (await it.node.get(f"membership/members/{who}", by=STEWARD)).json()
        assert (view["name"], view["document"]) == (None, None)
        assert {"name", "document", "phone"} <= set(view["erased"])
        assert (await it.node.get(f"membership/members/{who}/history", by=STEWARD)).status_code == 200
        assert (view["notice"]["state"], view["notice"]["zh"]) == ("erased", "个人信息已依法删除。")
    listed = await it.node.get("membership/directory", org=TOP, status="active", by=STEWARD)
    assert {(one["name"], one["notice"]["zh"]) for one in listed.json()["items"]} == {(None, "个人信息已依法删除。")}
    # The history goes on about somebody whom nobody can name any more; nothing more is sealed for them.
    refused = await it.node.post(f"membership/members/{people[0]}/suspension", {"on": TODAY, "reason": "x"}, by=STEWARD)
    assert refused.status_code == 410, refused.text
    await leaves_nothing(it)
