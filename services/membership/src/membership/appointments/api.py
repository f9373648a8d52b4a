"""Routes of staff appointments: administrators appoint, for their own union or below; the first one comes from the node itself."""

from typing import Annotated

from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal, RecordId, Role
from contracts.values import Day
from fastapi import Query
from foundation.http.answers import Accepted
from foundation.http.caller import App, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from foundation.http.tokens import OPERATOR
from foundation.ids import command_id
from pydantic import Field

from membership.appointments import commands, errors, posts
from membership.appointments.appointment import APPOINT, BOOTSTRAP, DELEGATE, END, HAND_OVER, STAFF
from membership.organisations.errors import OrganisationEnded, OrganisationNotYetFounded, OrganisationUnknown
from membership.terms import Terms

router = Router(tags=["appointments"])

ADMIN = "org-admin"
READERS = (ADMIN, "auditor", "steward")
DELEGATES_MAX = 50

_UNION = (OrganisationUnknown, OrganisationEnded, OrganisationNotYetFounded)
_POST = (errors.AppointmentPeriodEmpty, errors.AlreadyAppointed, errors.DutiesNotSeparated, errors.ActingNotStated)


class BootstrapBody(Body):
    principal: Principal


class AppointBody(Body):
    principal: Principal
    organisation: OrgCode
    role: Role
    valid_from: Day
    valid_until: Day | None = Field(default=None, description="The first day it no longer holds.")
    acting: bool = Field(default=False, description="Held beside another post, in so many words.")


class EndBody(Body):
    valid_until: Day = Field(description="The first day it no longer holds.")


class DelegateBody(Body):
    delegate: Principal
    valid_from: Day
    valid_until: Day


class HandOverBody(Body):
    successor: Principal
    organisation: OrgCode
    paper: Digest = Field(description="SHA-256 of the hand-over list that both have signed.")
    effective_on: Day


class AppointmentView(Body):
    appointment: RecordId
    principal: Principal
    organisation: OrgCode
    role: Role
    acting: bool
    delegated_from: RecordId | None
    valid_from: Day
    valid_until: Day | None


def _view(held: posts.Held) -> AppointmentView:
    return AppointmentView(**{name: getattr(held, name) for name in AppointmentView.model_fields})


async def _new_id(caller: Calling) -> str:
    # It follows from the request, so that the same request sent again appoints nobody twice.
    return command_id("appointment", str((await caller.command_ref()).id)).hex


@router.post("/appointments/first", status_code=201, responses=problems(errors.AlreadyBootstrapped))
async def bootstrap(body: BootstrapBody, caller: Caller, app: App) -> Accepted:
    """Appoint the node's first administrator; the node itself only, and once."""
    caller.require_service(OPERATOR)
    command = commands.Bootstrap(body.principal, await _new_id(caller), app.node_org, app.today())
    return await app.handle_joint(BOOTSTRAP, command, by=caller, org=app.node_org)


@router.post("/appointments", status_code=201, responses=problems(*_UNION, *_POST))
async def appoint(body: AppointBody, caller: Caller, app: App) -> Accepted:
    """Appoint somebody; administrator of the union or above."""
    await caller.require(ADMIN, unit=body.organisation, fresh=True)
    command = commands.Appoint(
        body.principal, await _new_id(caller), body.organisation, body.role, body.valid_from, body.valid_until, body.acting
    )
    return await app.handle_joint(APPOINT, command, by=caller)


@router.post("/staff/{principal}/appointments/{appointment}/end", responses=problems(errors.AppointmentUnknown))
async def end(principal: Principal, appointment: RecordId, body: EndBody, caller: Caller, app: App) -> Accepted:
    """End an appointment and what was delegated from it; administrator of the union or above."""
    staff, _ = await app.state(STAFF, principal)
    await caller.require(ADMIN, unit=staff.post(appointment).organisation, fresh=True)
    delegates = tuple(await posts.delegates(app.pool, appointment))
    return await app.handle_joint(END, commands.End(principal, appointment, body.valid_until, delegates), by=caller)


@router.post(
    "/staff/{principal}/handover",
    responses=problems(*_UNION, *_POST, errors.NothingToHandOver, errors.DelegatedToSelf),
)
async def hand_over(principal: Principal, body: HandOverBody, caller: Caller, app: App) -> Accepted:
    """Move all posts of a departing cadre at a union to a successor; administrator of the union or above."""
    await caller.require(ADMIN, unit=body.organisation, fresh=True)
    command = commands.HandOver(principal, body.successor, body.organisation, body.paper, body.effective_on)
    return await app.handle_joint(HAND_OVER, command, by=caller)


@router.get("/appointments")
async def list_at(
    *,
    caller: Caller,
    app: App,
    organisation: OrgCode,
    on: Annotated[Day | None, Query(description="The day to look at; today where none is named.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AppointmentView]:
    """Who holds a post at a union on a day; its administrator, steward or auditor, or above."""
    await caller.require(*READERS, unit=organisation)
    day = on or app.today()
    query = f"appointments {organisation} {day}"
    place = app.cursors.read(cursor, query=query)
    found = await posts.at(app.pool, organisation, day, after="" if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].appointment], query=query) if len(found) > limit else None
    return Page(items=[_view(held) for held in found[:limit]], next=more)


@router.get("/staff/{principal}/appointments")
async def list_of(principal: Principal, caller: Caller, app: App) -> list[AppointmentView]:
    """Every post somebody was ever appointed to; the person, or an administrator, steward or auditor for what is theirs to see."""
    found = await posts.of(app.pool, principal)
    if caller.principal != principal:
        found = [held for held in found if await app.authority.grants(caller.principal, READERS, held.organisation, app.today())]
    return [_view(held) for held in found]


def delegation(terms: Terms) -> Router:
    """The route that the term of delegations binds."""
    router = Router(tags=["appointments"])

    @router.post(
        "/staff/{principal}/appointments/{appointment}/delegation",
        status_code=201,
        responses=problems(
            *_POST, errors.AppointmentUnknown, errors.DelegationTooLong, errors.DelegationOutsidePost, errors.DelegatedToSelf
        ),
    )
    async def delegate(principal: Principal, appointment: RecordId, body: DelegateBody, *, caller: Caller, app: App) -> Accepted:
        """Let somebody do the work of a post during leave, for so long at most as the term allows; its holder, or an administrator."""
        staff, _ = await app.state(STAFF, principal)
        unit = staff.post(appointment).organisation
        if caller.principal == principal:
            caller.require_self(principal)
        else:
            await caller.require(ADMIN, unit=unit, fresh=True)
        command = commands.Delegate(
            principal,
            appointment,
            body.delegate,
            await _new_id(caller),
            unit,
            body.valid_from,
            body.valid_until,
            terms.on("delegation", app.today()).days,
        )
        return await app.handle_joint(DELEGATE, command, by=caller, org=unit)

    return router
