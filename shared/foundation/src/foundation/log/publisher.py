"""Signs and publishes checkpoints of a history (AUDIT-LOG "How it is built here", 2).

Every second or so, and only if the history grew: integrate, sign, persist, collect cosignatures, then let everybody see it. Each step can
be the last one of this process; the next process finds what was persisted and goes on from there. After each round a little of the log is
read again (`scrub`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog

from foundation.clock import Clock
from foundation.cursor import Pool
from foundation.lease import Lease
from foundation.log.checkpoint import Checkpoint
from foundation.log.cosigners import Cosigner, WitnessAhead, WitnessDiffers, WitnessSilent
from foundation.log.edge import Edge
from foundation.log.integrator import Integrator
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned
from foundation.log.note import Signature, sign
from foundation.log.proofs import ProofInvalid, verify_consistency
from foundation.log.reaches import epoch_of
from foundation.log.scrub import Scrub, Whole
from foundation.log.storage import LogDamaged, LogStore, Remedy, Stored
from foundation.store.guard import RollbackGuard
from foundation.store.port import WritesRefused
from foundation.telemetry import described
from foundation.transient import TRANSIENT, Backoff

log = structlog.get_logger()

WITNESS_AGAIN_SECONDS = 2.0
"""How often witnesses that have not cosigned the newest checkpoint are asked again while the history does not grow."""


DAMAGED_AGAIN_SECONDS = 60.0
"""How often a log that has stopped over damage is looked at again."""


@dataclass(slots=True)
class LogStanding:
    """How a log stands, from memory. Sizes are in records; `damage` is the alarm that stopped it, `remedy` what the operator does then or
    while it is held; `whole` how far and when all of it was last read again."""

    integrated: int = 0
    published: int = 0
    published_at: datetime | None = None
    unwitnessed_since: datetime | None = None
    held: bool = False
    damage: str | None = None
    remedy: str | None = None
    trouble: str | None = None
    scrubbed: int = 0
    whole: Whole | None = None


class Publisher:
    """The log of one history. `distrust` makes the next append ask the rollback guard first."""

    def __init__(
        self,
        service: str,
        *,
        pool: Pool,
        store: LogStore,
        keys: LogKeys,
        memory: LastSigned,
        cosigners: Sequence[Cosigner],
        guard: RollbackGuard,
        distrust: Callable[[], None],
        clock: Clock,
        every_seconds: float = 1.0,
    ) -> None:
        self._service, self._pool, self._store, self._keys, self._memory = service, pool, store, keys, memory
        self._cosigners, self._guard, self._distrust = tuple(cosigners), guard, distrust
        self._clock, self._every_seconds = clock, every_seconds
        self._integrator, self._scrub = Integrator(pool), Scrub(store, clock)
        self._lease = Lease(pool, f"log:{service}")
        self._leads_until = float("-inf")
        self._asked_at = float("-inf")
        self._silent: frozenset[str] = frozenset()
        self.standing = LogStanding()

    async def run(self) -> None:
        """For ever. Damage stops the log until all of it is found whole again."""
        backoff = Backoff(first=self._every_seconds)
        while True:
            pause = self._every_seconds
            try:
                if await self._leads():
                    await (self.advance() if self.standing.damage is None else self._look_again())
                    await self._scrub_on()
                    self.standing.trouble = None
                    backoff.reset()
            except LogDamaged as error:
                pause = DAMAGED_AGAIN_SECONDS
                self._stop(error, error.remedy)
            except asyncpg.InternalServerError as error:  # of its classes, a page or an index that is corrupted
                pause = DAMAGED_AGAIN_SECONDS
                self._stop(error, Remedy.disk)
            except TRANSIENT as error:
                pause, self.standing.trouble = backoff.seconds(), type(error).__name__
                log.warning("log.waits", error=type(error).__name__, seconds=pause)
            await asyncio.sleep(pause)

    def _stop(self, error: Exception, remedy: Remedy) -> None:
        if str(error) != self.standing.damage:
            log.error("log.damaged", **described(error))
        self.standing.damage, self.standing.remedy = str(error), remedy

    async def _look_again(self) -> None:
        """Go on after damage only once every record, tile and the root of what was signed last are found as they were; until then nothing
        is taken in."""
        self._scrub.begin()
        while not await self._scrub_on():
            await asyncio.sleep(self._every_seconds / 10)
            await self._leads()
        await self.advance()
        self.standing.damage = None
        log.warning("log.whole_again", size=self._scrub.size)

    async def _scrub_on(self) -> bool:
        done = await self._scrub.step()
        self.standing.scrubbed, self.standing.whole = self._scrub.size, self._scrub.whole
        return done

    async def _leads(self) -> bool:
        # Only to save work: integrators take turns by a row lock, and racing publishers sign the same bytes.
        now = asyncio.get_running_loop().time()
        if now >= self._leads_until:
            if not await self._lease.hold():
                return False
            self._leads_until = now + self._lease.ttl_seconds / 3
        return True

    async def advance(self) -> None:
        """Bring the log up to what the history holds now. Raises LogDamaged, and what passes by itself."""
        edge = await self._integrator.integrate()
        self.standing.integrated = edge.size
        self.standing.held = await self._is_held()
        self.standing.remedy = Remedy.behind if self.standing.held else None
        if self.standing.held:
            return
        newest = await self._store.newest()
        if edge.size > (0 if newest is None else newest.size):
            newest = await self._sign(edge, newest)
        if newest is not None and self._is_wanting(newest):
            await self._publish(newest)

    async def _is_held(self) -> bool:
        """Whether somebody has seen more of the history than it holds: nothing is signed then, as nothing is appended."""
        if self._guard.refusal is None:
            return False
        try:
            await self._guard.check()
        except WritesRefused:
            return True
        return False

    # ---------------------------------------------------------------------------------------------------- signing

    async def _sign(self, edge: Edge, last: Stored | None) -> Stored | None:
        epoch, first = await epoch_of(self._pool)
        if edge.size <= first:
            return last  # of the epoch that was given up nothing more is signed; the record that opens the new one comes next
        root = edge.root()
        await self._check_continues(edge, root, last)
        checkpoint = Checkpoint(self._keys.origin(self._service, epoch), edge.size, root)
        note = sign(checkpoint.body(), self._keys.signing(self._service, epoch))
        kept = await self._store.keep(Stored(edge.size, epoch, root, note, self._clock.now(), None, ()))
        self._asked_at = float("-inf")
        return kept

    async def _check_continues(self, edge: Edge, root: bytes, last: Stored | None) -> None:
        if last is None:
            return
        proof = await self._store.consistency(last.size, edge.size)
        try:
            verify_consistency(last.size, edge.size, last.root, root, proof)
        except ProofInvalid as error:
            raise LogDamaged(f"the tree does not continue the checkpoint signed at {last.size}: {error}") from error

    # ------------------------------------------------------------------------------------------------- publishing

    def _is_wanting(self, newest: Stored) -> bool:
        if newest.published_at is None:
            return True
        now = asyncio.get_running_loop().time()
        return len(newest.witnesses) < len(self._cosigners) and now >= self._asked_at + WITNESS_AGAIN_SECONDS

    async def _publish(self, checkpoint: Stored) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        if checkpoint.published_at is None:  # and not once it is signed: the disk of the file may have been full then
            await asyncio.to_thread(self._memory.write, checkpoint.note)
        asked = [cosigner for cosigner in self._cosigners if cosigner.name not in checkpoint.witnesses]
        answers = await asyncio.gather(*(self._ask(cosigner, checkpoint) for cosigner in asked))
        if self._guard.refusal is not None:
            self.standing.held, self.standing.remedy = True, Remedy.behind
            return
        cosigned = {cosigner.name: signature for cosigner, signature in zip(asked, answers, strict=True) if signature is not None}
        self._note_silence(frozenset(cosigner.name for cosigner in asked) - cosigned.keys())
        if cosigned or checkpoint.published_at is None:
            checkpoint = await self._store.publish(checkpoint, cosigned, self._clock.now())
        self.standing.published, self.standing.published_at = checkpoint.size, checkpoint.published_at
        self.standing.unwitnessed_since = None if checkpoint.witnesses else await self._store.unwitnessed_since()

    async def _ask(self, cosigner: Cosigner, checkpoint: Stored) -> Signature | None:
        try:
            return await cosigner.ask(self._keys.origin(self._service, checkpoint.epoch), checkpoint)
        except WitnessSilent:
            return None
        except (WitnessAhead, WitnessDiffers) as error:
            log.error("log.witness_objects", witness=cosigner.name, size=checkpoint.size, reason=type(error).__name__)
            self._distrust()
            with suppress(WritesRefused):
                await self._guard.check()
            return None

    def _note_silence(self, silent: frozenset[str]) -> None:
        if silent != self._silent:
            log.warning("log.witnesses_silent", witness=sorted(silent)) if silent else log.info("log.witnesses_answer")
            self._silent = silent
