"""Typed events out of records: what deciders fold and projections apply."""

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from contracts.kernel import Catalogue, Event, EventTypeUnknown

from foundation.record import Envelope, decode
from foundation.store.port import Recorded


class Happened(NamedTuple):
    """An event with where and when it stands. Its sealed fields are `Ciphertext` unless they have been opened."""

    position: int
    envelope: Envelope
    event: Event


class Entry(Protocol):
    """A record in its place; `foundation.store.port.Recorded` is one."""

    @property
    def position(self) -> int: ...
    @property
    def record(self) -> bytes: ...


class Reading:
    """Records into the events that one reader wants.

    A type that this program does not know at all is none of its business and is passed over. A known type in a version that it does not
    know is: its effects would be missed without a sound.
    """

    def __init__(self, catalogue: Catalogue, wanted: Collection[type[Event]] | None = None) -> None:
        self._catalogue = catalogue
        self._wanted = frozenset(catalogue if wanted is None else wanted)
        self._names = {event.TYPE.rpartition(".v")[0] for event in catalogue}

    def all(self, entries: Iterable[Entry]) -> list[Happened]:
        """The wanted events, in order. Raises EventTypeUnknown, RecordMalformed, pydantic.ValidationError on the first that does."""
        found = []
        for entry in entries:
            envelope = decode(entry.record)
            if envelope.type not in self._catalogue:
                if envelope.type.rpartition(".v")[0] in self._names:
                    raise EventTypeUnknown(envelope.type)
                continue
            event = self._catalogue.load(envelope.type, envelope.data)
            if type(event) in self._wanted:
                found.append(Happened(entry.position, envelope, event))
        return found


def happened(recorded: Recorded, catalogue: Catalogue) -> Happened:
    """The typed event of one record. Raises RecordMalformed, EventTypeUnknown, pydantic.ValidationError."""
    envelope = decode(recorded.record)
    return Happened(recorded.position, envelope, catalogue.load(envelope.type, envelope.data))


def all_happened(batch: Iterable[Recorded], catalogue: Catalogue) -> list[Happened]:
    """The typed events of many records, in order. Raises what `happened` raises, on the first that does."""
    return [happened(recorded, catalogue) for recorded in batch]
