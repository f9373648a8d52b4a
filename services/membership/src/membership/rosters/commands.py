"""What can be asked about a roster."""

from dataclasses import dataclass

from contracts.kernel import OrgCode


@dataclass(frozen=True, slots=True)
class Receive:
    """Take a file in; `complete`: who is not on it has left."""

    roster: str
    organisation: OrgCode
    digest: str
    size_bytes: int
    complete: bool


@dataclass(frozen=True, slots=True)
class StartApplication:
    """Apply it as the dry run showed it."""

    roster: str


@dataclass(frozen=True, slots=True)
class FinishApplication:
    """Every row has been dealt with."""

    roster: str
    joined: int
    transferred: int
    changed: int
    unchanged: int
    left: int
    refused: int


Command = Receive | StartApplication | FinishApplication
