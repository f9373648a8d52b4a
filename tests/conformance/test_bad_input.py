"""What requests get wrong, by accident and on purpose, against the real services: a clear problem document, never half a deed."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from contracts.values import uscc_check
from foundation import record

from ..end_to_end.running_node import BOSS, TOP
from .served import APPROVER, CLERK, NEIGHBOUR, STEWARD, TODAY, VILLAGE, Served, identity, person, problem

CANARY = "金丝雀"
MEMBERS = "/members"


@pytest.fixture
def writes() -> None:
    """Taken by a test in which something is recorded rightly."""


@pytest.fixture(autouse=True)
def nothing_happens(it: Served, members: list[str], request: pytest.FixtureRequest) -> Iterator[None]:
    """No refusal leaves anything in a history, and none is a bug that was caught."""
    before = {service: it.head(service) for service in it.urls}
    yield
    if "writes" not in request.fixturenames:
        assert {service: it.head(service) for service in it.urls} == before
    for service in it.urls:
        assert "tongxin_bugs_total 0.0" in it.ask("GET", "/metrics", by=None, service=service).text


@pytest.fixture(scope="module")
def members(it: Served) -> list[str]:
    """Some people, made before the heads are looked at."""
    return [it.member(order, name="李明") for order in range(1, 9)]


@pytest.fixture
def somebody(members: list[str]) -> str:
    return members[0]


def changed(**more: Any) -> dict[str, Any]:
    return person(50) | more


def document(number: str, kind: str = "resident") -> dict[str, Any]:
    return {"document": {"kind": kind, "number": number}}


# ------------------------------------------------------------------------------------------------------- values


WRONG_PEOPLE: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown member of the object": (changed(nickname=CANARY), "request-invalid"),
    "a name as the name of a member": (changed(**{CANARY: 1}), "request-invalid"),
    "a number as the name of a member": (changed(**{identity(51): 1}), "request-invalid"),
    "one below": (changed(details={"salary": CANARY}), "request-invalid"),
    "a wrong check character": (changed(**document(identity(50)[:-1] + "?")), "identity-refused"),
    "digits in another order": (changed(**document(identity(50)[0] + "07" + identity(50)[3:])), ""),
    "the 30th of February": (changed(**document("370902198002300011")), "identity-refused"),
    "an unknown kind": (changed(**document("1", kind=CANARY)), "request-invalid"),
    "nobody's name": (changed(name=""), "request-invalid"),
    "only spaces": (changed(name="　 "), "request-invalid"),
    "a control character": (changed(name="李\u0007明"), "request-invalid"),
    "a right-to-left override": (changed(name="李\u202e明"), "request-invalid"),
    "a name too long": (changed(name="李" * 201), "request-invalid"),
    "a name that is a number": (changed(name=12), "request-invalid"),
    "a phone that is none": (changed(phone=CANARY * 3), "request-invalid"),
    "a day that is none": (changed(on="2024-02-30"), "request-invalid"),
    "a day as a moment": (changed(on="2024-02-03T00:00:00Z"), "request-invalid"),
    "a day as a number": (changed(on=20240203), "request-invalid"),
    "a day before all days": (changed(on="0000-01-01"), "request-invalid"),
    "a day long to come": (changed(on="9999-12-31"), "day-to-come"),
    "an organisation that is none": (changed(organisation="../../etc"), "request-invalid"),
    "an organisation nobody has heard of": (changed(organisation="3709XX"), "not-permitted"),
    "a list": ([changed()], "request-invalid"),  # type: ignore[dict-item]
    "nothing": (None, "request-invalid"),  # type: ignore[dict-item]
    "a text": (CANARY, "request-invalid"),  # type: ignore[dict-item]
    "a thousand categories": (changed(categories=["migrant"] * 1_000), "request-invalid"),
    "nested where a text belongs": (changed(name={"a": [1]}), "request-invalid"),
}


@pytest.mark.parametrize("case", WRONG_PEOPLE)
def test_a_person_who_cannot_be(it: Served, case: str) -> None:
    body, expected = WRONG_PEOPLE[case]
    answer = it.post(MEMBERS, body)
    status, kind = problem(answer)
    assert status in (403, 409, 422)
    assert kind in (expected or "identity-refused", "request-invalid")
    for value in (CANARY, identity(50), identity(51), identity(50)[:-1], "李"):
        assert value not in answer.text, answer.text


def test_a_credit_code_that_cannot_be(it: Served) -> None:
    good = "81370900MC0000001"
    for code in (good + ("0" if uscc_check(good) != "0" else "1"), "I" * 18, good, f"{good}é"):
        body = {"organisation": f"{VILLAGE}.Z9", "name": "x", "kind": "enterprise", "level": "grassroots", "parent": VILLAGE}
        answer = it.post("/organisations", body | {"effective_on": TODAY, "uscc": code}, by=BOSS)
        assert problem(answer) == (422, "request-invalid"), code
        assert code not in answer.text


ABSURD = ("0001-01-01", "9999-12-31", "1582-10-10")


@pytest.mark.parametrize("day", ABSURD)
def test_days_out_of_all_reason_are_answered(it: Served, somebody: str, day: str) -> None:
    for path, body in (
        (f"/members/{somebody}/suspension", {"on": day, "reason": "x"}),
        (f"/members/{somebody}/death", {"on": day}),
        (f"/organisations/{VILLAGE}/dissolution", {"effective_on": day}),
        (f"/organisations/{VILLAGE}/moves", {"effective_on": day, "relation": "funding", "parent": TOP}),
    ):
        by = BOSS if path.startswith("/org") else STEWARD
        # A day may be accepted where no rule speaks against it; a key that was used already keeps it from being done.
        answer = it.post(path, body, by=by, headers={"if-match": '"99999"'})
        assert problem(answer)[0] in (409, 412, 422), answer.text
    for path in (
        f"/organisations/tree?as_of={day}",
        f"/organisations/{VILLAGE}?as_of={day}",
        f"/appointments?organisation={VILLAGE}&on={day}",
    ):
        answer = it.ask("GET", path)
        assert answer.status_code == 200 or problem(answer)[0] == 404, answer.text


# ------------------------------------------------------------------------------------------------------- bytes


def raw(number: int = 50, **at: bytes) -> bytes:
    """A good body in which a name is replaced by other bytes."""
    return b'{"organisation":"%b","on":"2024-05-01","name":%b,"document":{"kind":"resident","number":"%b"}%b}' % (
        VILLAGE.encode(),
        at.get("name", b'"x"'),
        identity(number).encode(),
        at.get("more", b""),
    )


BROKEN: dict[str, tuple[bytes, int]] = {
    "latin-1": (raw(name=b'"\xe9"'), 400),
    "gb18030": (raw(name='"李明"'.encode("gb18030")), 400),
    "utf-16": (raw().decode().encode("utf-16"), 400),
    "a byte order mark": (b"\xef\xbb\xbf" + raw(), 400),
    "a surrogate as bytes": (raw(name=b'"\xed\xa0\x80"'), 400),
    "overlong": (raw(name=b'"\xc0\xaf"'), 400),
    "cut off inside a character": (raw()[:-1] + b"\xe6", 400),
    "a lone surrogate": (raw(name=rb'"\ud800"'), 422),
    "a lone surrogate below": (raw(more=rb',"details":{"address":"\udfff"}'), 422),
    "a lone surrogate as a member's name": (raw(more=rb',"\ud800":1'), 422),
    "a null character": (raw(name=rb'"a\u0000b"'), 422),
    "a null character below": (raw(more=rb',"details":{"address":"\u0000"}'), 422),
    "a null byte": (raw(name=b'"a\x00b"'), 400),
    "NaN": (raw(name=b"NaN"), 400),
    "infinity": (raw(name=b"-Infinity"), 400),
    "a huge number": (raw(name=b"1" + b"0" * 5_000), 400),
    "a huge exponent": (raw(name=b"1e999999999"), 422),
    "one name twice": (raw(more=b',"name":"y"'), 400),
    "one name twice below": (raw(more=b',"details":{"post":"a","post":"b"}'), 400),
    "nested without end": (b"[" * 100_000, 400),
    "nested, and closed": (raw(name=b"[" * 5_000 + b"]" * 5_000), 400),
    "objects without end": (b'{"a":' * 50_000, 400),
    "cut off": (raw()[:-3], 400),
    "two values": (raw() + raw(), 400),
    "a comment": (b"/* */" + raw(), 400),
    "xml": (b"<person/>", 400),
    "nothing": (b"", 422),
    "a megabyte of spaces": (b" " * 1_000_000 + raw(name=b"1"), 422),
}


@pytest.mark.parametrize("case", BROKEN)
def test_bytes_that_are_no_person(it: Served, case: str) -> None:
    body, expected = BROKEN[case]
    for path in (MEMBERS, "/applications", "/transfers", "/directory/searches", "/appointments"):
        answer = it.ask("POST", path, by=STEWARD, content=body, headers={"content-type": "application/json"})
        status, _ = problem(answer)
        assert status in {expected, 422 if path != MEMBERS else expected}, (path, answer.text)
        assert identity(50) not in answer.text


@pytest.mark.parametrize(
    "path", [f"/members/%00{'0' * 29}", f"/directory?org={VILLAGE}&cursor=%00", "/organisations/%ff%fe", "/%00", "/members/%ED%A0%80"]
)
def test_bytes_that_are_no_address(it: Served, path: str) -> None:
    assert problem(it.ask("GET", path))[0] in (404, 422)


def test_text_that_no_database_holds_does_not_come_in_by_a_file(it: Served) -> None:
    for name in ("a\0b", "\0", "a\u0001b", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        body = f"code,name,level,parent\n370902001009,{name},community,370902001\n".encode("utf-8", "surrogatepass")
        answer = it.ask("POST", "/imports/divisions", by=BOSS, content=body, headers={"content-type": "text/csv"})
        assert problem(answer) == (422, "divisions-unreadable"), repr(name)
    for body in (b"code,name,level,parent\n" + b'"' * 200_000, b"\x00" * 1_000, b"code,name,level,parent\n1,2", b"\xff", b""):
        answer = it.ask("POST", "/imports/divisions", by=BOSS, content=body, headers={"content-type": "text/csv"})
        assert problem(answer) == (422, "divisions-unreadable"), body[:50]


# ------------------------------------------------------------------------------------------------------- size


def test_what_is_too_much_for_a_record(it: Served, somebody: str) -> None:
    """Every field is bounded so that a record fits; nothing that passes the bounds may become a 500."""
    long = {"details": dict.fromkeys(("ethnicity", "education", "address", "employer", "post", "contract", "bank_name"), "𠮷" * 200)}
    answer = it.post(f"/members/{somebody}/corrections", {"on": TODAY, "reason": "𠮷" * 2_001} | long)
    assert problem(answer) == (422, "request-invalid")
    many = {"organisations": [f"{VILLAGE}.{number:018d}" for number in range(5_000)], "effective_on": TODAY}
    assert problem(it.post(f"/organisations/{VILLAGE}/mergers", many, by=BOSS)) == (422, "request-invalid")


def test_a_record_that_is_too_large(it: Served, somebody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request can make one today, because every field is bounded; so the bound comes down to them."""
    most = dict.fromkeys(("ethnicity", "education", "address", "employer", "post", "contract", "bank_name"), "𠮷" * 200)
    correction = {"on": TODAY, "reason": "𠮷" * 2_000, "details": most}
    with monkeypatch.context() as patched:
        patched.setattr(record, "RECORD_BYTES_MAX", 10_000)
        answer = it.post(f"/members/{somebody}/corrections", correction)
    assert problem(answer) == (413, "record-too-large")
    assert answer.json()["size"] > 10_000


