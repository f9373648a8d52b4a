"""The assistance service, put together."""

from contracts import assistance as own
from contracts import foundation, membership
from contracts.kernel import Catalogue
from foundation.erasure.rules import ERASURE, erases_on
from foundation.running import Parts
from foundation.service import AuthorityFrom, Service
from foundation.settings import Settings

import assistance.eligibility.api as eligibility
from assistance.eligibility.eligibility import ELIGIBILITY
from assistance.eligibility.people import PEOPLE
from assistance.reactions import REACTIONS


def create_app(settings: Settings, *, parts: Parts | None = None) -> Service:
    """The service's ASGI application. `parts` replaces adapters, for tests."""
    return Service(
        settings,
        name="assistance",
        catalogue=Catalogue.of(own, membership, foundation),
        authority=AuthorityFrom("membership", membership.authority_changes, membership.AUTHORITY_EVENTS),
        deciders=[ELIGIBILITY, ERASURE],
        projections=[PEOPLE],
        reactions=[*REACTIONS, erases_on(membership.ErasureOrdered)],
        routers=[eligibility.router],
        parts=parts,
    )
