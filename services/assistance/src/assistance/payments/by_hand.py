"""Paying by hand: the payment, the budget line and the application in one append, by the same rules as through a bank. Pure."""

from dataclasses import replace

from assistance.applications.commands import MarkPaid
from assistance.applications.following import APPLICATION
from assistance.desk import Desk
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.commands import Post
from assistance.payments.commands import PayInCash
from assistance.payments.instructing import payable
from assistance.payments.payment import PAYMENT

CASH_REASONS = ("no-bank-account", "bank-unreachable", "at-the-sickbed", "bank-refuses")
"""Why money may be paid by hand at all (DOMAIN 2.8: an approved reason)."""


def by_hand(desk: Desk, command: PayInCash) -> None:
    """Raises what stands against it: payable's refusals, and the payment's."""
    people = (command.terms.person, command.terms.payee)
    for one in (command.by, command.approved_by):
        terms = payable(command.entitlement, command.terms.application, people, one, desk)
    desk.ask(PAYMENT, command.entitlement, replace(command, terms=terms))
    desk.ask(BUDGET_LINE, terms.line, Post(terms.line, terms.reservation, ((command.entitlement, command.instruction),), command.on))
    desk.ask(APPLICATION, terms.application, MarkPaid(terms.application, command.on))
