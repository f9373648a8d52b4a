"""Putting payments into a batch: the batch, each payment, its application and whoever is to get the money, in one append. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import BatchItem
from contracts.kernel import Event, PersonId
from contracts.membership import Principal
from foundation.decider import JointDecider, Part
from foundation.ids import command_id

from assistance.applications.application import Application, Granted, Instructed, Paid
from assistance.applications.commands import MarkInstructed
from assistance.applications.errors import DutiesNotSeparated as ApplicationDutiesNotSeparated
from assistance.applications.following import APPLICATION, known
from assistance.batches.batch import BATCH
from assistance.batches.commands import Fill
from assistance.beneficiaries.beneficiary import BENEFICIARY, may_receive
from assistance.desk import Desk, once
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.payments import commands, errors
from assistance.payments.commands import Terms
from assistance.payments.payment import PAYMENT, Due, Unseen


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payment that the maker wants in the batch. `person` and `payee` are whom the grant, or a redirection since, names."""

    entitlement: str
    application: str
    person: PersonId
    payee: PersonId
    account: BankAccount


@dataclass(frozen=True, slots=True)
class Instruct:
    """Put these into a batch; all of them or none. At most batch.FILL_MAX."""

    batch: str
    wanted: tuple[Wanted, ...]
    by: Principal


def instruction_id(batch: str, entitlement: str) -> str:
    """The one instruction that an entitlement can have in a batch: asked again, it is the same one."""
    return command_id("instruction", batch, entitlement).hex


def _parts(command: Instruct) -> Sequence[Part]:
    parts = [Part(BATCH, command.batch), Part(INTERESTS, command.by)]
    for one in command.wanted:
        parts += (Part(PAYMENT, one.entitlement), Part(APPLICATION, one.application))
        parts += (Part(BENEFICIARY, one.payee), Part(BENEFICIARY, one.person))
    return once(parts)


def _decide(command: Instruct, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk = Desk(_parts(command), states, now)
    items = tuple(_instructed(command, one, desk) for one in command.wanted)
    cases = [known(desk.state(APPLICATION, one.application), one.application).case for one in command.wanted]
    hands = frozenset[Principal]().union(*(case.makers | case.decided_by for case in cases))
    desk.ask(BATCH, command.batch, Fill(command.batch, items, command.by, hands))
    return desk.decided()


def _instructed(command: Instruct, one: Wanted, desk: Desk) -> BatchItem:
    terms = payable(one.entitlement, one.application, (one.person, one.payee), command.by, desk)
    people = known(desk.state(APPLICATION, one.application), one.application).case.people
    no_conflict(command.by, desk.state(INTERESTS, command.by), people | {terms.payee})
    instruction = instruction_id(command.batch, one.entitlement)
    again = isinstance(desk.state(PAYMENT, one.entitlement), Due)
    told = commands.Instruct(one.entitlement, instruction, command.batch, terms, one.account, command.by)
    desk.ask(PAYMENT, one.entitlement, told)
    if not again:  # an earlier instruction marked it
        desk.ask(APPLICATION, one.application, MarkInstructed(one.application, command.by))
    return BatchItem(entitlement=one.entitlement, instruction=instruction, fen=terms.fen)


def payable(entitlement: str, id: str, people: tuple[PersonId, PersonId], by: Principal, desk: Desk) -> Terms:
    """What may be paid now to (person, payee), by somebody who had no part in granting it.

    Raises NotGranted, OtherTerms, ApplicationDutiesNotSeparated, AidIsStopped.
    """
    payment, application = desk.state(PAYMENT, entitlement), desk.state(APPLICATION, id)
    terms = granted(entitlement, id, application)  # what failed and was revoked since is due no more
    terms = payment.terms if isinstance(payment, Due) else terms
    heir = payment.heir if isinstance(payment, Unseen) else None
    terms = terms if heir is None else replace(terms, payee=heir)
    if people != (terms.person, terms.payee):
        raise errors.OtherTerms(entitlement)
    case = known(application, id).case
    if by in case.makers or by in case.decided_by:
        raise ApplicationDutiesNotSeparated(id)
    may_receive(desk.state(BENEFICIARY, terms.payee))
    if terms.payee == case.payee:  # to an heir money goes although the person has died
        may_receive(desk.state(BENEFICIARY, terms.person))
    return terms


def granted(entitlement: str, id: str, application: Application) -> Terms:
    """What an application was granted in money, and stands. Raises NotGranted."""
    if (
        not isinstance(application, Granted | Instructed | Paid)
        or application.grant.entitlement != entitlement
        or application.grant.in_kind
    ):
        raise errors.NotGranted(entitlement)
    case, grant = application.case, application.grant
    return Terms(id, case.organisation, case.person, case.payee, grant.line, grant.reservation, grant.fen)


INSTRUCT: JointDecider[Instruct] = JointDecider(parts=_parts, decide=_decide)
