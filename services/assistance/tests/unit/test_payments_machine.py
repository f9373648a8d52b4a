"""Whatever a bank does, by its own log nobody has the money twice, the books balance, and each transfer leads back to an appropriation.

The bank is the simulated one over HTTP: it hangs, loses files, answers late, cuts and repeats its reports, rejects and returns. The process
that sends is killed before and after the file has left.
"""

import asyncio
import json
from collections import Counter
from datetime import UTC, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from assistance.applications.application import Instructed, Paid
from assistance.applications.following import APPLICATION
from assistance.bank import files
from assistance.bank.errors import BankFileUnreadable
from assistance.bank.http import HttpBank
from assistance.bank.port import NoAnswer, Order, PaymentFile, RefusedFile, Taken
from assistance.bank.words import Report, Said, Statement
from assistance.batches import commands as batches
from assistance.batches.batch import BATCH, Accepted, Refused, Released, Sending
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.funds.budget_line import BUDGET_LINE
from assistance.ledger.postings import postings
from assistance.payments import commands
from assistance.payments.hearing import HEAR, Hear, Heard
from assistance.payments.instructing import INSTRUCT, Instruct, Wanted
from assistance.payments.payment import PAYMENT, Done, Due, UnderWay
from assistance.programmes.definition import definition
from assistance.reconciliation.account import PAYMENT_ACCOUNT, OpenAccount
from assistance.reconciliation.taking import word_of
from contracts.assistance.applications import AidGranted
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import Channel
from foundation.decider import Refusal
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from simulated_bank.app import create_app

from .test_programmes import WARMTH, changed
from .world import APPROVER, CLERK, COUNTY, LINE, PAYER, STEWARD, World

OWN, FEN, PEOPLE = "3709000000000001", 100_000, 3
CHECKER, RELEASER, PAPER = "c1" * 16, "c2" * 16, "d" * 64
KILLED = some.sampled_from(["", "", "", "before the first byte", "after the last byte"])
BEHAVIOUR = some.fixed_dictionaries(
    {
        "hung_files_every": some.sampled_from([0, 1, 2]),
        "lost_files_every": some.sampled_from([0, 0, 2]),
        "late_asks": some.sampled_from([0, 1]),
        "broken_reports_every": some.sampled_from([0, 2]),
        "repeated_reports": some.booleans(),
        "returned_every": some.sampled_from([0, 2, 3]),
        "rejected_every": some.sampled_from([0, 2, 3]),
    }
)


