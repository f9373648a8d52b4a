"""What an auditor is told: the first thing that is wrong with a log, and where (AUDIT-LOG, "What an auditor does").

Naming what happened to a record that its tile does not hold is done here too. Pure.
"""

from collections.abc import Sequence
from enum import StrEnum

from foundation.merkle import HASH_BYTES


class Kind(StrEnum):
    """The classes of damage, stable for programs."""

    key_wrong = "key-wrong"
    policy_malformed = "policy-malformed"
    checkpoint_missing = "checkpoint-missing"
    checkpoint_malformed = "checkpoint-malformed"
    signature_wrong = "signature-wrong"
    unsigned = "unsigned"
    unwitnessed = "unwitnessed"
    other_log = "other-log"
    rolled_back = "rolled-back"
    fork = "fork"
    root_wrong = "root-wrong"
    tile_missing = "tile-missing"
    tile_truncated = "tile-truncated"
    tile_altered = "tile-altered"
    entries_missing = "entries-missing"
    entries_malformed = "entries-malformed"
    record_altered = "record-altered"
    record_retimed = "record-retimed"
    record_removed = "record-removed"
    record_inserted = "record-inserted"
    records_swapped = "records-swapped"
    record_malformed = "record-malformed"
    record_foreign = "record-foreign"
    epoch_broken = "epoch-broken"
    version_broken = "version-broken"
    time_reversed = "time-reversed"
    row_altered = "row-altered"
    row_missing = "row-missing"
    file_foreign = "file-foreign"
    proof_wrong = "proof-wrong"
    opening_wrong = "opening-wrong"


class Damage(Exception):
    """The first thing wrong: its class, where (a path of the log, a row, …), the position where it begins if it has one, a sentence."""

    def __init__(self, kind: Kind, where: str, what: str, position: int | None = None) -> None:
        super().__init__(kind, where, what, position)  # all of them: it crosses between processes
        self.kind, self.where, self.what, self.position = kind, where, what, position

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def first_difference(one: bytes, other: bytes) -> int:
    """Which of the hashes, concatenated, is the first that differs; their count where one row is the beginning of the other."""
    pairs = list(zip(split(one), split(other), strict=False))
    return next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), len(pairs))


def split(hashes: bytes) -> list[bytes]:
    """Concatenated hashes, one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def named(where: str, first: int, found: Sequence[bytes], proven: Sequence[bytes], retimed: str | None = None) -> Damage:
    """What happened to records where the leaf hashes found differ from those that the tree proves; both from position `first` on, with a
    little of what follows. `retimed`: what speaks for the differing record having got another time, if anything does."""
    at = next((i for i, (ours, theirs) in enumerate(zip(found, proven, strict=False)) if ours != theirs), min(len(found), len(proven)))
    position = first + at
    if at == len(proven):
        return Damage(Kind.record_inserted, where, f"holds an entry at position {position} that the tree does not", position)
    if at == len(found):
        return Damage(Kind.record_removed, where, f"the entries from position {position} on are missing", position)
    if found[at] in proven[at + 1 :]:
        other = proven.index(found[at], at + 1)
        if other < len(found) and found[other] == proven[at]:
            what = f"the events of positions {position} and {first + other} have changed places"
            return Damage(Kind.records_swapped, where, what, position)
        what = f"the event of position {position} was removed: that of position {first + other} follows"
        return Damage(Kind.record_removed, where, what, position)
    if proven[at] in found[at + 1 :]:
        return Damage(Kind.record_inserted, where, f"an event that the tree does not hold was inserted at position {position}", position)
    if retimed is not None:
        return Damage(Kind.record_retimed, where, f"the record at position {position} was altered: {retimed}", position)
    return Damage(Kind.record_altered, where, f"the record at position {position} is not the one that the tree holds", position)
