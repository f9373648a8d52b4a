"""Routes of payments: accounts, batches, the bank's files, exceptions, and one payment's way; about things that are there."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from assistance.applications.application import evolve
from assistance.applications.following import APPLICATION
from contracts.assistance.applications import AidGranted, ApplicationDrafted
from contracts.kernel import Event
from contracts.membership import Level
from foundation.decider import Decider

from ..end_to_end.running_node import TOP
from .served import APPROVER, AUDITOR, FINANCE, TODAY, VILLAGE, Served, appoint, until

SECOND = "f2" * 16
OWN, PAPER, ENTITLEMENT = "3709000000000009", "0" * 64, "e9" * 16
ACCOUNT = {"bank": "农行", "name": "王伟", "number": "6228480000000000000"}
REPORT = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>
<OrgnlMsgId>{"d" * 32}</OrgnlMsgId><GrpSts>ACSC</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>""".encode()
XML = {"content-type": "application/xml"}

PAST: Decider[Any, Sequence[Event]] = Decider(
    category=APPLICATION.category, initial=APPLICATION.initial, decide=lambda events, *_: events, evolve=evolve
)
"""What has happened to an application before."""

Asked = tuple[str, str, str, Any, dict[str, str], dict[str, Any], tuple[str, bytes] | None]
"""Method, template, who may, body, path, query, content."""


def asked(it: Served) -> list[Asked]:
    """All of them."""
    appoint(it, SECOND, "finance", TOP)

    def sent(path: str, body: Any, by: str = FINANCE) -> str:
        return it.accepted(path, body, by=by, service="assistance")

    until(lambda: it.ask("GET", f"/payments/due?organisation={TOP}", by=SECOND, service="assistance").status_code == 200)
    opening = {"account": OWN, "organisation": VILLAGE, "bank": "泰安银行", "holder": "东岳社区工会", "paper": PAPER}
    for one in (FINANCE, SECOND):
        sent("/payments/accounts", opening, one)
        handed = it.ask("POST", f"/payments/bank-files?org={TOP}", by=one, service="assistance", content=REPORT, headers=XML)
        assert handed.status_code == 202, handed.text
    [found] = it.ask("GET", f"/payments/exceptions?organisation={TOP}", by=FINANCE, service="assistance").json()["items"]
    it.handled("assistance", PAST, "a9" * 16, _granted(it.member(170)))
    batch_body = {"organisation": VILLAGE, "account": OWN, "execute_on": TODAY}
    batch = sent("/payments/batches", batch_body)
    payment = f"/payments/entitlements/{ENTITLEMENT}"
    until(lambda: it.ask("GET", payment, by=FINANCE, service="assistance").status_code == 200)
    until(lambda: it.ask("GET", f"/payments/batches/{batch}", by=FINANCE, service="assistance").status_code == 200)
    here, account, entitlement, figures = {"batch": batch}, {"number": OWN}, {"entitlement": ENTITLEMENT}, {"count": 1, "total_fen": 1}

    def of(
        method: str,
        template: str,
        by: str = FINANCE,
        body: Any = None,
        path: dict[str, str] | None = None,
        *,
        content: bytes | None = None,
        **query: Any,
    ) -> Asked:
        return method, f"/payments{template}", by, body, path or {}, query, None if content is None else ("application/xml", content)

    return [
        of("POST", "/accounts", body=opening),
        of("GET", "/accounts/{number}", AUDITOR, path=account),
        of("POST", "/accounts/{number}/comparison", body={"day": TODAY}, path=account),
        of("POST", "/accounts/{number}/resumption", body={"paper": PAPER}, path=account),
        of("POST", "/bank-files", content=REPORT, org=TOP),
        of("GET", "/exceptions", AUDITOR, organisation=TOP),
        of("POST", "/exceptions/{exception}/settlement", path={"exception": found["exception"]}),
        of("GET", "/due", AUDITOR, organisation=VILLAGE),
        of("GET", "/double-entries", AUDITOR, organisation=VILLAGE),
        of("POST", "/batches", body=batch_body),
        of("GET", "/batches", AUDITOR, organisation=VILLAGE),
        of("GET", "/batches/{batch}", APPROVER, path=here),
        of("POST", "/batches/{batch}/items", body={}, path=here),
        of("GET", "/batches/{batch}/findings", SECOND, path=here),
        of("POST", "/batches/{batch}/check", SECOND, figures, here),
        of("POST", "/batches/{batch}/reopening", path=here),
        of("POST", "/batches/{batch}/release", SECOND, path=here),
        of("POST", "/batches/{batch}/withdrawals", body={"entitlement": ENTITLEMENT, "reason": "entered-in-error"}, path=here),
        of("POST", "/batches/{batch}/handing-out", path=here),
        of("GET", "/batches/{batch}/file", path=here),
        of("POST", "/batches/{batch}/upload", body={"reference": "TA20260302-17"}, path=here),
        of("POST", "/batches/{batch}/disowning", body={"statement": PAPER}, path=here),
        of("GET", "/entitlements/{entitlement}", AUDITOR, path=entitlement),
        of("GET", "/entitlements/{entitlement}/steps", AUDITOR, path=entitlement),
        of("POST", "/entitlements/{entitlement}/account", body={"account": ACCOUNT, "paper": PAPER}, path=entitlement),
        of(
            *("POST", "/entitlements/{entitlement}/heir", FINANCE),
            {"payee": "f0" * 16, "account": ACCOUNT, "proof": PAPER},
            entitlement,
        ),
        of(
            *("POST", "/entitlements/{entitlement}/cash", FINANCE),
            {"reason": "no-bank-account", "witnesses": ["1" * 32, "2" * 32], "receipt": PAPER, "on": TODAY},
            entitlement,
        ),
    ]


def _granted(person: str) -> list[Event]:
    application, day = "a9" * 16, date.fromisoformat(TODAY)
    told: dict[str, Any] = {"application": application, "organisation": VILLAGE, "person": person, "payee": person}
    drafted = ApplicationDrafted(**told, programme="medical-relief", drafted_by="1" * 32, drafted_on=day)
    granted = AidGranted(
        **told,
        entitlement=ENTITLEMENT,
        line="e8" * 16,
        reservation="e7" * 16,
        fen=100,
        programme="medical-relief",
        programme_version=1,
        period="2026",
        decision="e7" * 16,
        decided_by="2" * 32,
        level=Level.county,
        granted_on=day,
    )
    return [drafted, granted]
