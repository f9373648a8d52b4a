"""The rules that a change of the union tree can break."""

from contracts.kernel import OrgCode
from foundation.decider import Refusal


class OrganisationUnknown(Refusal):
    """No union has this code."""

    status = 404

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"there is no union {organisation}", organisation=organisation)


class OrganisationExists(Refusal):
    """The code is taken by a union that is otherwise than the command says."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"{organisation} exists and is otherwise; change or move it instead", organisation=organisation)


class OrganisationEnded(Refusal):
    """The union was dissolved or merged; its successor answers for it."""

    def __init__(self, organisation: OrgCode, successor: OrgCode) -> None:
        super().__init__(f"{organisation} has ended; {successor} answers for it", organisation=organisation, successor=successor)


class OrganisationNotYetFounded(Refusal):
    """The union does not exist on that day yet."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"{organisation} was founded later than that", organisation=organisation)


class ParentMissing(Refusal):
    """Only the top of the node stands below nobody."""

    status = 422

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"{organisation} needs a parent: only the top of this node has none", organisation=organisation)


class StandingOutOfOrder(Refusal):
    """A union stands below one of higher standing: a higher level, or on one level a wider kind (see `standing`)."""

    def __init__(self, organisation: OrgCode, parent: OrgCode) -> None:
        super().__init__(f"{organisation} cannot stand below or go up in {parent}: its standing is not lower", organisation=organisation)


class StandingChanged(Refusal):
    """A union keeps its standing for life; otherwise the order of the tree would not hold by itself."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(
            f"the new kind would give {organisation} another standing in the tree: found a new union and merge this one into it",
            organisation=organisation,
        )


class TopOfNode(Refusal):
    """The top of the node neither moves nor ends."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"{organisation} is the top of this node: it neither moves nor ends", organisation=organisation)


class MergedIntoItself(Refusal):
    """A union cannot be its own successor."""

    status = 422

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"{organisation} cannot be its own successor", organisation=organisation)
