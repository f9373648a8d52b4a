"""Looks a roster over (the dry run), and applies it: many rows at a time, from the beginning again after every interruption.

Whatever has been done already is found in the people's own events, by their provenance, and by command ids that follow from roster and
row. So nothing is done twice and the counts at the end are those of the whole, however often the process was killed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import structlog
from contracts import membership as events
from contracts.kernel import Catalogue, Event, OrgCode
from contracts.values import day_in_china
from foundation.commands import Accepted, Actor, CommandRef, Contended
from foundation.decider import Refusal
from foundation.history import all_happened
from foundation.http.caller import Application
from foundation.ids import command_id, random_id
from foundation.store.port import EventStore, StoreUnavailable
from foundation.store.writer import Overloaded
from foundation.tuning import in_bulk
from foundation.vault.port import KeyDestroyed, KeyOf, VaultUnavailable

from membership.members import commands as members
from membership.members.joining import ADMISSION, TRANSFER
from membership.members.rules import MEMBER
from membership.rosters import commands
from membership.rosters.difference import NOBODY, Known, Sheet, Step, known, leaving, step
from membership.rosters.reading import read, rows
from membership.rosters.roster import ROSTER
from membership.rosters.rows import Person, Refused
from membership.rosters.sheet import FileRefused, kind_of
from membership.rosters.work import ANEW, RESUMED, Finding, Work, Works
from membership.terms import Terms

BATCHES_AT_ONCE = 3
"""Thousands of rows under way together: one being decided, one on its way to the disk, one being read."""

ATTEMPTS_MAX = 60
LEAVERS_AT_ONCE = 500
KEPT_DAYS = 30
"""How long the sealed file of a roster waits to be applied."""

CATALOGUE = Catalogue.of(events)

PERSONAL = "membership"
"""The purpose under which members' events are sealed (contracts.membership)."""

Told = members.Admit | members.Transfer | members.Correct

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Started:
    """What importing works with once the service runs."""

    app: Application
    store: EventStore
    works: Works


