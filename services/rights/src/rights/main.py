"""Rights 维权: bare for now. It knows who may act for which union, and says how it is."""

from contracts import membership
from contracts.kernel import Catalogue
from foundation.service import AuthorityFrom, Service
from foundation.settings import Settings


def create_app(settings: Settings) -> Service:
    """The service, declared."""
    return Service(
        settings,
        name="rights",
        catalogue=Catalogue.of(membership),
        authority=AuthorityFrom("membership", membership.authority_changes, membership.AUTHORITY_EVENTS),
    )
