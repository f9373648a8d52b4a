"""Aid over HTTP, on real databases: from the household's file to the reserved money, and everybody who may not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from assistance.applications.following import APPLICATION
from assistance.beneficiaries.beneficiary import BENEFICIARY
from assistance.funds.budget_line import BUDGET_LINE, line_id
from contracts.values import day_in_china, resident_check
from foundation.clock import ManualClock
from node.embedded.postgres import Postgres

from tests.end_to_end.running_node import BOSS, TOP, RunningNode, running_node, until

COUNTY, TOWN, VILLAGE, OTHER_COUNTY = "370902", "370902001", "370902001001", "370911"
DIVISIONS = f"""code,name,level,parent
{TOP},泰安市,city,
{COUNTY},泰山区,county,{TOP}
{OTHER_COUNTY},岱岳区,county,{TOP}
{TOWN},岱庙街道,township,{COUNTY}
{VILLAGE},东岳社区居委会,community,{TOWN}
"""
CLERK, STEWARD, TOWN_APPROVER, APPROVER, DEPUTY, CHAIR, CITY_APPROVER, FINANCE, STRANGER, AUDITOR = (letter * 32 for letter in "bcdef12345")
ROLES = (
    *((CLERK, "clerk", VILLAGE), (STEWARD, "steward", VILLAGE), (TOWN_APPROVER, "approver", TOWN), (APPROVER, "approver", COUNTY)),
    *((DEPUTY, "approver", COUNTY), (CHAIR, "approver", COUNTY), (CITY_APPROVER, "approver", TOP), (FINANCE, "finance", COUNTY)),
    *((STRANGER, "approver", OTHER_COUNTY), (AUDITOR, "auditor", TOP)),
)
OUTSIDER = "f1" * 16
PAPER = "8" * 64
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
TODAY = day_in_china(NOW)
SINCE = {"on": f"{TODAY}", "incident_on": f"{TODAY}"}
"""Asked for on the day on which it happened."""
PAPERS = ("diagnosis", "settlement", "invoices")
ILL = {"serious_illness": True, "third_party_pays": False, "self_paid_fen": 1_500_000}
ACCOUNT = {"bank": "农行泰山支行", "name": "王伟", "number": "6228480000000000000"}


@pytest.fixture
async def node(postgres: Postgres, tmp_path: Path) -> AsyncIterator[RunningNode]:
    """A city with a county, a village and its staff; medical relief published, 10,000 yuan in the county's line."""
    async with running_node(postgres, tmp_path, clock=ManualClock(NOW)) as it:
        answer = await it.client.post(
            "http://membership/imports/divisions?effective_on=2020-01-01",
            content=DIVISIONS.encode(),
            headers={"authorization": f"Bearer {it.issuer.mint(BOSS)}", "content-type": "text/csv", "idempotency-key": "divisions"},
        )
        assert answer.status_code == 200, answer.text
        for principal, role, organisation in ROLES:
            await it.appoint(principal, role, organisation)
        await until(lambda: _follows(it))
        await publish(it, "medical-relief")
        await fund(it, 1_000_000)
        yield it


async def _follows(it: RunningNode) -> bool:
    """Whether assistance has heard of the last appointment."""
    answer = await it.get("assistance/aid/exposure", by=AUDITOR, organisation=COUNTY)
    return answer.status_code == 200


async def publish(it: RunningNode, programme: str) -> None:
    """Put a shipped programme in force."""
    shipped = {one["programme"]: one["definition"] for one in (await it.get("assistance/programmes/shipped")).json()}
    await ok(it, f"programmes/{programme}/versions", {"organisation": TOP, "definition": shipped[programme]}, by=BOSS)


async def fund(it: RunningNode, fen: int, *, purpose: str = "aid.medical") -> str:
    """Money in the county's line; the line."""
    body = {"organisation": COUNTY, "year": TODAY.year, "source": "superior", "purpose": purpose, "fen": fen, "document": PAPER}
    proposal = await ok(it, "budget/appropriations", body, by=FINANCE)
    await ok(it, f"budget/proposals/{proposal}/approval", None, by=APPROVER)
    return line(purpose)


def line(purpose: str = "aid.medical") -> str:
    return line_id(COUNTY, TODAY.year, "superior", purpose)


async def ok(it: RunningNode, url: str, body: Any, *, by: str) -> str:
    """Send a command that is accepted; the id of its stream."""
    answer = await it.post(f"assistance/{url}", body, by=by)
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["stream"].split("-", 1)[1])


