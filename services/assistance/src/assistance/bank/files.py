"""Which format a file has: written by the batch's channel, read by what it looks like."""

from contracts.assistance.payments import Channel

from assistance.bank import camt053, pain001, pain002, template
from assistance.bank.errors import BankFileUnreadable
from assistance.bank.port import PaymentFile
from assistance.bank.words import Report, Statement

FILE_BYTES_MAX = 100_000_000


def write(file: PaymentFile, channel: Channel) -> bytes:
    """The file in the channel's format, the same bytes for the same payments. Raises FileNotRendered."""
    return pain001.write(file) if channel is Channel.iso20022 else template.write(file)


def read(data: bytes) -> Report | Statement:
    """What the bank sent. Raises BankFileUnreadable."""
    if len(data) > FILE_BYTES_MAX:
        raise BankFileUnreadable("too-large")
    if data.startswith(b"PK"):
        return template.read(data)
    # Which of the two it is stands in the root element, among the first bytes.
    return camt053.read(data) if camt053.NAMESPACE.encode() in data[:2_000] else pain002.read(data)
