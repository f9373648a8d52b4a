"""Identifiers: event ids in time order, ids at random, and ids that follow from others."""

import os
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from uuid import UUID

COMMANDS = UUID("5f6a3c1e-2f0b-5d3c-9b6e-0c6f2f8f7a11")
"""The namespace of command ids (uuid5 of principal, route and key; or of event, reaction and target)."""


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


@lru_cache(maxsize=8)
def _milliseconds(now: datetime) -> str:
    # The events of one decision share their moment.
    text = f"{int(now.timestamp() * 1000):012x}"
    return f"{text[:8]}-{text[8:]}-7"


def uuid7(now: datetime, random: bytes | None = None) -> str:
    """A UUIDv7 (RFC 9562, 5.7) of a UTC moment, as text: 48 bits of milliseconds, then 74 random bits (of 80 that are taken).

    Put together as text: uuid.UUID takes four times as long, once per event.
    """
    text = (random or os.urandom(10)).hex()
    return f"{_milliseconds(now)}{text[:3]}-{_VARIANT[text[3]]}{text[4:7]}-{text[7:19]}"


def random_id() -> str:
    """128 random bits in lower-case hex: the form of person ids and of every id that points to nobody."""
    return os.urandom(16).hex()


def command_id(*parts: str) -> UUID:
    """The id that follows from what a command is: the same parts give the same id, for ever. Parts are length-delimited."""
    name = "".join([f"{len(part)}:{part}" for part in parts])
    # uuid.uuid5 spelled out: it takes twice as long.
    return UUID(bytes=sha1(COMMANDS.bytes + name.encode(), usedforsecurity=False).digest()[:16], version=5)
