"""Identifiers: event ids in time order, ids at random, and ids that follow from others."""

import os
from datetime import datetime
from uuid import UUID, uuid5

COMMANDS = UUID("5f6a3c1e-2f0b-5d3c-9b6e-0c6f2f8f7a11")
"""The namespace of command ids (uuid5 of principal, route and key; or of event, reaction and target)."""


def uuid7(now: datetime, random: bytes | None = None) -> str:
    """A UUIDv7 (RFC 9562, 5.7) of a UTC moment, as text: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(random or os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"  # uuid.UUID takes three times as long, once per event
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_id() -> str:
    """128 random bits in lower-case hex: the form of person ids and of every id that points to nobody."""
    return os.urandom(16).hex()


def command_id(*parts: str) -> UUID:
    """The id that follows from what a command is: the same parts give the same id, for ever. Parts are length-delimited."""
    return uuid5(COMMANDS, "".join(f"{len(part)}:{part}" for part in parts))
