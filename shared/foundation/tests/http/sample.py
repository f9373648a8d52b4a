"""A small service for tests: notes that belong to units, on stores in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo

import httpx
from contracts.kernel import AuthorityChange, Catalogue, Event, Granted, UnitPlaced
from fastapi import FastAPI, Path
from foundation.authority import fold
from foundation.authority_view import AuthorityView, Newer
from foundation.clock import ManualClock
from foundation.decider import Decider, Refusal
from foundation.handler import Handler
from foundation.http.answers import Accepted
from foundation.http.auth import StaticKeys, TrustedIssuer, Verifier
from foundation.http.caller import App, Application, Caller
from foundation.http.limits import MIB, body_up_to
from foundation.http.pagination import Cursor, Cursors, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from foundation.http.stack import Http, build
from foundation.http.tokens import NodeIssuer, SigningKey
from foundation.store.memory import MemoryStore
from foundation.store.writer import GroupCommit
from foundation.telemetry import Metrics, Traces
from foundation.vault.sealer import ToSeal
from pydantic import Field
from starlette.requests import Request

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CLERK = "c" * 32
ADMIN = "a" * 32
TWO_POSTS = "b" * 32
STRANGER = "d" * 32


class NoteWritten(Event, type="notes.NoteWritten", version=1):
    """A note got its text."""

    note: str
    text: str


class NoteLocked(Refusal):
    """A note that says "locked" stays as it is."""


@dataclass(frozen=True, slots=True)
class Write:
    note: str
    text: str


def decide(command: Write, text: str, _: datetime) -> Sequence[Event]:
    if text == "locked":
        raise NoteLocked
    return [] if text == command.text else [NoteWritten(note=command.note, text=command.text)]


def evolve(text: str, event: Event) -> str:
    return event.text if isinstance(event, NoteWritten) else text


NOTE: Decider[str, Write] = Decider("note", "", decide, evolve)
NoteId = Annotated[str, Path(pattern="^[a-z0-9]{1,20}$")]
router = Router()


class Tag(Body):
    name: str = Field(max_length=20)
    weight: int = Field(ge=0, le=9)


class WriteBody(Body):
    text: str = Field(max_length=200)
    tags: list[Tag] = Field(default=[], max_length=5)


class Note(Body):
    note: str
    text: str


@router.post("/units/{unit}/notes/{note}/text", responses=problems(NoteLocked))
async def write(unit: Annotated[str, Path(pattern="^[0-9]{2,9}$")], note: NoteId, body: WriteBody, caller: Caller, app: App) -> Accepted:
    """Write a note; clerk of its unit or above."""
    await caller.require("clerk", unit=unit)
    return await app.handle(NOTE, note, Write(note, body.text), by=caller)


@router.get("/notes/{note}")
async def read(note: NoteId, caller: Caller, app: App) -> Note:
    """A note's text."""
    text, _ = await app.state(NOTE, note)
    return Note(note=note, text=text)


@router.get("/notes")
async def listing(caller: Caller, app: App, limit: Limit = 50, cursor: Cursor = None) -> Page[int]:
    """A list of numbers up to 99."""
    start = (app.cursors.read(cursor, query="notes") or [0])[0]
    items = list(range(start, min(start + limit, 100)))
    return Page(items=items, next=app.cursors.make([start + limit], query="notes") if start + limit < 100 else None)


