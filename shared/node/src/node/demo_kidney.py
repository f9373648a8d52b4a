"""The kidney-failure story (DOMAIN 2.5) on a running node: 15,000 yuan of mutual aid and 3,000 of relief at once, the papers later.

Each run is another worker, with money of their own; unions, programmes and accounts are made by the first one and found by the others.
Mutual aid has no books of its own kind yet: its association is an organisation with a budget line and an account of its own.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.values import day_in_china, resident_check

from node.demo_staff import Done, Post, Staff
from node.errors import NotReady, UsageError

VILLAGE, COUNTY = "370902001001", "370902"
PAPER = "0" * 64
"""Stands for the digest of a signed paper."""

PAID_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Told:
    """One step of the story: its sentence's key, what the sentence names, and the event that it rests on."""

    key: str
    values: dict[str, str]
    done: Done


@dataclass(frozen=True, slots=True)
class Payer:
    """A union that helps: its programme, how much in fen, its account at the bank, its name in both languages, and its people."""

    name: str
    organisation: str
    programme: str
    fen: int
    account: str
    holder: str

    @property
    def said(self) -> dict[str, str]:
        """What sentences name."""
        return {"zh": self.holder, "en": self.name, "yuan": yuan(self.fen)}

    def staff(self, role: str, number: int = 1) -> Post:
        return Post(role, self.organisation, number)

    @property
    def clerk(self) -> Post:
        return Post("clerk", VILLAGE) if self.organisation == COUNTY else self.staff("clerk")


def payers(top: str) -> tuple[Payer, Payer]:
    """The mutual-aid association of the city, and the county's union."""
    return (
        Payer("the mutual-aid association", f"{top}.DEMO", "demo-mutual-aid", 1_500_000, "3709000000000088", "演示职工互助保障会"),
        Payer("the county's union", COUNTY, "demo-relief", 300_000, "3709020000000001", "泰山区总工会"),
    )


def definition(shipped: dict[str, Any], payer: Payer) -> dict[str, Any]:
    """The programme's rules: those of medical relief, with this payer's sum, to be decided where this payer stands."""
    level = "county" if payer.organisation == COUNTY else "city"
    return shipped | {
        "title": {"zh": f"演示：{payer.holder}", "en": f"Demo: {payer.name}"},
        "notice": None,
        "route": [{"up_to_fen": payer.fen, "level": level, "by": "person"}, {"level": "city", "by": "meeting"}],
        "pay_first": {"max_fen": payer.fen, "papers_days": 30, "exposure_max_fen": 100_000_000},
    }


