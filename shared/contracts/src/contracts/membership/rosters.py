"""Rosters 花名册: a list of members that a union hands in."""

from contracts.kernel import Event, OrgCode
from contracts.values import Digest, RecordId


class RosterReceived(Event, type="membership.RosterReceived", version=1):
    """A union's roster came in. The file is named by its digest; its rows are in the history as the events they led to."""

    roster: RecordId
    organisation: OrgCode
    digest: Digest
    size_bytes: int
    complete: bool
    """It names everybody: who is not on it has left."""


class RosterApplicationStarted(Event, type="membership.RosterApplicationStarted", version=1):
    """Somebody had a roster applied, after its dry run. What follows from it carries its stream as correlation."""

    roster: RecordId
    organisation: OrgCode
    digest: Digest


class RosterApplied(Event, type="membership.RosterApplied", version=1):
    """Every row of a roster was dealt with: how many led to what."""

    roster: RecordId
    organisation: OrgCode
    joined: int
    transferred: int
    changed: int
    unchanged: int
    left: int
    refused: int
