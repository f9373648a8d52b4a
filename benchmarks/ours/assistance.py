"""Winter warmth in bulk: resolutions over 200 households each with the money reserved, then their payments put into batches, 200 at a time.

python -m benchmarks.ours.assistance DSN VAULT_DSN ENTITLEMENTS
Everything is read back from PostgreSQL, accounts are opened and sealed with a real vault, every command is durable. The limit: the same
records, byte for byte, in multi-row INSERTs of one connection, a commit for each command.
"""

import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import Any, cast

import uvloop
from assistance.applications import commands
from assistance.applications.application import Case, Submitted
from assistance.applications.deciding import CASES_MAX, DECIDE, digest_of, entitlement_of
from assistance.applications.following import APPLICATION
from assistance.batches.batch import BATCH, FILL_MAX, ITEMS_MAX
from assistance.batches.commands import Open
from assistance.batches.filling import current_accounts
from assistance.events import CATALOGUE
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.hardship.file import FILE
from assistance.payments.instructing import INSTRUCT, Instruct, Wanted
from assistance.payments.standing import Standing
from assistance.programmes.definition import definition, parsed
from assistance.programmes.programme import PROGRAMME
from contracts import assistance as own
from contracts.assistance.applications import Facts
from contracts.assistance.hardship import BankAccount, Household, HouseholdMember, Relation
from contracts.assistance.payments import Channel
from contracts.kernel import Event
from contracts.membership import Level
from contracts.values import day_in_china
from foundation.commands import Actor
from foundation.decider import JointDecider, Part
from foundation.http.caller import Application

from benchmarks.load import callers, report
from benchmarks.ours.store import Path, full_path

CITY, COUNTY, UNION = "3709", "370911", "370911001.A1"
CLERK, STEWARD, APPROVER, MAKER = (letter * 32 for letter in "abcd")
PAPER = "8" * 64
FEN = 150_000
TODAY = day_in_china(datetime.now(UTC))
LINE = line_id(COUNTY, TODAY.year, "superior", "aid.warmth")
BY = Actor(APPROVER, COUNTY, "bench")
AT_ONCE = 4
"""Resolutions on their way at the same time, as several unions send them."""

Past = Sequence[tuple[Part, Sequence[Event]]]
PAST: JointDecider[Past] = JointDecider(
    parts=lambda past: [part for part, _ in past], decide=lambda past, *_: [events for _, events in past]
)
"""What has happened before, put where it would be."""


def _warmth() -> own.ProgrammePublished:
    shipped = parsed((files("assistance.programmes") / "shipped" / "winter-warmth.toml").read_text("utf-8"))
    rules = definition(shipped.model_dump(mode="json") | {"season": None})  # so that it can be measured in summer
    return own.ProgrammePublished(programme="warmth", organisation=CITY, number=1, definition=rules, digest=PAPER)


def _family(application: str) -> list[tuple[Part, Sequence[Event]]]:
    """A household's file and its application, on the desk of those who decide."""
    household, one, two = (os.urandom(16).hex() for _ in range(3))
    members = (HouseholdMember(person=one, relation=Relation.applicant), HouseholdMember(person=two, relation=Relation.spouse))
    told: dict[str, Any] = {"application": application}
    account = BankAccount(bank="农行泰安岱岳支行", name="欧阳娜娜", number=f"622848{int(application[:12], 16) % 10**13:013d}")
    file = [
        own.HardshipFileOpened(
            household=household,
            organisation=UNION,
            applicant=one,
            people=(one, two),
            members=members,
            circumstances=Household(household_month_fen=180_000, heads=2, causes=("illness",)),
            account=account,
            opened_on=TODAY,
        ),
        own.HardshipLevelSet(household=household, level="deep", paper=PAPER, effective_on=TODAY, review_on=TODAY + timedelta(days=365)),
    ]
    way = [
        own.ApplicationDrafted(
            **told,
            organisation=UNION,
            programme="warmth",
            person=one,
            household=household,
            people=(one, two),
            payee=one,
            account=account,
            drafted_by=CLERK,
            drafted_on=TODAY,
        ),
        own.ApplicationVerified(
            **told,
            person=one,
            visitors=(STEWARD,),
            visited_on=TODAY,
            facts=Facts(values={"file_level": "deep"}),
            programme_version=1,
            file_version=2,
            entitled_fen=FEN,
            verified_by=STEWARD,
        ),
        own.ApplicationPosted(**told, notice="9" * 32, until=TODAY),
        own.ApplicationCleared(**told, notice="9" * 32),
        own.ApplicationSubmitted(**told, stamped=PAPER, submitted_by=CLERK, submitted_on=TODAY),
    ]
    return [(Part(FILE, household), file), (Part(APPLICATION, application), way)]