class Story:
    """One telling. `steps` yields each step once its event is durable."""

    def __init__(self, staff: Staff, top: str) -> None:
        self._staff, self._top = staff, top
        self._admin = Post("org-admin", top)
        self._today = day_in_china(datetime.now(UTC))

    def steps(self) -> Iterator[Told]:
        """From the rules to the money in hand, and what is owed for it. Raises Refused, NotReady, UsageError."""
        self._unions()
        both = payers(self._top)
        for payer in both:
            yield from self._prepared(payer)
        person, name = self._worker()
        yield Told("member", {"name": name}, person)
        household = self._send("hardship/files", self._household(person.id, name), Post("clerk", VILLAGE))
        yield Told("file", {"name": name}, household)
        level = {"level": "accidental", "paper": PAPER, "on": f"{self._today}"}
        yield Told("level", {}, self._send(f"hardship/files/{household.id}/levels", level, Post("approver", COUNTY, 2)))
        for payer in both:
            yield from self._paid(payer, person.id, household.id, name)

    def exposure(self) -> int:
        """What is paid on somebody's own authority and still owed papers at both payers, in fen."""
        return sum(
            int(self._see("aid/exposure", payer.staff("finance"), organisation=payer.organisation)["open_fen"])
            for payer in payers(self._top)
        )

    # ------------------------------------------------------------------------------------------------ what has to be there

    def _unions(self) -> None:
        if self._staff.see(f"membership/organisations/{VILLAGE}", self._admin, absent=True) is None:
            raise UsageError("the demo plays in Tai'an, whose unions this node does not have", "tongxin import organisations --sample")
        for payer in payers(self._top):
            if self._staff.see(f"membership/organisations/{payer.organisation}", self._admin, absent=True) is None:
                found = {"organisation": payer.organisation, "name": payer.holder, "kind": "institution", "level": "city"}
                self._staff.send("membership/organisations", found | {"parent": self._top, "effective_on": f"{self._today}"}, self._admin)
        posts = [Post("clerk", VILLAGE), Post("approver", COUNTY, 2)]
        for payer in payers(self._top):
            posts += [payer.clerk, payer.staff("approver"), payer.staff("approver", 3)]
            posts += [payer.staff("finance", number) for number in (1, 2, 3)]
        self._staff.appoint(*posts)

    def _prepared(self, payer: Payer) -> Iterator[Told]:
        maker, checker = payer.staff("finance", 1), payer.staff("finance", 2)
        if self._see(f"programmes/{payer.programme}", self._admin, absent=True) is None:
            shipped = {one["programme"]: one["definition"] for one in self._see("programmes/shipped", self._admin)}
            body = {"organisation": self._top, "definition": definition(shipped["medical-relief"], payer)}
            published = self._send(f"programmes/{payer.programme}/versions", body, self._admin)
            yield Told("programme", payer.said, published)
        if self._see(f"payments/accounts/{payer.account}", maker, absent=True) is None:
            body = {
                "account": payer.account,
                "organisation": payer.organisation,
                "holder": payer.holder,
                "bank": "模拟银行",
                "paper": PAPER,
            }
            self._send("payments/accounts", body, maker)
            yield Told("account", payer.said, self._send("payments/accounts", body, checker))
        money = {"organisation": payer.organisation, "year": self._today.year, "source": "superior", "purpose": "aid.medical"}
        proposal = self._send("budget/appropriations", money | {"fen": payer.fen, "document": PAPER}, maker)
        approved = self._send(f"budget/proposals/{proposal.id}/approval", None, payer.staff("approver", 3))
        yield Told("appropriation", payer.said, approved)

    def _worker(self) -> tuple[Done, str]:
        first17 = f"37090219{secrets.randbelow(30) + 70}0101{secrets.randbelow(1000):03d}"
        name = "王" + secrets.choice("伟强军磊洋勇杰涛明超")
        document = {"kind": "resident", "number": first17 + resident_check(first17)}
        body = {"organisation": VILLAGE, "on": f"{self._today}", "name": name, "document": document}
        person = self._staff.send("membership/members", body, Post("clerk", VILLAGE))
        at_least = f"membership:{person.position}"
        self._see(f"people/{person.id}/eligibility", Post("clerk", VILLAGE), at_least=at_least)
        return person, name

    def _household(self, person: str, name: str) -> dict[str, Any]:
        circumstances = {"employer": "泰山面粉厂", "causes": ["尿毒症"], "heads": 3, "household_month_fen": 420_000}
        return {
            "organisation": VILLAGE,
            "members": [{"person": person, "relation": "applicant"}],
            "circumstances": circumstances,
            "account": self._account(person, name),
            "on": f"{self._today}",
        }

    def _account(self, person: str, name: str) -> dict[str, str]:
        return {"bank": "农行泰山支行", "name": name, "number": f"622848{int(person[:10], 16):013d}"}

    # ---------------------------------------------------------------------------------------------------------- the money

    def _paid(self, payer: Payer, person: str, household: str, name: str) -> Iterator[Told]:
        union = VILLAGE if payer.organisation == COUNTY else payer.organisation
        body = {"organisation": union, "programme": payer.programme, "person": person, "account": self._account(person, name)}
        of_household = {"household": household} if payer.organisation == COUNTY else {}
        asked = self._send("aid/applications", body | of_household | dict.fromkeys(("on", "incident_on"), f"{self._today}"), payer.clerk)
        paper = {"kind": "diagnosis", "digest": PAPER}
        yield Told("application", payer.said, self._send(f"aid/applications/{asked.id}/documents", paper, payer.clerk))
        at_once = {"line": self._line(payer), "fen": payer.fen}
        granted = self._send(f"aid/applications/{asked.id}/emergency-payment", at_once, payer.staff("approver"))
        grant = self._see(f"aid/applications/{asked.id}", payer.staff("approver"))["grant"]
        owed = self._see(f"aid/obligations/{grant['obligation']}", payer.staff("approver"))
        yield Told("emergency", payer.said | {"due": owed["due_on"]}, granted)

        maker, checker, releaser = (payer.staff("finance", number) for number in (1, 2, 3))
        begun = {"organisation": payer.organisation, "account": payer.account, "execute_on": f"{self._today}"}
        batch = self._send("payments/batches", begun, maker)
        self._see(f"payments/entitlements/{grant['entitlement']}", maker, at_least=f"assistance:{batch.position}")
        self._send(f"payments/batches/{batch.id}/items", {"entitlements": [grant["entitlement"]]}, maker)
        self._send(f"payments/batches/{batch.id}/check", {"count": 1, "total_fen": payer.fen}, checker)
        yield Told("released", payer.said, self._send(f"payments/batches/{batch.id}/release", None, releaser))
        yield Told("paid", payer.said | {"name": name}, self._confirmed(grant["entitlement"], maker))

    def _confirmed(self, entitlement: str, by: Post) -> Done:
        """Once the bank has said that it paid. Raises NotReady."""
        deadline = time.monotonic() + PAID_SECONDS_MAX
        while time.monotonic() < deadline:
            last = self._see(f"payments/entitlements/{entitlement}/steps", by)[-1]
            if last["type"].startswith("assistance.PaymentConfirmed"):
                return Done(entitlement, "assistance", last["position"])
            time.sleep(0.3)
        raise NotReady("the simulated bank has not paid", "see `tongxin status` and the log of assistance")

    def _line(self, payer: Payer) -> str:
        maker = payer.staff("finance", 1)
        lines = self._see("budget/lines", maker, organisation=payer.organisation, year=self._today.year)
        return str(next(one["line"] for one in lines if (one["source"], one["purpose"]) == ("superior", "aid.medical")))

    def _send(self, path: str, body: Any, by: Post) -> Done:
        return self._staff.send(f"assistance/{path}", body, by)

    def _see(self, path: str, by: Post, **options: Any) -> Any:
        return self._staff.see(f"assistance/{path}", by, **options)


def yuan(fen: int) -> str:
    """As people write it."""
    return f"{fen // 100:,}"
