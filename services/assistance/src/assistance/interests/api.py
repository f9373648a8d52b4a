"""Routes of declared interests: cadres declare for themselves; somebody above withdraws."""

from contracts.assistance.applications import InterestKind
from contracts.kernel import PersonId
from contracts.membership import Principal
from foundation.http.answers import Accepted
from foundation.http.caller import App, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router

from assistance.interests.interests import INTERESTS, Declare, OwnWithdrawal, Withdraw

router = Router(tags=["interests"])


class DeclareBody(Body):
    person: PersonId
    kind: InterestKind


class WithdrawBody(Body):
    person: PersonId


@router.post("/staff/{principal}/interests")
async def declare(principal: Principal, body: DeclareBody, caller: Caller, app: App) -> Accepted:
    """Declare a relative or an interest; the cadre alone, for themselves. From then on their matters are somebody else's."""
    caller.require_self(principal)
    return await app.handle(INTERESTS, principal, Declare(principal, body.person, body.kind), by=caller)


@router.post("/staff/{principal}/interests/withdrawal", responses=problems(OwnWithdrawal))
async def withdraw(principal: Principal, body: WithdrawBody, caller: Caller, app: App) -> Accepted:
    """Withdraw a declaration; an administrator of the node's organisation, never of their own."""
    await caller.require("org-admin", unit=app.node_org, fresh=True)
    return await app.handle(INTERESTS, principal, Withdraw(principal, body.person, caller.principal), by=caller)


@router.get("/staff/{principal}/interests")
async def read(principal: Principal, caller: Caller, app: App) -> list[PersonId]:
    """What a cadre has declared; an auditor or administrator of the node's organisation."""
    await caller.require("auditor", "org-admin", unit=app.node_org)
    interests, _ = await app.state(INTERESTS, principal)
    return sorted(interests)
