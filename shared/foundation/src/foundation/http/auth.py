"""Who is calling: JWTs of trusted issuers, verified once and remembered briefly (RFC 8725 is the checklist)."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import httpx
import jwt
from jwt import PyJWK, PyJWKSet
from jwt.types import Options

from foundation.clock import Clock
from foundation.decider import Refusal
from foundation.http.tokens import SERVICE_PREFIX, PrincipalNotOpaque, principal_of

ALGORITHMS = ("EdDSA", "ES256", "RS256")
LEEWAY_SECONDS = 30
TOKEN_BYTES_MAX = 8_192
REMEMBERED_MAX = 10_000
REMEMBERED_SECONDS = 60
KEYS_FRESH_SECONDS = 300
KEYS_ASKED_AGAIN_SECONDS = 10
"""An unknown key id makes the set be read again, but not more often than this."""


class Unauthenticated(Refusal):
    """No token, or one that does not hold."""

    status = 401

    def __init__(self, why: str = "detail", /, *, error: str = "invalid_token") -> None:
        super().__init__(why)
        # RFC 6750, 3: without any credentials the challenge carries no error.
        self.headers = {"www-authenticate": f'Bearer realm="tongxin"{f", error={chr(34)}{error}{chr(34)}" if error else ""}'}


class TokenMissing(Unauthenticated):
    """The request carries no bearer token."""

    def __init__(self) -> None:
        super().__init__(error="")


class TokenInvalid(Unauthenticated):
    """The token is malformed, of an issuer or for an audience that does not count here, or its signature does not fit."""


class TokenExpired(Unauthenticated):
    """The token's time is over, or has not begun."""


class KeysUnavailable(Exception):
    """An issuer's keys cannot be read now."""


class KeySet(Protocol):
    """An issuer's public keys."""

    async def key(self, kid: str | None) -> PyJWK | None:
        """The key of that id (None: the only one there is), or None. Raises KeysUnavailable."""
        ...


class StaticKeys:
    """A key set that never changes: the node's own."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._keys = PyJWKSet.from_dict(dict(jwks)).keys

    async def key(self, kid: str | None) -> PyJWK | None:
        return _chosen(self._keys, kid)


class FetchedKeys:
    """A key set at an address or in a file, read again when it is old or a key id is new. The last good set is kept while it cannot be."""

    def __init__(self, read: Callable[[], "Any"], monotonic: Callable[[], float]) -> None:
        self._read, self._monotonic = read, monotonic
        self._keys: Sequence[PyJWK] = ()
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    async def key(self, kid: str | None) -> PyJWK | None:
        now = self._monotonic()
        found = _chosen(self._keys, kid)
        wanted = found is None or now - self._read_at > KEYS_FRESH_SECONDS
        if wanted and now - self._tried_at > KEYS_ASKED_AGAIN_SECONDS:
            self._tried_at = now
            try:
                self._keys = PyJWKSet.from_dict(await self._read()).keys
                self._read_at = now
            except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as error:
                if not self._keys:
                    raise KeysUnavailable(str(type(error).__name__)) from error
            found = _chosen(self._keys, kid)
        return found


def keys_at(url: str, client: httpx.AsyncClient, monotonic: Callable[[], float]) -> FetchedKeys:
    """The keys of an OIDC provider's `jwks_uri`."""

    async def read() -> Any:
        answer = await client.get(url, timeout=5)
        answer.raise_for_status()
        return answer.json()

    return FetchedKeys(read, monotonic)


def keys_in(path: Path, monotonic: Callable[[], float]) -> FetchedKeys:
    """The keys in a JWKS file; a file that is put in its place is noticed within minutes, or when a token names a new key."""

    async def read() -> Any:
        return json.loads(path.read_bytes())  # noqa: ASYNC240 - a kilobyte, every few minutes

    return FetchedKeys(read, monotonic)


def _chosen(keys: Sequence[PyJWK], kid: str | None) -> PyJWK | None:
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == kid), None)


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Whose tokens count, for which audience, and for whom: an OIDC provider vouches for people, the node's key for services."""

    name: str
    audience: str
    keys: KeySet
    people: bool = True
    services: bool = False


class Verifier:
    """Turns bearer tokens into principals. A verified token is remembered by its hash, never beyond its expiry."""

    def __init__(self, issuers: Sequence[TrustedIssuer], clock: Clock) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    async def principal(self, token: bytes) -> str:
        """The principal a token stands for. Raises TokenInvalid, TokenExpired, KeysUnavailable."""
        if len(token) > TOKEN_BYTES_MAX:
            raise TokenInvalid("long")
        fingerprint = sha256(token).digest()
        now = self._clock.now().timestamp()
        known = self._remembered.get(fingerprint)
        if known is not None:
            if now < known[1]:
                return known[0]
            del self._remembered[fingerprint]
        principal, expires_at = await self._verify(token, now)
        self._remembered[fingerprint] = (principal, min(expires_at, now + REMEMBERED_SECONDS))
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return principal

    async def _verify(self, token: bytes, now: float) -> tuple[str, float]:
        try:
            header = jwt.get_unverified_header(token)
            # Only to choose the keys: every claim counts once the signature is checked against them.
            issuer = self._issuers.get(jwt.decode_complete(token, options={"verify_signature": False})["payload"].get("iss"))
            key = await issuer.keys.key(header.get("kid")) if issuer and header.get("alg") in ALGORITHMS else None
            if issuer is None or key is None or key.algorithm_name != header["alg"]:
                raise TokenInvalid("issuer")
            # The times are checked below, by the clock that everything here goes by.
            own: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["iss", "aud", "sub", "exp", "iat"]}
            claims = jwt.decode(token, key, algorithms=[header["alg"]], audience=issuer.audience, issuer=issuer.name, options=own)
            principal = principal_of(claims["sub"])
            expires_at, starts_at = float(claims["exp"]), float(max(claims.get("nbf", 0), claims["iat"]))
        except (jwt.PyJWTError, PrincipalNotOpaque, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise TokenInvalid() from error
        if not (issuer.services if principal.startswith(SERVICE_PREFIX) else issuer.people):
            raise TokenInvalid("principal")
        if not now < expires_at + LEEWAY_SECONDS:  # written so that a NaN has expired
            raise TokenExpired()
        if not now >= starts_at - LEEWAY_SECONDS:
            raise TokenExpired("early")
        return principal, expires_at + LEEWAY_SECONDS
