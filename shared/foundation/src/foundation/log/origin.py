"""Origins: the name of a log, which is also the name of the key that signs its checkpoints (AUDIT-LOG, "Signed note, checkpoint")."""

import re
from dataclasses import dataclass

AUTHORITY = "union.example"
"""The first part of an origin where the operator names no domain of its own. Uniqueness comes from the organisation's code."""

_FORM = re.compile(r"(?P<authority>[a-z0-9.-]+)/(?P<org>[A-Za-z0-9_-]+)/(?P<service>[a-z][a-z0-9_]*)(?:/epoch-(?P<epoch>[1-9][0-9]{0,9}))?")


class OriginMalformed(ValueError):
    """A text that should be a log's origin is not one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """`<authority>/<org>/<service>`, and `/epoch-<n>` from the second life on: a new epoch is a new log (AUDIT-LOG, "Epochs")."""

    org: str
    service: str
    epoch: int = 0
    authority: str = AUTHORITY

    def __post_init__(self) -> None:
        if _FORM.fullmatch(str(self)) is None:
            raise OriginMalformed(f"{str(self)!r} is not <authority>/<org>/<service>[/epoch-<n>]")

    def __str__(self) -> str:
        return f"{self.authority}/{self.org}/{self.service}" + (f"/epoch-{self.epoch}" if self.epoch else "")

    @staticmethod
    def parse(text: str) -> "Origin":
        """Reads an origin of ours. Raises OriginMalformed."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise OriginMalformed(f"{text!r} is not <authority>/<org>/<service>[/epoch-<n>]")
        return Origin(found["org"], found["service"], int(found["epoch"] or 0), found["authority"])
