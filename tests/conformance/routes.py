"""Every route of both services with a request that is well formed, and somebody who may send it."""

from dataclasses import dataclass, field
from typing import Any

from assistance.funds import commands as funds
from assistance.funds.budget_line import BUDGET_LINE, line_id

from ..end_to_end.running_node import BOSS, TOP
from . import aid, payments
from .served import (
    APPROVER,
    AUDITOR,
    CLERK,
    COUNTY,
    FINANCE,
    NEIGHBOUR,
    OTHER_COUNTY,
    STEWARD,
    TODAY,
    TOWN,
    VILLAGE,
    Served,
    appoint,
    identity,
    person,
    until,
)

OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines without a token; nothing in them is secret."""

LOG = frozenset({"/log/checkpoint", "/log/checkpoints", "/log/keys", "/log/policy"})
PUBLIC = LOG | {"/log/checkpoints/{size}", "/log/tile/{tile}"}
"""What an auditor of whichever kind reads: sizes and hashes, nothing of what is recorded."""

WITNESS = "/witness/add-checkpoint"
"""For whoever has a signed checkpoint of a log that is witnessed here."""

UNKNOWN_LOG = b"old 0\n\nelsewhere.example/1/x\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xe2\x80\x94 x AAAAAAAA\n"

KNOWN_TO_ALL = frozenset({"/organisations/tree", "/organisations/{organisation}", "/budget/codes"}) | aid.KNOWN
"""The public hierarchy and code lists: for anybody who is known here, of whichever union."""

FILTERED = "/staff/{principal}/appointments"
"""Answers everybody with what is theirs to see."""

NODE = "service:node"
ON = {"on": TODAY}


@dataclass(frozen=True, slots=True)
class Route:
    """One request. `by` may send it; what comes then is no 401 and no 403."""

    method: str
    template: str
    by: str = STEWARD
    body: Any = None
    query: dict[str, Any] = field(default_factory=dict)
    content: tuple[str, bytes] | None = None
    service: str = "membership"
    path: dict[str, str] = field(default_factory=dict)

    def send(self, it: Served, by: str | None, **request: Any) -> Any:
        """Send it as somebody."""
        if self.content is not None:
            kind, body = self.content
            request = {"content": body, "headers": {"content-type": kind}} | request
        elif self.body is not None:
            request = {"json": self.body} | request
        return it.ask(self.method, self.template.format(**self.path), by=by, service=self.service, params=self.query, **request)


def routes(it: Served) -> list[Route]:
    """All of them, about people and papers that are there."""
    member, other = it.member(101), it.member(102)
    applicant = it.accepted("/applications", person(103))
    moved = it.member(104)
    it.accepted("/transfers", _transfer(104, NEIGHBOUR))
    transfer = it.ask("GET", f"/members/{moved}").json()["transfer"]["transfer"]
    contested_by = it.member(105)
    it.accepted("/transfers", _transfer(105, NEIGHBOUR))
    contested = it.ask("GET", f"/members/{contested_by}").json()["transfer"]["transfer"]
    objection = {"ground": "identity", "statement": "不是同一个人", **ON}
    it.accepted(f"/members/{contested_by}/transfers/{contested}/objection", objection)
    held = appoint(it, "8" * 32, "clerk", TOWN)
    received = it.ask("POST", f"/rosters?org={VILLAGE}", content=ROSTER, headers={"content-type": "text/csv"})
    assert received.status_code == 202, received.text
    roster = received.json()["roster"]

    def of_members() -> list[Route]:
        here = {"member": member}
        asked = {"member": applicant}
        union, why = {"organisation": VILLAGE, **ON}, {"reason": "另有原因", **ON}
        return [
            Route("POST", "/members", body=person(101)),
            Route("POST", "/applications", body=person(103)),
            Route("POST", "/members/{member}/admission", body=union, path=asked),
            Route("POST", "/members/{member}/application/refusal", body=union | why, path=asked),
            Route("POST", "/members/{member}/application/withdrawal", body=union, path=asked),
            Route("POST", "/members/{member}/suspension", body=why, path=here),
            Route("POST", "/members/{member}/resumption", body=ON, path=here),
            Route("POST", "/members/{member}/retention", body=ON, path=here),
            Route("POST", "/members/{member}/retirement", body=ON, path=here),
            Route("POST", "/members/{member}/corrections", body={"phone": "13800138001", **ON}, path=here),
            Route("POST", "/members/{member}/departure", body=why, path=here),
            Route("POST", "/members/{member}/reinstatement", body=union | why, path=here),
            Route("POST", "/members/{member}/expulsion", body=why | {"decision": "0" * 64}, path=here),
            Route("POST", "/members/{member}/death", body=ON, path=here),
            Route("POST", "/members/{member}/link", body={"same_as": other, **ON}, path=here),
            Route("POST", "/members/{member}/link/undoing", body=ON, path=here),
            Route("GET", "/members/{member}", path=here),
            Route("GET", "/members/{member}/history", path=here),
            Route("GET", "/people/{person}/eligibility", service="assistance", path={"person": member}),
        ]

    def of_transfers() -> list[Route]:
        this, that = {"member": moved, "transfer": transfer}, {"member": contested_by, "transfer": contested}
        return [
            Route("POST", "/transfers", body=_transfer(104, VILLAGE)),
            Route("POST", "/members/{member}/transfers/{transfer}/completion", body=ON, path=this),
            Route("POST", "/members/{member}/transfers/{transfer}/objection", body=objection, path=this),
            Route("POST", "/members/{member}/transfers/{transfer}/objection/upholding", body=ON, path=that),
            Route("POST", "/members/{member}/transfers/{transfer}/objection/dismissal", body=ON, path=that),
        ]

    def of_organisations() -> list[Route]:
        day, here, town = {"effective_on": TODAY}, {"organisation": VILLAGE}, {"organisation": TOWN}
        union = {"name": "新工会", "kind": "enterprise"}
        founded = union | {"organisation": f"{VILLAGE}.N1", "level": "grassroots", "parent": VILLAGE}
        return [
            Route("POST", "/organisations", BOSS, founded | day),
            Route("POST", "/organisations/{organisation}/particulars", BOSS, union | day, path={"organisation": f"{VILLAGE}.N1"}),
            Route("POST", "/organisations/{organisation}/moves", BOSS, {"relation": "funding", "parent": COUNTY} | day, path=here),
            Route("POST", "/organisations/{organisation}/mergers", BOSS, {"organisations": [TOWN]} | day, path=town),
            Route("POST", "/organisations/{organisation}/dissolution", BOSS, day, path={"organisation": f"{VILLAGE}.N1"}),
            Route("POST", "/imports/divisions", BOSS, content=("text/csv", b"code,name,level,parent\n3709,x,city,\n")),
            Route("GET", "/organisations/tree"),
            Route("GET", "/organisations/{organisation}", path=here),
        ]

    def of_appointments() -> list[Route]:
        post = {"principal": "8" * 32, "appointment": held}
        paper = {"successor": "9" * 32, "organisation": TOWN, "paper": "0" * 64, "effective_on": TODAY}
        appointed = {"principal": "9" * 32, "organisation": VILLAGE, "role": "clerk", "valid_from": TODAY}
        leave = {"delegate": "7" * 32, "valid_from": TODAY, "valid_until": "2999-01-01"}
        return [
            Route("POST", "/appointments/first", NODE, {"principal": CLERK}),
            Route("POST", "/appointments", BOSS, appointed),
            Route("POST", "/staff/{principal}/appointments/{appointment}/delegation", BOSS, leave, path=post),
            Route("POST", "/staff/{principal}/handover", BOSS, paper, path={"principal": "8" * 32}),
            Route("POST", "/staff/{principal}/appointments/{appointment}/end", BOSS, {"valid_until": TODAY}, path=post),
            Route("GET", "/appointments", query={"organisation": VILLAGE}),
            Route("GET", FILTERED, path={"principal": APPROVER}),
        ]

    def of_rosters() -> list[Route]:
        here = {"roster": roster}
        return [
            Route("POST", "/rosters", query={"org": VILLAGE}, content=("text/csv", ROSTER)),
            Route("GET", "/rosters/{roster}", path=here),
            Route("GET", "/rosters/{roster}/refusals", path=here),
            Route("GET", "/rosters/{roster}/differences", path=here),
            Route("POST", "/rosters/{roster}/application", path=here),
            Route("POST", "/directory/searches", body={"q": "王", "org": VILLAGE}),
            Route("GET", "/directory", query={"org": VILLAGE}),
        ]

    def of(service: str, stream: str) -> list[Route]:
        history = {"epoch": 0, "leaf": "0" * 64}
        return [
            Route("GET", "/history/head", AUDITOR, service=service),
            Route("GET", "/history/events", AUDITOR, query=history, service=service),
            Route("GET", "/followed/{source}", NODE, path={"source": "membership"}, service=service),
            Route("GET", "/streams/{stream}/story", AUDITOR, service=service, path={"stream": stream}),
            Route("GET", "/operation/digests", AUDITOR, query={"source": "membership"}, service=service),
            Route("GET", "/operation/parked", NODE, service=service),
            Route("POST", "/operation/replay", NODE, {"source": "membership", "key": "member-x"}, service=service),
            Route("POST", "/operation/rebuild", NODE, service=service),
            Route("GET", "/operation/erasures/{subject}", NODE, service=service, path={"subject": other}),
            Route("POST", "/operation/history/restore", NODE, service=service),
            Route("POST", "/operation/history/epoch", NODE, service=service),
            Route("POST", "/operation/history/following", NODE, {"source": "membership"}, service=service),
            *(Route("GET", path, service=service) for path in sorted(OPEN | LOG)),
            Route("GET", "/log/checkpoints/{size}", service=service, path={"size": _published(it, service)}),
            Route("GET", "/log/tile/{tile}", service=service, path={"tile": "0/000.p/1"}),
            Route("GET", "/log/tile/entries/{bundle}", AUDITOR, service=service, path={"bundle": "000.p/1"}),
            Route("GET", "/log/units/{unit}/records", AUDITOR, service=service, path={"unit": VILLAGE}),
            Route("POST", WITNESS, service=service, content=("text/plain", UNKNOWN_LOG)),
        ]

    budgets = _of_budgets(it)
    erasure = Route("POST", "/people/{person}/erasure", BOSS, {"basis": "purpose-ended", "note": "存档"}, path={"person": other})
    of_aid = [
        Route(method, template, by, body, service="assistance", path=path, query=query)
        for method, template, by, body, path, query in aid.asked(it)
    ]
    of_payments = [
        Route(method, template, by, body, service="assistance", path=path, query=query, content=content)
        for method, template, by, body, path, query, content in payments.asked(it)
    ]
    # Read before anything is changed, so that every right question finds something.
    both = [*of("membership", f"organisation-{VILLAGE}"), *of("assistance", f"eligibility-{member}")]
    return [
        *both,
        *budgets,
        *of_aid,
        *of_payments,
        *of_rosters(),
        *of_members(),
        *of_transfers(),
        *of_appointments(),
        *of_organisations(),
        erasure,
    ]


def _of_budgets(it: Served) -> list[Route]:
    """About a line of last year, so that it may be closed, with a payment."""
    year, entitlement = int(TODAY[:4]) - 1, "e1" * 16
    key = {"organisation": VILLAGE, "year": year, "source": "superior", "purpose": "aid", "document": "0" * 64}
    line, money = line_id(VILLAGE, year, "superior", "aid"), key | {"fen": 500_000}

    def proposed(**more: Any) -> str:
        return it.accepted("/budget/appropriations", money | more, by=FINANCE, service="assistance")

    appropriation, waiting, unwanted = proposed(), proposed(), proposed(purpose="parks")
    it.accepted(f"/budget/proposals/{appropriation}/approval", None, by=APPROVER, service="assistance")
    it.handled("assistance", BUDGET_LINE, line, funds.Reserve(line, "e2" * 16, "aid", ((entitlement, 100),)))
    it.handled("assistance", BUDGET_LINE, line, funds.Post(line, "e2" * 16, ((entitlement, "e3" * 16),)))
    way = f"/budget/entitlements/{entitlement}/lineage"
    until(lambda: "paid" in it.ask("GET", way, by=FINANCE, service="assistance").text)

    def route(method: str, template: str, by: str = FINANCE, body: Any = None, **more: Any) -> Route:
        return Route(method, f"/budget{template}", by, body, service="assistance", **more)

    here, of_year, proposal = {"line": line}, {"organisation": VILLAGE, "year": year}, {"proposal": waiting}
    return [
        route("GET", "/codes"),
        route("GET", "/lines", query=of_year),
        route("GET", "/lines/{line}", path=here),
        route("GET", "/lines/{line}/entries", path=here),
        route("GET", "/vouchers", query=of_year),
        route("GET", "/vouchers/export", query=of_year),
        route("GET", "/entitlements/{entitlement}/lineage", path={"entitlement": entitlement}),
        route("GET", "/appropriations/{proposal}/lineage", path={"proposal": appropriation}),
        route("GET", "/proposals", query={"organisation": VILLAGE}),
        route("GET", "/proposals/{proposal}", path=proposal),
        route("POST", "/appropriations", body=money),
        route("POST", "/allotments", body=money | {"to_organisation": f"{VILLAGE}.1"}),
        route("POST", "/recalls", body=money | {"from_organisation": f"{VILLAGE}.1"}),
        route("POST", "/adjustments", body=money | {"to_purpose": "aid.tuition"}),
        route("POST", "/proposals/{proposal}/approval", APPROVER, path=proposal),
        route("POST", "/proposals/{proposal}/rejection", APPROVER, {}, path={"proposal": unwanted}),
        route("POST", "/lines/{line}/periods", body={"through": f"{year}-01-31"}, path=here),
        route("POST", "/lines/{line}/closing", body={}, path=here),
    ]


def _published(it: Served, service: str) -> str:
    """The size of a published checkpoint."""
    sizes: list[str] = []

    def published() -> bool:
        sizes[:] = it.ask("GET", "/log/checkpoints", by=None, service=service).text.split()
        return bool(sizes)

    until(published)
    return sizes[-1]


def _transfer(order: int, organisation: str) -> dict[str, Any]:
    document = {"kind": "resident", "number": identity(order)}
    return {"organisation": organisation, "document": document, "proof": {"kind": "劳动合同"}, **ON}


ROSTER = f"姓名,证件类型,证件号码\n王伟,居民身份证,{identity(190)}\n李娜,居民身份证,{identity(191)[:-1]}?\n".encode()
__all__ = ["FILTERED", "KNOWN_TO_ALL", "OPEN", "OTHER_COUNTY", "PUBLIC", "TOP", "WITNESS", "Route", "routes"]
