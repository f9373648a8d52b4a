"""Membership told as it goes: the tree of a city comes in, staff are appointed, people join, move with their work, and die."""

import asyncio
import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from contracts.values import resident_check

from tests.support import Midday

from .running_node import BOSS, TOP, RunningNode, until

VILLAGE, OTHER_VILLAGE = "370902001001", "370902002001"
COUNTY, TOWN = "370902", "370902001"
DIVISIONS = f"""code,name,level,parent
{TOP},泰安市,city,
{COUNTY},泰山区,county,{TOP}
370911,岱岳区,county,{TOP}
{TOWN},岱庙街道,township,{COUNTY}
370902002,财源街道,township,{COUNTY}
{VILLAGE},东岳社区居委会,community,{TOWN}
{OTHER_VILLAGE},黄前村委会,community,370902002
"""
CLERK, STEWARD, OTHER_CLERK, COUNTY_APPROVER, STRANGER = (letter * 32 for letter in "bcdef")
TODAY = Midday.DAY.isoformat()


def identity(order: int) -> str:
    first17 = f"37090219800101{order:03d}"
    return first17 + resident_check(first17)


def person(order: int = 1, organisation: str = VILLAGE, **more: Any) -> dict[str, Any]:
    return {
        "organisation": organisation,
        "on": "2024-05-01",
        "name": "阿依古丽•买买提",
        "document": {"kind": "resident", "number": identity(order)},
        "phone": "138 0013 8000",
        "details": {"employer": "泰山面粉厂", "post": "磨工"},
        "sex": "2",
        "categories": ["migrant"],
    } | more


@pytest.fixture
async def town(node: RunningNode) -> RunningNode:
    """A node with a small tree and its staff."""
    answer = await node.upload("membership/imports/divisions?effective_on=2020-01-01", DIVISIONS.encode())
    assert answer.status_code == 200, answer.text
    last = json.loads(answer.text.splitlines()[-1])
    assert (last["accepted"], last["refused"]) == (7, [])
    await node.appoint(CLERK, "clerk", VILLAGE)
    await node.appoint(STEWARD, "steward", VILLAGE)
    await node.appoint(OTHER_CLERK, "clerk", OTHER_VILLAGE)
    await node.appoint(COUNTY_APPROVER, "approver", COUNTY)
    return node


async def admitted(town: RunningNode, order: int = 1) -> str:
    answer = await town.post("membership/members", person(order), by=CLERK)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["stream"].removeprefix("member-"))


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:tongxin:problem:")


async def test_only_the_node_itself_appoints_the_first_administrator_and_once(node: RunningNode) -> None:
    body = {"principal": STRANGER}
    assert problem(await node.post("membership/appointments/first", body, by=STRANGER)) == (403, "not-permitted")
    assert problem(await node.post("membership/appointments/first", body, by="service:node")) == (409, "already-bootstrapped")


async def test_a_whole_city_in_seconds_and_again_without_change(node: RunningNode) -> None:
    city = Path(__file__).parents[2] / "shared/node/src/node/sample/divisions/taian-3709.csv"
    if not city.exists():
        city = next((Path(__file__).parents[2] / "shared/node").rglob("taian-3709.csv"))
    for _ in range(2):
        answer = await node.upload("membership/imports/divisions", city.read_bytes())
        last = json.loads(answer.text.splitlines()[-1])
        assert (last["accepted"], last["refused"]) == (3_877, [])
    tree = (await node.get("membership/organisations/tree", depth=5, at_least="membership:3878")).json()
    assert (len(tree["organisations"]), tree["complete"]) == (3_877, True)
    assert tree["organisations"][0]["name"] == "泰安市总工会"


async def test_a_file_that_is_no_list_of_divisions(node: RunningNode) -> None:
    for body in (b"\xff\xfe", b"code,name\n1,2\n", b"code,name,level,parent\n37x,a,city,\n", b"code,name,level,parent\n3701,a,planet,\n"):
        answer = await node.upload("membership/imports/divisions", body)
        assert problem(answer) == (422, "divisions-unreadable"), answer.text
    assert problem(await node.upload("membership/imports/divisions", b"{}", media_type="application/json")) == (
        415,
        "media-type-unsupported",
    )
    assert problem(await node.upload("membership/imports/divisions", DIVISIONS.encode(), by=STRANGER)) == (403, "not-permitted")


