"""Typed events out of records: what deciders fold and projections apply."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.kernel import Catalogue, Event

from foundation.record import Envelope, decode
from foundation.store.port import Recorded


@dataclass(frozen=True, slots=True)
class Happened:
    """An event with where and when it stands. Its sealed fields are `Ciphertext` unless they have been opened."""

    position: int
    envelope: Envelope
    event: Event


def happened(recorded: Recorded, catalogue: Catalogue) -> Happened:
    """The typed event of one record. Raises RecordMalformed, EventTypeUnknown, pydantic.ValidationError."""
    envelope = decode(recorded.record)
    return Happened(recorded.position, envelope, catalogue.load(envelope.type, envelope.data))


def all_happened(batch: Iterable[Recorded], catalogue: Catalogue) -> list[Happened]:
    """The typed events of many records, in order. Raises what `happened` raises, on the first that does."""
    return [happened(recorded, catalogue) for recorded in batch]
