"""The assistance service, put together."""

from importlib.resources import files

import httpx
from contracts import assistance as own
from contracts import foundation, membership, rights
from contracts.kernel import Catalogue
from foundation.erasure.rules import ERASURE, erases_on
from foundation.http.stories import Readers
from foundation.running import Parts
from foundation.service import AuthorityFrom, Service

import assistance.applications.api as applications
import assistance.batches.api as batches
import assistance.double_entry.api as double_entry
import assistance.eligibility.api as eligibility
import assistance.funds.api as funds
import assistance.hardship.api as hardship
import assistance.interests.api as interests
import assistance.ledger.api as ledger
import assistance.lists.api as lists
import assistance.notices.api as notices
import assistance.obligations.api as obligations
import assistance.payments.api as payments
import assistance.programmes.api as programmes
import assistance.reconciliation.api as reconciliation
from assistance.applications.deciding import DECISION
from assistance.applications.following import APPLICATION
from assistance.applications.standing import APPLICATIONS
from assistance.bank.http import HttpBank
from assistance.batches.batch import BATCH
from assistance.batches.sending import Sender
from assistance.batches.standing import STANDING as BATCHES
from assistance.beneficiaries.beneficiary import BENEFICIARY
from assistance.double_entry.entry import ENTRY
from assistance.double_entry.waiting import WAITING
from assistance.eligibility.eligibility import ELIGIBILITY
from assistance.eligibility.people import PEOPLE
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.moves import BUDGET_MOVE
from assistance.funds.proposals import PROPOSALS
from assistance.hardship.file import FILE
from assistance.hardship.households import PLACE
from assistance.hardship.standing import FILES
from assistance.interests.interests import INTERESTS
from assistance.ledger.ledger import LEDGER
from assistance.names.names import NAMES
from assistance.notices.notice import NOTICE
from assistance.obligations.obligation import DISCRETION, OBLIGATION
from assistance.obligations.owed import OWED
from assistance.organisations.levels import LEVELS
from assistance.payments.payment import PAYMENT
from assistance.payments.standing import STANDING as PAYMENTS
from assistance.programmes.programme import PROGRAMME
from assistance.reactions import REACTIONS
from assistance.reconciliation.account import PAYMENT_ACCOUNT
from assistance.reconciliation.taking import BANK_FILE
from assistance.settings import Settings
from assistance.timers import TIMERS

AUDITED = Readers(("auditor",), "organisation")
"""Everybody else reads sealed values in the slices' own routes, which turn away whoever is concerned in the matter."""


def create_app(settings: Settings, *, parts: Parts | None = None) -> Service:
    """The service's ASGI application. `parts` replaces adapters, for tests."""
    calendar = settings.working_days()
    client = parts.client if parts is not None and parts.client is not None else httpx.AsyncClient()
    bank = None if settings.bank_url is None else HttpBank(settings.bank_url, client)
    return Service(
        settings,
        name="assistance",
        catalogue=Catalogue.of(own, membership, rights, foundation),
        authority=AuthorityFrom("membership", membership.authority_changes, membership.AUTHORITY_EVENTS),
        deciders=[
            *(ELIGIBILITY, ERASURE, BUDGET_LINE, BUDGET_MOVE),
            *(PROGRAMME, FILE, PLACE, INTERESTS, BENEFICIARY, APPLICATION, DECISION, NOTICE, OBLIGATION, DISCRETION),
            *(PAYMENT, BATCH, PAYMENT_ACCOUNT, BANK_FILE, ENTRY),
        ],
        projections=[PEOPLE, PROPOSALS, LEDGER, LEVELS, OWED, APPLICATIONS, FILES, NAMES, PAYMENTS, BATCHES, WAITING],
        reactions=[*REACTIONS, erases_on(membership.ErasureOrdered)],
        timers=TIMERS,
        routers=[
            *(eligibility.router, funds.router, ledger.router),
            *(programmes.router, hardship.router, interests.router, applications.router, applications.deciding(calendar)),
            *(notices.router, notices.posting(calendar), obligations.router, obligations.paying_first(calendar)),
            lists.router,
            *(batches.router, payments.router, double_entry.router, reconciliation.router, reconciliation.comparing(bank)),
        ],
        readers={kept.category: AUDITED for kept in (FILE, APPLICATION, NOTICE, OBLIGATION, PAYMENT)},
        migrations=[files("assistance") / "migrations"],
        works=[Sender(bank, poll_seconds=settings.bank_poll_seconds).work],
        parts=parts,
    )