async def test_the_tree_of_any_day(town: RunningNode) -> None:
    url = f"membership/organisations/{TOWN}"
    moved = await town.post(f"{url}/moves", {"relation": "organisational", "parent": "370911", "effective_on": "2025-01-01"})
    assert moved.status_code == 200, moved.text
    merged = await town.post("membership/organisations/370902002/mergers", {"organisations": [TOWN], "effective_on": "2026-01-01"})
    assert merged.status_code == 200, merged.text
    at = merged.headers["position"]
    paths = {}
    for day in ("2024-12-31", "2025-01-01", "2026-01-01"):
        answer = await town.get(f"membership/organisations/{VILLAGE}", as_of=day, at_least=at)
        paths[day] = [union["organisation"] for union in answer.json()["path"]]
    assert paths == {
        "2024-12-31": [TOWN, COUNTY, TOP],
        "2025-01-01": [TOWN, "370911", TOP],
        "2026-01-01": ["370902002", COUNTY, TOP],
    }
    assert problem(await town.get(f"membership/organisations/{TOWN}", as_of="2026-01-01")) == (404, "organisation-unknown")
    gone = await town.post("membership/appointments", {"principal": STRANGER, "organisation": TOWN, "role": "clerk", "valid_from": TODAY})
    assert problem(gone) == (409, "organisation-ended")


async def test_nobody_changes_the_tree_above_their_own_union(town: RunningNode) -> None:
    admin = await town.appoint(STRANGER, "org-admin", TOWN)
    move = {"relation": "organisational", "parent": "370911", "effective_on": TODAY}
    assert problem(await town.post(f"membership/organisations/{TOWN}/moves", move, by=admin)) == (403, "not-permitted")
    assert problem(await town.post(f"membership/organisations/{TOWN}/dissolution", {"effective_on": TODAY}, by=admin)) == (
        403,
        "not-permitted",
    )
    mill = {"organisation": f"{VILLAGE}.A1", "name": "面粉厂工会", "kind": "enterprise", "level": "grassroots", "parent": VILLAGE}
    mill["effective_on"] = TODAY
    assert (await town.post("membership/organisations", mill, by=admin)).status_code == 201
    orphan = {name: value for name, value in mill.items() if name != "parent"} | {"organisation": f"{TOP}.B1"}
    assert problem(await town.post("membership/organisations", orphan)) == (403, "not-permitted")


async def test_a_member_joins_once(town: RunningNode) -> None:
    first = await town.post("membership/members", person(), by=CLERK, key="k1")
    again = await town.post("membership/members", person(), by=CLERK, key="k1")
    assert again.json() == first.json() | {"repeated": True}
    twice = await town.post("membership/members", person(), by=CLERK)
    assert (twice.status_code, twice.json()["version"]) == (201, 1)
    elsewhere = await town.post("membership/members", person(organisation=OTHER_VILLAGE), by=OTHER_CLERK)
    assert problem(elsewhere) == (409, "already-member")
    assert problem(await town.post("membership/members", person(2), by=OTHER_CLERK)) == (403, "not-permitted")


async def test_one_active_membership_whoever_comes_first(town: RunningNode) -> None:
    answers = await asyncio.gather(
        *(town.post("membership/members", person(), by=CLERK) for _ in range(20)),
        *(town.post("membership/members", person(organisation=OTHER_VILLAGE), by=OTHER_CLERK) for _ in range(20)),
        *(town.post("membership/applications", person(), by=CLERK) for _ in range(10)),
    )
    told = [answer.json() for answer in answers]
    members = {document["stream"] for document in told if "stream" in document}
    assert len(members) == 1, "one person, one record"
    (stream,) = members
    history = (await town.get(f"membership/members/{stream.removeprefix('member-')}/history", by=BOSS)).json()
    assert [event["type"] for event in history].count("membership.MemberAdmitted.v1") == 1
    refused = {document["type"] for document in told if "type" in document}
    assert refused <= {"urn:tongxin:problem:already-member", "urn:tongxin:problem:application-open"}


