"""The history as a transparency log in the layout of C2SP tlog-tiles, and the witness for other logs (AUDIT-LOG "Tiles", "Witnesses").

Checkpoints and hash tiles are public: they say nothing about what is recorded. Entries are for our own services and the node's auditors.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from foundation.decider import Refusal
from foundation.http.caller import App, Application
from foundation.http.limits import body_up_to
from foundation.http.problems import NoSuchResource, problems
from foundation.http.routing import Router
from foundation.log import witness
from foundation.log.storage import LogDamaged
from foundation.log.tiles import PathMalformed, Tile

ADD_CHECKPOINT_BYTES_MAX = 64_000
FRESH = "public, max-age=1"
"""For what grows: seconds at most."""

KEPT = "public, max-age=60"
"""For a checkpoint, which may still gain cosignatures."""

FOR_EVER = "max-age=31536000, immutable"

SIZE_TYPE = "text/x.tlog.size"
TILE_TYPE = "application/octet-stream"
_SIZE = {
    "description": "- the old size is another than that of the checkpoint cosigned last, which is given",
    "content": {SIZE_TYPE: {"schema": {"type": "string"}}},
}
_TILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The tile", "content": {TILE_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
_CHECKPOINT_BODY = {
    "requestBody": {
        "required": True,
        "content": {"text/plain": {"schema": {"type": "string", "examples": ["old 0\n\nunion.example/3709/rights\n1\n…"]}}},
    }
}

After = Annotated[int, Query(ge=-1, le=2**63 - 1)]
Size = Annotated[int, Path(ge=0, le=2**63 - 1)]


class AddCheckpointMalformed(Refusal):
    """The body is not an old size, a proof, an empty line and a checkpoint; or the old size is above the checkpoint's."""

    status = 400


class CheckpointUnsigned(Refusal):
    """None of the checkpoint's signatures is of its log's key."""

    status = 403


class LogUnknown(Refusal):
    """Not a log that is witnessed here."""

    status = 404


class CheckpointInconsistent(Refusal):
    """The proof does not show that the checkpoint continues the one cosigned last."""

    status = 422


class LogUnreadable(Refusal):
    """What is stored of this log is damaged; an operator knows."""

    status = 503


def log_router(authorise: Callable[..., Any]) -> Router:
    """The routes; `authorise` is a dependency that raises for whoever may not read entries."""
    router = Router(tags=["log"])
    tile_responses = {**_TILE, **problems(LogUnreadable)}

    @router.get("/log/checkpoint", response_class=PlainTextResponse)
    async def checkpoint(app: App) -> Response:
        """The newest published checkpoint, a signed note (C2SP tlog-checkpoint)."""
        return _text(await app.log.checkpoint(), FRESH)

    @router.get("/log/checkpoints", response_class=PlainTextResponse)
    async def checkpoints(app: App, after: After = -1) -> Response:
        """The sizes of published checkpoints above one, one a line, the smallest first; 10,000 at the most."""
        return _text("".join(f"{size}\n" for size in await app.log.store.sizes(after)), FRESH)

    @router.get("/log/checkpoints/{size}", response_class=PlainTextResponse)
    async def checkpoint_of(size: Size, app: App) -> Response:
        """The published checkpoint of a size. Every one is kept."""
        return _text(await app.log.checkpoint(size), KEPT)

    @router.get("/log/keys", response_class=PlainTextResponse)
    async def keys(app: App) -> Response:
        """The verifier key of the log. Who asks the log itself whom to believe learns only that all fits together."""
        return _text(await app.log.verifiers(), KEPT)

    @router.get("/log/policy", response_class=PlainTextResponse)
    async def policy(app: App) -> Response:
        """The log and its witnesses (C2SP tlog-policy)."""
        return _text((await app.log.policy()).decode(), KEPT)

    @router.get("/log/tile/entries/{bundle:path}", dependencies=[Depends(authorise)], response_class=Response, responses=tile_responses)
    async def entries(bundle: str, app: App) -> Response:
        """256 records, or as many as the path says, each as its length (two bytes, big-endian) and its bytes."""
        return await _tile(app, f"tile/entries/{bundle}", f"private, {FOR_EVER}")

    @router.get("/log/tile/{tile:path}", response_class=Response, responses=tile_responses)
    async def hashes(tile: str, app: App) -> Response:
        """256 hashes of 32 bytes, or as many as the path says: `/log/tile/0/x001/x234/067.p/3` (C2SP tlog-tiles)."""
        return await _tile(app, f"tile/{tile}", f"public, {FOR_EVER}")

    @router.post(
        "/witness/add-checkpoint",
        response_class=PlainTextResponse,
        responses={**problems(AddCheckpointMalformed, CheckpointUnsigned, LogUnknown, CheckpointInconsistent), 409: _SIZE},
        openapi_extra=_CHECKPOINT_BODY,
    )
    @body_up_to(ADD_CHECKPOINT_BYTES_MAX)
    async def add_checkpoint(request: Request, app: App) -> Response:
        """Cosign a checkpoint of another service's log that continues the one cosigned last (C2SP tlog-witness).

        Nobody shows who they are: the checkpoint's signature does.
        """
        try:
            line = await app.log.witness.add_checkpoint(await request.body())
        except witness.OtherSize as other:
            return Response(f"{other.size}\n", 409, {"content-type": SIZE_TYPE})  # of the type alone, without a charset
        except witness.AddCheckpointMalformed as error:
            raise AddCheckpointMalformed(reason=str(error)) from None
        except witness.NotSigned as error:
            raise CheckpointUnsigned(reason=str(error)) from None
        except witness.LogUnknown as error:
            raise LogUnknown(reason=str(error)) from None
        except witness.NotConsistent as error:
            raise CheckpointInconsistent(reason=str(error)) from None
        return PlainTextResponse(line)

    return router


def _text(text: str | None, kept: str) -> Response:
    if text is None:
        raise NoSuchResource("log")
    return PlainTextResponse(text, headers={"cache-control": kept})


async def _tile(app: Application, path: str, kept: str) -> Response:
    try:
        content = await app.log.tile(Tile.parse(path))
    except PathMalformed:
        content = None
    except LogDamaged:
        raise LogUnreadable() from None
    if content is None:
        raise NoSuchResource("log")
    return Response(content, headers={"cache-control": kept}, media_type=TILE_TYPE)
