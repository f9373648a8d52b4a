"""The rules that a change of somebody's membership can break. None of them repeats anything personal."""

from datetime import date

from contracts.kernel import OrgCode, PersonId
from foundation.decider import Refusal


class MemberUnknown(Refusal):
    """Nothing is known of this person here."""

    status = 404

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class AlreadyMember(Refusal):
    """The person is a member of another union; membership follows employment by a transfer."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class MemberNotActive(Refusal):
    """The member's rights rest, or the membership is retained or retired."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class MemberSuspended(Refusal):
    """The member's rights rest; resume the membership first."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class MembershipEnded(Refusal):
    """The person is no member any more."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class MemberWasExpelled(Refusal):
    """Who was expelled comes back by an application and an approver's decision, not by a roster."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class MemberDead(Refusal):
    """The person's death is recorded."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class NoApplication(Refusal):
    """The person has not applied to this union."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class ApplicationOpen(Refusal):
    """The person's application to another union is open."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class KindNotHere(Refusal):
    """Above the grassroots a union takes single persons only as direct or honorary members."""

    status = 422

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class DayToCome(Refusal):
    """A fact about a person is recorded on its day or later."""

    status = 422

    def __init__(self, day: date) -> None:
        super().__init__(day=day)


class TransferUnknown(Refusal):
    """The member has no such transfer that could still be completed or objected to."""

    status = 404

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class ObjectionLate(Refusal):
    """The term for objecting is over."""

    def __init__(self, last: date) -> None:
        super().__init__(last=last)


class ObjectionOpen(Refusal):
    """The old union has objected; the union above decides first."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class NoObjection(Refusal):
    """Nobody has objected to the transfer."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class LinkedElsewhere(Refusal):
    """This record is linked to another one, which counts instead."""

    def __init__(self, member: PersonId, same_as: PersonId) -> None:
        super().__init__(member=member, same_as=same_as)


class LinkWouldEndMembership(Refusal):
    """The record that would count is no current membership while the other one is."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class LinkedToItself(Refusal):
    """One record is not two."""

    status = 422

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)


class NobodyKnown(Refusal):
    """Nobody here has this identity document."""

    status = 404


class DocumentOfAnother(Refusal):
    """Another record has this identity document: perhaps both are of one person, and should be linked."""

    def __init__(self, member: PersonId) -> None:
        super().__init__(member=member)
