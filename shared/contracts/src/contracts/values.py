"""Values that people and papers carry, normalised and checked: names, identity documents, organisation and division codes, phones.

Pure. Checks belong where a value comes in (commands, requests, rosters); events hold plain values, so that a tightened rule never
makes a history unloadable. The checks themselves are in `checks`, and are to be had here as well.
"""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from contracts.checks import (
    DocumentKind,
    ValueRefused,
    born_on,
    division,
    identity_number,
    line,
    name,
    normalised,
    phone,
    resident_check,
    uscc,
    uscc_check,
)

__all__ = [
    "CHINA",
    "Day",
    "Digest",
    "DivisionCode",
    "DocumentKind",
    "IdentityDocument",
    "PersonName",
    "Phone",
    "Principal",
    "RecordId",
    "Uscc",
    "ValueRefused",
    "born_on",
    "day_in_china",
    "division",
    "identity_document",
    "identity_number",
    "line",
    "name",
    "normalised",
    "phone",
    "resident_check",
    "uscc",
    "uscc_check",
]


class IdentityDocument(BaseModel):
    """A document's kind and number; `issuer` is a country in ISO 3166-1 alpha-2, which matters for passports."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kind: DocumentKind
    number: str = ""
    issuer: str = "CN"


def identity_document(kind: DocumentKind, number: str, *, issuer: str = "CN", today: date) -> IdentityDocument:
    """A checked document in normal form. Raises ValueRefused."""
    country = issuer.strip().upper()
    if not re.fullmatch(r"[A-Z]{2}", country, re.ASCII):
        raise ValueRefused("issuer-form")
    return IdentityDocument(kind=kind, number=identity_number(kind, number, today=today), issuer=country)


PersonName = Annotated[str, Field(min_length=1), AfterValidator(name)]
"""A person's name in a request or a roster."""

Uscc = Annotated[str, Field(min_length=18), AfterValidator(uscc)]
"""A unified social credit code in a request."""

DivisionCode = Annotated[str, Field(min_length=2), AfterValidator(division)]
"""A division's code in a request."""

Phone = Annotated[str, Field(min_length=7), AfterValidator(phone)]
"""A phone number in a request."""

Principal = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Who acts: the random subject of a token, never a login or a name."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""The SHA-256 of a document that is kept outside the history."""

RecordId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""An appointment, a transfer, a roster: 128 bits in lower-case hex."""


# --------------------------------------------------------------------------------------------------------------- days

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China's time; fixed, because it has had no summer time since 1991 and a node need not carry a zone database."""


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _written_as_a_day(given: object) -> object:
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueRefused("day-form")
    if isinstance(given, int | float):
        raise ValueRefused("day-form")
    return given


Day = Annotated[date, BeforeValidator(_written_as_a_day)]
"""A day in a request: pydantic alone would take 0 for the first of January 1970."""


def day_in_china(moment: datetime) -> date:
    """The day it is in China at a UTC moment: the day that effective dates are measured against."""
    return moment.astimezone(CHINA).date()
