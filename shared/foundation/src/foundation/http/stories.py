"""Everything that happened in one stream, for people to read (`tongxin explain`): sealed values opened only for who may read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from contracts.kernel import Ciphertext, Erased
from fastapi import Path
from pydantic import Field

from foundation.decider import Decider, Refusal
from foundation.history import Happened
from foundation.http.caller import App, Application, Caller, Calling, NotPermitted
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router

StreamName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}-[\x21-\x7e]{1,160}$", description="`<category>-<id>`")]


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read a category's sealed values: these roles, held for the unit that the stream's last event with `unit` among its fields
    names there, or above it."""

    roles: tuple[str, ...]
    unit: str


class StreamUnknown(Refusal):
    """Nothing has happened in this stream."""

    status = 404


class ToldView(Body):
    """One event as it stands in the history, and what of it could be opened for the caller."""

    position: int
    type: str
    recorded_at: datetime
    actor: str
    acting_for: str | None
    data: dict[str, Any] = Field(description="As in the record: sealed values are ciphertexts.")
    opened: dict[str, Any] = Field(description="The sealed values that the caller may read, by field.")
    erased: list[str] = Field(description="Fields whose key was destroyed, or is withheld under a restriction.")


def story_router(deciders: Sequence[Decider[Any, Any]], readers: Mapping[str, Readers]) -> Router:
    """The route over a service's streams. `readers`: by category; nobody for a category that is not named."""
    router = Router(prefix="/streams", tags=["history"])
    kinds = {decider.category: decider for decider in deciders}

    @router.get("/{stream}/story", responses=problems(StreamUnknown))
    async def story(*, stream: StreamName, caller: Caller, app: App, limit: Limit = 50, cursor: Cursor = None) -> Page[ToldView]:
        """What happened in a stream, oldest first. For its readers with sealed values opened, which is recorded where their
        purpose asks for it; for the node's auditors, administrators and services as it stands in the history."""
        category, _, name = stream.partition("-")
        decider = kinds.get(category)
        events = [] if decider is None else await app.history(decider, name)
        opens = await _may_open(caller, events, readers.get(category))
        if not opens:
            await caller.require_service_or("auditor", "org-admin", unit=app.node_org)
        if not events:
            raise StreamUnknown()
        query = f"story {stream}"
        place = app.cursors.read(cursor, query=query)
        rest = [one for one in events if place is None or one.position > place[0]]
        page = rest[:limit]
        more = app.cursors.make([page[-1].position], query=query) if len(rest) > limit else None
        return Page(items=[_told(one) for one in (await _opened(app, page, caller) if opens else page)], next=more)

    return router


async def _may_open(caller: Calling, events: Sequence[Happened], readers: Readers | None) -> bool:
    if caller.service is not None or readers is None:
        return False
    named = [unit for one in events if isinstance(unit := one.event.__dict__.get(readers.unit), str)]
    if not named:
        return False
    try:
        await caller.require(*readers.roles, unit=named[-1])
    except NotPermitted:
        return False
    return True


async def _opened(app: Application, events: Sequence[Happened], caller: Calling) -> Sequence[Happened]:
    return await app.sealer.open(events, principal=caller.principal)


def _told(one: Happened) -> ToldView:
    values = {name: one.event.__dict__[name] for name in one.event.SEALED}
    clear = {name for name, value in values.items() if value is not None and not isinstance(value, Ciphertext | Erased)}
    return ToldView(
        position=one.position,
        type=one.envelope.type,
        recorded_at=one.envelope.time,
        actor=one.envelope.actor,
        acting_for=one.envelope.org,
        data=one.envelope.data,
        opened=one.event.model_dump(mode="json", include=clear),
        erased=[name for name, value in values.items() if isinstance(value, Erased)],
    )
