"""How every payment stands: what was granted in money and is due, under way, paid, failed or returned; and every instruction by its id."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.assistance.applications import AidGranted, GrantRevoked
from contracts.assistance.payments import (
    AccountCorrected,
    PaidInCash,
    PayeeRedirected,
    PaymentConfirmed,
    PaymentFailed,
    PaymentInstructed,
    PaymentReturned,
    PaymentWithdrawn,
)
from contracts.kernel import OrgCode
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from assistance.folding import Row, fold_rows, table_columns

DUE = "stage in ('due', 'failed', 'returned')"
"""The stages in which an entitlement waits for an instruction."""

_PAYMENTS = {
    "entitlement": "text",
    "application": "text",
    "organisation": "text",
    "person": "text",
    "payee": "text",
    "line": "text",
    "fen": "bigint",
    "programme": "text",
    "since": "date",
    "stage": "text",
    "batch": "text",
    "instruction": "text",
    "code": "text",
}
_INSTRUCTIONS = {
    "instruction": "text",
    "entitlement": "text",
    "application": "text",
    "line": "text",
    "reservation": "text",
    "batch": "text",
    "fen": "bigint",
    "outcome": "text",
    "booked_on": "date",
    "returned_on": "date",
}
PAYMENTS = Table(
    "payments",
    table_columns(_PAYMENTS),
    indexes=(f"create index on {{table}} (line, entitlement) where {DUE}",),
)
INSTRUCTIONS = Table(
    "payment_instructions",
    table_columns(_INSTRUCTIONS),
    indexes=(
        "create index on {table} (batch) where outcome = 'under way'",
        "create index on {table} (booked_on)",
        "create index on {table} (returned_on) where returned_on is not null",
    ),
)


def _payment(rows: dict[str, Row], one: Happened) -> None:
    event = one.event
    if isinstance(event, AidGranted):
        if not event.in_kind:
            said = {name: getattr(event, name) for name in ("entitlement", "application", "organisation", "person", "payee", "line", "fen")}
            more = {"programme": event.programme, "since": event.granted_on, "stage": "due"}
            rows[event.entitlement] = {**said, **more, "batch": None, "instruction": None, "code": None}
        return
    row = rows.get(getattr(event, "entitlement", ""))
    if row is None:
        return
    match event:
        case GrantRevoked():
            del rows[event.entitlement]
        case PaymentInstructed():
            row.update(stage="under way", batch=event.batch, instruction=event.instruction, code=None)
        case PaymentConfirmed():
            row.update(stage="paid")
        case PaymentFailed(code=code):
            row.update(stage="failed", code=code)
        case PaymentReturned(code=code, line=line):
            row.update(stage="returned", code=code, line=line or row["line"])
        case PaymentWithdrawn():
            row.update(stage="due", batch=None, instruction=None)
        case PaidInCash():
            row.update(stage="paid", batch=None, instruction=event.instruction, code=None)
        case AccountCorrected():
            row.update(code=None)
        case PayeeRedirected(payee=payee):
            row.update(payee=payee, code=None)
        case _:
            pass


def _instruction(rows: dict[str, Row], one: Happened) -> None:
    match one.event:
        case PaymentInstructed() as event:
            said = {
                name: getattr(event, name) for name in ("instruction", "entitlement", "application", "line", "reservation", "batch", "fen")
            }
            rows[event.instruction] = {**said, "outcome": "under way", "booked_on": None, "returned_on": None}
        case PaymentConfirmed(instruction=instruction, booked_on=day):
            if instruction in rows:
                rows[instruction].update(outcome="paid", booked_on=day)
        case PaymentFailed(instruction=instruction):
            rows[instruction].update(outcome="failed")
        case PaymentWithdrawn(instruction=instruction):
            rows[instruction].update(outcome="withdrawn")
        case PaymentReturned(instruction=instruction, booked_on=day):
            rows[instruction].update(outcome="returned", returned_on=day)
        case _:
            pass


_OF_INSTRUCTIONS = (PaymentInstructed, PaymentConfirmed, PaymentFailed, PaymentReturned, PaymentWithdrawn)


def _entitlement(one: Happened) -> list[str]:
    return [one.event.__dict__["entitlement"]]


def _instruction_of(one: Happened) -> list[str]:
    return [one.event.__dict__["instruction"]]


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    await fold_rows(connection, tables["payments"], _PAYMENTS, batch, change=_payment, keys=_entitlement)
    told = [one for one in batch if isinstance(one.event, _OF_INSTRUCTIONS)]
    await fold_rows(connection, tables["payment_instructions"], _INSTRUCTIONS, told, change=_instruction, keys=_instruction_of)


STANDING = Projection(
    name="payments",
    source="assistance",
    version=3,
    tables=(PAYMENTS, INSTRUCTIONS),
    apply=apply,
    events=frozenset({AidGranted, GrantRevoked, PaidInCash, AccountCorrected, PayeeRedirected, *_OF_INSTRUCTIONS}),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One entitlement's payment."""

    entitlement: str
    application: str
    organisation: OrgCode
    person: str
    payee: str
    line: str
    fen: int
    programme: str
    stage: str
    batch: str | None
    instruction: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Instruction:
    """One attempt to pay."""

    instruction: str
    entitlement: str
    application: str
    line: str
    reservation: str
    batch: str
    fen: int
    outcome: str
    account: str


_READ = ", ".join(f"p.{name}" for name in Standing.__slots__)


async def due(pool: Pool, organisation: OrgCode, *, only: Sequence[str] | None = None, after: str = "", limit: int) -> list[Standing]:
    """What waits to be paid from an organisation's own lines, in order of the entitlements; `only` those named."""
    # Line by line, so that each gives its first few from the index, however much is due.
    rows = await pool.fetch(
        f"select {_READ} from ledger_lines l cross join lateral (select * from payments where line = l.line and {DUE}"  # noqa: S608
        " and entitlement > $2 and ($3::text[] is null or entitlement = any ($3))"
        " order by entitlement limit $4) p where l.organisation = $1 order by p.entitlement limit $4",
        *(organisation, after, None if only is None else list(only), limit),
    )
    return [Standing(**row) for row in rows]


async def standing(pool: Pool, entitlement: str) -> Standing | None:
    """One payment, None where nothing was granted in money."""
    row = await pool.fetchrow(f"select {_READ} from payments p where p.entitlement = $1", entitlement)  # noqa: S608
    return None if row is None else Standing(**row)


async def instructions(pool: Pool, ids: Sequence[str]) -> dict[str, Instruction]:
    """Those of the instructions that there are."""
    rows = await pool.fetch(
        "select i.instruction, i.entitlement, i.application, i.line, i.reservation, i.batch, i.fen, i.outcome, b.account"
        " from payment_instructions i join batches b on b.batch = i.batch where i.instruction = any ($1)",
        list(ids),
    )
    return {row["instruction"]: Instruction(**row) for row in rows}
