"""The maker's side: draft, papers, the visit that verifies, submitting, returning. Pure.

Every rule reads the declared interests of who asks, so relatives are blocked from the first step on; the visit's facts meet the
programme's rules here, and what they come to is written down with the versions of rules and file that were seen.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.assistance.applications import (
    ApplicationDrafted,
    ApplicationReturned,
    ApplicationSubmitted,
    ApplicationVerified,
    DocumentAttached,
    Facts,
)
from contracts.assistance.hardship import HouseholdMember
from contracts.assistance.programmes import Period
from contracts.kernel import Event, PersonId
from contracts.values import day_in_china
from foundation.decider import JointDecider, Part

from assistance.applications import commands, errors
from assistance.applications.application import Application, Draft, Known, Submitted, Unknown, Verified, stage
from assistance.applications.following import APPLICATION, known, not_to_come
from assistance.hardship.file import FILE, HardshipFile, Live
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.programmes.assessment import assess, in_season, misfits
from assistance.programmes.errors import ProgrammeNotInForce, ProgrammeUnknown
from assistance.programmes.language import Value
from assistance.programmes.programme import PROGRAMME, rules_of, rules_on


def concerned(application: Known, file: HardshipFile | None = None) -> set[PersonId]:
    """Whose matter it is: the person, the payee, and everybody of the household, then and now."""
    return {*application.case.people, *(file.people if isinstance(file, Live) else ())}


# --------------------------------------------------------------------------------------------------------------- drafts


def _draft_parts(command: commands.Draft) -> Sequence[Part]:
    parts = [Part(APPLICATION, command.application), Part(PROGRAMME, command.programme), Part(INTERESTS, command.by)]
    return parts if command.household is None else [*parts, Part(FILE, command.household)]


def _draft(command: commands.Draft, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    application: Application = states[0]
    file: HardshipFile | None = states[3] if command.household is not None else None
    not_to_come(command.on, now)
    if not isinstance(application, Unknown):
        raise errors.ApplicationElsewhere(command.application, stage(application))
    rules = rules_on(states[1], command.programme, command.on)
    if rules.organisation not in command.above:
        raise ProgrammeUnknown(command.programme)  # of another union, for its own people
    if not in_season(rules.definition, command.on):
        raise errors.OutOfSeason(command.programme)
    if rules.definition.period is Period.incident and command.incident_on is None:
        raise errors.IncidentNeeded(command.programme)
    if command.incident_on is not None:
        not_to_come(command.incident_on, now)
    _belongs(command, file, needed=rules.definition.needs_file)
    people = file.people if isinstance(file, Live) else ()
    no_conflict(command.by, states[2], {command.person, command.payee, *people})
    drafted = ApplicationDrafted(
        application=command.application,
        organisation=command.organisation,
        programme=command.programme,
        person=command.person,
        household=command.household,
        people=people,
        payee=command.payee,
        name=command.name,
        statement=command.statement,
        account=command.account,
        incident_on=command.incident_on,
        drafted_by=command.by,
        drafted_on=command.on,
    )
    return [[drafted], *([] for _ in states[1:])]


def _belongs(command: commands.Draft, file: HardshipFile | None, *, needed: bool) -> None:
    """The person is of the household, and a minor's payee the guardian. Raises FileNeeded, PayeeNotGuardian."""
    if file is None:
        if needed:
            raise errors.FileNeeded(None)
        return
    member = member_of(file, command.household, command.person)
    if member.minor and command.payee != member.guardian:
        raise errors.PayeeNotGuardian


def member_of(file: HardshipFile | None, household: str | None, person: PersonId) -> HouseholdMember:
    """The person in the household's live file, which is no other's today. Raises FileNeeded."""
    member = file.member(person) if isinstance(file, Live) else None
    if member is None:
        raise errors.FileNeeded(household)
    return member


DRAFT: JointDecider[commands.Draft] = JointDecider(parts=_draft_parts, decide=_draft)


def _attach_parts(command: commands.Attach) -> Sequence[Part]:
    return (Part(APPLICATION, command.application), Part(PROGRAMME, command.programme), Part(INTERESTS, command.by))


