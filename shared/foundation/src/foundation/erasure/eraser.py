"""Carries erasures out: what a service's history says was ordered is done to its keys in the vault, and told in its history.

The history comes first and the vault follows, so nothing is lost in a crash: what was begun is done at the next start, and what was done
is done again in a vault that a restored backup has made older (`remember`, before any key is used).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from contracts.foundation import ErasureBegun, ErasureCarriedOut, Kept, KeptGround, KeysDestroyed
from contracts.kernel import Catalogue

from foundation.clock import Clock
from foundation.cursor import Pool
from foundation.erasure.rules import ERASURE, Begun, Erasing, Record, evolve
from foundation.history import Happened, Reading
from foundation.ids import random_id
from foundation.reactions import Issuer
from foundation.store.category import read_category
from foundation.store.port import EventStore
from foundation.transient import TRANSIENT, Backoff
from foundation.vault.port import Erasure, ErasureRefused, Held, Retained, Vault

log = structlog.get_logger()

AGAIN_SECONDS = 600.0
"""How often erasures that wait for a retention or a hold are looked at."""

_READING = Reading(Catalogue(ErasureBegun, KeysDestroyed, ErasureCarriedOut))
_PREFIX = f"{ERASURE.category}-"


@dataclass(frozen=True, slots=True)
class _Known:
    """One subject's erasure, with the event that began it."""

    state: Erasing = ERASURE.initial
    begun: Happened | None = None


class Eraser:
    """One service's. Any number of processes may run it: every step may be repeated."""

    def __init__(self, *, pool: Pool, store: EventStore, vault: Vault, issue: Issuer, clock: Clock) -> None:
        self._pool, self._store, self._vault, self._issue, self._clock = pool, store, vault, issue, clock
        self._known: dict[str, _Known] = {}
        self._woken = asyncio.Event()
        self._position = -1

    async def remember(self) -> int:
        """Make sure, before any key is used, that the vault knows all that was erased and restricted here; how many it had forgotten.

        Raises VaultUnavailable, and what reading the own history raises.
        """
        self._position = (await self._store.head()).position
        found = _READING.all(await read_category(self._pool, ERASURE.category))
        forgotten = await self._learn(found)
        for subject, known in self._known.items():
            if isinstance(known.state, Begun) and known.state.is_open:
                await self._restrict(subject, known.state)
        return forgotten

    async def follow(self) -> None:
        """Hear of erasures as they are recorded, also those of records that are put back after a restore; for ever."""
        async for records in self._store.subscribe(self._position):
            found = _READING.all(record for record in records if record.stream.startswith(_PREFIX))
            if found:
                await self._persistently(found)
                self._woken.set()

    async def work(self) -> None:
        """Carry out what is open, for ever; what fails is tried again and keeps no other from its turn."""
        backoff = Backoff(first=0.5, most=30)
        while True:
            self._woken.clear()
            failed = False
            for subject, known in list(self._known.items()):
                try:
                    await self._carry_out(subject, known)
                except TRANSIENT as error:
                    failed = True
                    log.warning("erasure waits", error=type(error).__name__)
                except Exception as error:
                    failed = True
                    log.error("erasure fails and is tried again", error=type(error).__name__)
            if not failed:
                backoff.reset()
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.seconds() if failed else AGAIN_SECONDS):
                    await self._woken.wait()

    # ------------------------------------------------------------------------------------------------ one after another

    async def _persistently(self, found: Sequence[Happened]) -> None:
        backoff = Backoff(most=10)
        while True:
            try:
                await self._learn(found)
                return
            except TRANSIENT as error:
                log.warning("erasures are not known to the vault yet", error=type(error).__name__)
                await asyncio.sleep(backoff.seconds())

    async def _learn(self, found: Sequence[Happened]) -> int:
        """Take events in; the vault does again what it has forgotten of them."""
        done = [_erasure(one.event) for one in found if isinstance(one.event, KeysDestroyed)]
        forgotten = await self._vault.reapply(done) if done else ()
        if forgotten:
            log.error("the vault had forgotten erasures: they are done again", count=len(forgotten))
        for one in found:
            subject = one.envelope.stream.removeprefix(_PREFIX)
            before = self._known.get(subject, _Known())
            self._known[subject] = _Known(evolve(before.state, one.event), before.begun or one)
        return len(forgotten)

    async def _carry_out(self, subject: str, known: _Known) -> None:
        begun, now = known.state, self._clock.now()
        if not isinstance(begun, Begun) or known.begun is None or not _is_due(begun, now):
            return
        await self._restrict(subject, begun)
        destroyed: list[tuple[str, tuple[str, ...]]] = []
        kept: list[Kept] = []
        for rule in await self._vault.purposes(now):
            if rule.purpose in begun.destroyed:
                continue
            try:
                # The purposes ended with the order at the latest: retention counts from there.
                keys = await self._vault.erase(subject, purposes=[rule.purpose], basis=begun.basis, at=now, ended_at=begun.ordered_at)
                destroyed.append((rule.purpose, tuple(sorted(keys))))
            except ErasureRefused as refused:
                kept.append(_kept(rule.purpose, refused.reasons))
        begun_by = known.begun.envelope
        await self._issue(
            ERASURE,
            subject,
            Record(subject, tuple(destroyed), tuple(kept)),
            command_id=UUID(hex=random_id()),
            causation=begun_by.id,
            correlation=begun_by.correlation,
        )
        log.info("erasure carried out", done=len(destroyed), left=len(kept))

    async def _restrict(self, subject: str, begun: Begun) -> None:
        """Withhold what is not destroyed yet, but for what the law keeps in use."""
        rules = await self._vault.purposes(self._clock.now())
        withheld = [rule.purpose for rule in rules if not rule.in_use and rule.purpose not in begun.destroyed]
        if withheld:
            await self._vault.restrict(subject, purposes=withheld, basis=begun.basis, at=begun.ordered_at)


def _erasure(done: KeysDestroyed) -> Erasure:
    return Erasure(done.subject, (done.purpose,), done.basis, done.at, done.keys)


def _is_due(begun: Begun, now: datetime) -> bool:
    """Whether looking at it may change something: a retention that has not run needs no look, a hold may be released at any time."""
    return not begun.tried or any(one.until is None or one.until <= now for one in begun.kept)


def _kept(purpose: str, reasons: Sequence[Retained | Held]) -> Kept:
    if any(isinstance(reason, Held) for reason in reasons):
        return Kept(purpose=purpose, ground=KeptGround.hold)
    until = [reason.until for reason in reasons if isinstance(reason, Retained) and reason.until is not None]
    return Kept(purpose=purpose, ground=KeptGround.retention, until=max(until, default=None))
