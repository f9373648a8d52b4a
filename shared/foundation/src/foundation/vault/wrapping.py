"""How keys are wrapped before the database sees them: under a wrapping key, which the master key wraps; each bound to its place."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.sealing import KEY_BYTES, b64
from foundation.vault.masterkey import MasterKeyUnusable, unwrap, wrap

BUCKETS = 1024
"""Wrapping keys a vault has: an erasure re-wraps one in so many of the surviving keys."""

INDEX_CONTEXT = ("index key",)
"""What the wrapped index key is bound to."""

_KID_BYTES = 16


def bucket_of(owner: str) -> int:
    """The bucket of an owner's keys."""
    return crc32(owner.encode()) % BUCKETS


def key_context(kid: str, owner: str, purpose: str, record: str) -> tuple[str, ...]:
    """What a wrapped key is bound to."""
    return ("key", kid, owner, purpose, record)


def wrapping_context(bucket: int) -> tuple[str, ...]:
    """What a wrapped wrapping key is bound to."""
    return ("wrapping key", str(bucket))


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What the process knows of the vault's inner keys, as of one epoch."""

    epoch: int
    buckets: Mapping[int, AESGCM]
    index_key: bytes

    def opened(self, bucket: int, wrapped: bytes, context: Sequence[str]) -> AESGCM:
        """A wrapped key, to be used. Raises MasterKeyUnusable."""
        try:
            return AESGCM(unwrap(self.buckets[bucket], wrapped, *context))
        except InvalidTag:
            raise MasterKeyUnusable(
                f"key {context[1]} does not open under the wrapping key of bucket {bucket}: the vault was altered"
            ) from None


class Offer:
    """A fresh key, in case there is none yet."""

    __slots__ = ("bucket", "cipher", "kid", "owner", "purpose", "record", "wrapped")

    def __init__(self, wrapping: Wrapping, owner: str, purpose: str, record: str, random: bytes) -> None:
        """`random`: what `random_keys` gave for it."""
        self.owner, self.purpose, self.record = owner, purpose, record
        self.kid, raw = random[:_KID_BYTES], random[_KID_BYTES:]
        self.bucket = bucket_of(owner)
        self.cipher = AESGCM(raw)
        self.wrapped = wrap(wrapping.buckets[self.bucket], raw, *key_context(b64(self.kid), owner, purpose, record))


def random_keys(count: int) -> list[bytes]:
    """An id and a key for each of so many, from the system in one call."""
    size = _KID_BYTES + KEY_BYTES
    random = os.urandom(count * size)
    return [random[start : start + size] for start in range(0, count * size, size)]