def _attach(command: commands.Attach, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    application = known(states[0], command.application)
    programme = application.case.programme
    # What was granted, perhaps paid first, has its papers to come, whether the programme goes on or not.
    rules = rules_of(states[1], programme) if application.case.grants else rules_on(states[1], programme, day_in_china(now))
    no_conflict(command.by, states[2], concerned(application))
    if command.kind not in {document.kind for document in rules.definition.documents}:
        raise errors.DocumentNotAsked(command.kind)
    if (command.kind, command.digest) in application.case.documents:
        return [], [], []
    attached = DocumentAttached(application=command.application, kind=command.kind, digest=command.digest, attached_by=command.by)
    return [attached], [], []


ATTACH: JointDecider[commands.Attach] = JointDecider(parts=_attach_parts, decide=_attach)


# ------------------------------------------------------------------------------------------------------------ the visit


def _verify_parts(command: commands.Verify) -> Sequence[Part]:
    parts = [Part(APPLICATION, command.application), Part(PROGRAMME, command.programme)]
    parts += [Part(INTERESTS, principal) for principal in dict.fromkeys((command.by, *command.visitors))]
    return parts if command.household is None else [*parts, Part(FILE, command.household)]


def _verify(command: commands.Verify, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    application = known(states[0], command.application)
    file: HardshipFile | None = states[-1] if command.household is not None else None
    not_to_come(command.visited_on, now)
    if not isinstance(application, Draft | Verified):
        raise errors.ApplicationElsewhere(command.application, stage(application))
    if not command.visitors or len(set(command.visitors)) < len(command.visitors):
        raise errors.VisitMalformed
    rules = rules_on(states[1], application.case.programme, day_in_china(now))
    if file is not None:
        member_of(file, command.household, application.case.person)
    people = concerned(application, file)
    for part, state in zip(_verify_parts(command), states, strict=True):
        if part.decider is INTERESTS:
            no_conflict(part.id, state, people)
    if wrong := misfits(rules.definition, command.facts):
        raise errors.FactsMisfit(sorted(wrong))
    found = assess(rules.definition, {**file_facts(command, application, file), **command.facts})
    verified = ApplicationVerified(
        application=command.application,
        person=application.case.person,
        visitors=command.visitors,
        visited_on=command.visited_on,
        facts=Facts(values=dict(command.facts)),
        finding=command.finding,
        programme_version=rules.number,
        file_version=file.facts_version if isinstance(file, Live) else None,
        entitled_fen=found.entitled_fen,
        failed=found.failed,
        documents_needed=found.documents_needed,
        verified_by=command.by,
    )
    return [[verified], *([] for _ in states[1:])]


def file_facts(command: commands.Verify, application: Known, file: HardshipFile | None) -> dict[str, Value]:
    """What the rules may know of a household: its level and people from the live file, its circumstances as opened at that version.

    Raises ApprovalStale where the file has moved since its circumstances were read.
    """
    if not isinstance(file, Live):
        return {}
    if command.file_version != file.facts_version or command.household != application.case.household:
        raise errors.ApprovalStale(command.application, ["file"])
    facts: dict[str, Value] = {"minors": sum(one.minor for one in file.members)}
    if file.level is not None:
        facts["file_level"] = file.level
    told = command.circumstances
    if told is not None:
        facts |= {
            "heads": told.heads,
            "own_month_fen": told.own_month_fen,
            "household_month_fen": told.household_month_fen,
            "income_per_head_month_fen": told.household_month_fen // max(told.heads, 1),
            "rigid_spending_year_fen": told.rigid_spending_year_fen,
        }
    return facts


VERIFY: JointDecider[commands.Verify] = JointDecider(parts=_verify_parts, decide=_verify)


# ---------------------------------------------------------------------------------------------------------- up and back


def _submit_parts(command: commands.Submit) -> Sequence[Part]:
    return (Part(APPLICATION, command.application), Part(PROGRAMME, command.programme), Part(INTERESTS, command.by))


def _submit(command: commands.Submit, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    application = known(states[0], command.application)
    not_to_come(command.on, now)
    if isinstance(application, Submitted):
        return [], [], []
    if not isinstance(application, Verified):
        raise errors.ApplicationElsewhere(command.application, stage(application))
    rules = rules_on(states[1], application.case.programme, day_in_china(now))
    no_conflict(command.by, states[2], concerned(application))
    if rules.definition.notice is not None and (not application.found.cleared or application.found.upheld):
        raise errors.NoticeNeeded(command.application)
    submitted = ApplicationSubmitted(
        application=command.application, stamped=command.stamped, submitted_by=command.by, submitted_on=command.on
    )
    return [submitted], [], []


SUBMIT: JointDecider[commands.Submit] = JointDecider(parts=_submit_parts, decide=_submit)


def _return_parts(command: commands.Return) -> Sequence[Part]:
    return (Part(APPLICATION, command.application), Part(INTERESTS, command.by))


def _return(command: commands.Return, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    application = known(states[0], command.application)
    if isinstance(application, Draft):
        return [], []
    if not isinstance(application, Verified | Submitted):
        raise errors.ApplicationElsewhere(command.application, stage(application))
    no_conflict(command.by, states[1], concerned(application))
    if command.by in application.case.makers:
        raise errors.DutiesNotSeparated(command.application)
    returned = ApplicationReturned(
        application=command.application, person=application.case.person, reason=command.reason, returned_by=command.by
    )
    return [returned], []


RETURN: JointDecider[commands.Return] = JointDecider(parts=_return_parts, decide=_return)


# ------------------------------------------------------------------------------------------------------ from other services


def _chair_parts(command: commands.DraftForChair) -> Sequence[Part]:
    return (Part(APPLICATION, command.application), Part(PROGRAMME, command.programme))


def _draft_for_chair(command: commands.DraftForChair, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    if not isinstance(states[0], Unknown):
        return [], []
    day = day_in_china(now)
    drafted = ApplicationDrafted(
        application=command.application,
        organisation=command.organisation,
        programme=command.programme,
        person=command.chair,
        payee=command.chair,
        case=command.case,
        drafted_on=day,
    )
    try:
        rules = rules_on(states[1], command.programme, day)
    except (ProgrammeUnknown, ProgrammeNotInForce):
        # The draft waits for somebody: what rights has confirmed is not lost because a programme was not published yet.
        return [drafted], []
    facts = dict(command.facts)
    found = assess(rules.definition, facts)
    verified = ApplicationVerified(
        application=command.application,
        person=command.chair,
        visitors=(),
        visited_on=command.on,
        facts=Facts(values=facts),
        programme_version=rules.number,
        file_version=None,
        entitled_fen=found.entitled_fen,
        failed=found.failed,
        documents_needed=found.documents_needed,
        verified_by=None,
    )
    submitted = ApplicationSubmitted(application=command.application, stamped=None, submitted_by=None, submitted_on=day)
    return [drafted, verified, submitted], []


DRAFT_FOR_CHAIR: JointDecider[commands.DraftForChair] = JointDecider(parts=_chair_parts, decide=_draft_for_chair)
"""The confirming union has verified and stamped already: what it set goes straight to those who decide."""
