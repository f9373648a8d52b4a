"""Tokens: who is let in as whom, and everything that is not."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from foundation.clock import ManualClock
from foundation.http.auth import KeysUnavailable, StaticKeys, TokenExpired, TokenInvalid, TrustedIssuer, Verifier, keys_in
from foundation.http.tokens import NodeIssuer, PrincipalNotOpaque, SigningKey, principal_of

from .sample import CLERK, NOW, Sample

ISSUER = "urn:tongxin:node:3709"


def claims(**other: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    return {"iss": ISSUER, "aud": "tongxin", "sub": CLERK, "iat": now, "nbf": now, "exp": now + 600} | other


def unsigned(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(body).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def hostile(key: SigningKey) -> dict[str, str]:
    stranger = SigningKey(Ed25519PrivateKey.generate())
    now = int(NOW.timestamp())
    public = key._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = key.sign(claims())
    head, body, signature = good.split(".")
    return {
        "garbage": "garbage",
        "two parts": "a.b",
        "dots": "..",
        "empty": "",
        "alg none": unsigned({"alg": "none", "kid": key.kid}, claims()),
        "alg None": unsigned({"alg": "None", "kid": key.kid}, claims()),
        "no alg": unsigned({"kid": key.kid}, claims()),
        "hmac with the public key": unsigned({"alg": "HS256", "kid": key.kid}, claims(), public),
        "another key under our key id": jwt.encode(claims(), stranger._private, algorithm="EdDSA", headers={"kid": key.kid}),
        "another key": stranger.sign(claims()),
        "no signature": f"{head}.{body}.",
        "signature of another token": f"{head}.{key.sign(claims(sub='d' * 32)).split('.')[1]}.{signature}",
        "rs256 under an ed25519 key id": jwt.encode(
            claims(), rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": key.kid}
        ),
        "wrong issuer": key.sign(claims(iss="urn:elsewhere")),
        "no issuer": key.sign({k: v for k, v in claims().items() if k != "iss"}),
        "issuer of another kind": unsigned({"alg": "EdDSA"}, claims(iss=[1])),
        "wrong audience": key.sign(claims(aud="other")),
        "no expiry": key.sign({k: v for k, v in claims().items() if k != "exp"}),
        "expired": key.sign(claims(iat=now - 900, nbf=now - 900, exp=now - 300)),
        "not yet": key.sign(claims(nbf=now + 300)),
        "issued in the future": key.sign(claims(iat=now + 300)),
        "a login as subject": key.sign(claims(sub="zhang.san")),
        "a national id as subject": key.sign(claims(sub="370902198801011234")),
        "nan expiry": key.sign(claims(exp=float("nan"))),
        "too long": "x" * 9_000,
        "not ascii": "é.é.é",
        "deep json": unsigned({"alg": "EdDSA"}, {}) + "[" * 100,
    }


@pytest.mark.parametrize("case", sorted(hostile(SigningKey(Ed25519PrivateKey.generate()))))
async def test_a_bad_token_is_refused(sample: Sample, signing_key: SigningKey, case: str) -> None:
    token = hostile(signing_key)[case].encode("latin-1")
    answer = await sample.client.get("/notes/one", headers=[(b"authorization", b"Bearer " + token)])
    assert answer.status_code == 401, case
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="tongxin"')
    assert answer.json()["type"].rsplit(":", 1)[1] in {"token-invalid", "token-expired", "token-missing"}
    assert "370902198801011234" not in answer.text


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer ", "bearer"])
async def test_no_token_is_asked_for(sample: Sample, header: str | None) -> None:
    answer = await sample.client.get("/notes/one", headers={} if header is None else {"authorization": header})
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:tongxin:problem:token-missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tongxin"'


async def test_a_remembered_token_still_expires(sample: Sample) -> None:
    headers = {"authorization": f"Bearer {sample.issuer.mint(CLERK, ttl_seconds=40)}"}
    assert (await sample.client.get("/notes/one", headers=headers)).status_code == 200
    sample.clock.advance(timedelta(seconds=69))  # within the leeway of 30 s
    assert (await sample.client.get("/notes/one", headers=headers)).status_code == 200
    sample.clock.advance(timedelta(seconds=1))
    answer = await sample.client.get("/notes/one", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:tongxin:problem:token-expired")


def issuer(private: Any, algorithm: str, name: str) -> tuple[TrustedIssuer, str]:
    jwk = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key()))
    keys = StaticKeys({"keys": [{**jwk, "kid": "k", "alg": algorithm}]})
    return TrustedIssuer(name, "tongxin", keys), jwt.encode(claims(iss=name), private, algorithm=algorithm, headers={"kid": "k"})


async def test_the_allowed_algorithms_of_an_oidc_provider() -> None:
    for private, algorithm in ((rsa.generate_private_key(65537, 2048), "RS256"), (ec.generate_private_key(ec.SECP256R1()), "ES256")):
        trusted, token = issuer(private, algorithm, "https://login.example")
        assert await Verifier([trusted], ManualClock(NOW)).principal(token.encode()) == CLERK


async def test_a_provider_does_not_vouch_for_services_nor_for_another_issuer(signing_key: SigningKey) -> None:
    trusted, _ = issuer(rsa.generate_private_key(65537, 2048), "RS256", "https://login.example")
    node = TrustedIssuer(ISSUER, "tongxin", StaticKeys(signing_key.jwks), people=False, services=True)
    verifier = Verifier([trusted, node], ManualClock(NOW))
    assert await verifier.principal(signing_key.sign(claims(sub="service:assistance")).encode()) == "service:assistance"
    for sub, name in (("service:assistance", "https://login.example"), (CLERK, ISSUER)):
        with pytest.raises(TokenInvalid):
            await verifier.principal(signing_key.sign(claims(iss=name, sub=sub)).encode())


async def test_keys_in_a_file_are_read_again_when_a_key_is_new(tmp_path: Path, signing_key: SigningKey) -> None:
    path, now = tmp_path / "jwks.json", 0.0
    keys = keys_in(path, lambda: now)
    with pytest.raises(KeysUnavailable):
        await keys.key(signing_key.kid)
    path.write_text(json.dumps(SigningKey(Ed25519PrivateKey.generate()).jwks))
    now = 11.0
    assert await keys.key(signing_key.kid) is None
    path.write_text(json.dumps(signing_key.jwks))
    assert await keys.key(signing_key.kid) is None, "not asked again at once"
    now = 22.0
    assert await keys.key(signing_key.kid) is not None
    path.write_text("broken")
    now = 1_000.0
    assert await keys.key(signing_key.kid) is not None, "the last good set is kept"


async def test_a_nodes_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first, second = SigningKey.at(tmp_path / "node.pem"), SigningKey.at(tmp_path / "node.pem")
    assert first.kid == second.kid
    assert (tmp_path / "node.pem").stat().st_mode & 0o077 == 0


async def test_service_tokens_are_kept_until_half_their_time_is_over(signing_key: SigningKey) -> None:
    clock = ManualClock(NOW)
    token = NodeIssuer(signing_key, issuer=ISSUER, audience="tongxin", clock=clock).service_tokens("assistance")
    first = token()
    clock.advance(timedelta(seconds=149))
    assert token() == first
    clock.advance(timedelta(seconds=1))
    assert token() != first
    verifier = Verifier([TrustedIssuer(ISSUER, "tongxin", StaticKeys(signing_key.jwks), services=True)], clock)
    clock.advance(timedelta(seconds=181))
    with pytest.raises(TokenExpired):
        await verifier.principal(first.encode())


def test_a_uuid_stands_for_the_same_principal_as_its_digits() -> None:
    assert principal_of("cccccccc-cccc-cccc-cccc-cccccccccccc") == CLERK
    for login in ("zhang", "C" * 32, "service:", "service:UPPER", "", None, 7, "c" * 33):
        with pytest.raises(PrincipalNotOpaque):
            principal_of(login)
