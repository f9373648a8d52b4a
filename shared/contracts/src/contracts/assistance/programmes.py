"""Programmes 帮扶项目 as published data: dated, versioned rules in a small language (assistance.programmes.language), never code.

Amounts are integer fen, shares are basis points (1/100 of a per cent). Texts of a definition are public: a union prints and posts them.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.assistance.funds import PurposeCode
from contracts.kernel import Event, OrgCode
from contracts.membership import Digest, Level

ProgrammeCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
"""A programme, as in `autumn-tuition`."""

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""The name of a condition, a document, a kind of goods."""

FactName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A fact that rules may ask for."""

Expression = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""A rule in the small language, as in `file_level in ['deep', 'relative'] and income_per_head_fen <= 80000`."""

Fen = Annotated[int, Field(ge=0, le=10**12)]
"""Money in fen; ten thousand million yuan are enough for any rule."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Text(_Data):
    """A sentence for people, in Chinese and in English."""

    zh: Annotated[str, Field(min_length=1, max_length=500)]
    en: Annotated[str, Field(min_length=1, max_length=500)]


class Source(_Data):
    """Where a figure or a rule comes from. `checked` is false where it was not verified against the official text ([check])."""

    citation: Annotated[str, Field(min_length=1, max_length=500)]
    checked: bool = False


class FactKind(StrEnum):
    """What a fact may be."""

    money = "money"  # fen
    number = "number"
    truth = "truth"
    choice = "choice"
    day = "day"  # days since 1970-01-01, so that days compare and subtract


class FactAsked(_Data):
    """A fact that a programme asks for at the visit, beside those that every programme knows. A choice lists its values."""

    name: FactName
    kind: FactKind
    title: Text
    choices: tuple[Word, ...] = ()


class Condition(_Data):
    """One thing that has to be so. Its name says which one failed."""

    name: Word
    when: Expression
    text: Text


class Document(_Data):
    """A paper that is needed: always, or `when` a rule says so. `deferrable` papers may follow an emergency payment."""

    kind: Word
    text: Text
    when: Expression | None = None
    deferrable: bool = False


class MonthDay(_Data):
    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]


class Season(_Data):
    """Days of the year, both inclusive, in which applications are taken; a season may run over New Year."""

    first: MonthDay
    last: MonthDay


class Fixed(_Data):
    """The same for everybody."""

    kind: Literal["fixed"] = "fixed"
    fen: Fen


class Tier(_Data):
    when: Expression
    fen: Fen


class Tiered(_Data):
    """The first tier whose rule holds."""

    kind: Literal["tiered"] = "tiered"
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=40)]


class Band(_Data):
    """From `over_fen` up to the next band, this share is given."""

    over_fen: Fen
    basis_points: Annotated[int, Field(ge=0, le=10_000)]


class Banded(_Data):
    """Shares of an amount, band by band, at most `cap_fen`; each band is rounded down to whole fen."""

    kind: Literal["banded"] = "banded"
    amount: Expression
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=40)]
    cap_fen: Fen


class Computed(_Data):
    """What an expression comes to, at most `cap_fen`."""

    kind: Literal["computed"] = "computed"
    amount: Expression
    cap_fen: Fen


class Goods(_Data):
    item: Word
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class InKind(_Data):
    """Goods, with what they are worth."""

    kind: Literal["in_kind"] = "in_kind"
    goods: Annotated[tuple[Goods, ...], Field(min_length=1, max_length=40)]
    value_fen: Fen


Entitlement = Fixed | Tiered | Banded | Computed | InKind


class CountedPer(StrEnum):
    """Whose grants count together: a person's, or a household's."""

    person = "person"
    household = "household"


class Period(StrEnum):
    """What a grant is given for once: a year, one incident, or a lifetime."""

    year = "year"
    incident = "incident"
    lifetime = "lifetime"


class Caps(_Data):
    """Limits over all grants of a programme in a calendar year; None: none."""

    year_fen: Fen | None = None
    year_times: Annotated[int, Field(ge=1, le=1_000)] | None = None


class DecidedBy(StrEnum):
    """Whether one person may decide, or a meeting has to."""

    person = "person"
    meeting = "meeting"


class Step(_Data):
    """Amounts up to `up_to_fen` (None: any) are decided at this level or above it, by a person or by a meeting."""

    up_to_fen: Fen | None = None
    level: Level
    by: DecidedBy = DecidedBy.person


class Notice(_Data):
    """Public notice 公示 before an application goes up: how many working days, and where."""

    working_days: Annotated[int, Field(ge=1, le=60)]
    place: Literal["employer", "community", "either"] = "either"


class PayFirst(_Data):
    """Pay first, papers later 先给付后补办: how much at once, when the papers are due, and how much one authoriser may have open."""

    max_fen: Fen
    papers_days: Annotated[int, Field(ge=1, le=366)]
    exposure_max_fen: Fen


class ProgrammeDefinition(_Data):
    """Everything about a programme that can differ from one to the next."""

    title: Text
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=20)]
    purpose: PurposeCode
    """What its money is for: the budget line's purpose has to cover it."""

    valid_from: date
    valid_until: date | None = None
    facts: Annotated[tuple[FactAsked, ...], Field(max_length=60)] = ()
    conditions: Annotated[tuple[Condition, ...], Field(max_length=60)] = ()
    exclusions: Annotated[tuple[Condition, ...], Field(max_length=60)] = ()
    documents: Annotated[tuple[Document, ...], Field(max_length=60)] = ()
    season: Season | None = None
    entitlement: Entitlement
    discretionary: bool = False
    """The decision may give less than the rule comes to."""

    needs_file: bool = True
    """Only for households with a live hardship file."""

    counted_per: CountedPer = CountedPer.person
    period: Period = Period.year
    caps: Caps = Caps()
    route: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10)]
    notice: Notice | None = None
    appeal_working_days: Annotated[int, Field(ge=1, le=120)] = 10
    pay_first: PayFirst | None = None


class ProgrammePublished(Event, type="assistance.ProgrammePublished", version=1):
    """A union put a version of a programme's rules in force. `digest`: SHA-256 of the definition's canonical JSON."""

    programme: ProgrammeCode
    organisation: OrgCode
    number: Annotated[int, Field(ge=1)]
    definition: ProgrammeDefinition
    digest: Digest


class ProgrammeEnded(Event, type="assistance.ProgrammeEnded", version=1):
    """No application is taken or granted from `ends_on` on; what was granted stands."""

    programme: ProgrammeCode
    organisation: OrgCode
    ends_on: date
