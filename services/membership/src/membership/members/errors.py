"""The rules that a change of somebody's membership can break. None of them repeats anything personal."""

from datetime import date

from contracts.kernel import OrgCode, PersonId
from foundation.decider import Refusal


class MemberUnknown(Refusal):
    """Nothing is known of this person here."""

    status = 404

    def __init__(self, member: PersonId) -> None:
        super().__init__("no membership of this person is recorded", member=member)


class AlreadyMember(Refusal):
    """The person is a member of another union; membership follows employment by a transfer."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("this person is a member of another union; register a transfer with proof of employment", member=member)


class MemberNotActive(Refusal):
    """The member's rights rest, or the membership is retained or retired."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("this needs a member in full standing", member=member)


class MemberSuspended(Refusal):
    """The member's rights rest; resume the membership first."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("the member's rights rest; resume the membership first", member=member)


class MembershipEnded(Refusal):
    """The person is no member any more."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("this membership has ended", member=member)


class MemberWasExpelled(Refusal):
    """Who was expelled comes back by an application and an approver's decision, not by a roster."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("this person was expelled; a new membership needs an application and an approver", member=member)


class MemberDead(Refusal):
    """The person's death is recorded."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("this person's death is recorded; reinstate the membership if that was an error", member=member)


class NoApplication(Refusal):
    """The person has not applied to this union."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("there is no open application of this person to this union", member=member)


class ApplicationOpen(Refusal):
    """The person's application to another union is open."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("this person's application to another union is open; it is decided or withdrawn first", member=member)


class KindNotHere(Refusal):
    """Above the grassroots a union takes single persons only as direct or honorary members."""

    status = 422

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"{organisation} is above the grassroots and has only direct and honorary members", organisation=organisation)


class DayToCome(Refusal):
    """A fact about a person is recorded on its day or later."""

    status = 422

    def __init__(self, day: date) -> None:
        super().__init__(f"{day} is yet to come; facts about a person are recorded once they are so", day=day.isoformat())


class TransferUnknown(Refusal):
    """The member has no such transfer that could still be completed or objected to."""

    status = 404

    def __init__(self, member: PersonId) -> None:
        super().__init__("this member has no such open transfer", member=member)


class ObjectionLate(Refusal):
    """The term for objecting is over."""

    def __init__(self, last: date) -> None:
        super().__init__(f"objections to this transfer were possible until {last}", last=last.isoformat())


class ObjectionOpen(Refusal):
    """The old union has objected; the union above decides first."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("the old union has objected to this member's transfer; the union above both decides first", member=member)


class NoObjection(Refusal):
    """Nobody has objected to the transfer."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("no objection to this transfer is open", member=member)


class LinkedElsewhere(Refusal):
    """This record is linked to another one, which counts instead."""

    def __init__(self, member: PersonId, same_as: PersonId) -> None:
        super().__init__("this record is linked to another one of the same person", member=member, same_as=same_as)


class LinkWouldEndMembership(Refusal):
    """The record that would count is no current membership while the other one is."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("link the record that has ended to the one that is current, not the other way round", member=member)


class LinkedToItself(Refusal):
    """One record is not two."""

    status = 422

    def __init__(self, member: PersonId) -> None:
        super().__init__("a record cannot be linked to itself", member=member)


class NobodyKnown(Refusal):
    """Nobody here has this identity document."""

    status = 404

    def __init__(self) -> None:
        super().__init__("nobody with this identity document is known here; admit the person instead")


class DocumentOfAnother(Refusal):
    """Another record has this identity document: perhaps both are of one person, and should be linked."""

    def __init__(self, member: PersonId) -> None:
        super().__init__("another record has this identity document; link the two if they are of one person", member=member)
