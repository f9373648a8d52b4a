"""Rights 维权: bare for now. It knows who may act for which union, and says how it is."""

from contracts import foundation, membership
from contracts import rights as own
from contracts.kernel import Catalogue
from foundation.erasure.rules import ERASURE, erases_on
from foundation.running import Parts
from foundation.service import AuthorityFrom, Service
from foundation.settings import Settings


def create_app(settings: Settings, *, parts: Parts | None = None) -> Service:
    """The service, declared. `parts` replaces adapters, for tests."""
    return Service(
        settings,
        name="rights",
        catalogue=Catalogue.of(own, membership, foundation),
        authority=AuthorityFrom("membership", membership.authority_changes, membership.AUTHORITY_EVENTS),
        deciders=[ERASURE],
        reactions=[erases_on(membership.ErasureOrdered)],
        parts=parts,
    )
