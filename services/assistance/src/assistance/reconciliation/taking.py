"""Takes in what the bank sends: each word on a payment once, in bulk, and one by one where a rule refuses; what does not fit is shown.

A file is worked through from the beginning after every interruption: what was heard is no news, and what was found has the same id.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256

from contracts.assistance.payments import BankFileKind, BankFileRead
from contracts.kernel import Event, OrgCode
from foundation.commands import Actor
from foundation.decider import Decider, Refusal
from foundation.http.caller import Application
from foundation.ids import command_id

from assistance.bank import files
from assistance.bank.reasons import OTHER, kind_of
from assistance.bank.words import Outcome, Report, Said, Statement
from assistance.batches import standing as batches
from assistance.funds.errors import LineClosed, PeriodIsClosed
from assistance.ledger.lineage import successors
from assistance.payments.commands import Bounce, Confirm, Fail
from assistance.payments.errors import ReturnedBeforePaid
from assistance.payments.hearing import HEAR, HEARD_MAX, Hear, Heard
from assistance.payments.standing import Instruction, instructions
from assistance.reconciliation.account import PAYMENT_ACCOUNT, Account, NotOpened
from assistance.reconciliation.exceptions import Found, keep


@dataclass(frozen=True, slots=True)
class Read:
    """A file of the bank's was worked through."""

    event: BankFileRead


def _decide(command: Read, before: BankFileRead | None, now: object) -> list[Event]:
    return [] if before is not None else [command.event]


def _evolve(before: BankFileRead | None, event: Event) -> BankFileRead | None:
    return event if isinstance(event, BankFileRead) else before


BANK_FILE: Decider[BankFileRead | None, Read] = Decider(category="bankfile", initial=None, decide=_decide, evolve=_evolve)
"""A file by the digest of its bytes: read once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file. `before`: the same file had been read; nothing was done. `comes_again`: it counts as unread."""

    digest: str
    said: Report | Statement
    lines: int
    exceptions: int
    before: bool = False
    comes_again: bool = False


def dated(said: Report | Statement, booked_on: date) -> Report | Statement:
    """With the bank's day for what it says was paid without one."""
    words = tuple(replace(word, day=word.day or booked_on) if word.outcome is Outcome.paid else word for word in said.words)
    return replace(said, words=words)


async def take_in(app: Application, data: bytes, by: Actor, *, booked_on: date | None = None) -> Taken:
    """Work a file through; `booked_on`: see `dated`. Raises BankFileUnreadable, and what handling raises for the moment."""
    digest = sha256(data).hexdigest()
    said = await asyncio.to_thread(files.read, data)  # a large file must not keep others waiting
    if booked_on is not None:
        said = dated(said, booked_on)
    known, _ = await app.state(BANK_FILE, digest)
    if known is not None:
        return Taken(digest, said, known.lines, known.exceptions, before=True)
    await caught_up(app)
    taking = _Taking(app, digest, by, await whose(app, said))
    exceptions = await taking.all(said)
    lines = len(said.words)
    is_statement = isinstance(said, Statement)
    event = BankFileRead(
        file=digest,
        kind=BankFileKind.statement if is_statement else BankFileKind.report,
        account=said.account if isinstance(said, Statement) else None,
        day=said.day if isinstance(said, Statement) else None,
        lines=lines,
        exceptions=exceptions,
    )
    if not taking.comes_again:
        await app.handler.handle(BANK_FILE, digest, Read(event), by=by)
    return Taken(digest, said, lines, exceptions, comes_again=taking.comes_again)


async def caught_up(app: Application) -> None:
    """Return once the own read models hold all that has happened. Raises TimeoutError."""
    await app.reached[app.name]((await app.store.head()).position)


async def whose(app: Application, said: Report | Statement) -> OrgCode | None:
    """The organisation that a file is about; None where nothing is known of its batch or account."""
    if isinstance(said, Statement):
        account: Account | NotOpened = (await app.state(PAYMENT_ACCOUNT, said.account))[0]
        return account.organisation if isinstance(account, Account) else None
    batch = await batches.standing(app.pool, said.message)
    return None if batch is None else batch.organisation


@dataclass(frozen=True, slots=True)
class _Word:
    said: Said
    instruction: Instruction
    heard: Heard


def word_of(one: Said, file: str) -> Confirm | Fail | Bounce | None:
    """What the bank's word is to a payment; None for one under way, or paid on a day that only the statement will tell. Pure."""
    code = one.code or OTHER
    match one.outcome:
        case Outcome.paid if one.day is not None:
            return Confirm(one.entitlement, one.instruction, one.day, file)
        case Outcome.failed:
            return Fail(one.entitlement, one.instruction, code, one.reason, file)
        case Outcome.returned if one.day is not None:
            reversal = command_id("reversal", one.instruction).hex  # an instruction comes back once
            return Bounce(one.entitlement, one.instruction, reversal, code, one.reason, one.day, file)
        case _:
            return None


