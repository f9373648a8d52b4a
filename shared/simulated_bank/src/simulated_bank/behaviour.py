"""How the bank misbehaves, by counting and not by chance, so that a run can be told again."""

from pydantic import BaseModel, ConfigDict, Field


class Behaviour(BaseModel):
    """What goes wrong and how often; 0: never. Counted since the bank started.

    A file that hangs is executed and its answer never sent; a lost one was never seen. `late_asks` is how often a status is asked for
    before the bank says that it knows the file. `broken_reports_every` cuts every n-th report in the middle, `repeated_reports` tells
    every order twice. `pending_seconds` is how long an order stays under way. `returned_every`: every n-th transfer comes back after it
    was done. A bank that `takes_twice` executes a file again whose message it had before: it does not look.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hung_files_every: int = Field(default=0, ge=0)
    lost_files_every: int = Field(default=0, ge=0)
    late_asks: int = Field(default=0, ge=0)
    broken_reports_every: int = Field(default=0, ge=0)
    repeated_reports: bool = False
    pending_seconds: float = Field(default=0, ge=0)
    returned_every: int = Field(default=0, ge=0)
    rejected_every: int = Field(default=0, ge=0)
    takes_twice: bool = False
    strangers: bool = True
    """Whether a transfer to an account that the bank does not know opens it under the name that is told; else it is rejected."""


def falls_on(count: int, every: int) -> bool:
    """Whether the count-th thing, from 1, is one of every n-th."""
    return every > 0 and count % every == 0
