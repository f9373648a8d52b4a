"""Lists over HTTP: what stands against a row is told, nothing is half taken, and a list sent again is the same list."""

from foundation.http.problems import TYPE_PREFIX

from tests.end_to_end.running_node import RunningNode

from .test_applications import (
    ACCOUNT,
    APPROVER,
    CLERK,
    COUNTY,
    ILL,
    PAPER,
    STEWARD,
    STRANGER,
    TODAY,
    VILLAGE,
    member,
    no,
    node,
    ok,
    submitted,
)

__all__ = ["node"]

ON = {"on": f"{TODAY}"}


async def test_a_list_is_taken_whole_or_not_at_all(node: RunningNode) -> None:
    app = node.services["assistance"].http.state.application
    people = [await member(node, order) for order in (1, 2, 3)]
    await ok(node, f"staff/{CLERK}/interests", {"person": people[1], "kind": "relative"}, by=CLERK)
    living = [{"members": [{"person": one, "relation": "applicant"}], "circumstances": {}, "account": ACCOUNT} | ON for one in people]
    wanted = {"organisation": VILLAGE, "households": living}
    head = await app.store.head()
    told = await no(node, "hardship/file-lists", wanted, "list-refused", by=CLERK)
    assert [(row["row"], row["problem"]["type"]) for row in told["rows"]] == [(2, f"{TYPE_PREFIX}conflict-of-interest")]
    assert told["detail"].startswith("名册第 2 行")
    assert await app.store.head() == head

    first, again = [await node.post("assistance/hardship/file-lists", wanted, by=STEWARD, key="the-same-list") for _ in range(2)]
    files = first.json()["households"]
    assert (first.json()["repeated"], again.json()["repeated"], again.json()["households"]) == (False, True, files)
    levels = {"level": "deep", "paper": PAPER, "households": files} | ON
    await no(node, "hardship/level-lists", levels, "not-permitted", by=STRANGER)
    await ok(node, "hardship/level-lists", levels, by=APPROVER)

    applicants = [
        {"person": person, "household": file, "account": ACCOUNT, "incident_on": f"{TODAY}"}
        for person, file in zip(people, files, strict=True)
    ]
    asked = {"organisation": VILLAGE, "programme": "medical-relief", "applicants": applicants} | ON
    drafted = await node.post("assistance/aid/application-lists", asked, by=STEWARD)
    assert drafted.status_code == 201, drafted.text
    applications = drafted.json()["applications"]
    visits = [{"application": one, "facts": ILL, "visitors": [STEWARD], "visited_on": f"{TODAY}"} for one in applications]
    wrong = [*visits[:2], visits[2] | {"facts": {"height": 180}}]
    told = await no(node, "aid/visit-lists", {"visits": wrong}, "list-refused", by=STEWARD)
    assert [(row["row"], row["problem"]["names"]) for row in told["rows"]] == [(3, ["height"])]
    await ok(node, "aid/visit-lists", {"visits": visits}, by=STEWARD)
    twice = {"visits": [visits[0], visits[1], visits[1] | {"facts": {}}, wrong[2]]}
    told = await no(node, "aid/visit-lists", twice, "list-refused", by=STEWARD)
    assert told["numbers"] == [4], "rows are counted as they were sent"
    unposted = {"stamped": PAPER, "applications": applications} | ON
    told = await no(node, "aid/submission-lists", unposted, "list-refused", by=STEWARD)
    assert {row["problem"]["type"] for row in told["rows"]} == {f"{TYPE_PREFIX}notice-needed"}


async def test_an_agenda_is_what_waits_without_the_readers_relatives(node: RunningNode) -> None:
    people = [await member(node, order) for order in (1, 2)]
    applications = [await submitted(node, person) for person in people]
    at = {"at_least": f"assistance:{(await node.services['assistance'].http.state.application.store.head()).position}"}

    async def agenda(by: str) -> list[dict[str, object]]:
        answer = await node.get("assistance/aid/agenda", by=by, organisation=COUNTY, programme="medical-relief", **at)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    waiting = await agenda(APPROVER)
    assert [one["application"] for one in waiting] == applications
    for one in waiting:
        assert one == (await node.get(f"assistance/aid/applications/{one['application']}", by=APPROVER)).json()
    await ok(node, f"staff/{APPROVER}/interests", {"person": people[0], "kind": "relative"}, by=APPROVER)
    assert [one["application"] for one in await agenda(APPROVER)] == applications[1:]
