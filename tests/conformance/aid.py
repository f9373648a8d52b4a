"""Routes of aid: programmes, hardship files, applications, notices, emergency payments, interests; about things that are there."""

from functools import cache
from typing import Any

from assistance.funds.budget_line import line_id

from ..end_to_end.running_node import BOSS, TOP
from .served import APPROVER, AUDITOR, CLERK, FINANCE, STEWARD, TODAY, VILLAGE, Served, appoint, until

CITY_APPROVER, SECOND_APPROVER = "a7" * 16, "a8" * 16
PAPER = "0" * 64
ACCOUNT = {"bank": "农行", "name": "王伟", "number": "6228480000000000000"}
KNOWN = frozenset({"/programmes/shipped", "/programmes/{programme}", "/hardship/levels"})
"""Public rules and lists: for anybody who is known here."""

Asked = tuple[str, str, str, Any, dict[str, str], dict[str, Any]]
"""Method, template, who may, body, path, query."""


@cache
def asked(it: Served) -> list[Asked]:
    """All of them, prepared once: what was appointed and posted stays."""
    for principal in (CITY_APPROVER, SECOND_APPROVER):
        appoint(it, principal, "approver", TOP)
    definitions = {one["programme"]: one["definition"] for one in it.ask("GET", "/programmes/shipped", service="assistance").json()}
    definition = definitions["medical-relief"]

    def sent(path: str, body: Any, by: str = STEWARD) -> str:
        return it.accepted(path, body, by=by, service="assistance")

    sent("/programmes/medical-relief/versions", {"organisation": TOP, "definition": definition}, BOSS)
    person, other = it.member(180), it.member(181)
    on = {"on": TODAY}
    living = {"members": [{"person": person, "relation": "applicant"}], "circumstances": {}, "account": ACCOUNT} | on
    household = sent("/hardship/files", living | {"organisation": VILLAGE})
    into = sent("/hardship/files", living | {"organisation": VILLAGE, "members": [{"person": other, "relation": "applicant"}]})
    wanted = {"organisation": VILLAGE, "programme": "medical-relief", "person": person, "account": ACCOUNT, "incident_on": TODAY} | on
    application, posted, emergency = (sent("/aid/applications", wanted) for _ in range(3))
    facts = {"serious_illness": True, "third_party_pays": False, "self_paid_fen": 1_500_000}
    visit = {"facts": facts, "visitors": [CLERK], "visited_on": TODAY}
    sent(f"/aid/applications/{posted}/verification", visit)
    sent(f"/aid/applications/{emergency}/documents", {"kind": "diagnosis", "digest": PAPER})
    listed = {"organisation": VILLAGE, "on": TODAY}
    notice = sent("/aid/notices", listed | {"applications": [posted]})
    objection = it.post(f"/aid/notices/{notice}/objections", {"application": posted, "statement": "…"} | on, service="assistance")
    assert objection.status_code == 201, objection.text
    found = it.ask("GET", f"/aid/notices/{notice}", service="assistance").json()["objections"][0]["objection"]
    money = {"organisation": VILLAGE, "year": int(TODAY[:4]), "source": "superior", "purpose": "aid", "fen": 500_000, "document": PAPER}
    appropriation = sent("/budget/appropriations", money, FINANCE)
    sent(f"/budget/proposals/{appropriation}/approval", None, APPROVER)
    line = line_id(VILLAGE, int(TODAY[:4]), "superior", "aid")
    until(lambda: it.ask("GET", f"/people/{person}/eligibility", service="assistance").status_code == 200)
    paid = it.post(f"/aid/applications/{emergency}/emergency-payment", {"line": line, "fen": 100}, by=CITY_APPROVER, service="assistance")
    assert paid.status_code == 200, paid.text
    granted = it.ask("GET", f"/aid/applications/{emergency}", service="assistance").json()["grant"]

    application_path, notice_path = {"application": application}, {"notice": notice}
    file, programme, owed = {"household": household}, {"programme": "medical-relief"}, {"obligation": granted["obligation"]}
    seen = {"application_version": 1, "programme_version": 1, "documents": PAPER}
    decided = {"organisation": VILLAGE, "programme": "medical-relief", "line": line}
    case = {"application": application, "seen": seen, "outcome": "grant"}
    stamped, why = {"stamped": PAPER} | on, {"reason": "…"}
    self_path, interest = {"principal": STEWARD}, {"person": "f0" * 16}

    def of(method: str, template: str, by: str = STEWARD, body: Any = None, path: dict[str, str] | None = None, **query: Any) -> Asked:
        return method, template, by, body, path or {}, query

    return [
        of("GET", "/programmes/shipped"),
        of("GET", "/programmes/{programme}", path=programme),
        of("POST", "/programmes/{programme}/versions", BOSS, {"organisation": TOP, "definition": definition}, programme),
        of("GET", "/hardship/levels"),
        of("GET", "/hardship/files", organisation=VILLAGE),
        of("GET", "/hardship/overdue", organisation=VILLAGE),
        of("GET", "/hardship/files/{household}", path=file),
        of("POST", "/hardship/files", body=living | {"organisation": VILLAGE}),
        of("POST", "/hardship/file-lists", body={"organisation": VILLAGE, "households": [living]}),
        of("POST", "/hardship/level-lists", APPROVER, {"level": "deep", "paper": PAPER, "households": [household]} | on),
        of("POST", "/hardship/files/{household}/revisions", body=living, path=file),
        of("POST", "/hardship/files/{household}/levels", APPROVER, {"level": "deep", "paper": PAPER} | on, file),
        of("POST", "/hardship/files/{household}/authorisation", body=_signed(), path=file),
        of("POST", "/hardship/files/{household}/checks", body=_checked() | on, path=file),
        of("POST", "/hardship/files/{household}/cadre", APPROVER, {"cadre": CLERK, "since": TODAY}, file),
        of("GET", "/aid/applications", organisation=VILLAGE),
        of("GET", "/aid/applications/{application}", path=application_path),
        of("POST", "/aid/applications", body=wanted),
        of("POST", "/aid/application-lists", body=_listed(wanted)),
        of("POST", "/aid/visit-lists", body={"visits": [visit | {"application": application}]}),
        of("POST", "/aid/submission-lists", body=stamped | {"applications": [application]}),
        of("GET", "/aid/agenda", organisation=VILLAGE, programme="medical-relief"),
        of("POST", "/aid/applications/{application}/account", body={"account": ACCOUNT}, path=application_path),
        of("POST", "/aid/applications/{application}/documents", body={"kind": "diagnosis", "digest": PAPER}, path=application_path),
        of(
            "POST",
            "/aid/applications/{application}/setting-apart",
            body={"apart_from": emergency, "reason": "…"},
            path=application_path,
        ),
        of("POST", "/aid/applications/{application}/verification", body=visit, path=application_path),
        of("POST", "/aid/applications/{application}/submission", body=stamped, path=application_path),
        of("POST", "/aid/applications/{application}/return", APPROVER, why, application_path),
        of("POST", "/aid/decisions", APPROVER, decided | {"cases": [case]}),
        of("POST", "/aid/applications/{application}/revocation", APPROVER, why | on, application_path),
        of("POST", "/aid/applications/{application}/appeal", body={"grounds": "…"} | on, path=application_path),
        of("POST", "/aid/applications/{application}/appeal/settlement", APPROVER, why | {"upheld": True}, application_path),
        of("POST", "/aid/applications/{application}/emergency-payment", APPROVER, {"line": line, "fen": 100}, application_path),
        of("POST", "/aid/applications/{application}/receipt", body={"receipt": PAPER} | on, path=application_path),
        of("POST", "/aid/applications/{application}/follow-up", body={"finding": "…"} | on, path=application_path),
        of("POST", "/aid/applications/{application}/withdrawal", body=on, path=application_path),
        of("GET", "/aid/notices/{notice}", path=notice_path),
        of("GET", "/aid/notices/{notice}/sheet", path=notice_path),
        of("POST", "/aid/notice-sheets", body=listed | {"applications": [application]}),
        of("POST", "/aid/notices", body=listed | {"applications": [application]}),
        of("POST", "/aid/notices/{notice}/objections", body={"application": posted, "statement": "…"} | on, path=notice_path),
        of(
            "POST",
            "/aid/notices/{notice}/objections/{objection}/settlement",
            APPROVER,
            {"application": posted, "upheld": False, "finding": "…"},
            notice_path | {"objection": found},
        ),
        of("POST", "/aid/notices/{notice}/taking-down", body={"photo": PAPER} | on, path=notice_path),
        of("GET", "/aid/obligations/{obligation}", path=owed),
        of("GET", "/aid/exposure", AUDITOR, organisation=VILLAGE),
        of("POST", "/aid/obligations/{obligation}/papers", APPROVER, on, owed),
        of("POST", "/aid/obligations/{obligation}/recovery", FINANCE, {"fen": 99, "receipt": PAPER} | on, owed),
        of("POST", "/aid/obligations/{obligation}/write-off", SECOND_APPROVER, why | {"paper": PAPER} | on, owed),
        of("POST", "/staff/{principal}/interests", body=interest | {"kind": "interest"}, path=self_path),
        of("GET", "/staff/{principal}/interests", AUDITOR, path=self_path),
        of("POST", "/staff/{principal}/interests/withdrawal", BOSS, interest, self_path),
        of("POST", "/hardship/files/{household}/joining", body=_joined(person, other) | on | {"into": into}, path=file),
        of("POST", "/hardship/files/{household}/end", APPROVER, {"reason": "income_risen"} | on, file),
        of("POST", "/hardship/files/{household}/call-back", body={"relapsed": False, "finding": "…"} | on, path=file),
        of("POST", "/programmes/{programme}/end", BOSS, {"organisation": TOP, "ends_on": "2999-01-01"}, programme),
    ]


def _listed(wanted: dict[str, Any]) -> dict[str, Any]:
    applicant = {name: wanted[name] for name in ("person", "account", "incident_on")}
    return {name: value for name, value in wanted.items() if name not in applicant} | {"applicants": [applicant]}


def _signed() -> dict[str, Any]:
    return {"authorities": ["civil_affairs"], "paper": PAPER, "valid_until": "2999-01-01"}


def _checked() -> dict[str, Any]:
    return {"authority": "civil_affairs", "consistent": True, "finding": "…"}


def _joined(*people: str) -> dict[str, Any]:
    members = [{"person": person, "relation": "spouse" if number else "applicant"} for number, person in enumerate(people)]
    return {"members": members, "circumstances": {}, "account": ACCOUNT}