class Rosters:
    """Every roster of a service. One per process; what it is at is in `roster_work`."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._started: _Started | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, app: Application) -> None:
        """Once commands can be handled: go on with what was interrupted, forget files that nobody wanted applied."""
        # The store's whole port, of which routes are shown the reading half.
        self._started = _Started(app, cast(EventStore, app.store), Works(app.pool, app.vault))
        await self._resume()

    @property
    def works(self) -> Works:
        """What is under way."""
        return self._means.works

    @property
    def _means(self) -> "_Started":
        if self._started is None:
            raise RuntimeError("rosters are used before the service has started")
        return self._started

    async def _resume(self) -> None:
        now = self._now()
        for work in await self.works.in_stage(("checked",), before=now - timedelta(days=KEPT_DAYS)):
            await self.works.forget_file(work, at=now)
            await self.works.stage(work.roster, "expired")
        for work in await self.works.dealt_with():
            await self.works.forget_file(work, at=now)
        for work in await self.works.in_stage(RESUMED):
            self._start(work.roster, self._check if work.stage == "checking" else self._apply)

    async def close(self) -> None:
        """Stop where it is; the next start goes on."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def receive(self, organisation: OrgCode, file: bytes, *, complete: bool, by: Actor) -> str:
        """Take a file in and look it over; the same file for the same union is the same roster.

        Raises FileRefused, and what handling raises.
        """
        kind_of(file)
        digest = sha256(file).hexdigest()
        roster = command_id("roster", organisation, digest, str(complete)).hex
        work = await self.works.read(roster)
        if work is None or work.stage in ANEW:
            now = self._now()
            received = Work(roster, organisation, digest, complete, by.principal, random_id(), "checking", now, 0, 0, {}, None, {})
            await self.works.begin(received, file)
            await self._handle(commands.Receive(roster, organisation, digest, len(file), complete), roster, by)
            self._start(roster, self._check)
        return roster

    async def apply(self, roster: str, by: Actor) -> None:
        """Begin to apply a roster whose dry run is done; nothing to do where it has begun. Raises what handling raises."""
        await self._handle(commands.StartApplication(roster), roster, by)
        work = await self.works.read(roster)
        if work is not None and work.stage == "checked":
            await self.works.stage(roster, "applying")
            self._start(roster, self._apply)

    async def settled(self, roster: str, timeout_seconds: float) -> None:
        """Wait until nothing is under way for a roster, or so long."""
        task = self._tasks.get(roster)
        if task is not None:
            await asyncio.wait([task], timeout=timeout_seconds)

    # ------------------------------------------------------------------------------------------------ one at a time

    def _start(self, roster: str, what: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        if roster not in self._tasks:
            task = self._tasks[roster] = asyncio.create_task(self._guarded(roster, what))
            task.add_done_callback(lambda _: self._tasks.pop(roster, None))

    async def _guarded(self, roster: str, what: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        try:
            await what(roster)
        except FileRefused as refused:
            await self.works.forget_file(await self._work(roster), at=self._now())
            await self.works.stage(roster, "refused", rule=refused.rule, arguments=refused.arguments)
        except (StoreUnavailable, VaultUnavailable, OSError) as error:
            log.warning("roster interrupted; the next start goes on", roster=roster, error=type(error).__name__)
        except Exception as error:
            # Its text may hold what it worked on, so only the class is told (DESIGN 3).
            log.error("roster failed", roster=roster, error=type(error).__name__)
            await self.works.stage(roster, "failed", rule="failed")

    async def _handle(self, command: commands.Command, roster: str, by: Actor) -> None:
        await self._means.app.handler.handle(ROSTER, roster, command, by=by, key=_ref(roster, type(command).__name__))

    def _now(self) -> datetime:
        return self._means.app.clock.now()

    def _sheet(self, work: Work) -> Sheet:
        today = day_in_china(self._now())
        days = self._terms.on("transfer-objection", today).days
        return Sheet(work.roster, work.organisation, work.digest, today, days)

    async def _work(self, roster: str) -> Work:
        work = await self.works.read(roster)
        if work is None:
            raise LookupError(f"no work on roster {roster}")
        return work

    async def _known(self, people: Sequence[str], sheet: Sheet) -> dict[str, Known]:
        """What is known of people, from their events. Who has none is missing."""
        app, store = self._means.app, self._means.store
        streams = await store.read_streams([MEMBER.stream(person) for person in people])
        told = [one for recorded in streams.values() if recorded for one in all_happened(recorded, CATALOGUE)]
        found: dict[str, list[Event]] = {}
        for happened in await app.sealer.open(told):
            found.setdefault(happened.envelope.stream, []).append(happened.event)
        return {stream.removeprefix("member-"): known(history, sheet) for stream, history in found.items()}

    # ------------------------------------------------------------------------------------------------ the dry run

    async def _check(self, roster: str) -> None:
        work = await self._work(roster)
        sheet, counts, done, kept = self._sheet(work), Counter[str](), 0, 0
        named: set[str] = set()
        everybody_named = True
        async for told in read(await self.works.file(work), sheet.today):
            batch = rows(told)
            await self.works.keep_rows(work, kept, told)
            kept += 1
            found = await self._means.app.vault.find_persons([row.document or ("", "", "") for row in batch])
            named.update(person for person in found if person is not None)
            everybody_named = everybody_named and all(row.document is not None for row in batch)
            before = await self._known([person for person in found if person is not None], sheet)
            findings = []
            for row, person in zip(batch, found, strict=True):
                meaning = _meaning(row, person or "", before.get(person or "", NOBODY), sheet)
                counts[meaning.kind] += 1
                if meaning.kind not in ("joined", "unchanged"):
                    arguments = row.arguments if isinstance(row, Refused) else {"fields": meaning.fields}
                    findings.append(Finding(meaning.kind, row.row, person or "", meaning.rule, arguments))
            await self.works.found(roster, findings)
            done += len(batch)
            await self.works.progress(roster, done, counts)
        if work.complete:
            # Rows that name nobody may be anybody: as long as there are such rows, nobody counts as having left.
            kind = "left" if everybody_named else "held"
            gone = [person for person in await self._members(work.organisation) if person not in named]
            await self.works.found(roster, [Finding(kind, 0, person) for person in gone])
            counts[kind] += len(gone)
        await self.works.stage(roster, "checked", counts=+counts, rows=done)

    async def _members(self, organisation: OrgCode) -> list[str]:
        rows = await self._means.app.pool.fetch(
            "select person from directory_members where organisation = $1 and status in ('active', 'suspended')"
            " and coalesce(linked_to, '') = ''",
            organisation,
        )
        return [row["person"] for row in rows]

    # ------------------------------------------------------------------------------------------------ applying

    async def _apply(self, roster: str) -> None:
        work = await self._work(roster)
        sheet = self._sheet(work)
        by = Actor(work.principal, work.organisation, f"roster-{roster}")
        with in_bulk():
            counts = await self._apply_rows(work, sheet, by)
        counts.update(await self._leavers(sheet, by))
        finish = commands.FinishApplication(
            roster, **{kind: counts[kind] for kind in ("joined", "transferred", "changed", "unchanged", "left", "refused")}
        )
        await self._handle(finish, roster, by)
        await self.works.stage(roster, "applied", counts=+counts, rows=work.rows)
        await self.works.forget_file(work, at=self._now())

    async def _apply_rows(self, work: Work, sheet: Sheet, by: Actor) -> Counter[str]:
        counts, done, under_way = Counter[str](), 0, set[asyncio.Task[Counter[str]]]()
        try:
            async for told in self.works.rows(work):
                batch = rows(told)
                if len(under_way) >= BATCHES_AT_ONCE:
                    finished, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        counts.update(task.result())
                    await self.works.progress(work.roster, done, counts)
                under_way.add(asyncio.create_task(self._apply_batch(batch, sheet, by)))
                done += len(batch)
            for tallied in await asyncio.gather(*under_way):
                counts.update(tallied)
            if done != work.rows:
                raise LookupError(f"{work.rows} rows of roster {work.roster} were checked, {done} are kept")
        finally:
            for task in under_way:
                task.cancel()
        return counts

    async def _apply_batch(self, batch: Sequence[Person | Refused], sheet: Sheet, by: Actor) -> Counter[str]:
        counts, refused = Counter[str](), []
        rows = [row for row in batch if isinstance(row, Person)]
        people = await self._means.app.vault.persons([row.document for row in rows])
        before, _ = await asyncio.gather(self._known(people, sheet), self._make_keys(people))
        meanings = [_meaning(row, person, before.get(person, NOBODY), sheet) for row, person in zip(rows, people, strict=True)]
        outcomes = await self._carry_out(rows, meanings, sheet, by)
        for row, person, meaning, rule in zip(rows, people, meanings, outcomes, strict=True):
            counts["refused" if rule else meaning.kind] += 1
            if rule:
                refused.append(Finding("refused", row.row, person, rule, {}))
        counts["refused"] += len(batch) - len(rows)
        if refused:
            await self.works.found(sheet.roster, refused)
        return counts

    async def _make_keys(self, people: Sequence[str]) -> None:
        # All at once and ahead, so that every command finds its key in memory and is decided once.
        with suppress(KeyDestroyed):  # somebody was erased: each command makes its own key, and is refused alone
            await self._means.app.vault.keys_for([KeyOf((person,), PERSONAL) for person in people])

    async def _carry_out(self, rows: Sequence[Person], steps: Sequence[Step], sheet: Sheet, by: Actor) -> list[str | None]:
        """Have every step's commands handled, all first ones together, then all second ones; for each row the rule that refused it."""
        rules = [each.rule for each in steps]
        for turn in range(max((len(each.commands) for each in steps), default=0)):
            at = [place for place, each in enumerate(steps) if turn < len(each.commands) and rules[place] is None]
            asked = [(steps[place].commands[turn], rows[place].row) for place in at]
            answers = await asyncio.gather(*(self._send(command, row, sheet, by) for command, row in asked), return_exceptions=True)
            for place, (command, row), answer in zip(at, asked, answers, strict=True):
                if isinstance(answer, BaseException):
                    rules[place] = await self._insist(answer, command, row, sheet, by)
        return rules

    def _send(self, command: Told, row: int, sheet: Sheet, by: Actor) -> "asyncio.Future[Accepted]":
        handler, key = self._means.app.handler, _ref(sheet.roster, str(row), type(command).__name__)
        match command:
            case members.Admit():
                return handler.handle_joint(ADMISSION, command, by=by, key=key)
            case members.Transfer():
                return handler.handle_joint(TRANSFER, command, by=by, key=key)
            case members.Correct():
                return handler.handle(MEMBER, command.member, command, by=by, key=key)

    async def _insist(self, error: BaseException, command: Told, row: int, sheet: Sheet, by: Actor) -> str | None:
        """The rule behind a failure; what only failed for the moment is tried again, with growing waits."""
        for attempt in range(ATTEMPTS_MAX):
            match error:
                case Refusal():
                    return error.TYPE
                case KeyDestroyed():
                    return "person-erased"
                case Overloaded() | Contended() | VaultUnavailable() | StoreUnavailable():
                    await asyncio.sleep(min(5.0, 0.05 * 2**attempt))
                case _:
                    raise error
            try:
                await self._send(command, row, sheet, by)
            except Exception as again:
                error = again
            else:
                return None
        raise error

    async def _leavers(self, sheet: Sheet, by: Actor) -> Counter[str]:
        """Those whom the dry run of a complete roster showed as gone, as long as they are still members there."""
        counts: Counter[str] = Counter()
        after = (0, "")
        while found := await self.works.findings(sheet.roster, ["left"], after=after, limit=LEAVERS_AT_ONCE):
            after = (found[-1].row, found[-1].person)
            before = await self._known([finding.person for finding in found], sheet)
            outcomes = await asyncio.gather(
                *(self._leave(finding.person, before.get(finding.person, NOBODY), sheet, by) for finding in found)
            )
            counts["left"] += sum(outcomes)
        return counts

    async def _leave(self, person: str, before: Known, sheet: Sheet, by: Actor) -> bool:
        if before.done == "left":
            return True
        command = leaving(person, before, sheet)
        if command is None:
            return False
        try:
            # Only on the very record that was looked at: whoever moved to another union meanwhile is left alone.
            await self._means.app.handler.handle(
                MEMBER, person, command, by=by, key=_ref(sheet.roster, person, "Leave"), expected=before.version
            )
        except Refusal:
            return False
        return True


def _meaning(row: Person | Refused, person: str, before: Known, sheet: Sheet) -> Step:
    return Step("refused", rule=row.rule) if isinstance(row, Refused) else step(row, person, before, sheet)


def _ref(*what: str) -> CommandRef:
    # The id says it all: roster (and with it the file's digest), row and command. There is no other request under it.
    command = command_id("roster", *what)
    return CommandRef(command, sha256(command.bytes).digest())