async def no(it: RunningNode, url: str, body: Any, problem: str, *, by: str) -> dict[str, Any]:
    """Send a command that is refused by this rule."""
    answer = await it.post(f"assistance/{url}", body, by=by)
    told: dict[str, Any] = answer.json()
    assert told["type"].rsplit("/", 1)[-1].rsplit(":", 1)[-1] == problem, told
    return told


async def member(it: RunningNode, order: int) -> str:
    """A member of the village's union, known to assistance."""
    first17 = f"37090219800101{order:03d}"
    document = {"kind": "resident", "number": first17 + resident_check(first17)}
    answer = await it.post(
        "membership/members", {"organisation": VILLAGE, "on": "2024-05-01", "name": "王伟", "document": document}, by=STEWARD
    )
    assert answer.status_code == 201, answer.text
    person = str(answer.json()["stream"].split("-", 1)[1])

    async def told() -> bool:
        return (await it.get(f"assistance/people/{person}/eligibility", by=AUDITOR)).status_code == 200

    await until(told)
    return person


async def submitted(it: RunningNode, person: str, **facts: Any) -> str:
    """An application that went all the way up."""
    body = {"organisation": VILLAGE, "programme": "medical-relief", "person": person, "account": ACCOUNT, **SINCE}
    application = await ok(it, "aid/applications", body, by=CLERK)
    here = f"aid/applications/{application}"
    for kind in PAPERS:
        await ok(it, f"{here}/documents", {"kind": kind, "digest": PAPER}, by=CLERK)
    visit = {"facts": ILL | facts, "finding": "属实", "visitors": [STEWARD], "visited_on": f"{TODAY}"}
    await ok(it, f"{here}/verification", visit, by=STEWARD)
    clock = it.services["assistance"].http.state.application.clock
    posted = {"organisation": VILLAGE, "applications": [application], "on": f"{day_in_china(clock.now())}"}
    notice = await ok(it, "aid/notices", posted, by=CLERK)
    sheet = await it.get(f"assistance/aid/notices/{notice}/sheet", by=CLERK)
    assert sha256(sheet.content).hexdigest() == (await it.get(f"assistance/aid/notices/{notice}", by=CLERK)).json()["sheet"]
    assert "王*" in sheet.text
    assert "王伟" not in sheet.text
    assert "东岳社区工会联合会" in sheet.text
    await no(it, f"{here}/submission", {"stamped": PAPER, "on": f"{TODAY}"}, "notice-needed", by=CLERK)
    clock.advance(timedelta(days=20))
    await ok(it, f"aid/notices/{notice}/taking-down", {"photo": PAPER, "on": f"{day_in_china(clock.now())}"}, by=CLERK)
    await ok(it, f"{here}/submission", {"stamped": PAPER, "on": f"{TODAY}"}, by=CLERK)
    return application


async def decision(it: RunningNode, *applications: str, unit: str = COUNTY, **more: Any) -> dict[str, Any]:
    """A decision to grant what an approver sees."""
    cases = []
    for application in applications:
        view = (await it.get(f"assistance/aid/applications/{application}", by=APPROVER)).json()
        cases.append({"application": application, "seen": view["seen"], "outcome": "grant"})
    return {"organisation": unit, "programme": "medical-relief", "line": line(), "cases": cases} | more


async def available(it: RunningNode) -> int:
    state, _ = await it.services["assistance"].http.state.application.state(BUDGET_LINE, line())
    fen: int = state.available_fen
    return fen


async def test_from_the_draft_to_the_reserved_money(node: RunningNode) -> None:
    person = await member(node, 1)
    application = await submitted(node, person)
    view = (await node.get(f"assistance/aid/applications/{application}", by=APPROVER)).json()
    assert (view["stage"], view["entitled_fen"], view["failed"], view["lacking"]) == ("submitted", 200_000, [], [])
    assert view["decided_at"] == {"level": "county", "by": "person"}
    asked = await decision(node, application)
    for wrong in (CLERK, STEWARD, FINANCE, STRANGER, AUDITOR, TOWN_APPROVER):
        await no(node, "aid/decisions", asked, "not-permitted", by=wrong)
    await no(node, "aid/decisions", asked | {"organisation": TOWN}, "higher-level-needed", by=TOWN_APPROVER)
    await no(node, "aid/decisions", asked | {"organisation": OTHER_COUNTY}, "outside-area", by=STRANGER)
    await ok(node, "aid/decisions", asked, by=APPROVER)
    assert await available(node) == 800_000
    await no(node, "aid/decisions", asked, "application-elsewhere", by=DEPUTY)
    view = (await node.get(f"assistance/aid/applications/{application}", by=FINANCE)).json()
    assert (view["stage"], view["grant"]["fen"], view["grant"]["line"]) == ("granted", 200_000, line())