async def test_a_member_as_staff_see_them(town: RunningNode) -> None:
    member = await admitted(town)
    seen = (await town.get(f"membership/members/{member}", by=STEWARD)).json()
    assert (seen["name"], seen["phone"], seen["document"]["number"]) == ("阿依古丽·买买提", "13800138000", identity(1))
    assert (seen["state"], seen["organisation"], seen["kind"], seen["erased"]) == ("active", VILLAGE, "regular", [])
    assert problem(await town.get(f"membership/members/{member}", by=OTHER_CLERK)) == (403, "not-permitted")
    assert (await town.get(f"membership/members/{member}", by=COUNTY_APPROVER)).status_code == 200
    renamed = {"on": TODAY, "name": "阿依古丽", "reason": "更名", "document": {"kind": "resident", "number": identity(9)}}
    assert (await town.post(f"membership/members/{member}/corrections", renamed, by=CLERK)).status_code == 200
    seen = (await town.get(f"membership/members/{member}", by=STEWARD)).json()
    assert (seen["name"], seen["document"]["number"]) == ("阿依古丽", identity(9))
    taken = await town.post("membership/members", person(9, OTHER_VILLAGE), by=OTHER_CLERK)
    assert problem(taken) == (409, "already-member"), "the new number is of the same person"
    events = (await town.get(f"membership/members/{member}/history", by=CLERK)).json()
    assert [event["type"] for event in events] == ["membership.MemberAdmitted.v1", "membership.MemberCorrected.v1"]
    assert "阿依古丽" not in json.dumps(events, ensure_ascii=False)


async def test_a_number_that_cannot_be(town: RunningNode) -> None:
    wrong = person() | {"document": {"kind": "resident", "number": "110105194912310021"}}
    answer = await town.post("membership/members", wrong, by=CLERK)
    assert problem(answer) == (422, "identity-refused")
    assert "110105194912310021" not in answer.text


async def test_application_and_admission(town: RunningNode) -> None:
    applied = await town.post("membership/applications", person(), by=CLERK)
    member = applied.json()["stream"].removeprefix("member-")
    url = f"membership/members/{member}/admission"
    assert problem(await town.post(url, {"organisation": VILLAGE, "on": TODAY}, by=CLERK)) == (403, "not-permitted")
    assert (await town.post(url, {"organisation": VILLAGE, "on": TODAY}, by=STEWARD)).status_code == 200
    seen = (await town.get(f"membership/members/{member}", by=CLERK)).json()
    assert (seen["state"], seen["name"], seen["joined_on"]) == ("active", "阿依古丽·买买提", TODAY)


async def test_membership_follows_employment(town: RunningNode) -> None:
    member = await admitted(town)
    body = {
        "organisation": OTHER_VILLAGE,
        "document": person()["document"],
        "proof": {"kind": "劳动合同", "digest": "ab" * 32},
        "on": TODAY,
    }
    registered = await town.post("membership/transfers", body, by=OTHER_CLERK)
    assert registered.status_code == 201, registered.text
    transfer = (await town.get(f"membership/members/{member}", by=OTHER_CLERK)).json()["transfer"]
    assert (transfer["from_organisation"], transfer["contested"]) == (VILLAGE, False)
    assert (date.fromisoformat(transfer["object_until"]) - date.fromisoformat(TODAY)).days == 15
    url = f"membership/members/{member}/transfers/{transfer['transfer']}"
    objection = {"on": TODAY, "ground": "identity", "statement": "同名不同人"}
    assert problem(await town.post(f"{url}/objection", objection, by=OTHER_CLERK)) == (403, "not-permitted")
    assert (await town.post(f"{url}/objection", objection, by=CLERK)).status_code == 200
    assert problem(await town.post(f"{url}/objection/upholding", {"on": TODAY}, by=STEWARD)) == (403, "not-permitted")
    upheld = await town.post(f"{url}/objection/upholding", {"on": TODAY}, by=COUNTY_APPROVER, key="u1")
    assert upheld.status_code == 200, upheld.text
    assert (await town.post(f"{url}/objection/upholding", {"on": TODAY}, by=COUNTY_APPROVER, key="u1")).json()["repeated"] is True
    assert (await town.get(f"membership/members/{member}", by=CLERK)).json()["organisation"] == VILLAGE
    nobody = body | {"document": {"kind": "resident", "number": identity(77)}}
    assert problem(await town.post("membership/transfers", nobody, by=OTHER_CLERK)) == (404, "nobody-known")


