"""What a service answers to requests, good and hostile."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from contracts.values import ValueRefused
from foundation.http.faults import field_error
from foundation.http.problems import TYPE_PREFIX

from .sample import CLERK, NOTE, STRANGER, TWO_POSTS, Sample

WRITE = "/units/370902/notes/one/text"


def kind(answer) -> str:  # type: ignore[no-untyped-def]
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["trace"] == answer.headers["trace-id"]
    return str(document["type"].removeprefix(TYPE_PREFIX))


async def write(sample: Sample, text: str = "hello", *, key: str = "k1", who: str = CLERK, path: str = WRITE, **headers: str):  # type: ignore[no-untyped-def]
    return await sample.client.post(path, json={"text": text}, headers=sample.headers(who, idempotency_key=key, **headers))


async def test_a_command_answers_with_version_and_position(sample: Sample) -> None:
    answer = await write(sample)
    assert answer.status_code == 200
    assert answer.json() == {"stream": "note-one", "version": 1, "position": "notes:0", "repeated": False}
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["position"] == "notes:0"


async def test_the_same_key_gets_the_first_answer_and_another_body_is_refused(sample: Sample) -> None:
    first = await write(sample)
    assert (await write(sample, "more", key="k2")).json()["version"] == 2
    again = await write(sample)
    assert again.json() == {**first.json(), "repeated": True}
    other = await write(sample, "other")
    assert (other.status_code, kind(other)) == (422, "idempotency-key-reused")
    # The key belongs to its principal and its path.
    assert (await write(sample, "other", path="/units/370902/notes/two/text")).status_code == 200


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, "idempotency-key-missing"),
        ("", "idempotency-key-malformed"),
        ("x" * 201, "idempotency-key-malformed"),
        ("a b", "idempotency-key-malformed"),
    ],
)
async def test_a_command_needs_a_usable_key(sample: Sample, key: str | None, expected: str) -> None:
    headers = sample.headers() if key is None else sample.headers(idempotency_key=key)
    answer = await sample.client.post(WRITE, json={"text": "x"}, headers=headers)
    assert (answer.status_code, kind(answer)) == (400, expected)


async def test_if_match_holds_the_version_seen(sample: Sample) -> None:
    await write(sample)
    stale = await write(sample, "new", key="k2", if_match='"0"')
    assert (stale.status_code, kind(stale)) == (412, "precondition-failed")
    assert (await write(sample, "new", key="k3", if_match='"1"')).headers["etag"] == '"2"'
    assert (await write(sample, "newer", key="k4", if_match="*")).status_code == 200
    weak = await write(sample, "x", key="k5", if_match='W/"1"')
    assert (weak.status_code, kind(weak)) == (400, "if-match-malformed")


async def test_a_refusal_says_which_rule(sample: Sample) -> None:
    await write(sample, "locked")
    answer = await write(sample, "x", key="k2")
    assert (answer.status_code, kind(answer)) == (409, "note-locked")
    document = answer.json()
    assert (document["title"], document["detail"]) == ("便笺已锁定", "此便笺已锁定，不能更改。")
    assert document["en"] == {"title": "Note locked", "detail": "This note is locked."}
    assert answer.headers["content-language"] == "zh-CN, en"


# ------------------------------------------------------------------------------------------------------ who may


async def test_a_stranger_may_not(sample: Sample) -> None:
    answer = await write(sample, who=STRANGER)
    assert (answer.status_code, kind(answer)) == (403, "not-permitted")


async def test_another_units_notes_are_out_of_reach(sample: Sample) -> None:
    answer = await write(sample, path="/units/51/notes/one/text")
    assert (answer.status_code, kind(answer)) == (403, "not-permitted")


async def test_two_posts_have_to_say_which(sample: Sample) -> None:
    answer = await write(sample, who=TWO_POSTS)
    assert (answer.status_code, kind(answer)) == (400, "acting-as-needed")
    assert [post["grant"] for post in answer.json()["posts"]] == ["g-one", "g-two"]
    assert (await write(sample, who=TWO_POSTS, acting_as="g-one")).status_code == 200
    assert (await write(sample, who=TWO_POSTS, acting_as="g-clerk", key="k2")).status_code == 403
    # Only one of the two qualifies there.
    assert (await write(sample, who=TWO_POSTS, key="k3", path="/units/370911/notes/two/text")).status_code == 200


async def test_money_fails_closed_on_an_old_view(sample: Sample) -> None:
    assert (await sample.client.post("/money", headers=sample.headers())).status_code == 200
    sample.age[0] = 11
    answer = await sample.client.post("/money", headers=sample.headers())
    assert (answer.status_code, kind(answer), answer.headers["retry-after"]) == (503, "authority-stale", "5")
    # Not having looked for that long is the same as having heard nothing.
    sample.age[0] = 0
    sample.clock.advance(timedelta(seconds=11))
    assert (await sample.client.post("/money", headers=sample.headers())).status_code == 503


async def test_a_command_without_a_check_does_not_get_through(sample: Sample) -> None:
    answer = await sample.client.post("/unchecked/one", headers=sample.headers(idempotency_key="k"))
    assert (answer.status_code, kind(answer)) == (500, "internal-error")
    assert (await sample.application.state(NOTE, "one"))[1] == 0


# ------------------------------------------------------------------------------------------------- hostile input


async def test_no_answer_quotes_what_was_sent(sample: Sample) -> None:
    body = {"text": ["370902198801011234"], "身份证": "张三", "tags": [{"name": "张三" * 20, "weight": "13800138000"}]}
    answer = await sample.client.post(WRITE, json=body, headers=sample.headers())
    assert (answer.status_code, kind(answer)) == (422, "request-invalid")
    assert "370902198801011234" not in answer.text
    assert "13800138000" not in answer.text
    assert "张三" not in answer.text
    faults = {(fault["in"], fault["pointer"]): fault["type"] for fault in answer.json()["errors"]}
    assert faults["body", "/text"] == "string_type"
    assert faults["body", "/…"] == "extra_forbidden"
    assert faults["body", "/tags/0/name"] == "string_too_long"


def test_a_validator_that_quotes_its_input_is_not_passed_on() -> None:
    fault = {
        "loc": ("body", "number"),
        "msg": "Value error, 370902198801011234 fails its check",
        "input": "370902198801011234",
        "type": "value_error",
    }
    place = {"in": "body", "pointer": "/number", "type": "value_error"}
    assert field_error(fault) == place | {"message": "内容不符合要求。", "en": "The value is not valid."}
    assert field_error({**fault, "msg": "Value error, the check digit does not fit"})["en"] == "Value error, the check digit does not fit"


def test_a_value_is_refused_in_the_words_of_its_rule() -> None:
    refused = ValueRefused("name-length", most=100)
    found = field_error({"loc": ("body", "name"), "msg": f"Value error, {refused}", "type": "value_error", "ctx": {"error": refused}})
    assert (found["message"], found["en"]) == ("姓名应为 1 至 100 个字符。", "A name has 1 to 100 characters.")


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "\xff\xfe"}',
        b'{"text": "a", "text": "b"}',
        b'{"text": NaN}',
        b'{"text": "a"',
        b'{"text": "a"}}',
        b"\x00",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"text": ' + b"9" * 5_000 + b"}",
        "\ufeff{}".encode(),
        '{"text": "x"}'.encode("utf-16"),
    ],
)
async def test_what_is_not_json_is_said_to_be_so(sample: Sample, body: bytes) -> None:
    answer = await sample.client.post(WRITE, content=body, headers=sample.headers(content_type="application/json", idempotency_key="k"))
    assert (answer.status_code, kind(answer)) == (400, "body-malformed")


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\u0000"'])
async def test_text_that_no_record_can_hold_is_refused(sample: Sample, text: str) -> None:
    answer = await sample.client.post(
        WRITE, content=f'{{"text": {text}}}'.encode(), headers=sample.headers(content_type="application/json", idempotency_key="k")
    )
    assert (answer.status_code, kind(answer)) == (422, "request-invalid")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/json; charset=gbk", "multipart/form-data", ""])
async def test_another_media_type_is_refused(sample: Sample, content_type: str) -> None:
    answer = await sample.client.post(WRITE, content=b'{"text": "x"}', headers=sample.headers(content_type=content_type))
    assert (answer.status_code, kind(answer)) == (415, "media-type-unsupported")


async def test_an_empty_body_is_missing(sample: Sample) -> None:
    answer = await sample.client.post(WRITE, headers=sample.headers())
    assert (answer.status_code, kind(answer)) == (422, "request-invalid")


async def test_what_cannot_be_accepted_is_said(sample: Sample) -> None:
    answer = await sample.client.get("/notes/one", headers=sample.headers(accept="text/html"))
    assert (answer.status_code, kind(answer)) == (406, "not-acceptable")
    assert (await sample.client.get("/notes/one", headers=sample.headers(accept="text/html, */*;q=0.1"))).status_code == 200


async def chunks(count: int, size: int = 65_536) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_ten_megabytes_are_refused_while_they_stream(sample: Sample) -> None:
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        async for chunk in chunks(160):
            taken += len(chunk)
            yield chunk

    answer = await sample.client.post(WRITE, content=body(), headers=sample.headers(content_type="application/json"))
    assert (answer.status_code, kind(answer)) == (413, "body-too-large")
    assert answer.headers["connection"] == "close"
    assert answer.json()["limit"] == 1 << 20


async def test_an_announced_length_is_enough_to_refuse(sample: Sample) -> None:
    headers = sample.headers(content_type="application/json", content_length="10485760")
    answer = await sample.client.post(WRITE, content=b"{}", headers=headers)
    assert (answer.status_code, kind(answer)) == (413, "body-too-large")


async def test_a_route_may_take_more(sample: Sample) -> None:
    assert (await sample.client.post("/upload", content=chunks(40))).json() == 40 * 65_536
    answer = await sample.client.post("/upload", content=chunks(60))
    assert (answer.status_code, kind(answer)) == (413, "body-too-large")


async def test_a_body_may_come_in_pieces_and_is_handled_only_when_it_is_whole(sample: Sample) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"text": '
        yield b'"hello"}'

    headers = sample.headers(content_type="application/json", idempotency_key="k1")
    assert (await sample.client.post(WRITE, content=pieces(), headers=headers)).json()["version"] == 1

    messages = [{"type": "http.request", "body": b'{"text": "x"}', "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in {**headers, "idempotency-key": "k2"}.items()]
    scope = {"type": "http", "method": "POST", "path": WRITE, "query_string": b"", "headers": raw}
    await sample.http(scope, receive, send)
    assert (messages, sent) == ([], [])  # who hung up hears nothing
    assert (await sample.client.get("/notes/one", headers=headers)).json()["text"] == "hello"


async def test_of_a_header_that_comes_twice_the_first_counts(sample: Sample) -> None:
    headers = [*sample.headers(idempotency_key="k1").items(), ("idempotency-key", "k2")]
    assert (await sample.client.post(WRITE, json={"text": "x"}, headers=headers)).json()["repeated"] is False
    first = await write(sample, "x", key="k1")
    assert (first.status_code, first.json()["repeated"]) == (200, True)


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/nothing", 404, "no-such-resource"),
        ("GET", "/notes/", 404, "no-such-resource"),
        ("DELETE", "/notes/one", 405, "method-not-allowed"),
        ("GET", "/notes/UPPER", 422, "request-invalid"),
        ("GET", "/notes/%E5%BC%A0", 422, "request-invalid"),
        ("GET", "/notes/%ff", 422, "request-invalid"),
        ("GET", "/notes/%00", 422, "request-invalid"),
        ("GET", "/notes?limit=1&q=%00", 422, "request-invalid"),
        ("GET", "/notes?limit=201", 422, "request-invalid"),
        ("GET", "/notes?cursor=AAAA", 422, "cursor-invalid"),
        ("GET", "/notes?cursor=%E5%BC%A0", 422, "cursor-invalid"),
        ("GET", "/notes/one?at_least=notes", 422, "request-invalid"),
        ("GET", "/notes/one?at_least=elsewhere:3", 422, "source-unknown"),
        ("GET", "/notes/one?at_least=notes:3", 503, "not-reached"),
    ],
)
async def test_every_error_is_a_problem(sample: Sample, method: str, path: str, status: int, expected: str) -> None:
    answer = await sample.client.request(method, path, headers=sample.headers())
    assert (answer.status_code, kind(answer)) == (status, expected)
    if status == 405:
        assert answer.headers["allow"] == "GET"


async def test_a_bug_says_nothing_but_its_trace(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    answer = await sample.client.get("/bug", headers={"traceparent": f"00-{'ab' * 16}-{'12' * 8}-01"})
    assert (answer.status_code, kind(answer)) == (500, "internal-error")
    assert answer.json()["trace"] == "ab" * 16
    assert "张三" not in answer.text
    assert "1234" not in answer.text
    assert b"tongxin_bugs_total 1.0" in sample.metrics.exposition()


@pytest.mark.parametrize("traceparent", ["", "00-zz-12-01", f"00-{'0' * 32}-{'12' * 8}-01", "x" * 9_000, f"00-{'AB' * 16}-{'12' * 8}-01"])
async def test_a_broken_traceparent_starts_a_new_trace(sample: Sample, traceparent: str) -> None:
    answer = await sample.client.get("/notes/one", headers=sample.headers(traceparent=traceparent))
    assert answer.status_code == 200
    assert len(answer.headers["trace-id"]) == 32


async def test_pages_join_up(sample: Sample) -> None:
    seen: list[int] = []
    path: str | None = "/notes?limit=30"
    while path is not None:
        page = (await sample.client.get(path, headers=sample.headers())).json()
        seen += page["items"]
        path = f"/notes?limit=30&cursor={page['next']}" if page["next"] else None
    assert seen == list(range(100))


async def test_a_query_sees_the_write_it_names(sample: Sample) -> None:
    position = (await write(sample)).headers["position"]
    answer = await sample.client.get(f"/notes/one?at_least={position}", headers=sample.headers())
    assert json.loads(answer.text) == {"note": "one", "text": "hello"}


async def test_requests_are_measured_by_template(sample: Sample) -> None:
    await write(sample)
    await sample.client.get("/nothing/张三")
    text = sample.metrics.exposition().decode()
    assert 'route="/units/{unit}/notes/{note}/text"' in text
    assert 'route="(no route)",status="404"' in text.replace('method="GET",', "")
    assert "张三" not in text
