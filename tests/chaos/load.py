"""Commands over HTTP, each sent with one idempotency key until it is answered; what was answered is kept to be checked."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

import httpx
from contracts.values import resident_check
from foundation.clock import SystemClock
from foundation.http.tokens import NodeIssuer, SigningKey

from tests.support import PATIENCE_SECONDS

from .machine import Node, until

TOP, COUNTY = "3709", "370902"
VILLAGES = ("370902001001", "370902001002", "370902001003", "370902001004")
DIVISIONS = "code,name,level,parent\n" + "\n".join(
    [f"{TOP},泰安市,city,", f"{COUNTY},泰山区,county,{TOP}", f"370902001,岱庙街道,township,{COUNTY}"]
    + [f"{village},第{number}社区居委会,community,370902001" for number, village in enumerate(VILLAGES)]
)
BOSS, STEWARD = "a" * 32, "c" * 32
JOINED = "2024-05-01"
ATTEMPT_SECONDS = 5
AGAIN = {502, 503, 504}

ENDS = {
    "departure": ("left", "membership.MemberLeft.v1"),
    "expulsion": ("expelled", "membership.MemberExpelled.v1"),
    "death": ("died", "membership.MemberDied.v1"),
}


@dataclass(slots=True)
class Command:
    """A command and its answer. `effect`: the type of the one event that it must have led to; None where that is for the rules to say."""

    by: str
    path: str
    body: dict[str, Any]
    effect: str | None
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def told(self) -> tuple[str, int, int]:
        """What must be the same however often it is asked: stream, version and position."""
        return self.answer["stream"], self.answer["version"], int(self.answer["position"].partition(":")[2])


@dataclass(slots=True)
class Standing:
    """A member as its caller knows it."""

    member: str
    document: dict[str, str]
    organisation: str
    standing: str = "active"


class Load:
    """Callers against one node, and everything they were told."""

    def __init__(self, node: Node, seed: int, callers: int = 8) -> None:
        self.node, self.seed, self.callers = node, seed, callers
        self.commands: list[Command] = []
        self.members: list[Standing] = []
        self.hot: list[str] = []
        self.surprises: Counter[str] = Counter()
        """Answers that nobody should get, whatever dies."""
        self.attempts = 0
        self.counts: Counter[str] = Counter()
        self._client = httpx.AsyncClient(timeout=ATTEMPT_SECONDS, limits=httpx.Limits(max_connections=100))
        key = SigningKey.at(node.machine.secrets.signing_key)
        issuer = NodeIssuer(key, issuer=f"urn:tongxin:node:{TOP}", audience="tongxin", clock=SystemClock())
        self._tokens = {who: issuer.mint(who, ttl_seconds=8 * 3600) for who in (BOSS, STEWARD, "service:node")}
        self._doors = Random(seed)
        self._persons = Random(seed).randrange(1_000_000)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    # ------------------------------------------------------------------------------------------------- from outside

    async def settle(self) -> None:
        """A small town with its staff, and a few members whom every caller will change."""
        await until(self._is_up, "membership answers")
        await self._answered(Command("service:node", "/appointments/first", {"principal": BOSS}, None), None)
        headers = self._headers(BOSS) | {"content-type": "text/csv", "idempotency-key": "tree"}
        url = f"{self.node.doors[0]}/imports/divisions?effective_on=2020-01-01"
        done = await self._client.post(url, content=DIVISIONS.encode(), headers=headers, timeout=60)
        assert done.status_code == 200, done.text
        post = {"principal": STEWARD, "organisation": COUNTY, "role": "steward", "valid_from": "2020-01-01"}
        await self.send(Command(BOSS, "/appointments", post, "membership.StaffAppointed.v1"))
        chance = Random(self.seed)
        self.hot = [(await self._admit(chance)).member for _ in range(3)]
        self.members.clear()

    def start(self) -> None:
        """Let the callers begin."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._caller(Random(f"{self.seed} {number}"))) for number in range(self.callers)]

    async def stop(self) -> None:
        """Let every caller finish what it is about. Raises what a caller raised."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        self._tasks = []

    async def more(self, attempts: int) -> None:
        """Return after so many more attempts at commands: the load's own time, which goes on while nothing is answered."""
        await self._until(lambda: self.attempts, attempts, "attempts")

    async def answers(self, count: int) -> None:
        """Return after so many more answered commands: whatever was broken lets them through again."""
        await self._until(lambda: len(self.commands), count, "answers")

    async def _until(self, figure: Callable[[], int], more: int, what: str) -> None:
        wanted = figure() + more

        async def reached() -> bool:
            ended = [task for task in self._tasks if task.done()]
            for task in ended:
                task.result()  # what a caller raised is told now: without callers the figure never comes
            return figure() >= wanted or len(ended) == len(self._tasks)

        await until(reached, f"{more} more {what}")

    async def dismiss(self) -> None:
        """End the callers, whatever they are about."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def close(self) -> None:
        """End everything, in whatever state."""
        await self.dismiss()
        await self._client.aclose()

    async def send(self, command: Command, door: str | None = None) -> Command:
        """Send until there is an answer; it is kept."""
        await self._answered(command, door)
        self.commands.append(command)
        if not command.accepted and command.effect is not None:
            self.surprises[f"{command.status} {command.answer.get('type')} to {command.path.rsplit('/', 1)[-1]}"] += 1
        return command

    async def once(self, command: Command) -> httpx.Response:
        """One attempt, whatever comes of it; not kept."""
        return await self._client.post(self.node.doors[0] + command.path, json=command.body, headers=self._command_headers(command))

    async def operate(self, service: str, action: str) -> Any:
        """What the node's operator does: the answer of `/operation/<action>`."""
        url = f"{self.node.url(service)}/operation/{action}"
        done = await self._client.post(url, headers=self._headers("service:node"), timeout=60)
        assert done.status_code == 200, done.text
        return done.json()

    async def repeat(self, command: Command, door: str) -> Command:
        """The same command again, for its answer."""
        again = Command(command.by, command.path, command.body, command.effect, command.key)
        await self._answered(again, door)
        return again

    def suspension(self, member: str, *, effect: bool) -> Command:
        """To be sent; `effect` where it must lead to an event."""
        body = {"on": _today(), "reason": "测试"}
        return Command(STEWARD, f"/members/{member}/suspension", body, "membership.MemberSuspended.v1" if effect else None)

    def resumption(self, member: str, *, effect: bool) -> Command:
        """The same, the other way."""
        return Command(STEWARD, f"/members/{member}/resumption", {"on": _today()}, "membership.MemberResumed.v1" if effect else None)

    # ------------------------------------------------------------------------------------------------------ callers

    async def _caller(self, chance: Random) -> None:
        mine: list[Standing] = []
        steps: dict[Callable[[], Any], int] = {
            lambda: self._join(chance, mine): 4,
            lambda: self._suspend_or_resume(chance, mine): 4,
            lambda: self._move(chance, mine): 3,
            lambda: self._end(chance, mine): 2,
            lambda: self._appoint(chance): 2,
            lambda: self._heat(chance): 3,
            lambda: self._contest(chance): 1,
        }
        while not self._stopping:
            [step] = chance.choices(list(steps), list(steps.values()))
            await step()

    async def _join(self, chance: Random, mine: list[Standing]) -> None:
        mine.append(await self._admit(chance))

    async def _admit(self, chance: Random) -> Standing:
        body = self._person(chance.choice(VILLAGES))
        command = await self._twice(chance, Command(STEWARD, "/members", body, "membership.MemberAdmitted.v1"))
        member = Standing(command.answer["stream"].removeprefix("member-"), body["document"], body["organisation"])
        self.members.append(member)
        return member

    async def _suspend_or_resume(self, chance: Random, mine: list[Standing]) -> None:
        found = [one for one in mine if one.standing in ("active", "suspended")]
        if not found:
            return
        member = chance.choice(found)
        if member.standing == "active":
            command = self.suspension(member.member, effect=True)
        else:
            command = self.resumption(member.member, effect=True)
        await self._twice(chance, command)
        member.standing = "suspended" if member.standing == "active" else "active"

    async def _move(self, chance: Random, mine: list[Standing]) -> None:
        found = [one for one in mine if one.standing == "active"]
        if not found:
            return
        member = chance.choice(found)
        to = chance.choice([village for village in VILLAGES if village != member.organisation])
        body = {"organisation": to, "document": member.document, "proof": {"kind": "劳动合同", "digest": "ab" * 32}, "on": _today()}
        await self._twice(chance, Command(STEWARD, "/transfers", body, "membership.MemberTransferred.v1"))
        member.organisation = to

    async def _end(self, chance: Random, mine: list[Standing]) -> None:
        found = [one for one in mine if one.standing in ("active", "suspended")]
        if not found:
            return
        member, how = chance.choice(found), chance.choice(list(ENDS))
        more = {"reason": "测试", "decision": "cd" * 32} if how == "expulsion" else {}
        standing, effect = ENDS[how]
        await self._twice(chance, Command(STEWARD, f"/members/{member.member}/{how}", {"on": _today(), **more}, effect))
        member.standing = standing
        mine.remove(member)

    async def _appoint(self, chance: Random) -> None:
        body = {"principal": secrets.token_hex(16), "organisation": chance.choice(VILLAGES), "role": "clerk", "valid_from": "2020-01-01"}
        await self._twice(chance, Command(BOSS, "/appointments", body, "membership.StaffAppointed.v1"))

    async def _heat(self, chance: Random) -> None:
        """Streams that everybody changes, through every process."""
        member = chance.choice(self.hot)
        await self.send(self.suspension(member, effect=False) if chance.random() < 0.5 else self.resumption(member, effect=False))

    async def _contest(self, chance: Random) -> None:
        """Two unions register one person at the same moment: one of them gets the member."""
        one, other = chance.sample(VILLAGES, 2)
        body = self._person(one)
        sent = [Command(STEWARD, "/members", body | {"organisation": union}, None) for union in (one, other)]
        await asyncio.gather(*map(self.send, sent))
        if sorted(command.status for command in sent) != [201, 409]:
            self.surprises[f"contested: {sorted(command.status for command in sent)}"] += 1
        self.counts["contests"] += 1

    async def _twice(self, chance: Random, command: Command) -> Command:
        """Send; now and then the same request comes twice at once."""
        if chance.random() < 0.9:
            return await self.send(command)
        twin = Command(command.by, command.path, command.body, command.effect, command.key, command.trace)
        await asyncio.gather(self.send(command), self._answered(twin, None))
        self.counts["twins"] += 1
        if command.accepted and (not twin.accepted or twin.told != command.told):
            self.surprises[f"twins were told {command.told} and {twin.answer}"] += 1
        return command

    def _person(self, organisation: str) -> dict[str, Any]:
        self._persons += 1
        born = date(1960, 1, 1) + timedelta(days=self._persons // 999)
        first17 = f"370902{born:%Y%m%d}{self._persons % 999 + 1:03d}"
        number = first17 + resident_check(first17)
        return {"organisation": organisation, "on": JOINED, "name": "张三", "document": {"kind": "resident", "number": number}}

    # --------------------------------------------------------------------------------------------------------- HTTP

    async def _answered(self, command: Command, door: str | None) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self.attempts += 1
                try:
                    url = (door or self.door(command.path)) + command.path
                    answer = await self._client.post(url, json=command.body, headers=self._command_headers(command))
                except httpx.HTTPError as error:
                    self.counts["no answer" if isinstance(error, httpx.ConnectError) else "unknown outcome"] += 1
                else:
                    if answer.status_code < 500:
                        break
                    if answer.status_code in AGAIN:
                        self.counts["not now: " + answer.json()["type"].rpartition(":")[2]] += 1
                    else:
                        self.surprises[f"{answer.status_code} to {command.path.rsplit('/', 1)[-1]}"] += 1
                await asyncio.sleep(0.05)  # a polite client's pause between attempts
        command.status, command.answer = answer.status_code, answer.json()

    def door(self, path: str) -> str:
        """Where to knock next."""
        return self._doors.choice(self.node.doors)

    async def _is_up(self) -> bool:
        with suppress(httpx.HTTPError):
            return (await self._client.get(f"{self.node.doors[0]}/readyz")).status_code == 200
        return False

    def _headers(self, by: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._tokens[by]}"}

    def _command_headers(self, command: Command) -> dict[str, str]:
        return self._headers(command.by) | {"idempotency-key": command.key, "traceparent": f"00-{command.trace}-{'1' * 16}-01"}


def _today() -> str:
    return (SystemClock().now().date() - timedelta(days=1)).isoformat()