def test_a_key_that_was_used_for_something_else(it: Served, members: list[str], writes: None) -> None:
    """Whether the first one is done, under way or was done long ago, the second is refused and changes nothing."""
    path, key = f"/members/{members[6]}/suspension", {"idempotency-key": "the-same"}
    body = {"on": TODAY, "reason": CANARY}
    assert it.post(path, body, headers=key).status_code == 200
    before = it.head()
    for other in (body | {"reason": "another"}, body | {"on": "2026-01-01"}):
        answer = it.post(path, other, headers=key)
        assert problem(answer) == (422, "idempotency-key-reused")
        assert CANARY not in answer.text
    assert it.post(path, body, headers=key).json()["repeated"]
    # The same key of somebody else, or at another address, is another key.
    assert it.post(path, body, headers=key, by=APPROVER).status_code == 200
    assert it.post(f"/members/{members[7]}/suspension", body, headers=key).status_code == 200
    assert it.head() == before + 1


TEN_MEGABYTES = 10 << 20


def test_ten_megabytes(it: Served) -> None:
    big = raw(name=b'"' + b"x" * TEN_MEGABYTES + b'"')
    assert problem(_sent(it, big)) == (413, "body-too-large")
    assert problem(_sent(it, iter([big[at : at + 65_536] for at in range(0, len(big), 65_536)]))) == (413, "body-too-large")
    for path in ("/directory/searches", "/appointments", "/organisations"):
        assert problem(_sent(it, big, path)) == (413, "body-too-large"), path


