"""What an operator does by the command line: erase, restore an old vault, rebuild, try parked streams, go on after a loss."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from foundation.log.note import VerifierKey
from foundation.log.proof_file import ProofFile
from foundation.log.trust import given
from foundation.record import leaf_hash
from node.access import Access
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres
from node.folder import DataFolder
from node.parts import servers
from node.topology import PORTS

from .test_node import kill_all, ready, refuses, relayed, tongxin, until, up

pytestmark = pytest.mark.timeout(900)  # whole nodes are started and stopped several times in a test

UNION = "370902001001"
TREE = f"""code,name,level,parent
3709,泰安市,city,
370902,泰山区,county,3709
370902001,岱庙街道,township,370902
{UNION},东岳社区,community,370902001
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A node with a small tree; afterwards nothing of it is left."""
    place = Path(tempfile.mkdtemp(prefix="tongxin-operator-"))
    place.chmod(0o711)
    made = place / "data"
    try:
        up(made, "--base-port", str(free_port(PORTS)))
        (place / "tree.csv").write_text(TREE)
        assert done(made, "import", "organisations", str(place / "tree.csv"))
        yield made
    finally:
        tongxin(made, "down")
        kill_all(made)
        shutil.rmtree(place, ignore_errors=True)


def done(folder: Path, *arguments: str) -> str:
    """What a command prints; it must succeed."""
    found = tongxin(folder, *arguments)
    assert found.returncode == 0, (arguments, found.stdout, found.stderr)
    return found.stdout


def statement(folder: Path, server: int, database: str, query: str, *arguments: Any) -> list[Any]:
    """One statement as superuser; server 0: the services', 1: the vault's."""
    dsn = servers(DataFolder(folder), DataFolder(folder).config().ports)[server].dsn(database)

    async def run() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    return asyncio.run(run())


def postgres(folder: Path) -> Postgres:
    """The services' server."""
    return servers(DataFolder(folder), DataFolder(folder).config().ports)[0]


@contextmanager
def at_rest(folder: Path, *, again: bool = True) -> Iterator[Postgres]:
    """The services' server alone, while the node is down."""
    done(folder, "down")
    server = postgres(folder)
    server.start()
    yield server
    server.stop()
    if again:
        up(folder)


def own(server: Postgres, *statements: str) -> None:
    """Statements as superuser, each for itself."""

    async def run() -> None:
        connection = await asyncpg.connect(server.dsn())
        for one in statements:
            await connection.execute(one)
        await connection.close()

    asyncio.run(run())


def members(folder: Path) -> list[dict[str, Any]]:
    """Everybody in the directory, as the node's administrator sees them, with all that has happened so far."""
    with Access(DataFolder(folder)).caller("membership") as caller:
        asked = {"org": UNION, "limit": 200, "at_least": caller.position()}
        return list(caller.get("/directory", params=asked).json()["items"])


def joined(folder: Path, seed: int, count: int = 3) -> None:
    file = folder.parent / f"roster-{seed}.csv"
    done(folder, "sample", "roster", "--rows", str(count), "--org", UNION, "--out", str(file), "--seed", str(seed))
    done(folder, "import", "roster", str(file), "--org", UNION)


def ended(folder: Path, person: str) -> int:
    """Enter that somebody has left; the position of that event."""
    access = Access(DataFolder(folder))
    with access.caller("membership", access.token("steward", "3709")) as caller:
        answer = caller.post(f"/members/{person}/departure", json={"on": "2026-01-02", "reason": "搬家"})
        return int(answer.json()["position"].rpartition(":")[2])


def reacted(folder: Path, position: int) -> bool:
    """Whether assistance is done with the events of membership up to a position."""
    applied = "select last from cursors where consumer = 'assistance-reactions' and source = 'membership'"
    return int(statement(folder, 0, "assistance", applied)[0][0]) >= position


def eligibility_ended(folder: Path, person: str) -> bool:
    """Whether assistance has an event of its own about somebody's membership."""
    return bool(statement(folder, 0, "assistance", "select 1 from events where stream = $1", f"eligibility-{person}"))


def of(found: list[dict[str, Any]], person: str) -> dict[str, Any]:
    [one] = [one for one in found if one["person"] == person]
    return one


def test_a_person_is_erased_and_an_old_vault_changes_nothing(folder: Path) -> None:
    joined(folder, 1)
    person = members(folder)[0]["person"]
    assert of(members(folder), person)["name"] is not None
    taken = folder.parent / "backup"
    done(folder, "backup", str(taken))

    refused = tongxin(folder, "erase", "0" * 32, "--basis", "unlawful")
    assert refused.returncode == 5
    certificate = json.loads(done(folder, "erase", person, "--basis", "本人书面申请", "--json"))
    assert (certificate["state"], certificate["statement"]["zh"]) == ("erased", "个人信息已依法删除。")
    assert certificate["search"]["purged_at"] is not None
    for name, service in certificate["services"].items():
        believed = given([VerifierKey.parse(key) for key in service["log"]["keys"]])
        for record in service["records"]:
            assert record["proof"] is not None, (name, record["position"])
            proof = ProofFile.parse(record["proof"].encode())
            proof.check(leaf_hash(record["record"].encode()), believed.policy)
            assert proof.index == record["position"]
    assert of(members(folder), person)["name"] is None

    # The old vault alone comes back, as after a loss of its disk; the histories stay.
    done(folder, "down")
    done(folder, "restore", "--vault", str(taken))
    place = postgres(folder).folder
    shutil.rmtree(place / "data")
    next(place.glob("data.before-*")).rename(place / "data")
    up(folder)
    assert statement(folder, 1, "vault", "select count(*) from vault.keys_of($1)", person)[0][0] == 0
    assert of(members(folder), person)["notice"]["state"] == "erased"
    assert of(members(folder), person)["name"] is None
    assert [one["name"] for one in members(folder) if one["person"] != person].count(None) == 0, "the others are whole"
    again = json.loads(done(folder, "erase", person, "--basis", "consent-withdrawn", "--json"))
    assert again["erasure"] == certificate["erasure"]


