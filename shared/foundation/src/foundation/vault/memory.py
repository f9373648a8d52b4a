"""The vault in memory: for tests, and as the shortest statement of what the port means."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.ids import random_id
from foundation.sealing import KEY_BYTES, b64
from foundation.vault.port import (
    EVERY_PURPOSE,
    Erasure,
    ErasureRefused,
    Held,
    Key,
    KeyDestroyed,
    KeyMissing,
    KeyOf,
    Opening,
    PurposeRule,
    Retained,
    Tombstone,
    Withheld,
)


@dataclass(frozen=True, slots=True)
class _Entry:
    of: KeyOf
    key: Key


class MemoryVault:
    """The in-memory adapter. Everything in it is gone with the process."""

    def __init__(self) -> None:
        self._by_owner: dict[tuple[str, str, str], str] = {}
        self._entries: dict[str, _Entry] = {}
        self._tombstones: dict[str, Tombstone] = {}
        self._destroyed: dict[str, tuple[str, str]] = {}
        self._erased: set[tuple[str, str]] = set()
        self._restricted: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._documents: dict[tuple[str, str, str], str] = {}
        self._confidential: set[str] = set()
        self._retentions: dict[str, dict[date, tuple[int, str, bool]]] = {}
        self._holds: set[tuple[str, str, str]] = set()
        self.openings: list[Opening] = []

    # ------------------------------------------------------------------------------------------------ rules

    async def flag_confidential(self, purpose: str) -> None:
        """From now on, every opening under this purpose is recorded."""
        self._confidential.add(purpose)

    async def retain(self, purpose: str, keep_days: int, source: str, *, since: date = date.min, in_use: bool = False) -> None:
        """Keys of this purpose are kept so long after the purpose ended; see keeper.Keeper.retain."""
        self._retentions.setdefault(purpose, {})[since] = (keep_days, source, in_use)

    def _rule(self, purpose: str, at: datetime) -> tuple[int, str, bool] | None:
        rules = self._retentions.get(purpose, {})
        return rules.get(max((since for since in rules if since <= at.astimezone(UTC).date()), default=date.max))

    async def hold(self, subject: str, reference: str, *, purpose: str = EVERY_PURPOSE) -> None:
        """A legal hold: nothing of this is destroyed until it is released."""
        self._holds.add((subject, purpose, reference))

    async def release(self, subject: str, reference: str) -> None:
        """End a hold."""
        self._holds = {hold for hold in self._holds if (hold[0], hold[2]) != (subject, reference)}

    # ------------------------------------------------------------------------------------------------ keys

    async def keys_for(self, wanted: Sequence[KeyOf]) -> Sequence[Key]:
        return [self._key_for(one) for one in wanted]

    def held_for(self, wanted: KeyOf) -> Key | None:
        kid = self._by_owner.get((wanted.owner, wanted.purpose, wanted.record or ""))
        return None if kid is None or self._withheld(self._entries[kid]) else self._entries[kid].key

    def _key_for(self, wanted: KeyOf) -> Key:
        for subject in wanted.subjects:
            for purpose in (wanted.purpose, EVERY_PURPOSE):
                if (subject, purpose) in self._erased or (subject, purpose) in self._restricted:
                    raise KeyDestroyed(subject, wanted.purpose)
        which = (wanted.owner, wanted.purpose, wanted.record or "")
        if which not in self._by_owner:
            kid = b64(os.urandom(16))
            self._by_owner[which] = kid
            self._entries[kid] = _Entry(wanted, Key(kid, AESGCM(os.urandom(KEY_BYTES)), wanted.purpose))
        return self._entries[self._by_owner[which]].key

    async def keys(self, kids: Sequence[str]) -> Mapping[str, Key | Tombstone | Withheld]:
        return {kid: self._answer(kid) for kid in kids}

    def _answer(self, kid: str) -> Key | Tombstone | Withheld:
        entry = self._entries.get(kid)
        if entry is None:
            if kid not in self._tombstones:
                raise KeyMissing(kid)
            return self._tombstones[kid]
        key = entry.key
        return self._withheld(entry) or Key(kid, key.cipher, key.purpose, key.purpose in self._confidential)

    def _withheld(self, entry: _Entry) -> Withheld | None:
        for subject in entry.of.subjects:
            for purpose in (entry.of.purpose, EVERY_PURPOSE):
                found = self._restricted.get((subject, purpose))
                if found is not None:
                    return Withheld(entry.key.kid, *found)
        return None

    async def record_openings(self, openings: Sequence[Opening]) -> None:
        self.openings.extend(openings)

    # ------------------------------------------------------------------------------------------------ persons

    async def person(self, kind: str, number: str, *, issuer: str = "CN") -> str:
        return self._documents.setdefault((kind, number, issuer), random_id())

    async def persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str]:
        return [self._documents.setdefault(document, random_id()) for document in documents]

    async def bind(self, person: str, kind: str, number: str, *, issuer: str = "CN") -> str:
        return self._documents.setdefault((kind, number, issuer), person)

    async def find_person(self, kind: str, number: str, *, issuer: str = "CN") -> str | None:
        return self._documents.get((kind, number, issuer))

    async def find_persons(self, documents: Sequence[tuple[str, str, str]]) -> Sequence[str | None]:
        return [self._documents.get(document) for document in documents]

    # ------------------------------------------------------------------------------------------------ restriction and erasure

    async def restrict(self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime) -> None:
        for purpose in (EVERY_PURPOSE,) if purposes is None else purposes:
            self._restricted.setdefault((subject, purpose), (at, basis))

    async def lift(self, subject: str, *, purposes: Sequence[str] | None) -> None:
        for whom, purpose in list(self._restricted):
            if whom == subject and (purposes is None or purpose in purposes):
                del self._restricted[whom, purpose]

    async def erase(
        self, subject: str, *, purposes: Sequence[str] | None, basis: str, at: datetime, ended_at: datetime | None = None
    ) -> Sequence[str]:
        erased = (EVERY_PURPOSE,) if purposes is None else tuple(purposes)
        reasons = self._refusals(subject, erased, at, ended_at)
        if reasons:
            raise ErasureRefused(subject, reasons)
        self._destroy(subject, erased, basis, at)
        return [
            kid for kid, (whom, purpose) in self._destroyed.items() if whom == subject and (EVERY_PURPOSE in erased or purpose in erased)
        ]

    def _keys_of(self, subject: str, erased: Sequence[str]) -> list[str]:
        return [
            kid
            for kid, entry in self._entries.items()
            if subject in entry.of.subjects and (EVERY_PURPOSE in erased or entry.of.purpose in erased)
        ]

    def _refusals(self, subject: str, erased: Sequence[str], at: datetime, ended_at: datetime | None) -> list[Retained | Held]:
        found: list[Retained | Held] = []
        for whom, purpose, reference in self._holds:
            if whom == subject and (EVERY_PURPOSE in (purpose, *erased) or purpose in erased):
                found.append(Held(purpose, reference))
        for purpose in {self._entries[kid].of.purpose for kid in self._keys_of(subject, erased)}:
            rule = self._rule(purpose, at)
            if rule is None:
                continue
            keep_days, source, _ = rule
            until = None if ended_at is None else ended_at + timedelta(days=keep_days)
            if until is None or until > at:
                found.append(Retained(purpose, until, source))
        return found

    def _destroy(self, subject: str, erased: Sequence[str], basis: str, at: datetime) -> None:
        for kid in self._keys_of(subject, erased):
            entry = self._entries.pop(kid)
            del self._by_owner[entry.of.owner, entry.of.purpose, entry.of.record or ""]
            self._tombstones[kid] = Tombstone(kid, at, basis)
            self._destroyed[kid] = (subject, entry.of.purpose)
        self._erased.update((subject, purpose) for purpose in erased)
        if EVERY_PURPOSE in erased or not self._keys_of(subject, (EVERY_PURPOSE,)):
            self._documents = {document: person for document, person in self._documents.items() if person != subject}
        for whom, purpose in list(self._restricted):
            if whom == subject and (EVERY_PURPOSE in erased or purpose in erased):
                del self._restricted[whom, purpose]

    async def purposes(self, at: datetime) -> Sequence[PurposeRule]:
        used = {entry.of.purpose for entry in self._entries.values()} | self._retentions.keys()
        rules = {purpose: self._rule(purpose, at) for purpose in sorted(used)}
        return [PurposeRule(purpose, *(rule or (None, None, False))) for purpose, rule in rules.items()]

    async def reapply(self, erasures: Sequence[Erasure]) -> Sequence[Erasure]:
        forgotten = [one for one in erasures if any(self._is_forgotten(one.subject, purpose) for purpose in one.purposes)]
        for one in forgotten:
            self._destroy(one.subject, one.purposes, one.basis, one.at)
            for kid in one.kids:
                self._tombstones.setdefault(kid, Tombstone(kid, one.at, one.basis))
        return forgotten

    def _is_forgotten(self, subject: str, purpose: str) -> bool:
        return not {(subject, purpose), (subject, EVERY_PURPOSE)} & self._erased
