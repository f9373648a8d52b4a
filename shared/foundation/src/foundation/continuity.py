"""What a consumer may take from the topic, by its own cursor alone. Pure; the heart of DESIGN 6."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from foundation.broker.port import Message
from foundation.cursor import Cursor
from foundation.history import Entry
from foundation.record import leaf_hash


class Link(Entry, Protocol):
    """A record in its place with its leaf hash; `foundation.store.port.Recorded` is one."""

    @property
    def leaf(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """An entry that came by the topic."""

    position: int
    record: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Following:
    """The entries that follow the cursor without a gap, and up to which position the source has to be asked, if at all."""

    entries: tuple[Arrived, ...]
    ask: int | None


def follow(cursor: Cursor, messages: Sequence[Message]) -> Following:
    """Take the messages that continue the cursor's history; skip repeats; at anything else stop and say to ask the source.

    A message is a hint: it may be missing, late, doubled, out of order or from a history that its source no longer has. So a cursor that
    has applied nothing yet asks: the start of any history would continue it.
    """
    if cursor.last < 0 and messages:
        return Following((), max(message.position for message in messages))
    entries: list[Arrived] = []
    last, leaf = cursor.last, cursor.leaf
    for index, message in enumerate(messages):
        if (message.epoch, message.position) <= (cursor.epoch, last):
            continue
        if (message.epoch, message.position, message.previous_leaf) != (cursor.epoch, last + 1, leaf):
            return Following(tuple(entries), max(later.position for later in messages[index:]))
        last, leaf = message.position, leaf_hash(message.value)
        entries.append(Arrived(last, message.value, leaf))
    return Following(tuple(entries), None)
