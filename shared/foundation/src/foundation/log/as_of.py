"""Which checkpoint stood at a moment, and the records below it (AUDIT-LOG, "As of a date").

A witness's time counts. Where no witness has cosigned a checkpoint, the time of its last record stands in for it: publication follows
within seconds, and both are the operator's own claim.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from foundation.log.checkpoint import Checkpoint, SignedCheckpoint
from foundation.log.reader import CHECKPOINT, LogFiles, size_of
from foundation.log.stretches import decoded
from foundation.log.text import utc
from foundation.log.tiles import WIDTH, bundles_of, tile_of
from foundation.log.trust import Trust, checkpoint_at
from foundation.record import decode


class NotYet(Exception):
    """The log had no checkpoint at that moment, or none of that size."""


@dataclass(frozen=True, slots=True)
class Stood:
    """A checkpoint and when it is known to have stood. `witness`: who saw it by then; None: by the operator's own claim."""

    checkpoint: Checkpoint
    at: datetime
    witness: str | None


def as_of(files: LogFiles, trust: Trust, moment: datetime) -> Stood:
    """The last checkpoint that stood at a moment; the log has been verified. Their times grow with their sizes, so half of what is left
    is passed over at each look. Raises NotYet, Damage, LogUnreadable."""
    head = checkpoint_at(files, CHECKPOINT, trust, quorum=False)
    paths = [path for path in (*files.checkpoints(), CHECKPOINT) if not path.endswith("/0")]

    def stood(path: str) -> Stood:
        return _stood(files, checkpoint_at(files, path, trust, quorum=False), head.checkpoint.size)

    before = bisect_right(paths, moment, key=lambda path: stood(path).at)
    if before == 0:
        first = f"; its first is of {stood(paths[0]).at:%Y-%m-%d %H:%M:%S} UTC" if head.checkpoint.size else ""
        raise NotYet(f"the log {head.checkpoint.origin} had no checkpoint yet at {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{first}")
    return stood(paths[before - 1])


def covering(files: LogFiles, trust: Trust, size: int) -> Stood:
    """The smallest checkpoint that covers the first `size` records. Raises NotYet, Damage, LogUnreadable."""
    head = checkpoint_at(files, CHECKPOINT, trust, quorum=False)
    if size > head.checkpoint.size:
        raise NotYet(f"the log {head.checkpoint.origin} goes up to {head.checkpoint.size:,} records, not {size:,}")
    fitting = (path for path in files.checkpoints() if size_of(path) >= max(size, 1))
    path = next(fitting, CHECKPOINT)
    return _stood(files, checkpoint_at(files, path, trust, quorum=False), head.checkpoint.size)


def entries(files: LogFiles, size: int, head: int) -> Iterator[bytes]:
    """The first `size` records of a log that goes up to `head`. Raises Damage, LogUnreadable."""
    for bundle in bundles_of(0, size):
        yield from decoded(files, tile_of(None, bundle.number, head))[: bundle.width]


def _stood(files: LogFiles, signed: SignedCheckpoint, head: int) -> Stood:
    seen = [(signature.at, signature.name) for signature in signed.note.signatures if signature.at is not None]
    if seen:
        at, witness = min(seen)
        return Stood(signed.checkpoint, utc(at), witness)
    if not signed.checkpoint.size:
        return Stood(signed.checkpoint, datetime.min.replace(tzinfo=UTC), None)
    last = signed.checkpoint.size - 1
    record = decoded(files, tile_of(None, last // WIDTH, head))[last % WIDTH]
    return Stood(signed.checkpoint, decode(record).time, None)
