"""A service's problem, as whoever runs `tongxin` reads it."""

import httpx
import pytest
from foundation.http.faults import field_error
from foundation.http.problems import RequestInvalid, problem
from foundation.http.waiting import SourceUnknown
from node.access import Caller
from node.errors import Refused
from node.topology import service


def asked(answer: httpx.Response) -> str:
    """What is said where a service answers so."""
    with httpx.Client(base_url="http://service", transport=httpx.MockTransport(lambda _: answer)) as client:
        with pytest.raises(Refused) as refused:
            Caller(service("membership"), client).get("/somewhere")
        return str(refused.value)


def test_a_problem_is_told_in_chinese_with_the_english_beside() -> None:
    answer = problem(SourceUnknown(follows=["membership", "rights"]))
    assert asked(httpx.Response(422, content=bytes(answer.body))) == (
        "membership: 本服务只跟随：membership、rights。 (This service follows only: membership, rights.)"
    )


def test_so_are_the_faults_of_a_request() -> None:
    fault = field_error({"loc": ("body", "name"), "msg": "Field required", "type": "missing"})
    told = asked(httpx.Response(422, content=bytes(problem(RequestInvalid(errors=[fault])).body)))
    assert told.endswith(" (/name: 缺少此项。 (Field required))")


def test_what_is_no_problem_document_is_told_by_its_status() -> None:
    assert asked(httpx.Response(502, content=b"<html>")) == "membership: status 502"