def test_read_models_are_made_anew(folder: Path) -> None:
    before = members(folder)
    assert "directory_members" in done(folder, "projections", "rebuild", "membership")
    assert "people" in done(folder, "projections", "rebuild", "assistance")
    assert members(folder) == before


def test_a_parked_stream_is_tried_again(folder: Path) -> None:
    """As a reaction that failed leaves it: set aside, with its events behind it."""
    joined(folder, 2)
    [member, *_] = [one["person"] for one in members(folder) if one["name"]]
    assert done(folder, "parked", "list").strip() == "nothing is parked"
    position = ended(folder, member)
    until(lambda: reacted(folder, position), folder, "assistance reacts")
    record = "select convert_from(record, 'utf8')::jsonb ->> 'id' from events where position = $1"
    [[event]] = statement(folder, 0, "membership", record, position)
    where = ("assistance-reactions", "membership", f"member-{member}")
    parked = "insert into parked_keys (consumer, source, key, error, parked_at) values ($1, $2, $3, 'Bug', now())"
    waiting = "insert into parked_events (consumer, source, key, position, event) values ($1, $2, $3, $4, $5::text::uuid)"
    statement(folder, 0, "assistance", parked, *where)
    statement(folder, 0, "assistance", waiting, *where, position, event)
    [one] = json.loads(done(folder, "parked", "list", "--json"))
    assert (one["service"], one["source"], one["key"], one["events"], one["first_position"]) == ("assistance", *where[1:], 1, position)
    assert done(folder, "parked", "replay", f"member-{member}").strip() == f"assistance member-{member}: 1 done, free"
    assert done(folder, "parked", "list").strip() == "nothing is parked"


def test_a_restored_backup_finds_its_keys_and_those_that_are_lost_can_be_given_up(folder: Path) -> None:
    """People join after the backup: their records come back from the topic, and their keys are in the vault, unless it goes back too."""
    # Where an old vault was put back before, the words of an order to erase somebody went with it.
    done(folder, "history", "lost-keys", "membership", "--give-up")
    taken = folder.parent / "before-they-joined"
    done(folder, "backup", str(taken))
    there = {one["person"] for one in members(folder)}
    joined(folder, 4)
    everybody = members(folder)
    position = relayed(folder)

    done(folder, "down")
    done(folder, "restore", str(taken))
    refuses(folder)
    assert done(folder, "history", "restore", "membership").strip() == f"membership goes up to position {position}"
    until(lambda: ready(folder), folder, "the node is ready with its history whole")
    assert members(folder) == everybody
    assert "the vault has all keys" in done(folder, "history", "lost-keys", "membership")

    done(folder, "down")
    done(folder, "restore", "--vault", str(taken))
    refuses(folder)
    back = tongxin(folder, "history", "restore", "membership")
    assert (back.returncode, back.stdout.strip()) == (4, f"membership goes up to position {position}")
    assert "membership: 3 records are sealed under 3 keys that the vault does not have" in back.stderr
    until(lambda: not ready(folder), folder, "what needs the keys waits")
    again = tongxin(folder, "up", "--detach")
    assert again.returncode == 4
    assert "-vault halted: views that do not go on by themselves" in again.stderr, again.stderr
    found = tongxin(folder, "history", "lost-keys", "membership")
    assert (found.returncode, found.stdout.count("3 keys")) == (4, 1)
    assert "given up" in done(folder, "history", "lost-keys", "membership", "--give-up")
    done(folder, "down")
    up(folder)
    until(lambda: ready(folder), folder, "the node is ready without them")
    assert members(folder) == [one if one["person"] in there else one | {"name": None, "phone": None} for one in everybody]


def test_reactions_go_on_in_a_new_epoch(folder: Path) -> None:
    """Membership loses records for good that assistance has reacted to."""
    joined(folder, 3)
    left = [one["person"] for one in members(folder) if one["name"] and one["status"] == "active"][:2]
    survives = statement(folder, 0, "membership", "select max(position) from events")[0][0]

    with at_rest(folder) as server:
        own(server, "create database backup template membership owner membership")
    lost = ended(folder, left[0])
    until(lambda: reacted(folder, lost), folder, "assistance reacts")
    assert eligibility_ended(folder, left[0])
    with at_rest(folder, again=False) as server:
        own(server, "drop database membership", "alter database backup rename to membership")
    refuses(folder)
    refused = tongxin(folder, "history", "new-epoch", "membership")
    assert refused.returncode == 2
    said = done(folder, "history", "new-epoch", "membership", "--give-up")
    assert f"membership is in epoch 1 from position {survives + 1} on" in said
    assert f"assistance-reactions goes on after position {survives} in epoch 1; it had applied up to {lost}" in said
    until(lambda: ready(folder), folder, "the node is ready in its new epoch")
    again = ended(folder, left[1])
    until(lambda: reacted(folder, again), folder, "assistance reacts in the new epoch")
    assert eligibility_ended(folder, left[1])
    assert "after position" in done(folder, "history", "follow", "membership")
