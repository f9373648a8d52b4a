"""A whole node behind real HTTP servers, in a thread of its own, with a small hierarchy and people who may do this and that in it."""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import uvicorn
from contracts.values import resident_check
from foundation.commands import Actor
from foundation.decider import Decider
from node.embedded.postgres import Postgres

from tests.support import PATIENCE_SECONDS, Midday

from ..end_to_end.running_node import BOSS, TOP, RunningNode, running_node

COUNTY, TOWN, VILLAGE, NEIGHBOUR = "370902", "370902001", "370902001001", "370902001002"
OTHER_COUNTY, OTHER_VILLAGE = "370911", "370911001001"
GONE = f"{VILLAGE}.D1"
"""A union that was dissolved; nobody was named to take over, so the village answers for what it was."""

DIVISIONS = f"""code,name,level,parent
{TOP},泰安市,city,
{COUNTY},泰山区,county,{TOP}
{OTHER_COUNTY},岱岳区,county,{TOP}
{TOWN},岱庙街道,township,{COUNTY}
370911001,粥店街道,township,{OTHER_COUNTY}
{VILLAGE},东岳社区居委会,community,{TOWN}
{NEIGHBOUR},仰圣社区居委会,community,{TOWN}
{OTHER_VILLAGE},卧虎山社区居委会,community,370911001
"""
STEWARD, APPROVER, CLERK, AUDITOR, AGENCY = (letter * 32 for letter in "bcdef")
FINANCE = "f1" * 16
OUTSIDER, OUTSIDE_ADMIN, FORMER, FORMER_ADMIN, TO_COME, ORPHAN, NOBODY = (f"{number}" * 32 for number in range(7))
CHINESE = re.compile("[一-鿿]")
TODAY = Midday.DAY.isoformat()
_APPOINTED = (
    (STEWARD, "steward", TOP),
    (APPROVER, "approver", VILLAGE),
    (FINANCE, "finance", TOP),
    (CLERK, "clerk", VILLAGE),
    (AUDITOR, "auditor", TOP),
    (AGENCY, "agency", VILLAGE),
    (OUTSIDER, "steward", OTHER_COUNTY),
    (OUTSIDE_ADMIN, "org-admin", OTHER_COUNTY),
)


def identity(order: int) -> str:
    """A resident identity number that could be somebody's."""
    first17 = f"37090219800101{order:03d}"
    return first17 + resident_check(first17)


def person(order: int = 1, **more: Any) -> dict[str, Any]:
    """What a registrar enters about somebody."""
    document = {"kind": "resident", "number": identity(order)}
    return {"organisation": VILLAGE, "on": "2024-05-01", "name": "阿依古丽·买买提", "document": document} | more


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Both services by their addresses."""

    urls: dict[str, str]
    node: RunningNode
    http: httpx.Client
    loop: asyncio.AbstractEventLoop
    patient: bool = True
    """Whether "not yet" (503) is no answer for those who ask, but is asked again."""

    def headers(self, by: str = STEWARD) -> dict[str, str]:
        """What a caller shows, with a key for one command."""
        return {"authorization": f"Bearer {self.node.issuer.mint(by)}", "idempotency-key": secrets.token_hex(8)}

    def ask(self, method: str, path: str, *, by: str | None = STEWARD, service: str = "membership", **request: Any) -> httpx.Response:
        """Send a request; `by` None: without a token."""
        headers = ({} if by is None else self.headers(by)) | request.pop("headers", {})
        gives_up_at = time.monotonic() + (PATIENCE_SECONDS if self.patient else 0)
        while True:
            answer = self.http.request(method, self.urls[service] + path, headers=headers, **request)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > gives_up_at:
                return answer
            time.sleep(0.1)

    def post(self, path: str, body: Any, **request: Any) -> httpx.Response:
        """Send a command."""
        return self.ask("POST", path, json=body, **request)

    def accepted(self, path: str, body: Any, **request: Any) -> str:
        """The id in the stream that a command led to."""
        answer = self.post(path, body, **request)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["stream"].split("-", 1)[1])

    def handled(self, service: str, decider: Decider[Any, Any], id: str, command: Any) -> None:
        """Have the service decide what no route asks of it alone."""

        async def handle() -> None:
            app = self.node.services[service].http.state.application
            await app.handler.handle(decider, id, command, by=Actor("conformance", TOP, "0" * 32))

        asyncio.run_coroutine_threadsafe(handle(), self.loop).result(timeout=PATIENCE_SECONDS)

    def head(self, service: str = "membership") -> int:
        """The history's last position."""
        position: int = self.ask("GET", "/history/head", by="service:node", service=service).json()["position"]
        return position

    def member(self, order: int, **more: Any) -> str:
        """Somebody who is a member now."""
        return self.accepted("/members", person(order, **more))


