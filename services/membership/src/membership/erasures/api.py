"""The route by which a person's erasure is ordered."""

from contracts.foundation import ErasureBasis
from contracts.kernel import PersonId
from foundation.http.answers import Accepted
from foundation.http.caller import App, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import Field

from membership.erasures.order import ORDER, Order
from membership.members.api import own_id
from membership.members.errors import MemberUnknown
from membership.members.rules import MEMBER

router = Router(tags=["erasure"])

ADMIN = "org-admin"


class EraseBody(Body):
    basis: ErasureBasis = Field(description="The ground in PIPL 47.")
    note: str | None = Field(default=None, min_length=1, max_length=2_000, description="In words; sealed. Not the place for names.")


@router.post("/people/{person}/erasure", status_code=202, responses=problems(MemberUnknown))
async def order(person: PersonId, body: EraseBody, caller: Caller, app: App) -> Accepted:
    """Have a person erased by every service of the node: restricted at once, then destroyed purpose by purpose as retention allows.

    Administrator of the node's organisation. Ordered once; a repetition changes nothing.
    """
    await caller.require(ADMIN, unit=app.node_org, fresh=True)
    _, version = await app.state(MEMBER, person)
    if version == 0:
        raise MemberUnknown(person)
    command = Order(person, await own_id(caller, "erasure"), body.basis, body.note)
    return await app.handle(ORDER, person, command, by=caller)
