"""The assistance service, put together."""

from contracts import assistance as own
from contracts import foundation, membership, rights
from contracts.kernel import Catalogue
from foundation.erasure.rules import ERASURE, erases_on
from foundation.running import Parts
from foundation.service import AuthorityFrom, Service

import assistance.applications.api as applications
import assistance.eligibility.api as eligibility
import assistance.funds.api as funds
import assistance.hardship.api as hardship
import assistance.interests.api as interests
import assistance.ledger.api as ledger
import assistance.notices.api as notices
import assistance.obligations.api as obligations
import assistance.programmes.api as programmes
from assistance.applications.deciding import DECISION
from assistance.applications.following import APPLICATION
from assistance.beneficiaries.beneficiary import BENEFICIARY
from assistance.eligibility.eligibility import ELIGIBILITY
from assistance.eligibility.people import PEOPLE
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.moves import BUDGET_MOVE
from assistance.funds.proposals import PROPOSALS
from assistance.hardship.file import FILE
from assistance.hardship.households import PLACE
from assistance.interests.interests import INTERESTS
from assistance.ledger.ledger import LEDGER
from assistance.notices.notice import NOTICE
from assistance.obligations.obligation import DISCRETION, OBLIGATION
from assistance.obligations.owed import OWED
from assistance.organisations.levels import LEVELS
from assistance.programmes.programme import PROGRAMME
from assistance.reactions import REACTIONS
from assistance.settings import Settings
from assistance.timers import TIMERS


def create_app(settings: Settings, *, parts: Parts | None = None) -> Service:
    """The service's ASGI application. `parts` replaces adapters, for tests."""
    calendar = settings.working_days()
    return Service(
        settings,
        name="assistance",
        catalogue=Catalogue.of(own, membership, rights, foundation),
        authority=AuthorityFrom("membership", membership.authority_changes, membership.AUTHORITY_EVENTS),
        deciders=[
            *(ELIGIBILITY, ERASURE, BUDGET_LINE, BUDGET_MOVE),
            *(PROGRAMME, FILE, PLACE, INTERESTS, BENEFICIARY, APPLICATION, DECISION, NOTICE, OBLIGATION, DISCRETION),
        ],
        projections=[PEOPLE, PROPOSALS, LEDGER, LEVELS, OWED],
        reactions=[*REACTIONS, erases_on(membership.ErasureOrdered)],
        timers=TIMERS,
        routers=[
            *(eligibility.router, funds.router, ledger.router),
            *(programmes.router, hardship.router, interests.router, applications.router, applications.deciding(calendar)),
            *(notices.router, notices.posting(calendar), obligations.router, obligations.paying_first(calendar)),
        ],
        parts=parts,
    )
