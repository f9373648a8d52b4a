"""The vault as a port: keys, the blind index of identity numbers, tombstones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass(frozen=True, slots=True)
class KeyOf:
    """Whose key, and for what: `subjects` are person (or case) ids; with several, `record` names the one record the key is for."""

    subjects: tuple[str, ...]
    purpose: str
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key in use. `kid` is 128 random bits, unpadded base64url; it says nothing about whose key it is."""

    kid: str
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A key that was destroyed on purpose."""

    kid: str
    destroyed_at: datetime
    basis: str


class KeyMissing(Exception):
    """A key is gone *without* a tombstone: an alarm, never "erased"."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"the vault has neither a key nor a tombstone for {kid}")
        self.kid = kid


class KeyDestroyed(Exception):
    """A value was to be sealed for a subject who has been erased for this purpose."""

    def __init__(self, subject: str, purpose: str) -> None:
        super().__init__(f"{subject} has been erased for {purpose}")
        self.subject, self.purpose = subject, purpose


class VaultUnavailable(Exception):
    """The vault cannot be reached now; nothing was half-done. Callers may try again."""


class Vault(Protocol):
    """The whole port. One contract suite covers every adapter."""

    async def keys_for(self, wanted: Sequence[KeyOf]) -> Sequence[Key]:
        """A key for each, made where there was none, **durable before this returns**; concurrent calls share round trips and commits.

        Raises KeyDestroyed, VaultUnavailable.
        """
        ...

    async def keys(self, kids: Sequence[str]) -> Mapping[str, Key | Tombstone]:
        """Each key by its id, or its tombstone. Raises KeyMissing, VaultUnavailable."""
        ...

    async def person(self, kind: str, number: str, *, issuer: str = "CN") -> str:
        """The person with this identity document, by blind index; a new random person id where nobody has it yet. Durable, and the same
        under any concurrency. `number` is normalised by the caller."""
        ...

    async def persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str]:
        """The same for many at once: (kind, number, issuer) each."""
        ...

    async def find_person(self, kind: str, number: str, *, issuer: str = "CN") -> str | None:
        """The person with this document, or None; creates nobody."""
        ...

    async def erase(self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime) -> Sequence[str]:
        """Destroy a subject's keys for these purposes (None: all), and its blind index entry and search rows once none is left.

        Tombstones stay. Returns the destroyed key ids. Idempotent."""
        ...
