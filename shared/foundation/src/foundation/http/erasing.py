"""What a service did about an erasure, for the certificate (`tongxin erase`): asked by whoever holds the node's own key."""

from datetime import datetime
from typing import Annotated

from contracts.foundation import ErasureBasis, ErasureId, KeptGround, KeysDestroyed
from fastapi import Path
from pydantic import Field

from foundation.decider import Refusal
from foundation.erasure.rules import ERASURE, Begun
from foundation.http.caller import App, Application, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from foundation.http.tokens import OPERATOR

router = Router(tags=["operation"])


class ErasureUnknown(Refusal):
    """Nothing was ordered about this subject here."""

    status = 404


class DestroyedView(Body):
    """A purpose whose keys were destroyed."""

    purpose: str
    at: datetime
    keys: int


class KeptView(Body):
    """A purpose whose keys are kept; `source` is the rule's, for a retention."""

    purpose: str
    ground: KeptGround
    until: datetime | None
    source: str | None


class RecordView(Body):
    """An event that records it, with what proves it: its place, its leaf hash (hex), and the record itself (nothing personal in clear)."""

    position: int
    type: str
    leaf: str
    record: str


class ErasureView(Body):
    """One service's part in an erasure."""

    subject: str
    erasure: ErasureId
    basis: ErasureBasis
    ordered_at: datetime
    carried_out: bool = Field(description="Whether it was looked at; then what is not kept was destroyed.")
    done: bool = Field(description="Nothing is kept any more.")
    destroyed: list[DestroyedView]
    kept: list[KeptView]
    records: list[RecordView]


@router.get("/operation/erasures/{subject}", responses=problems(ErasureUnknown))
async def erasure(subject: Annotated[str, Path(pattern="^[0-9a-f]{32}$")], caller: Caller, app: App) -> ErasureView:
    """What was destroyed here of a subject's keys, what is kept and why, and the records that tell of it."""
    caller.require_service(OPERATOR)
    events = await app.history(ERASURE, subject)
    state = ERASURE.fold([one.event for one in events])
    if not isinstance(state, Begun):
        raise ErasureUnknown()
    keys: dict[str, int] = {}
    for one in events:
        if isinstance(one.event, KeysDestroyed):
            keys[one.event.purpose] = keys.get(one.event.purpose, 0) + len(one.event.keys)
    sources = {rule.purpose: rule.source for rule in await app.vault.purposes(app.clock.now())}
    return ErasureView(
        subject=subject,
        erasure=state.erasure,
        basis=state.basis,
        ordered_at=state.ordered_at,
        carried_out=state.tried,
        done=not state.is_open,
        destroyed=[DestroyedView(purpose=purpose, at=at, keys=keys[purpose]) for purpose, at in sorted(state.destroyed.items())],
        kept=[
            KeptView(
                purpose=one.purpose,
                ground=one.ground,
                until=one.until,
                source=sources.get(one.purpose) if one.ground is KeptGround.retention else None,
            )
            for one in state.kept
        ],
        records=[await _record(app, one.position) for one in events],
    )


async def _record(app: Application, position: int) -> RecordView:
    [found] = await app.store.read(position - 1, limit=1, upto=position)
    return RecordView(position=position, type=found.type, leaf=found.leaf.hex(), record=found.record.decode())
