"""`tongxin replay`: a verified history into an empty database, its digests held against those of a live node."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import asyncpg
from contracts.kernel import EventTypeUnknown
from foundation.cursor import Connection
from foundation.log.as_of import NotYet, Stood, as_of, covering, entries
from foundation.log.checkpoint import Checkpoint
from foundation.log.damage import Damage
from foundation.log.note import VerifierKey
from foundation.log.origin import Origin, OriginMalformed
from foundation.log.reader import LogFiles, LogUnreadable
from foundation.log.trust import Trust, found, given
from foundation.log.verify import verify
from foundation.record import RecordMalformed
from foundation.replay import DatabaseNotEmpty, Outcome, RootDiffers, replay
from pydantic import ValidationError

from node.declared import followers
from node.errors import NodeError, UsageError

Told = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Live:
    """The digests of a live service by projection and version. `shown`: of the tables that its readers see; else of such as it made
    from its history for the question."""

    digests: Mapping[tuple[str, int], str]
    shown: bool


LiveAt = Callable[[str, str, int], Live | str]
"""Asks a service of a live node for its read models of a source at a position; a sentence where there is no answer."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One projection, its digest here, and how it stands on the live node."""

    service: str
    projection: str
    version: int
    digest: str
    node: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What was verified, what was replayed of it, and what came of it."""

    head: Checkpoint
    trust_from_log: bool
    stood: Stood
    outcome: Outcome
    compared: Sequence[Compared]
    left_out: Sequence[str]

    @property
    def differs(self) -> bool:
        """Whether the live node shows anything else than its history says."""
        return any(one.node.startswith("differs") for one in self.compared)


def run(
    files: LogFiles,
    dsn: str,
    *,
    keys: Sequence[VerifierKey] = (),
    token: str | None = None,
    moment: datetime | None = None,
    size: int | None = None,
    live: LiveAt | None = None,
    processes: int = 1,
    told: Told = lambda what, done, total: None,
) -> Replay:
    """Verify the whole log, then replay what of it stood at a moment, or its first `size` records, or all.

    Raises NodeError with what is wrong, before anything is written or with everything written undone.
    """
    try:
        trust = given(keys) if keys else found(files)
        verified = verify(files, trust, token=token, processes=processes, report=partial(told, "verified"))
        stood, upto = _chosen(files, trust, moment, size)
        source = _service(stood.checkpoint)
        groups, left_out = followers(source)
        write = partial(
            replay,
            groups=groups,
            records=entries(files, stood.checkpoint.size, verified.head.size),
            size=stood.checkpoint.size,
            root=stood.checkpoint.root,
            upto=upto,
            report=partial(told, "replayed"),
        )
        outcome = asyncio.run(_into(dsn, write))
    except Damage as damage:
        raise NodeError(f"the log is damaged ({damage.kind}): {damage}", "nothing was written") from damage
    except (LogUnreadable, NotYet, DatabaseNotEmpty) as error:
        raise NodeError(str(error), "nothing was written") from error
    except (RootDiffers, EventTypeUnknown, RecordMalformed, ValidationError) as error:
        what = "a record does not fit its type" if isinstance(error, ValidationError) else str(error)
        raise NodeError(f"the history cannot be replayed: {what}", "nothing was written; a newer program may know it") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NodeError(f"the database cannot be written: {error}", "nothing was written") from error
    answers = {service: "not asked" if live is None else live(service, source, upto - 1) for service in groups}
    compared = [
        Compared(
            one.service, one.projection, one.version, one.digest, _verdict(one.projection, one.version, one.digest, answers[one.service])
        )
        for one in outcome.projections
    ]
    return Replay(verified.head, trust.from_log, stood, outcome, compared, left_out)


def _chosen(files: LogFiles, trust: Trust, moment: datetime | None, size: int | None) -> tuple[Stood, int]:
    """The checkpoint, and how many of its records are wanted."""
    if moment is not None and size is not None:
        raise UsageError("a date and a size are two different questions", "name one of them")
    if size is not None:
        return covering(files, trust, size), size
    stood = as_of(files, trust, moment or datetime.max.replace(tzinfo=UTC))
    return stood, stood.checkpoint.size


def _service(checkpoint: Checkpoint) -> str:
    try:
        return Origin.parse(checkpoint.origin).service
    except OriginMalformed as error:
        raise LogUnreadable(f"this program knows no service that keeps the log {checkpoint.origin}") from error


async def _into(dsn: str, write: Callable[[Connection], Awaitable[Outcome]]) -> Outcome:
    connection = await asyncpg.connect(dsn)
    try:
        return await write(connection)
    finally:
        await connection.close()


def _verdict(projection: str, version: int, digest: str, live: Live | str) -> str:
    if isinstance(live, str):
        return live
    there = live.digests.get((projection, version))
    if there is None:
        return "not known there in this version"
    where = "" if live.shown else ", made there for the question"
    return f"same{where}" if there == digest else f"differs{where}: {there}"
