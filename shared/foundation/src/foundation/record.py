"""The record: the exact bytes of an event, written once and never re-serialised (docs/decisions/0001-record-format.md).

The same bytes are the Merkle leaf, the Kafka value and what an auditor downloads.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, cast

import msgspec
import orjson

RECORD_BYTES_MAX = 60_000
"""A record's size at the most; tile entries carry 16-bit lengths (C2SP tlog-tiles), documents stay outside by digest."""


class RecordTooLarge(ValueError):
    """An event's record is over RECORD_BYTES_MAX bytes."""

    def __init__(self, type: str, size: int) -> None:
        super().__init__(f"{type} would take {size:,} bytes; a record has at most {RECORD_BYTES_MAX:,}: keep documents outside, by digest")
        self.type, self.size = type, size


class RecordMalformed(ValueError):
    """Bytes that should be a record are not one."""


class Envelope(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"stream": "subject", "version": "streamversion", "correlation": "correlationid", "causation": "causationid", "raw": "data"},
):
    """A record's CloudEvents 1.0 attributes. `raw` is the JSON of its data, not read yet: whoever wants none of it does not pay for it."""

    id: str
    source: str
    type: str
    stream: str
    time: datetime
    version: int
    correlation: str
    actor: str
    raw: msgspec.Raw
    causation: str | None = None
    org: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The data, sealed fields still sealed; parsed anew each time."""
        return cast(dict[str, Any], orjson.loads(bytes(self.raw)))


_decode = msgspec.json.Decoder(Envelope).decode


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
    """The envelope of a record. Raises RecordMalformed where it is no JSON object, or an attribute is missing or of the wrong kind."""
    try:
        return _decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordMalformed(f"not a record: {type(error).__name__}") from error