def _sent(it: Served, body: Any, path: str = MEMBERS) -> httpx.Response:
    return it.ask("POST", path, content=body, headers={"content-type": "application/json"})


def test_a_stranger_does_not_get_ten_megabytes_read(it: Served) -> None:
    answer = it.ask("POST", MEMBERS, by=None, content=b"x" * TEN_MEGABYTES, headers={"content-type": "application/json"})
    assert problem(answer) == (401, "token-missing")


def exchange(it: Served, head: list[str], *chunks: bytes, close: bool = True, method: str = "POST") -> bytes:
    """Speak HTTP by hand, since clients do not lie; what comes back until the other side has done."""
    address = urlsplit(it.urls["membership"])
    headers = [f"{method} {MEMBERS} HTTP/1.1", "host: x", "content-type: application/json", *head]
    headers += [f"{name}: {value}" for name, value in it.headers().items()]
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall("\r\n".join(headers).encode() + b"\r\n\r\n")
        try:
            for chunk in chunks:
                connection.sendall(chunk)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def test_lengths_that_lie(it: Served) -> None:
    body = raw()
    assert b" 413 " in exchange(it, [f"content-length: {TEN_MEGABYTES}"], body).split(b"\r\n")[0]
    # Fewer bytes than promised: the request never came to an end, so it is not one.
    assert b" 20" not in exchange(it, [f"content-length: {len(body) + 10}"], body)[:20]
    # More than promised: the rest is a request of its own, and no good one.
    answer = exchange(it, [f"content-length: {len(body) - 5}"], body)
    assert b" 400 " in answer.split(b"\r\n")[0]
    for lie in ("-1", "1e3", "0x10", "999999999999999999999999", "12, 13"):
        assert b" 20" not in exchange(it, [f"content-length: {lie}"], body)[:20], lie
    assert b" 20" not in exchange(it, ["content-length: 4", "transfer-encoding: chunked"], b"0\r\n\r\n" + body)[:20]
    endless = (b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(160))
    assert b" 413 " in exchange(it, ["transfer-encoding: chunked"], *endless).split(b"\r\n")[0]
    assert b" 20" not in exchange(it, ["transfer-encoding: chunked"], b"zz\r\n" + body)[:20]


