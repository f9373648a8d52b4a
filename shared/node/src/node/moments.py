"""Moments as people name them on the command line."""

from datetime import UTC, date, datetime, time, timedelta

from contracts.values import CHINA

from node.errors import UsageError


def moment(text: str) -> datetime:
    """A day in China, to its end, or an ISO moment with its zone. Raises UsageError."""
    try:
        if len(text) == len("2026-03-31"):
            return datetime.combine(date.fromisoformat(text), time(), CHINA).astimezone(UTC) + timedelta(days=1) - timedelta(microseconds=1)
        named = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date", "as in 2026-03-31 (the end of that day in China) or 2026-03-31T12:00:00+08:00") from None
    if named.tzinfo is None:
        raise UsageError(f"{text} is in no zone", f"as in {text}+08:00")
    return named.astimezone(UTC)
