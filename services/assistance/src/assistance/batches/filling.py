"""Fills batches from what is granted and due, and renders them: the payees' accounts are opened for nothing else.

An entitlement's account is the newest that its application was given; once it has been instructed, only one that two people corrected.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import BatchFilled, BatchItem, BatchReduced, PaymentInstructed
from contracts.kernel import Erased, PersonId
from foundation.commands import Actor
from foundation.decider import Refusal
from foundation.history import Happened, Reading
from foundation.http.caller import Application

from assistance.applications.following import APPLICATION
from assistance.bank.errors import FileNotRendered
from assistance.bank.port import Order, PaymentFile
from assistance.bank.reasons import lies_with_account
from assistance.batches.batch import BATCH, FILL_MAX, Known
from assistance.events import CATALOGUE
from assistance.histories import histories
from assistance.payments import standing
from assistance.payments.instructing import INSTRUCT, Instruct, Wanted
from assistance.payments.payment import PAYMENT
from assistance.reconciliation.account import PAYMENT_ACCOUNT, opened

_ACCOUNTS = Reading(CATALOGUE, [event for event in CATALOGUE if "account" in event.SEALED])
"""Of streams of payments and applications only what names an account: the rest is most of them, and is not decoded."""


@dataclass(frozen=True, slots=True)
class Held:
    """A payment that did not go into the batch, by the rule that holds it."""

    entitlement: str
    rule: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a request to fill. `after`: where to go on, None where nothing more is due."""

    instructed: int
    held: tuple[Held, ...]
    after: str | None


async def fill(
    app: Application, batch: str, known: Known, by: Actor, *, only: Sequence[str] | None, after: str = "", limit: int = FILL_MAX
) -> Filled:
    """Instruct what is due, `only` those named or the next ones. What a rule holds back is left out and told.

    Raises what handling raises for the batch itself.
    """
    found = await standing.due(app.pool, known.contents.opened.organisation, only=only, after=after, limit=min(limit, FILL_MAX))
    wanted, held = await _wanted(app, found, by.principal)
    held += [Held(one, "not-due") for one in only or () if one not in {due.entitlement for due in found}]
    try:
        if wanted:
            await _instruct(app, batch, wanted, by)
        refused: list[Held] = []
    except Refusal:
        # One of them is held by a rule, and the rule does not say which.
        refused = [Held(one.entitlement, rule) for one in wanted if (rule := await _rule(app, batch, one, by)) is not None]
    more = found[-1].entitlement if only is None and len(found) == min(limit, FILL_MAX) else None
    return Filled(len(wanted) - len(refused), (*held, *refused), more)


async def _rule(app: Application, batch: str, one: Wanted, by: Actor) -> str | None:
    try:
        await _instruct(app, batch, [one], by)
    except Refusal as refusal:
        if refusal.TYPE.startswith("batch-"):
            raise
        return refusal.TYPE
    return None


async def _instruct(app: Application, batch: str, wanted: Sequence[Wanted], by: Actor) -> None:
    # Without a key of its own: an instruction's id follows from batch and entitlement, so again is the same.
    await app.handler.handle_joint(INSTRUCT, Instruct(batch, tuple(wanted), by.principal), by=by)


async def _wanted(app: Application, found: Sequence[standing.Standing], principal: str) -> tuple[list[Wanted], list[Held]]:
    accounts = await current_accounts(app, found, principal)
    wanted, held = [], []
    for one in found:
        account = accounts.get(one.entitlement)
        if one.code is not None and lies_with_account(one.code):
            held.append(Held(one.entitlement, "account-at-fault"))
        elif account is None:
            held.append(Held(one.entitlement, "account-missing"))
        else:
            wanted.append(Wanted(one.entitlement, one.application, one.person, one.payee, account))
    return wanted, held


async def current_accounts(app: Application, found: Sequence[standing.Standing], principal: str) -> dict[str, BankAccount]:
    """Where each entitlement's money is to go now. Openings are the principal's. Who has no account, or whose was erased, is missing."""
    payments = await histories(app, PAYMENT, [one.entitlement for one in found], _ACCOUNTS)
    applications = await histories(app, APPLICATION, [one.application for one in found if not payments[one.entitlement]], _ACCOUNTS)
    newest = {}
    for one in found:
        told = payments[one.entitlement] or applications[one.application]
        with_account = [happened for happened in told if getattr(happened.event, "account", None) is not None]
        if with_account:
            newest[one.entitlement] = with_account[-1]
    opened_ = await app.sealer.open(list(newest.values()), principal=principal, only={"account"})
    accounts = {entitlement: one.event.__dict__["account"] for entitlement, one in zip(newest, opened_, strict=True)}
    return {entitlement: account for entitlement, account in accounts.items() if isinstance(account, BankAccount)}


async def items_of(app: Application, batch: str) -> list[BatchItem]:
    """A batch's payments in the order in which they went in."""
    items: dict[str, BatchItem] = {}
    for one in await app.history(BATCH, batch):
        match one.event:
            case BatchFilled(items=filled):
                items |= {item.entitlement: item for item in filled}
            case BatchReduced(entitlement=entitlement):
                del items[entitlement]
            case _:
                pass
    return list(items.values())


async def instructed(app: Application, items: Sequence[BatchItem]) -> list[PaymentInstructed]:
    """The instructions behind the items, still sealed."""
    return [one.event for one in await _instructed(app, items) if isinstance(one.event, PaymentInstructed)]


async def people_of(app: Application, batch: str) -> set[PersonId]:
    """Whose aid a batch pays, and who receives it."""
    return {person for one in await instructed(app, await items_of(app, batch)) for person in (one.person, one.payee)}


async def _instructed(app: Application, items: Iterable[BatchItem]) -> list[Happened]:
    wanted = {item.entitlement: item.instruction for item in items}
    told = await histories(app, PAYMENT, list(wanted), _ACCOUNTS)
    return [
        next(one for one in told[entitlement] if isinstance(one.event, PaymentInstructed) and one.event.instruction == instruction)
        for entitlement, instruction in wanted.items()
    ]


async def with_accounts(app: Application, batch: str, principal: str) -> list[tuple[PaymentInstructed, BankAccount]]:
    """A batch's instructions in order, the accounts opened by `principal`. Raises FileNotRendered where one was erased."""
    told = await app.sealer.open(await _instructed(app, await items_of(app, batch)), principal=principal, only={"account"})
    found = []
    for one in told:
        event = cast(PaymentInstructed, one.event)
        if isinstance(event.account, Erased):
            raise FileNotRendered("erased", event.entitlement)
        found.append((event, cast(BankAccount, event.account)))
    return found


async def payment_file(app: Application, batch: str, known: Known, principal: str) -> PaymentFile:
    """The batch as the bank is to get it, the accounts opened by `principal`. Raises FileNotRendered, PaymentAccountUnknown."""
    begun = known.contents.opened
    account = opened((await app.state(PAYMENT_ACCOUNT, begun.account))[0], begun.account)
    payments = await with_accounts(app, batch, principal)
    orders = [Order(event.instruction, event.entitlement, event.fen, to) for event, to in payments]
    return PaymentFile(batch, begun.account, account.holder, account.bank, begun.execute_on, orders)
