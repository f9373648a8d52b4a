"""What somebody has to look at: a line of the bank's that does not fit, or a payment that a checker should see. Work, not history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.kernel import OrgCode
from foundation.cursor import Pool
from foundation.ids import command_id
from foundation.texts import Language, catalogue


@dataclass(frozen=True, slots=True)
class Found:
    """One exception. `file`: the digest of the bank's file, `place` the line or row in it, 0 where there is none."""

    organisation: OrgCode
    rule: str
    file: str | None = None
    place: int = 0
    batch: str | None = None
    entitlement: str | None = None
    instruction: str | None = None

    @property
    def id(self) -> str:
        """The same finding has the same id, however often the file is worked through."""
        return command_id("payment exception", self.rule, self.file or "", str(self.place), self.batch or "", self.entitlement or "").hex


@dataclass(frozen=True, slots=True)
class Kept(Found):
    """One that was kept."""

    exception: str = ""
    found_at: datetime | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None


async def keep(pool: Pool, found: Sequence[Found], at: datetime) -> None:
    """Keep them; one that is there stays as it is."""
    await pool.executemany(
        "insert into payment_exceptions (exception, organisation, rule, file, place, batch, entitlement, instruction, found_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
        [(one.id, one.organisation, one.rule, one.file, one.place, one.batch, one.entitlement, one.instruction, at) for one in found],
    )


_READ = "organisation, rule, file, place, batch, entitlement, instruction, exception, found_at, settled_at, settled_by"


async def read(pool: Pool, exception: str) -> Kept | None:
    """One, None where there is none."""
    row = await pool.fetchrow(f"select {_READ} from payment_exceptions where exception = $1", exception)  # noqa: S608 - our own names
    return None if row is None else Kept(**row)


async def unsettled(pool: Pool, organisation: OrgCode, *, after: str, limit: int) -> list[Kept]:
    """An organisation's, in order of their ids."""
    rows = await pool.fetch(
        f"select {_READ} from payment_exceptions where organisation = $1 and settled_at is null and exception > $2"  # noqa: S608
        " order by exception limit $3",
        *(organisation, after, limit),
    )
    return [Kept(**row) for row in rows]


async def settle(pool: Pool, exception: str, by: str, at: datetime) -> None:
    """Somebody has seen to it; who did first stays."""
    await pool.execute(
        "update payment_exceptions set settled_at = $2, settled_by = $3 where exception = $1 and settled_at is null", exception, at, by
    )


def _sentences(language: Language) -> Mapping[str, str]:
    return catalogue("assistance.reconciliation", f"locale/{language}.po")


def sentence(rule: str, language: Language) -> str:
    """What a rule means; its own name where the catalogue lacks it."""
    return _sentences(language).get(rule, rule)


def next_step(rule: str, language: Language) -> str:
    """What to do about it."""
    sentences = _sentences(language)
    return sentences.get(f"{rule}.next", sentences["other.next"])


def known(language: Language) -> frozenset[str]:
    """What a catalogue has a text for."""
    return frozenset(_sentences(language))
