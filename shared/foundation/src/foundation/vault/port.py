"""The vault as a port: keys, the blind index of identity documents, restriction and erasure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

EVERY_PURPOSE = "*"
"""Stands for all purposes, those yet to come included."""


class _KeyOf(NamedTuple):
    subjects: tuple[str, ...]
    purpose: str
    record: str | None


class KeyOf(_KeyOf):
    """Whose key, and for what: `subjects` are person (or case) ids. A key of one `record` alone says which; only such have several.

    A tuple, because one is made and looked up for every sealed value.
    """

    __slots__ = ()

    def __new__(cls, subjects: tuple[str, ...], purpose: str, record: str | None = None) -> "KeyOf":
        """Raises ValueError where the subjects cannot be meant."""
        if not subjects or "" in subjects or " " in "".join(subjects):
            raise ValueError("a key has subjects, and their ids hold no space")
        if len(subjects) > 1 and record is None:
            raise ValueError("a key of several subjects is the key of one record")
        return super().__new__(cls, subjects, purpose, record)

    @property
    def owner(self) -> str:
        """The subjects in order, each once: the same for every order in which they are named."""
        return self.subjects[0] if len(self.subjects) == 1 else " ".join(sorted(set(self.subjects)))


class Key(NamedTuple):
    """A key in use. `kid` is 128 random bits, unpadded base64url; it says nothing about whose key it is.

    `confidential`: whoever opens something with it has that recorded first (`Vault.record_openings`). A tuple, because one is made for
    every person of a history that is read.
    """

    kid: str
    cipher: AESGCM
    purpose: str
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A key that was destroyed on purpose."""

    kid: str
    destroyed_at: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """A key that is kept but not used: one of its subjects is restricted for its purpose (PIPL 47)."""

    kid: str
    since: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Opening:
    """One confidential value opened: who for, under which key, in which event."""

    principal: str
    kid: str
    purpose: str
    event: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did: kept in the service's history, from where it is done again after an old vault has been restored.

    `purposes`: those erased, `EVERY_PURPOSE` alone for all.
    """

    subject: str
    purposes: tuple[str, ...]
    basis: str
    at: datetime
    kids: tuple[str, ...]


class KeyMissing(Exception):
    """A key is gone *without* a tombstone: an alarm, never "erased"."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"the vault has neither a key nor a tombstone for {kid}")
        self.kid = kid


class KeyDestroyed(Exception):
    """A value was to be sealed for a subject who has been erased, or is restricted, for this purpose."""

    def __init__(self, subject: str, purpose: str) -> None:
        super().__init__(f"{subject} has been erased or restricted for {purpose}")
        self.subject, self.purpose = subject, purpose


class PurposeForbidden(Exception):
    """This service's role has no business with a purpose."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"this role may not use keys of the purpose {purpose!r}")
        self.purpose = purpose


class VaultUnavailable(Exception):
    """The vault cannot be reached now; nothing was half-done. Callers may try again."""


@dataclass(frozen=True, slots=True)
class Retained:
    """The purpose's retention has not run. `until` is None where nobody said when the purpose ended for the subject."""

    purpose: str
    until: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class Held:
    """A legal hold stands against destruction."""

    purpose: str
    reference: str


@dataclass(frozen=True, slots=True)
class PurposeRule:
    """What a service may use keys for, and the retention rule in force for it (None: there is none, and nothing need be kept).

    `in_use`: the law has these data kept *and* read, as auditors read vouchers; a restriction does not withhold them.
    """

    purpose: str
    keep_days: int | None
    source: str | None
    in_use: bool


class ErasureRefused(Exception):
    """Retention or a hold stands against an erasure: nothing was destroyed. Restrict those purposes and erase the others."""

    def __init__(self, subject: str, reasons: Sequence[Retained | Held]) -> None:
        super().__init__(f"{subject} cannot be erased now: {', '.join(map(str, reasons))}")
        self.subject, self.reasons = subject, tuple(reasons)


class Vault(Protocol):
    """The whole port. One contract suite covers every adapter."""

    async def keys_for(self, wanted: Sequence[KeyOf]) -> Sequence[Key]:
        """A key for each, made where there was none, **durable before this returns**; concurrent calls share round trips and commits.

        Raises KeyDestroyed, PurposeForbidden, VaultUnavailable.
        """
        ...

    def held_for(self, wanted: KeyOf) -> Key | None:
        """The same from memory, at once; None where it has to be asked for. Never one erased longer ago than the adapter's stated bound."""
        ...

    async def keys(self, kids: Sequence[str]) -> Mapping[str, Key | Tombstone | Withheld]:
        """Each key by its id, or why it is not to be had. Raises KeyMissing, PurposeForbidden, VaultUnavailable."""
        ...

    async def record_openings(self, openings: Sequence[Opening]) -> None:
        """Write down who opens confidential values; durable before this returns, and called before the values are given out."""
        ...

    async def person(self, kind: str, number: str, *, issuer: str = "CN") -> str:
        """The person with this identity document, by blind index; a new random person id where nobody has it yet. Durable, and the same
        under any concurrency. `number` is normalised by the caller."""
        ...

    async def persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str]:
        """The same for many at once: (kind, number, issuer) each."""
        ...

    async def bind(self, person: str, kind: str, number: str, *, issuer: str = "CN") -> str:
        """Give a person one more document: a new number, or one that was pending. Returns who has it: somebody else where it was given
        out before, and then nothing changed. Durable, idempotent."""
        ...

    async def find_person(self, kind: str, number: str, *, issuer: str = "CN") -> str | None:
        """The person with this document, or None; creates nobody."""
        ...

    async def find_persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str | None]:
        """The same for many at once: (kind, number, issuer) each."""
        ...

    async def restrict(self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime) -> None:
        """Stop using a subject's keys for these purposes (None: all) without destroying them. Idempotent."""
        ...

    async def lift(self, subject: str, *, purposes: Sequence[str] | None) -> None:
        """End restrictions. Idempotent."""
        ...

    async def erase(
        self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime, ended_at: datetime | None = None
    ) -> Sequence[str]:
        """Destroy a subject's keys for these purposes (None: all), the search rows made of them, and its blind index entries once no key
        is left. Tombstones stay. Idempotent: returns the ids of all keys so destroyed, again when asked again.

        `ended_at`: when the purposes ended for the subject, from where their retention counts. Raises ErasureRefused.
        """
        ...

    async def purposes(self, at: datetime) -> Sequence[PurposeRule]:
        """What this service may use keys for, by name, with the rules in force at that time."""
        ...

    async def reapply(self, erasures: Sequence[Erasure]) -> Sequence[Erasure]:
        """Do erasures again that an older vault, restored from a backup, has forgotten; returns those. They were decided then: nothing is
        checked now. To be called with all of them before any key is used."""
        ...
