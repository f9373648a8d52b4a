"""The membership service, put together."""

from importlib.resources import files

from contracts import foundation
from contracts import membership as events
from contracts.kernel import Catalogue
from foundation.http.stories import Readers
from foundation.running import Parts
from foundation.service import AuthorityFrom, Service

import membership.appointments.api as appointments
import membership.directory.api as directory
import membership.erasures.api as erasures
import membership.members.api as members
import membership.organisations.api as organisations
import membership.rosters.api as rosters
from membership.appointments.appointment import NODE, STAFF
from membership.appointments.posts import POSTS
from membership.directory.members import MEMBERS, PEOPLE
from membership.erasures.notices import ERASURES
from membership.erasures.order import ORDER
from membership.members import transfers
from membership.members.rules import MEMBER
from membership.organisations.organisation import ORGANISATION
from membership.organisations.tree import TREE
from membership.rosters.importing import Rosters
from membership.rosters.roster import ROSTER
from membership.settings import Settings


def create_app(settings: Settings, *, parts: Parts | None = None) -> Service:
    """The service's ASGI application. `parts` replaces adapters, for tests."""
    terms = settings.terms()
    importing = Rosters(terms)
    return Service(
        settings,
        name="membership",
        catalogue=Catalogue.of(events, foundation),
        authority=AuthorityFrom("membership", events.authority_changes, events.AUTHORITY_EVENTS),
        deciders=[ORGANISATION, MEMBER, STAFF, NODE, ROSTER, ORDER],
        projections=[TREE, POSTS, MEMBERS, PEOPLE, ERASURES],
        routers=[
            organisations.router,
            members.router,
            transfers.routes(terms),
            appointments.router,
            appointments.delegation(terms),
            directory.router,
            rosters.routes(importing),
            erasures.router,
        ],
        readers={MEMBER.category: Readers(members.READERS, "organisation")},
        migrations=[files("membership") / "migrations"],
        parts=parts,
        prepare=importing.start,
    )
