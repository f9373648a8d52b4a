"""Why banks do not pay: ISO 20022 reason codes, whether they lie with the payee's account, and the Chinese words that mean them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

OTHER = "NARR"
"""A reason in words that are not known here (ISO 20022: Narrative)."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `account`: it lies with the payee's account or its holder's name, so that the same account would fail again.

    `kind` is the exception that a cadre is shown; `words` are what banks write for it.
    """

    code: str
    kind: str
    account: bool
    words: tuple[str, ...] = ()


@cache
def reasons() -> Mapping[str, Reason]:
    """Every known reason, by its code (`reasons.toml`)."""
    rows = tomllib.loads((files("assistance.bank") / "reasons.toml").read_text("utf-8"))["reason"]
    return {row["code"]: Reason(row["code"], row["kind"], row.get("account", False), tuple(row.get("words", ()))) for row in rows}


def lies_with_account(code: str) -> bool:
    """Whether the payee's account has to be corrected before another instruction."""
    return code in reasons() and reasons()[code].account


def kind_of(code: str) -> str:
    """The exception that a code is; `failed` where it says nothing more."""
    return reasons()[code].kind if code in reasons() else "failed"


def code_of(words: str) -> str:
    """The code of a bank's own words: that of the longest known ones in them. OTHER where there are none."""
    found = [(len(known), reason.code) for reason in reasons().values() for known in reason.words if known in words]
    return max(found)[1] if found else OTHER