def hidden() -> Router:
    """Routes that only hostile tests want."""
    router = Router()

    @router.post("/upload")
    @body_up_to(3 * MIB)
    async def upload(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @router.post("/money")
    async def money(caller: Caller) -> str:
        await caller.require("clerk", unit="3709", fresh=True)
        return "paid"

    @router.post("/unchecked/{note}")
    async def unchecked(note: str, caller: Caller, app: App) -> Accepted:
        return await app.handle(NOTE, note, Write(note, "x"), by=caller)

    @router.get("/bug")
    async def bug() -> str:
        raise ValueError("张三 370902198801011234")

    return router


class NothingSealed:
    """Stands in for the sealer where no event has sealed fields."""

    def try_seal(self, batch: Sequence[ToSeal]) -> Sequence[Mapping[str, Any]]:
        return [one.event.model_dump(mode="json") for one in batch]

    async def prepare(self, batch: Sequence[ToSeal]) -> None:
        raise AssertionError("nothing to prepare")


class ListedRows:
    """Authority rows from a list of changes, whose index is their position."""

    def __init__(self, *changes: AuthorityChange) -> None:
        self.changes = list(changes)
        self.looks = 0
        self.epoch = 0

    async def newer(self, position: int) -> Newer:
        self.looks += 1
        folded = fold(enumerate(self.changes))
        return Newer(
            [one for one in folded.standings.values() if one.position > position],
            [one for one in folded.grants.values() if one.position > position],
            len(self.changes) - 1,
            self.epoch,
        )


SINCE = date(2020, 1, 1)
AUTHORITY = (
    UnitPlaced("37", None, SINCE),
    UnitPlaced("3709", "37", SINCE),
    UnitPlaced("370902", "3709", SINCE),
    UnitPlaced("370911", "3709", SINCE),
    Granted("g-clerk", CLERK, "3709", "clerk", SINCE, None),
    Granted("g-admin", ADMIN, "37", "org-admin", SINCE, None),
    Granted("g-one", TWO_POSTS, "370902", "clerk", SINCE, None),
    Granted("g-two", TWO_POSTS, "3709", "clerk", SINCE, None),
)


@dataclass
class Sample:
    """The running sample."""

    client: httpx.AsyncClient
    application: Application
    http: Http
    issuer: NodeIssuer
    clock: ManualClock
    rows: ListedRows
    metrics: Metrics
    age: list[float]

    def headers(self, principal: str = CLERK, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.issuer.mint(principal)}", **{k.replace("_", "-"): v for k, v in more.items()}}


@asynccontextmanager
async def running(key: SigningKey, *, with_hidden: bool = True, traces: Traces | None = None) -> AsyncIterator[Sample]:
    clock = ManualClock(NOW)
    issuer = NodeIssuer(key, issuer="urn:tongxin:node:3709", audience="tongxin", clock=clock)
    store = MemoryStore()
    writer = GroupCommit(store)
    handler = Handler(store=store, writer=writer, sealer=NothingSealed(), catalogue=Catalogue(NoteWritten), clock=clock, source="/t/notes")
    rows, age, metrics, traces = ListedRows(*AUTHORITY), [0.0], Metrics("notes"), traces or Traces("notes")
    authority = AuthorityView(rows, monotonic=lambda: clock.now().timestamp(), behind=lambda: age[0])
    verifier = Verifier([TrustedIssuer("urn:tongxin:node:3709", "tongxin", StaticKeys(key.jwks), services=True)], clock)

    async def reached(position: int) -> None:
        head = await store.head()
        if head.position < position:
            raise TimeoutError

    application = Application(
        name="notes",
        node_org="3709",
        store=store,
        search=cast(Any, None),
        vault=cast(Any, None),
        sealer=cast(Any, None),
        traces=traces,
        log=cast(Any, None),
        handler=handler,
        pool=cast(Any, None),
        clock=clock,
        zone=ZoneInfo("Asia/Shanghai"),
        verifier=verifier,
        authority=authority,
        cursors=Cursors(b"s" * 32),
        request_secret=b"s" * 32,
        reached={"notes": reached},
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    routers = [router, *([hidden()] if with_hidden else [])]
    http = build("notes", "1", routers, lifespan=lifespan, metrics=metrics, traces=traces)
    http.state.application = application
    await authority.refresh()
    await writer.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(http), base_url="http://notes") as client:
            yield Sample(client, application, http, issuer, clock, rows, metrics, age)
    finally:
        await writer.close()
        await store.close()
