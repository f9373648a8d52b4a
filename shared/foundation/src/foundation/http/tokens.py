"""Signing tokens: the node's own key, the development issuer, and the credentials that services show each other (DESIGN 8)."""

import json
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from foundation import files
from foundation.clock import Clock

SERVICE_PREFIX = "service:"
OPERATOR = "node"
"""The service name under which the node itself calls."""

SERVICE_TOKEN_SECONDS = 300

_PRINCIPAL = re.compile(r"[0-9a-f]{32}|service:[a-z][a-z0-9-]{0,39}")


class PrincipalNotOpaque(ValueError):
    """A principal stands in the history for ever, so it is a random id (32 hex digits or a UUID) or `service:<name>`, never a login."""

    def __init__(self) -> None:
        super().__init__("a principal is 32 hex digits, a UUID, or service:<name>")


def principal_of(subject: object) -> str:
    """The principal that a token's `sub` stands for; a UUID in its canonical form becomes 32 hex digits. Raises PrincipalNotOpaque."""
    if isinstance(subject, str):
        if _PRINCIPAL.fullmatch(subject):
            return subject
        if len(subject) == 36:
            try:
                return UUID(subject).hex
            except ValueError:
                pass
    raise PrincipalNotOpaque


class SigningKey:
    """An Ed25519 key and its public half as a JWK; `kid` is the RFC 7638 thumbprint."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._jwk = {"crv": "Ed25519", "kty": "OKP", "x": _b64(raw)}
        self.kid = _b64(sha256(json.dumps(self._jwk, separators=(",", ":"), sort_keys=True).encode()).digest())

    @classmethod
    def at(cls, path: Path) -> "SigningKey":
        """The key in a PEM file that only its owner may read; made durable there at the first call."""
        pem = files.ensure(path, _new_pem).read_bytes()
        private = load_pem_private_key(pem, password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise TypeError(f"{path} does not hold an Ed25519 key")
        return cls(private)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public half as a JWK set (RFC 7517)."""
        return {"keys": [{**self._jwk, "kid": self.kid, "use": "sig", "alg": "EdDSA"}]}

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWT."""
        return jwt.encode(claims, self._private, algorithm="EdDSA", headers={"kid": self.kid})


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class NodeIssuer:
    """Mints tokens with the node's key: for its services, and for people where no OIDC provider is configured (development)."""

    def __init__(self, key: SigningKey, *, issuer: str, audience: str, clock: Clock) -> None:
        self._key, self._issuer, self._audience, self._clock = key, issuer, audience, clock

    def mint(self, principal: str, *, ttl_seconds: int = 3600) -> str:
        """A token for a principal. Raises PrincipalNotOpaque."""
        now = int(self._clock.now().timestamp())
        claims = {"iss": self._issuer, "aud": self._audience, "sub": principal_of(principal), "iat": now, "nbf": now}
        return self._key.sign({**claims, "exp": now + ttl_seconds, "jti": os.urandom(16).hex()})

    def service_tokens(self, service: str) -> Callable[[], str]:
        """Where a service gets the token that it shows to others: kept until half its time is over."""
        token, renew_at = "", 0.0

        def current() -> str:
            nonlocal token, renew_at
            now = self._clock.now().timestamp()
            if now >= renew_at:
                token, renew_at = self.mint(SERVICE_PREFIX + service, ttl_seconds=SERVICE_TOKEN_SECONDS), now + SERVICE_TOKEN_SECONDS / 2
            return token

        return current
