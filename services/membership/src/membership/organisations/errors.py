"""The rules that a change of the union tree can break."""

from contracts.kernel import OrgCode
from foundation.decider import Refusal


class OrganisationUnknown(Refusal):
    """No union has this code."""

    status = 404

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class OrganisationExists(Refusal):
    """The code is taken by a union that is otherwise than the command says."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class OrganisationEnded(Refusal):
    """The union was dissolved or merged; its successor answers for it."""

    def __init__(self, organisation: OrgCode, successor: OrgCode) -> None:
        super().__init__(organisation=organisation, successor=successor)


class OrganisationNotYetFounded(Refusal):
    """The union does not exist on that day yet."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class ParentMissing(Refusal):
    """Only the top of the node stands below nobody."""

    status = 422

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class StandingOutOfOrder(Refusal):
    """A union stands below one of higher standing: a higher level, or on one level a wider kind (see `standing`)."""

    def __init__(self, organisation: OrgCode, parent: OrgCode) -> None:
        super().__init__(organisation=organisation, parent=parent)


class StandingChanged(Refusal):
    """A union keeps its standing for life; otherwise the order of the tree would not hold by itself."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(
            organisation=organisation,
        )


class TopOfNode(Refusal):
    """The top of the node neither moves nor ends."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class MergedIntoItself(Refusal):
    """A union cannot be its own successor."""

    status = 422

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)
