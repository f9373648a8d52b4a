"""Pay first, papers later 先给付后补办: the obligation that an emergency payment opens on whoever authorised it. Money in fen."""

from datetime import date

from contracts.assistance.programmes import ProgrammeCode
from contracts.kernel import Event, OrgCode, PersonId, Sealed
from contracts.membership import Digest, Level, Principal, RecordId


class ObligationOpened(Event, type="assistance.ObligationOpened", version=1):
    """Papers for an emergency payment are due on a day (inclusive), and their authoriser answers for them.

    `provisional`: the day lies beyond the published calendar of working days.
    """

    obligation: RecordId
    application: RecordId
    organisation: OrgCode
    person: PersonId
    authoriser: Principal
    level: Level
    programme: ProgrammeCode
    fen: int
    due_on: date
    provisional: bool = False


class ObligationOverdue(Event, type="assistance.ObligationOverdue", version=1):
    """The day has passed and the papers are not there."""

    obligation: RecordId
    authoriser: Principal
    fen: int
    due_on: date


class ObligationMet(Event, type="assistance.ObligationMet", version=1):
    """The papers came, and somebody else than the authoriser checked them."""

    obligation: RecordId
    authoriser: Principal
    documents: tuple[Digest, ...]
    checked_by: Principal
    met_on: date


class ObligationRecovered(Event, type="assistance.ObligationRecovered", version=1):
    """The money came back, all of it."""

    obligation: RecordId
    authoriser: Principal
    fen: int
    receipt: Digest
    recovered_on: date


class ObligationWrittenOff(Event, type="assistance.ObligationWrittenOff", version=1, subject="person", purpose="assistance"):
    """The superior gave the papers and the money up, by a decision."""

    obligation: RecordId
    authoriser: Principal
    person: PersonId
    fen: int
    reason: Sealed[str]
    paper: Digest
    written_off_on: date


class DiscretionUsed(Event, type="assistance.DiscretionUsed", version=1):
    """An authoriser paid first: this much more is open in their name, and due on a day."""

    authoriser: Principal
    obligation: RecordId
    programme: ProgrammeCode
    fen: int
    due_on: date


class DiscretionRestored(Event, type="assistance.DiscretionRestored", version=1):
    """That obligation is closed."""

    authoriser: Principal
    obligation: RecordId
