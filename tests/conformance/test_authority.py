"""Every route, asked by everybody who may not: other unions' staff, those whose time is over or yet to come, strangers, forged tokens."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from foundation.http.tokens import SigningKey

from tests.support import Midday

from ..end_to_end.running_node import BOSS
from .routes import FILTERED, KNOWN_TO_ALL, OPEN, PUBLIC, WITNESS, Route, routes
from .served import (
    AGENCY,
    FORMER,
    FORMER_ADMIN,
    GONE,
    NOBODY,
    ORPHAN,
    OUTSIDE_ADMIN,
    OUTSIDER,
    STEWARD,
    TO_COME,
    TODAY,
    VILLAGE,
    Served,
    appoint,
    person,
    problem,
    until,
)

STRANGERS = (OUTSIDER, OUTSIDE_ADMIN, FORMER, FORMER_ADMIN, TO_COME, ORPHAN, AGENCY, NOBODY)
PEOPLES_SERVICES = ("service:training",)
"""Another service of the node: it may read histories, and do nothing that people do."""

READ_BY_SERVICES = ("/history", "/log", "/streams", "/followed", "/operation/digests")
"""Histories as they stand, sealed, and what follows from them: every service of the node follows every other one."""


@pytest.fixture(scope="module")
def every(it: Served) -> list[Route]:
    return routes(it)


def test_the_list_of_routes_is_whole(it: Served, every: list[Route]) -> None:
    for service, running in it.node.services.items():
        documented = {
            (method.upper(), template) for template, operations in running.http.openapi()["paths"].items() for method in operations
        }
        assert {(route.method, route.template) for route in every if route.service == service} >= documented - {("GET", "/openapi.json")}


def test_nobody_reads_or_changes_what_is_not_theirs(it: Served, every: list[Route]) -> None:
    heads = {service: it.head(service) for service in it.urls}
    for route in every:
        if route.template in OPEN | PUBLIC:
            assert route.send(it, None).status_code == 200, route
            continue
        if route.template == WITNESS:  # whose checkpoint it is says its signature
            assert problem(route.send(it, None)) == (404, "log-unknown"), route
            continue
        assert problem(route.send(it, None)) == (401, "token-missing"), route
        for who in (*STRANGERS, *PEOPLES_SERVICES):
            answer = route.send(it, who)
            if route.template in KNOWN_TO_ALL:
                assert answer.status_code == 200, (route, who)
            elif route.template == FILTERED:
                assert answer.json() == [], (route, who)
            elif not (route.template.startswith(READ_BY_SERVICES) and who in PEOPLES_SERVICES):
                assert problem(answer) == (403, "not-permitted"), (route, who, answer.text)
    assert {service: it.head(service) for service in it.urls} == heads


def test_who_may_is_let_in_everywhere(it: Served, every: list[Route]) -> None:
    """Otherwise the refusals above would say nothing. Changes the node: nothing above may come after it."""
    for route in every:
        answer = route.send(it, route.by)
        assert answer.status_code not in (401, 403), (route, answer.text)
        if answer.status_code >= 400:
            assert problem(answer)[0] in (404, 409, 422), (route, answer.text)
    roster = next(route for route in every if route.template == "/rosters/{roster}")
    until(lambda: roster.send(it, STEWARD).json()["stage"] == "applied")
    for carried_out in (route for route in every if route.template == "/operation/erasures/{subject}"):
        until(lambda ask=carried_out: ask.send(it, ask.by).json().get("carried_out", False))  # type: ignore[misc]  # bound now


def test_nothing_more_happens_in_a_dissolved_union(it: Served) -> None:
    before = it.head()
    for who in (STEWARD, ORPHAN):
        assert problem(it.post("/members", person(120, organisation=GONE), by=who)) == (409, "organisation-ended")
        csv = it.ask("POST", f"/rosters?org={GONE}", by=who, content=b"x,y\n", headers={"content-type": "text/csv"})
        assert problem(csv) == (409, "organisation-ended")
    appointed = {"principal": NOBODY, "organisation": GONE, "role": "clerk", "valid_from": TODAY}
    assert problem(it.post("/appointments", appointed, by=BOSS)) == (409, "organisation-ended")
    founded = {"organisation": f"{GONE}.A", "name": "组", "kind": "group", "level": "group", "parent": GONE, "effective_on": TODAY}
    assert problem(it.post("/organisations", founded, by=BOSS)) == (409, "organisation-ended")
    assert it.head() == before


def test_an_appointment_that_ends_today_is_over_today(it: Served) -> None:
    who = "77" * 16
    post = appoint(it, who, "clerk", VILLAGE)
    assert it.ask("GET", f"/directory?org={VILLAGE}", by=who).status_code == 200
    it.accepted(f"/staff/{who}/appointments/{post}/end", {"valid_until": TODAY}, by=BOSS)
    until(lambda: it.ask("GET", f"/directory?org={VILLAGE}", by=who).status_code == 403)


# --------------------------------------------------------------------------------------------------------------- tokens


def _bad_tokens(it: Served) -> dict[str, str]:
    key, stranger = it.node.key, SigningKey(Ed25519PrivateKey.generate())
    now = int(Midday().now().timestamp())
    good: dict[str, Any] = {"iss": "urn:tongxin:node:3709", "aud": "tongxin", "sub": STEWARD, "iat": now, "nbf": now, "exp": now + 600}
    signed = key.sign(good)
    head, body, signature = signed.split(".")

    def plain(header: dict[str, Any], signature: str = "") -> str:
        return ".".join([*(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (header, good)), signature])

    return {
        "none": plain({"alg": "none"}),
        "none, with our key id": plain({"alg": "none", "kid": key.kid}),
        "an hmac": jwt.encode(good, "s" * 32, algorithm="HS256", headers={"kid": key.kid}),
        "expired": key.sign(good | {"iat": now - 900, "nbf": now - 900, "exp": now - 60}),
        "not yet": key.sign(good | {"nbf": now + 120}),
        "issued tomorrow": key.sign(good | {"iat": now + 86_400}),
        "another issuer": key.sign(good | {"iss": "urn:tongxin:node:3701"}),
        "another audience": key.sign(good | {"aud": "elsewhere"}),
        "another key": stranger.sign(good),
        "another key under our id": jwt.encode(good, stranger._private, algorithm="EdDSA", headers={"kid": key.kid}),
        "no signature": f"{head}.{body}.",
        "a tampered signature": f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "a tampered body": f"{head}.{key.sign(good | {'sub': BOSS}).split('.')[1]}.{signature}",
        "a name as subject": key.sign(good | {"sub": "王金丝雀"}),
        "nothing in it": "..",
        "no token at all": "é" * 40,
        "a long one": "x" * 9_000,
    }


def test_a_token_that_does_not_hold_opens_nothing(it: Served) -> None:
    before = it.head()
    for name, token in _bad_tokens(it).items():
        for service, path in (("membership", f"/directory?org={VILLAGE}"), ("assistance", f"/people/{'0' * 32}/eligibility")):
            headers = [(b"authorization", b"Bearer " + token.encode("latin-1", "replace"))]
            answer = it.http.get(it.urls[service] + path, headers=headers)
            status, kind = problem(answer)
            assert (status, kind.startswith("token-")) == (401, True), (name, answer.text)
            assert answer.headers["www-authenticate"].startswith("Bearer ")
            assert "金丝雀" not in answer.text
        headers.append((b"idempotency-key", b"k"))
        assert it.http.post(it.urls["membership"] + "/members", json=person(121), headers=headers).status_code == 401, name
    assert it.head() == before
