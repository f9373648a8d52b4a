"""How far a service has followed another's history: what that one's rollback guard asks of its followers (DESIGN 3)."""

from collections.abc import Callable
from typing import Annotated

import httpx
from fastapi import Path
from pydantic import BaseModel

from foundation.http.caller import App, Caller
from foundation.http.routing import Router
from foundation.store.guard import Witness
from foundation.store.port import Head

router = Router(tags=["operation"])


class Followed(BaseModel):
    """The furthest that any consumer here has come in a source's history; position -1 where none has begun. `leaf` is in hex."""

    epoch: int
    position: int
    leaf: str


@router.get("/followed/{source}")
async def followed(source: Annotated[str, Path(pattern="^[a-z][a-z0-9-]{0,39}$")], caller: Caller, app: App) -> Followed:
    """For our own services: how far this one has followed `source`."""
    caller.require_service()
    row = await app.pool.fetchrow(
        "select epoch, last, leaf from cursors where source = $1 and last >= 0 order by epoch desc, last desc limit 1", source
    )
    return Followed(epoch=0, position=-1, leaf="") if row is None else Followed(epoch=row[0], position=row[1], leaf=row[2].hex())


def follower(client: httpx.AsyncClient, base_url: str, source: str, token: Callable[[], str]) -> Witness:
    """Asks one follower over HTTP."""

    async def ask() -> Head | None:
        answer = await client.get(f"{base_url}/followed/{source}", headers={"authorization": f"Bearer {token()}"})
        answer.raise_for_status()
        seen = Followed.model_validate_json(answer.content)
        return None if seen.position < 0 else Head(seen.epoch, seen.position, bytes.fromhex(seen.leaf))

    return ask
