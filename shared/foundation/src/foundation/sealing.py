"""Sealing one value under one key, and opening it again (DESIGN 3; formats in docs/decisions/0001-record-format.md).

Pure: keys and randomness come in from outside. AES-256-GCM (NIST SP 800-38D); the commitment is an HMAC-SHA-256 whose salt lies
inside the ciphertext, so one field can be opened to a third party without giving its key away.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from functools import lru_cache
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16
RANDOM_BYTES = NONCE_BYTES + SALT_BYTES
_NONCE_LETTERS = NONCE_BYTES * 4 // 3
PADDING_BYTES = 16
"""Values are padded to a multiple of this, so that a ciphertext's length says little about a name's."""


class SealBroken(ValueError):
    """A sealed value does not open under its key, or opens to something its commitment does not hold."""


_TO_URL = bytes.maketrans(b"+/", b"-_")
# Of padding too: the strict decoder skips it at the front and behind a whole group.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")


def b64(raw: bytes) -> str:
    """Unpadded base64url (RFC 4648, 5)."""
    return b2a_base64(raw, newline=False).translate(_TO_URL, b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """The bytes of unpadded base64url, and of no other spelling of them. Raises ValueError."""
    raw = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4), strict_mode=True)
    loose = len(raw) % 3
    if loose and not text.endswith(b64(raw[-loose:])):  # else several last letters would stand for the same bytes
        raise ValueError("not unpadded base64url")
    return raw


def framed(*parts: str) -> bytes:
    """The parts in UTF-8, each behind its length in two bytes, so that no two lists of parts give the same bytes."""
    return b"".join([len(raw).to_bytes(2, "big") + raw for raw in map(str.encode, parts)])


# A program knows some hundreds of sealed fields; their frames would otherwise be built anew for every value.
_field = lru_cache(maxsize=4_096)(framed)


def commitment(salt: bytes, type: str, path: str, value: bytes) -> bytes:
    """HMAC-SHA-256(salt, framed(type, path) ‖ value), where value is its JSON bytes."""
    return hmac_digest(salt, _field(type, path) + value, "sha256")


def _associated(event: str, stream: str, type: str, path: str, kid: str) -> bytes:
    # framed(event, stream, type, path, kid), spelled out because it is made for every value.
    place, where, key = event.encode(), stream.encode(), kid.encode()
    return b"".join(
        (
            *(len(place).to_bytes(2, "big"), place, len(where).to_bytes(2, "big"), where),
            *(_field(type, path), len(key).to_bytes(2, "big"), key),
        )
    )


def _padded(raw: bytes) -> bytes:
    return raw + b"\x80" + b"\x00" * (-(len(raw) + 1) % PADDING_BYTES)


def seal(*, key: AESGCM, kid: str, event: str, stream: str, type: str, path: str, value: Any, random: bytes) -> dict[str, str]:
    """The sealed form of one JSON value; `random` is RANDOM_BYTES fresh random bytes.

    Raises TypeError where the value is not JSON, ValueError where `random` is too short or long.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"sealing takes {RANDOM_BYTES} random bytes, not {len(random)}")
    nonce, salt = random[:NONCE_BYTES], random[NONCE_BYTES:]
    raw = orjson.dumps(value)
    return {
        "kid": kid,
        "nonce": b64(nonce),
        "ciphertext": b64(key.encrypt(nonce, salt + _padded(raw), _associated(event, stream, type, path, kid))),
        "commitment": b64(commitment(salt, type, path, raw)),
    }


def open_raw(*, key: AESGCM, sealed: Mapping[str, str], event: str, stream: str, type: str, path: str) -> tuple[bytes, bytes]:
    """The value's JSON bytes and the salt: what is handed to somebody who has no key, to hold against the commitment.

    Raises SealBroken.
    """
    try:
        nonce = sealed["nonce"]
        if len(nonce) != _NONCE_LETTERS:
            raise ValueError(f"a nonce has {_NONCE_LETTERS} letters, not {len(nonce)}")
        both = unb64(nonce + sealed["ciphertext"])  # in one go: the nonce's letters stand for whole bytes
        plain = key.decrypt(both[:NONCE_BYTES], both[NONCE_BYTES:], _associated(event, stream, type, path, sealed["kid"]))
        salt, padded = plain[:SALT_BYTES], plain[SALT_BYTES:]
        raw = padded.rstrip(b"\x00")[:-1]
        if len(padded) != len(raw) + 1 + -(len(raw) + 1) % PADDING_BYTES or padded[len(raw) : len(raw) + 1] != b"\x80":
            raise SealBroken(f"{path} of event {event}: bad padding")
        if not compare_digest(b64(commitment(salt, type, path, raw)), sealed["commitment"]):
            raise SealBroken(f"{path} of event {event}: its commitment is of another value")
    except InvalidTag:
        raise SealBroken(f"{path} of event {event} does not open: another key, or moved from another record") from None
    except SealBroken:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise SealBroken(f"{path} of event {event} is not a sealed value: {error}") from error
    return raw, salt


def open_sealed(*, key: AESGCM, sealed: Mapping[str, str], event: str, stream: str, type: str, path: str) -> Any:
    """The value that `seal` was given. Raises SealBroken."""
    return orjson.loads(open_raw(key=key, sealed=sealed, event=event, stream=stream, type=type, path=path)[0])
