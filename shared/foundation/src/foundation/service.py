"""A service, declared: what it knows, decides, shows, follows and answers. `foundation.running` brings the parts to life.

`main.py` of a service builds one of these and nothing else; `run` serves it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvicorn
from contracts.kernel import Catalogue, Event
from starlette.types import Receive, Scope, Send

from foundation.authority_view import ChangesOf, authority_projection
from foundation.decider import Decider
from foundation.erasure.rules import ERASURE
from foundation.http.caller import App, Application, Caller
from foundation.http.erasing import router as erasing
from foundation.http.following import router as following
from foundation.http.health import Check
from foundation.http.health import router as health
from foundation.http.history import history_router
from foundation.http.log import log_router
from foundation.http.log_records import router as log_records
from foundation.http.operating import router as operating
from foundation.http.routing import Router
from foundation.http.stack import build
from foundation.http.stories import Readers, story_router
from foundation.projections import Projection
from foundation.reactions import Issue, Reaction
from foundation.running import Parts, running
from foundation.settings import Settings
from foundation.store.port import Epoch, Head, Reader, Recorded
from foundation.telemetry import Metrics, Traces, configure_logging
from foundation.timers import Due, Timing, timer_projection

S = TypeVar("S", bound=Settings)

VERSION = "0.1.0"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AuthorityFrom:
    """Which service's history tells who may act, what its events change in it, and which of them change anything."""

    source: str
    changes: ChangesOf
    events: frozenset[type[Event]] | None = None

    @property
    def projection(self) -> Projection:
        """Its tables."""
        return authority_projection(self.source, self.changes, self.events)


@dataclass(frozen=True, slots=True)
class TimersFrom:
    """What the own history says about timers, and which command a due one becomes. Raise `version` when `timing` changes."""

    version: int
    timing: Timing
    issue: Callable[[Due], Issue]
    events: frozenset[type[Event]] | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a service is made of, checked. Raises ValueError where two parts claim one name, or an event's source is not known."""

    name: str
    catalogue: Catalogue
    deciders: tuple[Decider[Any, Any], ...]
    projections: tuple[Projection, ...]
    reactions: tuple[Reaction, ...]
    authority: AuthorityFrom
    timers: TimersFrom | None
    migrations: tuple[Traversable | Path, ...]
    prepare: Callable[[Application], Awaitable[None]] | None
    works: tuple[Callable[[Application], Coroutine[Any, Any, None]], ...] = ()

    def __post_init__(self) -> None:
        categories = [decider.category for decider in self.deciders]
        if len(set(categories)) < len(categories):
            raise ValueError(f"{self.name}: two deciders share a category: {sorted(categories)}")
        if own := [reaction.name for reaction in self.reactions if source_of(reaction.event) == self.name]:
            raise ValueError(f"{self.name}: a reaction is to another service's events; decide these in one command: {own}")
        if away := [one.name for one in self.projections if one.home == "vault" and one.source != self.name]:
            raise ValueError(f"{self.name}: only the service whose history it is keeps search tables in the vault: {away}")

    def reactions_to(self, source: str) -> list[Reaction]:
        """The reactions to one service's events."""
        return [reaction for reaction in self.reactions if source_of(reaction.event) == source]

    @property
    def follows(self) -> tuple[str, ...]:
        """The other services whose histories feed projections or reactions here."""
        sources = {projection.source for projection in self.projections} | {source_of(reaction.event) for reaction in self.reactions}
        return tuple(sorted(sources - {self.name}))


def source_of(event: type[Event]) -> str:
    """The service that publishes an event: `membership.MemberAdmitted.v1` is membership's."""
    return event.TYPE.partition(".")[0]


class Service:
    """An ASGI application with a lifespan that starts every part in order and stops it in reverse."""

    def __init__(
        self,
        settings: Settings,
        *,
        name: str,
        catalogue: Catalogue,
        authority: AuthorityFrom,
        deciders: Sequence[Decider[Any, Any]] = (),
        projections: Sequence[Projection] = (),
        reactions: Sequence[Reaction] = (),
        timers: TimersFrom | None = None,
        routers: Sequence[Router] = (),
        readers: Mapping[str, Readers] | None = None,
        migrations: Sequence[Traversable | Path] = (),
        prepare: Callable[[Application], Awaitable[None]] | None = None,
        works: Sequence[Callable[[Application], Coroutine[Any, Any, None]]] = (),
        parts: Parts | None = None,
    ) -> None:
        """`readers`: by category of streams, who may read the sealed values of one (`tongxin explain`); nobody for the others.
        `prepare` runs at every start once commands can be handled, before requests are taken; each of `works` from then on, beside the
        requests, until the service stops; one that fails ends the process. `parts` replaces adapters, for tests."""
        self.settings = settings
        kept = [authority.projection]
        if timers is not None:
            kept.append(timer_projection(name, timers.version, timers.timing, events=timers.events))
        self.declaration = Declaration(
            name=name,
            catalogue=catalogue,
            deciders=tuple(deciders),
            projections=(*projections, *kept),
            reactions=tuple(reactions),
            authority=authority,
            timers=timers,
            migrations=tuple(migrations),
            prepare=prepare,
            works=tuple(works),
        )
        self.metrics = Metrics(name)
        self.traces = Traces(name, otlp_endpoint=settings.otlp_endpoint)
        self._parts = parts or Parts()
        self._checks: dict[str, Check] = {}
        self._history = _History()
        self.http = build(
            name,
            VERSION,
            [
                *routers,
                history_router(self._history, services_and_auditors),
                log_router(services_and_auditors),
                log_records,
                following,
                operating,
                story_router([*self.declaration.deciders, ERASURE], readers or {}),
                erasing,
                health(name, self._checks, self.metrics),
            ],
            lifespan=self._lifespan,
            metrics=self.metrics,
            traces=self.traces,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.http(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:
        try:
            async with running(self.settings, self.declaration, self._parts, self.metrics, self.traces) as service:
                self.http.state.application = service.application
                self._history.store = service.store
                self._checks.update(service.standing.checks())
                yield
        except Exception:
            # The server only says that the start failed, and its own traceback is withheld from the log.
            log.exception("service failed", service=self.declaration.name)
            raise


class _History:
    """The own history as its routes read it: they are declared before the store is there."""

    store: Reader

    async def head(self) -> Head:
        return await self.store.head()

    async def leaf_at(self, position: int) -> bytes | None:
        return await self.store.leaf_at(position)

    async def epochs(self) -> Sequence[Epoch]:
        return await self.store.epochs()

    async def read(self, after: int, *, limit: int = 1_000, upto: int | None = None) -> Sequence[Recorded]:
        return await self.store.read(after, limit=limit, upto=upto)


async def services_and_auditors(caller: Caller, app: App) -> None:
    """Who may read a history: our own services, and auditors of the node's organisation."""
    await caller.require_service_or("auditor", unit=app.node_org)


def run(create_app: Callable[[S], Service], settings: S) -> None:
    """Serve until told to stop: first no new requests, then answers under way, then every part in reverse order."""
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        backlog=4_096,
        timeout_graceful_shutdown=settings.stop_seconds_max,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nothing here trusts what a proxy says of its client
        server_header=False,
    )