async def test_a_double_record_is_linked_and_unlinked(town: RunningNode) -> None:
    one, other = await admitted(town, 1), await admitted(town, 2)
    assert (await town.post(f"membership/members/{one}/link", {"on": TODAY, "same_as": other}, by=STEWARD)).status_code == 200
    seen = (await town.get(f"membership/members/{one}", by=CLERK)).json()
    assert (seen["state"], seen["same_as"]) == ("linked", other)
    leaving = await town.post(f"membership/members/{one}/departure", {"on": TODAY}, by=CLERK)
    assert problem(leaving) == (409, "linked-elsewhere")
    assert (await town.post(f"membership/members/{one}/link/undoing", {"on": TODAY}, by=STEWARD)).status_code == 200
    assert (await town.get(f"membership/members/{one}", by=CLERK)).json()["state"] == "active"


async def test_a_death_ends_eligibility_in_assistance(town: RunningNode) -> None:
    member = await admitted(town)

    async def eligible() -> Any:
        answer = await town.get(f"assistance/people/{member}/eligibility", by=COUNTY_APPROVER)
        return answer.json() if answer.status_code == 200 else {}

    async def joined() -> bool:
        return (await eligible()).get("eligible") is True

    await until(joined)
    assert (await town.post(f"membership/members/{member}/death", {"on": TODAY}, by=CLERK)).status_code == 200

    async def ended() -> bool:
        found = await eligible()
        return found.get("eligible") is False and found["ended"] is not None

    await until(ended)
    assert (await eligible())["ended"] == {"organisation": VILLAGE, "reason": "died", "since": TODAY}
    undone = {"organisation": VILLAGE, "on": TODAY, "reason": "同名误报"}
    assert (await town.post(f"membership/members/{member}/reinstatement", undone, by=STEWARD)).status_code == 200

    async def restored() -> bool:
        found = await eligible()
        return found.get("eligible") is True and found["ended"] is None

    await until(restored)


async def test_posts_duties_delegation_and_hand_over(town: RunningNode) -> None:
    mixed = {"principal": CLERK, "organisation": VILLAGE, "role": "approver", "valid_from": TODAY, "acting": True}
    assert problem(await town.post("membership/appointments", mixed)) == (409, "duties-not-separated")
    assert problem(await town.post("membership/appointments", mixed | {"principal": STRANGER}, by=CLERK)) == (403, "not-permitted")
    [post] = (await town.get(f"membership/staff/{CLERK}/appointments", by=CLERK)).json()
    url = f"membership/staff/{CLERK}/appointments/{post['appointment']}"
    leave = {"delegate": STRANGER, "valid_from": TODAY, "valid_until": "2099-01-01"}
    assert problem(await town.post(f"{url}/delegation", leave, by=CLERK)) == (409, "delegation-too-long")
    ahead = date.fromordinal(date.fromisoformat(TODAY).toordinal() + 10).isoformat()
    delegated = await town.post(f"{url}/delegation", leave | {"valid_until": ahead}, by=CLERK)
    assert delegated.status_code == 201, delegated.text
    at = delegated.headers["position"]
    assert (await town.get(f"membership/staff/{STRANGER}/appointments", at_least=at)).json()[0]["delegated_from"] == post["appointment"]
    assert (await town.post("membership/members", person(5), by=STRANGER)).status_code == 201
    ended = await town.post(f"{url}/end", {"valid_until": TODAY})
    assert ended.status_code == 200, ended.text
    at = ended.headers["position"]
    assert (await town.get("membership/appointments", organisation=VILLAGE, at_least=at)).json()["items"][0]["role"] == "steward"
    for who in (CLERK, STRANGER):
        await until(partial(refused, town, who))
    paper = {"successor": "9" * 32, "organisation": VILLAGE, "paper": "ab" * 32, "effective_on": TODAY}
    handed = await town.post(f"membership/staff/{STEWARD}/handover", paper)
    assert handed.status_code == 200, handed.text
    assert (await town.post("membership/members", person(6), by="9" * 32)).status_code == 201
    await until(partial(refused, town, STEWARD))


async def refused(town: RunningNode, who: str) -> bool:
    """Whether somebody may no longer register members; a revocation is known within a second."""
    return (await town.post("membership/members", person(6), by=who)).status_code == 403


async def test_nothing_personal_stands_in_the_history(town: RunningNode) -> None:
    await admitted(town)
    connection = await asyncpg.connect(town.databases["membership"])
    try:
        records = [bytes(row["record"]).decode() for row in await connection.fetch("select record from events")]
    finally:
        await connection.close()
    for canary in ("阿依古丽", identity(1), "13800138000", "面粉厂", "1980"):
        assert not any(canary in record for record in records), canary
    assert BOSS in "".join(records)
