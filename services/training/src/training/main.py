"""Training 培训: bare for now. It knows who may act for which union, and says how it is."""

from contracts import foundation, membership
from contracts.kernel import Catalogue
from foundation.erasure.rules import ERASURE, erases_on
from foundation.service import AuthorityFrom, Service
from foundation.settings import Settings


def create_app(settings: Settings) -> Service:
    """The service, declared."""
    return Service(
        settings,
        name="training",
        catalogue=Catalogue.of(membership, foundation),
        authority=AuthorityFrom("membership", membership.authority_changes, membership.AUTHORITY_EVENTS),
        deciders=[ERASURE],
        reactions=[erases_on(membership.ErasureOrdered)],
    )