async def prepare(path: Path, ids: Sequence[str]) -> None:
    """The programme, the money and every family's papers."""
    opened = own.LineOpened(line=LINE, organisation=COUNTY, year=TODAY.year, source="superior", purpose="aid.warmth", earmarked=False)
    money = own.FundsAppropriated(line=LINE, proposal="9" * 32, lot=1, fen=len(ids) * FEN, document=PAPER, booked_on=TODAY)
    begun: Past = [(Part(PROGRAMME, "warmth"), [_warmth()]), (Part(BUDGET_LINE, LINE), [opened, money])]
    await path.handler.handle_joint(PAST, begun, by=BY)
    for some in _slices(ids, 100):
        await path.handler.handle_joint(PAST, [part for one in some for part in _family(one)], by=BY)


def _slices(of: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (of[first : first + size] for first in range(0, len(of), size))


async def _resolve(path: Path, due: dict[str, Standing], some: Sequence[str]) -> None:
    """One resolution, of what those at the table have before them."""
    found = await path.handler.states(APPLICATION, some)
    due |= {one: _standing(one, it.case) for one, it in found.items() if isinstance(it, Submitted)}
    settled = tuple(
        commands.Settle(
            one,
            it.case.person,
            it.case.household,
            commands.Seen(it.case.version, 1, 2, digest_of(it.case.documents)),
            commands.Grant(),
            "active",
            kin=tuple(it.case.people),
        )
        for one, it in found.items()
        if isinstance(it, Submitted)
    )
    decision = commands.Decide(
        *(os.urandom(16).hex(), COUNTY, Level.county, frozenset({COUNTY, UNION}), "warmth", LINE, settled, None, TODAY, APPROVER)
    )
    await path.handler.handle_joint(DECIDE, decision, by=BY)


async def _instruct(path: Path, batch: str, due: dict[str, Standing], some: Sequence[str]) -> None:
    """Their payments into a batch, to the accounts that their applications name: `filling.fill`, its read model in `due`."""
    found = [due[one] for one in some]
    accounts = await current_accounts(cast(Application, path), found, MAKER)
    wanted = tuple(Wanted(one.entitlement, one.application, one.person, one.payee, accounts[one.entitlement]) for one in found)
    await path.handler.handle_joint(INSTRUCT, Instruct(batch, wanted, MAKER), by=BY)


def _standing(application: str, case: Case) -> Standing:
    entitlement = entitlement_of(application, 0)
    people = (case.person, case.payee)
    return Standing(entitlement, application, UNION, *people, LINE, FEN, "warmth", "due", None, None, None)


async def _measured(count: int, steps: Sequence[Callable[[], Awaitable[None]]]) -> dict[str, float]:
    """Rate per entitlement by the clock and by this process's CPU."""
    before = resource.getrusage(resource.RUSAGE_SELF)

    async def once(_: int, number: int) -> None:
        await steps[number]()

    told = await callers(AT_ONCE, len(steps), once)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return told | {"rate": count / told["seconds"], "cpu_us": cpu / count * 1e6}


async def _limit(path: Path, first: int, count: int) -> float:
    """Entitlements a second where the very same records are only inserted, as many to a commit."""
    rows = await path.pool.fetch("select stream, version, type, record, leaf from events where position >= $1 order by position", first)
    await path.pool.execute(
        "create table bare (position bigint primary key, stream text, version int, type text, record bytea, leaf bytea,"
        " unique (stream, version))"
    )
    commits = 2 * -(-count // CASES_MAX)
    size = -(-len(rows) // commits)
    begun = time.perf_counter()
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        columns = [[row[column] for row in some] for column in range(5)]
        await path.pool.execute(
            "insert into bare select * from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::bytea[], $6::bytea[])",
            *(list(range(start, start + len(some))), *columns),
        )
    return count / (time.perf_counter() - begun)


async def main(dsn: str, vault_dsn: str, count: int) -> None:
    """Prepare in one process's life, measure in another's: nothing is in memory."""
    ids = [os.urandom(16).hex() for _ in range(count)]
    async with full_path(dsn, vault_dsn, CATALOGUE) as path:
        await prepare(path, ids)
    async with full_path(dsn, vault_dsn, CATALOGUE) as path:
        first = (await path.store.head()).position + 1
        due: dict[str, Standing] = {}
        decided = await _measured(count, [partial(_resolve, path, due, some) for some in _slices(ids, CASES_MAX)])
        batches = [os.urandom(16).hex() for _ in range(-(-count // ITEMS_MAX))]
        for batch in batches:
            opening = Open(batch, COUNTY, "370911000001", Channel.iso20022, date(TODAY.year, 12, 1), MAKER)
            await path.handler.handle(BATCH, batch, opening, by=BY)
        parts = zip(batches, _slices(ids, ITEMS_MAX), strict=True)
        fills = [partial(_instruct, path, batch, due, some) for batch, part in parts for some in _slices(part, FILL_MAX)]
        instructed = await _measured(count, fills)
        limit = await _limit(path, first, count)
    rate = count / (decided["seconds"] + instructed["seconds"])
    cpu_us = decided["cpu_us"] + instructed["cpu_us"]
    report(rate=rate, cpu_us=cpu_us, cpu_rate=1e6 / cpu_us, limit=limit, decided=decided, instructed=instructed)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
