"""Separation of duties in aid: every role on every route, and each is let in where its duty lies and nowhere else."""

from contracts.membership import Role

from . import aid
from .served import VILLAGE, Served, appoint, problem

MAKERS, READERS = {"clerk", "steward"}, {"clerk", "steward", "approver", "auditor"}
DUTIES = {
    "/hardship/files": MAKERS,
    "/hardship/file-lists": MAKERS,
    "/hardship/level-lists": {"approver"},
    "/hardship/files/{household}/revisions": MAKERS,
    "/hardship/files/{household}/joining": MAKERS,
    "/hardship/files/{household}/levels": {"approver"},
    "/hardship/files/{household}/end": {"approver"},
    "/hardship/files/{household}/authorisation": MAKERS,
    "/hardship/files/{household}/checks": MAKERS,
    "/hardship/files/{household}/cadre": {"approver"},
    "/hardship/files/{household}/call-back": MAKERS,
    "/aid/applications": MAKERS,
    "/aid/application-lists": MAKERS,
    "/aid/visit-lists": MAKERS,
    "/aid/submission-lists": MAKERS,
    "/aid/applications/{application}/account": MAKERS,
    "/aid/applications/{application}/documents": MAKERS,
    "/aid/applications/{application}/setting-apart": MAKERS,
    "/aid/applications/{application}/verification": MAKERS,
    "/aid/applications/{application}/submission": MAKERS,
    "/aid/applications/{application}/return": {"approver"},
    "/aid/applications/{application}/withdrawal": MAKERS,
    "/aid/decisions": {"approver"},
    "/aid/applications/{application}/revocation": {"approver"},
    "/aid/applications/{application}/appeal": MAKERS,
    "/aid/applications/{application}/appeal/settlement": {"approver"},
    "/aid/applications/{application}/emergency-payment": {"approver"},
    "/aid/applications/{application}/receipt": MAKERS,
    "/aid/applications/{application}/follow-up": MAKERS,
    "/aid/notices": MAKERS,
    "/aid/notice-sheets": MAKERS,
    "/aid/notices/{notice}/objections": MAKERS,
    "/aid/notices/{notice}/objections/{objection}/settlement": {"approver"},
    "/aid/notices/{notice}/taking-down": MAKERS,
    "/aid/obligations/{obligation}/papers": {"approver"},
    "/aid/obligations/{obligation}/recovery": {"finance"},
    "/aid/obligations/{obligation}/write-off": {"approver"},
}
"""Whose duty each route is. No role both makes a case and decides on it or pays it."""

READING = {
    "/hardship/files/{household}": READERS,
    "/aid/applications/{application}": READERS | {"finance"},
    "/aid/notices/{notice}": READERS,
    "/aid/notices/{notice}/sheet": READERS,
    "/aid/obligations/{obligation}": READERS | {"finance"},
    "/aid/exposure": {"approver", "finance", "auditor"},
    "/hardship/files": READERS,
    "/aid/applications": READERS | {"finance"},
    "/aid/agenda": READERS | {"finance"},
}
"""Who may look."""


def test_no_role_makes_and_decides_and_pays() -> None:
    for template, roles in DUTIES.items():
        assert roles in (MAKERS, {"approver"}, {"finance"}), template


def test_every_role_is_let_in_where_its_duty_lies_and_nowhere_else(it: Served) -> None:
    holders = {role.value: f"{number:02x}" * 16 for number, role in enumerate(Role, start=0xB1)}
    for role, holder in holders.items():
        appoint(it, holder, role, VILLAGE)
    asked = [one for one in aid.asked(it) if one[1].startswith(("/aid", "/hardship/file", "/hardship/level-lists"))]
    assert {template for method, template, *_ in asked if method == "POST"} == DUTIES.keys()
    assert {template for method, template, *_ in asked if method == "GET"} == READING.keys()
    for method, template, _, body, path, query in asked:
        duty = (READING if method == "GET" else DUTIES)[template]
        for role, holder in holders.items():
            request = {} if body is None else {"json": body}
            answer = it.ask(method, template.format(**path), by=holder, service="assistance", params=query, **request)
            refused = answer.status_code == 403 and problem(answer)[1] == "not-permitted"
            assert refused is (role not in duty), (role, method, template, answer.text)