class Payments(RuleBasedStateMachine):
    """One county, three people with a grant each, and a bank."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.world = World()
        app = create_app(Path(self.folder.name), hang_seconds=0, now=lambda: self.world.now.astimezone(UTC))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank")
        self.bank = HttpBank("http://bank", self.http)
        self.run(self.http.post("/accounts", json=[{"account": OWN, "name": "泰山区总工会", "fen": 10**9}]))
        self.world.ask(PAYMENT_ACCOUNT, OWN, OpenAccount(OWN, COUNTY, "泰安银行", "泰山区总工会", PAPER, "1" * 32, "2" * 32))
        self.world.fund(10 * FEN * PEOPLE)
        fixed = {"kind": "fixed", "fen": FEN}
        rules = changed(WARMTH, entitlement=fixed, conditions=[], needs_file=False, notice=None, season=None, counted_per="person")
        self.world.publish("relief", definition(rules))
        self.wanted: dict[str, Wanted] = {}
        for number in range(PEOPLE):
            self.granted(number)
        self.batches: list[str] = []
        self.files: dict[str, bytes] = {}

    def granted(self, number: int) -> None:
        application, person = f"a{number}" * 16, f"b{number}" * 16
        account = BankAccount(bank="农行", name="王伟", number=f"622848000000000{number:04d}")
        self.world.submitted(application, "relief", {}, person=person, account=account)
        [granted] = [one for one in self.world.grant(application) if isinstance(one, AidGranted)]
        self.wanted[granted.entitlement] = Wanted(granted.entitlement, application, person, person, account)

    def run(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    # ------------------------------------------------------------------------------------------------------- what happens

    @rule(how=BEHAVIOUR)
    def the_bank_misbehaves(self, how: dict[str, Any]) -> None:
        self.run(self.http.put("/behaviour", json=how))

    @rule(chosen=some.sets(some.integers(min_value=0, max_value=PEOPLE - 1), min_size=PEOPLE - 1))
    def a_batch_is_released(self, chosen: set[int]) -> None:
        batch = sha256(str(len(self.batches)).encode()).hexdigest()[:32]
        begin = batches.Open(batch, COUNTY, OWN, Channel.iso20022, self.world.today, PAYER)
        self.world.ask_joint(FROM_ACCOUNT, FromAccount(begin, OWN))
        self.batches.append(batch)
        orders = []
        for wanted in [list(self.wanted.values())[number] for number in sorted(chosen)]:
            try:
                self.world.ask_joint(INSTRUCT, Instruct(batch, (wanted,), PAYER))
            except Refusal:
                continue
            instruction = self.world.state(PAYMENT, wanted.entitlement).instruction
            orders.append(Order(instruction, wanted.entitlement, FEN, wanted.account))
        if not orders:
            return
        file = PaymentFile(batch, OWN, "泰山区总工会", "泰安银行", self.world.today, orders)
        self.files[batch] = files.write(file, Channel.iso20022)
        self.world.ask(BATCH, batch, batches.Check(batch, len(orders), FEN * len(orders), CHECKER))
        release = batches.Release(batch, sha256(self.files[batch]).hexdigest(), RELEASER)
        self.world.ask_joint(FROM_ACCOUNT, FromAccount(release, OWN))

    def in_state(self, *kinds: Any) -> list[str]:
        return [batch for batch in self.batches if isinstance(self.world.state(BATCH, batch), kinds)]

    @rule(chosen=some.sets(some.integers(min_value=0, max_value=PEOPLE - 1), min_size=PEOPLE - 1), killed=KILLED)
    def a_batch_is_released_and_brought_there(self, chosen: set[int], killed: str) -> None:
        self.a_batch_is_released(chosen)
        self.workers_go_to_the_bank(killed)

    @precondition(lambda self: self.in_state(Released, Sending))
    @rule(killed=KILLED)
    def workers_go_to_the_bank(self, killed: str) -> None:
        """With all that may have to be brought there; `killed`: each process ends there, and nobody remembers."""
        for batch in self.in_state(Released, Sending):
            self.bring(batch, killed)

    def bring(self, batch: str, killed: str) -> None:
        """As batches.sending does it, but for its caution with a file that the bank calls a duplicate."""
        try:
            begin = batches.BeginSending(batch, sha256(self.files[batch]).hexdigest())
            self.world.ask_joint(FROM_ACCOUNT, FromAccount(begin, OWN))
        except Refusal:
            self.world.ask(BATCH, batch, batches.Miss(batch))
            return
        if killed == "before the first byte":
            return
        answer = self.run(self.bank.send(self.files[batch], Channel.iso20022))
        if killed:
            return
        match answer:
            case Taken():
                self.world.ask(BATCH, batch, batches.Accept(batch))
            case RefusedFile(code, said):
                self.world.ask(BATCH, batch, batches.Refuse(batch, code, sha256(said).hexdigest()))
                self.all_failed(batch)
            case NoAnswer():
                self.world.ask(BATCH, batch, batches.Miss(batch))

    def all_failed(self, batch: str) -> None:
        state = self.world.state(BATCH, batch)
        assert isinstance(state, Refused)
        for entitlement, instruction in state.contents.items.items():
            self.hear(commands.Fail(entitlement, instruction, state.code, None, state.report))

    @precondition(lambda self: self.in_state(Sending, Accepted))
    @rule(data=some.data())
    def somebody_asks_for_the_status(self, data: some.DataObject) -> None:
        batch = data.draw(some.sampled_from(self.in_state(Sending, Accepted)))
        report = self.run(self.bank.status(batch))
        if report is not None:
            self.take_in(report, batch)

    @precondition(lambda self: self.batches)
    @rule(days_ago=some.sampled_from([0, 0, 1]))
    def a_statement_comes(self, days_ago: int) -> None:
        self.take_in(self.run(self.bank.statement(OWN, self.world.now.astimezone(UTC).date() - timedelta(days=days_ago))))

    def take_in(self, data: bytes, batch: str | None = None) -> None:
        try:
            said = files.read(data)
        except BankFileUnreadable:
            return
        if isinstance(said, Report) and batch is not None and isinstance(self.world.state(BATCH, batch), Sending):
            self.world.ask(BATCH, batch, batches.Accept(batch))
        assert isinstance(said, Report | Statement)
        for one in said.words:
            self.one_word(one, data)

    def one_word(self, one: Said, data: bytes) -> None:
        word = word_of(one, sha256(data).hexdigest())
        if word is not None:
            self.hear(word)

    def hear(self, word: commands.Confirm | commands.Fail | commands.Bounce) -> None:
        terms = self.world.state(PAYMENT, word.entitlement).terms
        self.world.ask_joint(HEAR, Hear((Heard(word, terms.application, terms.line, terms.reservation),)))

    @rule(number=some.integers(min_value=0, max_value=PEOPLE - 1))
    def an_account_is_corrected(self, number: int) -> None:
        wanted = list(self.wanted.values())[number]
        if isinstance(self.world.state(PAYMENT, wanted.entitlement), Due):
            command = commands.CorrectAccount(wanted.entitlement, wanted.payee, wanted.account, PAPER, "1" * 32, "2" * 32)
            self.world.ask(PAYMENT, wanted.entitlement, command)

    @rule(days=some.sampled_from([0, 1]))
    def time_goes_by(self, days: int) -> None:
        self.world.later(days)

    @precondition(lambda self: self.in_state(Sending))
    @rule(data=some.data())
    def the_bank_writes_that_it_never_had_a_file(self, data: some.DataObject) -> None:
        """It writes so only where it is true; that is why two people enter the letter."""
        batch = data.draw(some.sampled_from(self.in_state(Sending)))
        if any(line["kind"] == "file" and line["message"] == batch for line in self.log()):
            return
        if not self.world.state(BATCH, batch).unanswered:
            return
        self.world.ask(BATCH, batch, batches.Disown(batch, PAPER, "1" * 32, "2" * 32))
        self.all_failed(batch)

    # --------------------------------------------------------------------------------------------------- what always holds

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (Path(self.folder.name) / "log.jsonl").read_text("utf-8").splitlines()]

    @invariant()
    def nobody_has_the_money_twice_by_the_banks_own_log(self) -> None:
        if not hasattr(self, "folder"):
            return
        lines = self.log()
        left = Counter(line["end_to_end"] for line in lines if line["kind"] == "transferred")
        left.subtract(line["end_to_end"] for line in lines if line["kind"] == "returned")
        assert set(left.values()) <= {0, 1}, left
        assert left.keys() <= self.wanted.keys()
        assert all(line["fen"] == FEN for line in lines if line["kind"] == "transferred")
        for entitlement in self.wanted:
            payment = self.world.state(PAYMENT, entitlement)
            if isinstance(payment, Due):
                # Or another instruction would pay it twice.
                assert left[entitlement] == 0, payment

    @invariant()
    def debits_are_credits_and_each_payment_is_of_the_line(self) -> None:
        if not hasattr(self, "folder"):
            return
        events = self.world.streams[BUDGET_LINE.stream(LINE)]
        found = [posting for event in events for posting in postings(event)]
        assert sum(one.debit for one in found) == sum(one.credit for one in found)
        line = self.world.state(BUDGET_LINE, LINE)
        assert line.available_fen + line.reserved_fen + line.paid_fen == 10 * FEN * PEOPLE
        states = [self.world.state(PAYMENT, entitlement) for entitlement in self.wanted]
        assert line.paid_fen == FEN * sum(isinstance(state, Done) for state in states)
        assert line.reserved_fen == FEN * (PEOPLE - sum(isinstance(state, Done) for state in states))
        for wanted, state in zip(self.wanted.values(), states, strict=True):
            if isinstance(state, UnderWay | Due | Done):
                assert isinstance(self.world.state(APPLICATION, wanted.application), Instructed | Paid)
                assert state.terms.line == LINE

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.run(self.http.aclose())
            self.loop.close()
            self.folder.cleanup()


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
assert {APPROVER, CLERK, STEWARD}.isdisjoint({PAYER, CHECKER, RELEASER})
