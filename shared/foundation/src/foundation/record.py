"""The record: the exact bytes of an event, written once and never re-serialised (docs/decisions/0001-record-format.md).

The same bytes are the Merkle leaf, the Kafka value and what an auditor downloads.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Any, cast

import orjson

RECORD_BYTES_MAX = 60_000
"""A record's size at the most; tile entries carry 16-bit lengths (C2SP tlog-tiles), documents stay outside by digest."""


_REQUIRED = itemgetter("id", "source", "subject", "time", "streamversion", "correlationid", "actor", "type", "data")


class RecordTooLarge(ValueError):
    """An event's record is over RECORD_BYTES_MAX bytes."""

    def __init__(self, type: str, size: int) -> None:
        super().__init__(f"{type} would take {size:,} bytes; a record has at most {RECORD_BYTES_MAX:,}: keep documents outside, by digest")
        self.type, self.size = type, size


class RecordMalformed(ValueError):
    """Bytes that should be a record are not one."""


class Envelope:
    """A record's CloudEvents 1.0 attributes and its `data`, sealed fields still sealed.

    Read from the parsed JSON when asked for: most readers of a history want two or three of them.
    """

    __slots__ = ("_attributes", "data", "type")

    def __init__(self, attributes: dict[str, Any]) -> None:
        """Raises KeyError where an attribute that every record has is missing."""
        _, _, _, _, _, _, _, self.type, self.data = _REQUIRED(attributes)
        self._attributes = attributes

    type: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """The event's UUIDv7."""
        return cast(str, self._attributes["id"])

    @property
    def source(self) -> str:
        """`/nodes/<org>/<service>`."""
        return cast(str, self._attributes["source"])

    @property
    def stream(self) -> str:
        """`category-id`."""
        return cast(str, self._attributes["subject"])

    @property
    def time(self) -> datetime:
        """When it was recorded, UTC."""
        return datetime.fromisoformat(self._attributes["time"])

    @property
    def version(self) -> int:
        """Its number in the stream, from 1."""
        return cast(int, self._attributes["streamversion"])

    @property
    def correlation(self) -> str:
        """The conversation it belongs to."""
        return cast(str, self._attributes["correlationid"])

    @property
    def causation(self) -> str | None:
        """The event or command that brought it about."""
        return self._attributes.get("causationid")

    @property
    def actor(self) -> str:
        """Who did it, by a random id."""
        return cast(str, self._attributes["actor"])

    @property
    def org(self) -> str | None:
        """For which unit it was done; None where that is sealed."""
        return self._attributes.get("org")


def leaf_hash(record: bytes) -> bytes:
    """RFC 6962 leaf hash: SHA-256(0x00 ‖ record)."""
    return sha256(b"\x00" + record).digest()


@lru_cache(maxsize=8)
def _stamp(time: datetime) -> str:
    # The events of one decision share their moment.
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(
    *,
    id: str,
    source: str,
    type: str,
    stream: str,
    time: datetime,
    version: int,
    correlation: str,
    causation: str | None,
    actor: str,
    org: str | None,
    data: Mapping[str, Any],
) -> bytes:
    """The record of one event: UTF-8 JSON, attributes in this order, absent ones left out. Raises RecordTooLarge."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type,
        "subject": stream,
        "time": _stamp(time),
        "datacontenttype": "application/json",
        "dataschema": "urn:tongxin:event:" + type,
        "streamversion": version,
        "correlationid": correlation,
    }
    if causation is not None:
        attributes["causationid"] = causation
    attributes["actor"] = actor
    if org is not None:
        attributes["org"] = org
    attributes["data"] = data
    record = orjson.dumps(attributes)
    if len(record) > RECORD_BYTES_MAX:
        raise RecordTooLarge(type, len(record))
    return record


def decode(record: bytes) -> Envelope:
    """The envelope of a record. Raises RecordMalformed where it is no JSON object or an attribute is missing."""
    try:
        return Envelope(orjson.loads(record))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise RecordMalformed(f"not a record: {error!r:.200}") from error
