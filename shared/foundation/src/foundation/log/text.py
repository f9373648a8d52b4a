"""Numbers and bytes as the C2SP formats spell them: one spelling each, so that what is signed can be written in one way only."""

import binascii
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime

NUMBER_MAX = 2**63 - 1
"""The largest size, index or timestamp (C2SP tlog-cosignature; tlog-tiles has levels up to 63)."""

_UTC_MAX = int(datetime.max.replace(tzinfo=UTC).timestamp()) - 1

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, 4)."""
    return b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """The bytes of standard base64 in its only spelling: padded, no foreign letters, loose bits zero. Raises ValueError."""
    try:
        data = b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if to_base64(data) != text:
        raise ValueError("base64 in another spelling than its own")
    return data


def from_decimal(text: str) -> int:
    """A number from 0 to NUMBER_MAX in ASCII digits, no leading zeroes. Raises ValueError."""
    if _DECIMAL.fullmatch(text) is None or (number := int(text)) > NUMBER_MAX:
        raise ValueError("not a decimal number without leading zeroes")
    return number


def utc(seconds: int) -> datetime:
    """A cosignature's time; the end of the calendar for one that lies beyond it."""
    return datetime.fromtimestamp(min(seconds, _UTC_MAX), UTC)