# ------------------------------------------------------------------------------------------------------- headers


def test_keys_of_commands(it: Served, somebody: str) -> None:
    def sent(body: dict[str, Any], **headers: str) -> httpx.Response:
        return it.post(f"/members/{somebody}/suspension", body, headers=headers)

    body = {"on": TODAY, "reason": CANARY}
    without = it.headers()
    del without["idempotency-key"]
    answer = it.http.post(f"{it.urls['membership']}/members/{somebody}/suspension", json=body, headers=without)
    assert problem(answer) == (400, "idempotency-key-missing")
    for key in ("", "a b", "x" * 201):
        assert problem(sent(body, **{"idempotency-key": key})) == (400, "idempotency-key-malformed")
    for match in ("5", 'W/"5"', '"x"', '"1", "2"', '"' + "9" * 30 + '"'):
        assert problem(sent(body, **{"if-match": match})) == (400, "if-match-malformed")
    assert problem(sent(body, **{"if-match": '"7"'})) == (412, "precondition-failed")


def test_cursors_of_another_list_or_of_nobody(it: Served) -> None:
    page = it.ask("GET", f"/directory?org={VILLAGE}&limit=2").json()
    cursor = page["next"]
    assert it.ask("GET", f"/directory?org={VILLAGE}&limit=2&cursor={cursor}").status_code == 200
    flipped = ("A" if cursor[20] != "A" else "B").join((cursor[:20], cursor[21:]))
    for other in (
        f"/directory?org={TOP}&cursor={cursor}",
        f"/directory?org={VILLAGE}&status=left&cursor={cursor}",
        f"/appointments?organisation={VILLAGE}&cursor={cursor}",
        f"/directory?org={VILLAGE}&cursor={flipped}",
        f"/directory?org={VILLAGE}&cursor={cursor[:-6]}",
        f"/directory?org={VILLAGE}&cursor=",
        f"/directory?org={VILLAGE}&cursor=AAAA",
        f"/directory?org={VILLAGE}&cursor={'A' * 1_000}",
    ):
        assert problem(it.ask("GET", other)) == (422, "cursor-invalid"), other
    search = {"q": "李明", "org": VILLAGE, "cursor": cursor}
    assert problem(it.post("/directory/searches", search)) == (422, "cursor-invalid")