async def test_just_over_a_threshold_a_meeting_and_then_the_city(node: RunningNode) -> None:
    meeting = {"held_on": f"{TODAY}", "attendees": [APPROVER, DEPUTY, CHAIR], "minutes": "泰工纪要〔2026〕12号", "paper": PAPER}
    await fund(node, 10_000_000)
    application = await submitted(node, await member(node, 1), self_paid_fen=2_000_004)
    asked = await decision(node, application)
    told = await no(node, "aid/decisions", asked, "higher-level-needed", by=APPROVER)
    assert (told["fen"], told["level"], told["by"]) == (300_001, "county", "meeting")
    await ok(node, "aid/decisions", asked | {"meeting": meeting}, by=APPROVER)
    application = await submitted(node, await member(node, 2), self_paid_fen=4_333_338)
    asked = await decision(node, application)
    told = await no(node, "aid/decisions", asked | {"meeting": meeting}, "higher-level-needed", by=APPROVER)
    assert (told["fen"], told["level"]) == (1_000_001, "city")
    city = meeting | {"attendees": [CITY_APPROVER, DEPUTY, CHAIR]}
    await ok(node, "aid/decisions", asked | {"meeting": city, "organisation": TOP}, by=CITY_APPROVER)


async def test_lists_by_union_and_stage_with_names_and_without_relatives(node: RunningNode) -> None:
    people = [await member(node, order) for order in (1, 2, 3)]
    body = {"organisation": VILLAGE, "programme": "medical-relief", "account": ACCOUNT, **SINCE}
    drafts = [await ok(node, "aid/applications", body | {"person": one, "name": "欧阳小红"}, by=CLERK) for one in people]
    await ok(node, f"aid/applications/{drafts[1]}/withdrawal", {"on": f"{TODAY}"}, by=CLERK)

    async def listed(by: str, **asked: Any) -> list[tuple[str, str, str | None]]:
        found: list[tuple[str, str, str | None]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await node.get("assistance/aid/applications", by=by, organisation=COUNTY, limit=1, **asked, **cursor)
            assert answer.status_code == 200, answer.text
            found += [(one["application"], one["stage"], one["name"]) for one in answer.json()["items"]]
            if answer.json()["next"] is None:
                return found
            cursor = {"cursor": answer.json()["next"]}

    async def settled() -> bool:
        found = await listed(APPROVER)
        return [one[1] for one in found] == ["draft", "withdrawn", "draft"] and all(one[2] for one in found)

    await until(settled)
    assert await listed(AUDITOR, stage="withdrawn") == [(drafts[1], "withdrawn", "欧阳小红")]
    assert await listed(AUDITOR, programme="winter-warmth") == []
    assert (await node.get("assistance/aid/applications", by=STRANGER, organisation=COUNTY)).status_code == 403
    await ok(node, f"staff/{APPROVER}/interests", {"person": people[0], "kind": "relative"}, by=APPROVER)
    assert [one[0] for one in await listed(APPROVER)] == drafts[1:]


async def test_relatives_neither_look_nor_decide(node: RunningNode) -> None:
    person = await member(node, 1)
    application = await submitted(node, person)
    asked = await decision(node, application)
    await no(node, f"staff/{APPROVER}/interests", {"person": person, "kind": "relative"}, "not-permitted", by=DEPUTY)
    await ok(node, f"staff/{APPROVER}/interests", {"person": person, "kind": "relative"}, by=APPROVER)
    await no(node, "aid/decisions", asked, "conflict-of-interest", by=APPROVER)
    looked = await node.get(f"assistance/aid/applications/{application}", by=APPROVER)
    assert (looked.status_code, looked.json()["type"].endswith("conflict-of-interest")) == (403, True)
    await ok(node, "aid/decisions", asked, by=DEPUTY)


async def test_what_has_moved_since_it_was_seen_is_not_approved(node: RunningNode) -> None:
    application = await submitted(node, await member(node, 1))
    asked = await decision(node, application)
    await ok(node, f"aid/applications/{application}/documents", {"kind": "invoices", "digest": "7" * 64}, by=CLERK)
    told = await no(node, "aid/decisions", asked, "approval-stale", by=APPROVER)
    assert told["moved"] == ["application", "documents"]


async def test_a_death_stops_what_is_under_way(node: RunningNode) -> None:
    person = await member(node, 1)
    application = await submitted(node, person)
    died = await node.post(f"membership/members/{person}/death", {"on": f"{TODAY}"}, by=STEWARD)
    assert died.status_code == 200, died.text

    async def stopped() -> bool:
        view = (await node.get(f"assistance/aid/applications/{application}", by=APPROVER)).json()
        return bool(view["failed"] == ["member"])

    await until(stopped)
    app = node.services["assistance"].http.state.application

    async def told() -> bool:
        return bool((await app.state(BENEFICIARY, person))[0].stopped == "died")

    await until(told)
    asked = await decision(node, application)
    await no(node, "aid/decisions", asked, "aid-is-stopped", by=APPROVER)


async def test_two_decisions_at_once_never_spend_the_same_money(node: RunningNode) -> None:
    """10,000 yuan; six applications of 2,000, decided side by side: five are granted, one is told why not."""
    applications = [await submitted(node, await member(node, order)) for order in range(1, 7)]
    asked = [await decision(node, application) for application in applications]
    answers = await asyncio.gather(
        *(node.post("assistance/aid/decisions", one, by=(APPROVER, DEPUTY)[number % 2]) for number, one in enumerate(asked))
    )
    refused = [answer.json() for answer in answers if answer.status_code not in (200, 201)]
    assert [told["type"].endswith("line-exhausted") for told in refused] == [True], refused
    assert (refused[0]["available_fen"], refused[0]["asked_fen"]) == (0, 200_000)
    assert await available(node) == 0
    app = node.services["assistance"].http.state.application
    states = await app.states(APPLICATION, applications)
    assert sorted(type(state).__name__ for state in states.values()) == ["Granted"] * 5 + ["Submitted"]


async def test_who_has_received_under_another_record_gets_nothing_more(node: RunningNode) -> None:
    definition = {one["programme"]: one["definition"] for one in (await node.get("assistance/programmes/shipped")).json()}["medical-relief"]
    yearly = {"organisation": TOP, "definition": definition | {"period": "year", "counted_per": "person"}}
    await ok(node, "programmes/medical-relief/versions", yearly, by=BOSS)
    one, other = await member(node, 1), await member(node, 2)
    first = await submitted(node, one)
    await ok(node, "aid/decisions", await decision(node, first), by=APPROVER)
    linked = await node.post(f"membership/members/{one}/link", {"same_as": other, "on": f"{TODAY}"}, by=STEWARD)
    assert linked.status_code == 200, linked.text

    async def told() -> bool:
        return bool((await node.get(f"assistance/people/{one}/eligibility", by=AUDITOR)).json()["linked_to"] == other)

    await until(told)
    second = await submitted(node, other)
    refused = await no(node, "aid/decisions", await decision(node, second), "already-granted", by=APPROVER)
    assert refused["application"] == first


async def test_an_erasure_stops_aid_at_once(node: RunningNode) -> None:
    person = await member(node, 1)
    application = await submitted(node, person)
    ordered = await node.post(f"membership/people/{person}/erasure", {"basis": "consent-withdrawn", "note": "本人申请"}, by=BOSS)
    assert ordered.status_code < 300, ordered.text

    async def stopped() -> bool:
        state, _ = await node.services["assistance"].http.state.application.state(BENEFICIARY, person)
        return state.stopped is not None

    await until(stopped)
    told = await no(node, "aid/decisions", await decision(node, application), "aid-is-stopped", by=APPROVER)
    assert told["reason"] == "erased"


async def test_an_invented_table_and_another_unions_file_are_refused(node: RunningNode) -> None:
    """Ids that nobody was given make no quorum; a household's file is its own union's to ask with."""
    person, other = await member(node, 1), await member(node, 2)
    living = {"organisation": VILLAGE, "members": [{"person": other, "relation": "applicant"}], "circumstances": {}, "account": ACCOUNT}
    household = await ok(node, "hardship/files", living | {"on": f"{TODAY}"}, by=STEWARD)
    await node.appoint(OUTSIDER, "clerk", OTHER_COUNTY)
    wanted = {"programme": "medical-relief", "account": ACCOUNT, **SINCE}
    foreign = wanted | {"organisation": OTHER_COUNTY, "person": other, "household": household}
    await until(lambda: _drafts(node, wanted | {"organisation": OTHER_COUNTY, "person": person}))
    await no(node, "aid/applications", foreign, "not-permitted", by=OUTSIDER)
    application = await submitted(node, person)
    meeting = {"held_on": f"{TODAY}", "attendees": [APPROVER, "e1" * 16, "e2" * 16], "minutes": "泰工纪要〔2026〕12号", "paper": PAPER}
    told = await no(node, "aid/decisions", await decision(node, application, meeting=meeting), "meeting-malformed", by=APPROVER)
    assert told["status"] == 422


async def _drafts(it: RunningNode, body: dict[str, Any]) -> bool:
    """Whether assistance has heard that the outsider is a clerk."""
    return (await it.post("assistance/aid/applications", body, by=OUTSIDER)).status_code == 201