def speaks_of(said: Report | Statement, instruction: Instruction) -> bool:
    """Whether a file may speak of an instruction: a report of its own batch, a statement of the account that paid it. Pure."""
    return instruction.batch == said.message if isinstance(said, Report) else instruction.account == said.account


def in_order(words: Sequence[Said]) -> list[Said]:
    """What came back was paid before, in whichever order a bank lists the two. Pure."""
    return sorted(words, key=lambda one: one.outcome is Outcome.returned)


class _Taking:
    """One file being worked through."""

    def __init__(self, app: Application, digest: str, by: Actor, organisation: OrgCode | None) -> None:
        self._app, self._digest, self._by = app, digest, by
        self._whose = organisation
        self._found: list[Found] = []
        self.comes_again = False
        """A word could not be booked yet: the file counts as unread until its line's year is closed, or its payment known."""

    async def all(self, said: Report | Statement) -> int:
        """Work it through; how many exceptions there were."""
        if self._whose is None:
            self._note("unknown-file")
        else:
            words = await self._words(said)
            for first in range(0, len(words), HEARD_MAX):
                await self._hear(words[first : first + HEARD_MAX])
            if isinstance(said, Statement):
                for place, _ in said.others:
                    self._note("not-ours", place)
        await keep(self._app.pool, self._found, self._app.clock.now())
        return len(self._found)

    async def _words(self, said: Report | Statement) -> list[_Word]:
        known: dict[str, Instruction] = {}
        ids = list({one.instruction for one in said.words})
        for first in range(0, len(ids), 10_000):
            known |= await instructions(self._app.pool, ids[first : first + 10_000])
        return list(self._fitting(said, known))

    def _fitting(self, said: Report | Statement, known: dict[str, Instruction]) -> Iterator[_Word]:
        """Those that are about an instruction of the batch or the account that the file is of, each saying once; the others are noted."""
        seen: dict[tuple[str, Outcome], Said] = {}
        for one in in_order(said.words):
            instruction = known.get(one.instruction)
            if instruction is None or one.entitlement != instruction.entitlement or not speaks_of(said, instruction):
                self._note("unknown-reference", one.place)
                continue
            if one.fen is not None and one.fen != instruction.fen:
                self._note("other-amount", one.place, instruction)
                continue
            before = seen.setdefault((one.instruction, one.outcome), one)
            if before is not one:
                if one.entry and one.entry != before.entry:
                    self._note("duplicate", one.place, instruction)  # booked twice; told twice is nothing
                continue
            word = word_of(one, self._digest)
            if word is not None:
                yield _Word(one, instruction, Heard(word, instruction.application, instruction.line, instruction.reservation))
            if one.outcome in (Outcome.failed, Outcome.returned):
                self._note(kind_of(one.code or OTHER), one.place, instruction)

    async def _hear(self, words: Sequence[_Word], *, again: bool = True) -> None:
        """All of them in one append, or, where a rule refuses one, each alone; once more where a line was closed a moment ago."""
        try:
            await self._app.handler.handle_joint(HEAR, Hear(await self._placed(words)), by=self._by)
        except Refusal as refusal:
            if len(words) == 1 and not (again and isinstance(refusal, LineClosed)):
                self._note(refusal.TYPE, words[0].said.place, words[0].instruction)
                self.comes_again = self.comes_again or isinstance(refusal, PeriodIsClosed | ReturnedBeforePaid)
                return
            await caught_up(self._app)
            for word in words:
                await self._hear([word], again=len(words) > 1)

    async def _placed(self, words: Sequence[_Word]) -> tuple[Heard, ...]:
        """With the lines that receive what comes back for closed ones."""
        lines = {word.heard.line for word in words if isinstance(word.heard.word, Bounce)}
        later = await successors(self._app.pool, list(lines)) if lines else {}
        heard = (word.heard for word in words)
        return tuple(replace(one, into=later.get(one.line)) if isinstance(one.word, Bounce) else one for one in heard)

    def _note(self, rule: str, place: int = 0, instruction: Instruction | None = None) -> None:
        found = Found(self._whose or self._app.node_org, rule, self._digest, place)
        if instruction is not None:
            found = replace(found, batch=instruction.batch, entitlement=instruction.entitlement, instruction=instruction.instruction)
        self._found.append(found)