@contextmanager
def served(postgres: Postgres, folder: Path, *, vault: Postgres | None = None) -> Iterator[Served]:
    """The node, until it is not wanted any more."""
    up: Future[tuple[dict[str, str], RunningNode]] = Future()
    done = asyncio.Event()

    async def serve() -> None:
        try:
            async with running_node(postgres, folder, vault=vault) as node:
                servers = {name: _server(service) for name, service in node.services.items()}
                serving = [asyncio.create_task(server.serve()) for server in servers.values()]
                while not all(server.started for server in servers.values()):  # noqa: ASYNC110 - uvicorn tells it in no other way
                    await asyncio.sleep(0.01)
                urls = {name: f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}" for name, server in servers.items()}
                up.set_result((urls, node))
                await done.wait()
                for server in servers.values():
                    server.should_exit = True
                await asyncio.gather(*serving)
        except BaseException as error:
            if not up.done():
                up.set_exception(error)
            raise

    loop = asyncio.new_event_loop()
    thread = Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        urls, node = up.result(timeout=PATIENCE_SECONDS)
        with httpx.Client(timeout=PATIENCE_SECONDS) as client:
            it = Served(urls, node, client, loop)
            _populate(it)
            yield it
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(timeout=PATIENCE_SECONDS)
        loop.close()


def _server(service: Any) -> uvicorn.Server:
    # As foundation.service.run serves it, but for the lifespan, which the node has begun already.
    return uvicorn.Server(uvicorn.Config(service, port=0, http="httptools", lifespan="off", log_config=None, access_log=False))


def _populate(it: Served) -> None:
    csv = {"content-type": "text/csv"}
    url = "/imports/divisions?effective_on=2020-01-01"
    assert it.ask("POST", url, by=BOSS, content=DIVISIONS.encode(), headers=csv).status_code == 200
    for principal, role, organisation in _APPOINTED:
        appoint(it, principal, role, organisation)
    appoint(it, FORMER, "steward", TOP, until="2024-01-01")
    appoint(it, FORMER_ADMIN, "org-admin", TOP, until="2024-01-01")
    appoint(it, TO_COME, "steward", TOP, since="2999-01-01")
    dissolved = {"organisation": GONE, "name": "面粉厂工会", "kind": "enterprise", "level": "grassroots", "parent": VILLAGE}
    it.accepted("/organisations", dissolved | {"effective_on": "2021-01-01"}, by=BOSS)
    appoint(it, ORPHAN, "steward", GONE, since="2021-01-01")
    it.accepted(f"/organisations/{GONE}/dissolution", {"effective_on": "2024-01-01"}, by=BOSS)


def appoint(it: Served, principal: str, role: str, organisation: str, *, since: str = "2020-01-01", until: str | None = None) -> str:
    """Appoint somebody; every service has heard of it then. The appointment's id is asked for."""
    body = {"principal": principal, "organisation": organisation, "role": role, "valid_from": since, "valid_until": until}
    answer = it.post("/appointments", body, by=BOSS)
    assert answer.status_code == 201, answer.text
    at = answer.headers["position"]
    assert it.ask("GET", f"/programmes/shipped?at_least={at}", by=BOSS, service="assistance").status_code == 200
    held = it.ask("GET", f"/staff/{principal}/appointments?at_least={at}", by=BOSS).json()
    return str(held[-1]["appointment"])


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and the kind of a refusal; it is a problem document, in Chinese with the English beside."""
    assert answer.headers["content-type"] == "application/problem+json", (answer.status_code, answer.text)
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["trace"] == answer.headers["trace-id"]
    for text, beside in ((document[name], document["en"][name]) for name in ("title", "detail")):
        assert CHINESE.search(text), text
        assert not CHINESE.search(beside), beside
    assert answer.headers["content-language"] == "zh-CN, en"
    return answer.status_code, document["type"].removeprefix("urn:tongxin:problem:")


def until(what: Callable[[], bool], seconds_max: float = PATIENCE_SECONDS) -> None:
    """Return once it is so. Raises TimeoutError."""
    deadline = time.monotonic() + seconds_max
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
