"""Typed events out of records: what deciders fold and projections apply."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import NamedTuple, Protocol

import orjson
from contracts.kernel import Catalogue, Event, EventTypeUnknown

from foundation.decoding import Json, decoder
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
        self._reads: dict[str, Callable[[Json], Event | None]] = {}

    def all(self, entries: Iterable[Entry]) -> list[Happened]:
        """The wanted events, in order. Raises EventTypeUnknown, RecordMalformed, pydantic.ValidationError on the first that does."""
        found = []
        reads = self._reads
        for entry in entries:
            envelope = decode(entry.record)
            read = reads.get(envelope.type)
            if read is None:
                read = reads[envelope.type] = self._read(envelope.type)
            event = read(envelope.raw)
            if event is not None:
                found.append(Happened(entry.position, envelope, event))
        return found

    def _read(self, type: str) -> Callable[[Json], Event | None]:
        """How one stored type is read: chosen once."""
        direct = self._catalogue.stored_as(type)
        if direct is not None and direct in self._wanted:
            return decoder(direct)
        if direct is None and type in self._catalogue:
            return partial(self._upcast, type)
        if direct is None and type.rpartition(".v")[0] in self._names:
            raise EventTypeUnknown(type)
        return lambda _: None

    def _upcast(self, stored: str, data: Json) -> Event | None:
        event = self._catalogue.load(stored, orjson.loads(bytes(data)))
        return event if type(event) in self._wanted else None


def happened(recorded: Recorded, catalogue: Catalogue) -> Happened:
    """The typed event of one record. Raises RecordMalformed, EventTypeUnknown, pydantic.ValidationError."""
    envelope = decode(recorded.record)
    direct = catalogue.stored_as(envelope.type)
    event = catalogue.load(envelope.type, envelope.data) if direct is None else decoder(direct)(envelope.raw)
    return Happened(recorded.position, envelope, event)


def all_happened(batch: Iterable[Recorded], catalogue: Catalogue) -> list[Happened]:
    """The typed events of many records, in order. Raises what `happened` raises, on the first that does."""
    return [happened(recorded, catalogue) for recorded in batch]