def test_questions_of_every_kind_are_answered(it: Served) -> None:
    for question in (
        "%",
        "_",
        "'",
        '"; drop table directory_people; --',
        "\\",
        "\U0010ffff",
        "🙂",
        "۱۲۳",
        "²³",
        "①②③④⑤",
        "ǅ",
        "ß",
        "İ",
        "\u0301",
        "\ue000",
        "+" * 50,
        "1" * 100,
        "a" * 100,
        "李" * 100,
    ):
        answer = it.post("/directory/searches", {"q": question, "org": VILLAGE})
        assert answer.status_code == 200, (question, answer.text)
        assert answer.json()["items"] == [], question


def test_files_that_are_no_rosters(it: Served, writes: None) -> None:
    """Taken in, looked over and refused as a whole, or refused at the door; in neither case is anything known of anybody."""
    for body in (b"", b"\0" * 100, b"PK\x03\x04" + b"\0" * 100, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, b"%PDF-1.4"):
        answer = it.ask("POST", f"/rosters?org={VILLAGE}", content=body, headers={"content-type": "text/csv"})
        if answer.status_code == 202:
            assert answer.json()["stage"] == "refused", answer.text
        else:
            assert problem(answer) == (422, "roster-refused"), body[:10]


def test_a_clerk_of_one_union_does_not_reach_into_another(it: Served, somebody: str) -> None:
    """By the addresses that name one union and bodies that name another."""
    assert problem(it.post(MEMBERS, person(60, organisation=NEIGHBOUR), by=CLERK)) == (403, "not-permitted")
    moved = {"organisation": NEIGHBOUR, "reason": "x", "on": TODAY}
    assert problem(it.post(f"/members/{somebody}/reinstatement", moved, by=CLERK)) == (403, "not-permitted")
    assert problem(it.post("/directory/searches", {"q": "李明", "org": TOP}, by=CLERK)) == (403, "not-permitted")
    assert problem(it.post("/directory/searches", {"q": identity(1), "org": NEIGHBOUR}, by=CLERK)) == (403, "not-permitted")
    assert it.ask("GET", f"/directory?org={VILLAGE}", by=CLERK).status_code == 200
