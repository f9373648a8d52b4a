"""What envelopes must say together: each stream's versions without a gap, times that do not run back, one source (decision 0001). Pure.

The bytes of an envelope are settled to the last one, so it is matched rather than parsed, and what can be asked of a bundle's records in
one step is not asked of each: this runs for every record of a history. Where a bundle does not give the plain answer, its records are read
one by one. Whether the data behind an envelope is what its event type asks for is found by whoever replays it.
"""

import re
import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate, chain
from typing import NamedTuple

import msgspec
import orjson

from foundation.log.damage import Damage, Kind
from foundation.record import RecordMalformed, RecordTooLarge, decode, encode

CLOCK_BACK_SECONDS = 60.0
"""How far a record's time may lie before an earlier record's: clocks are set back now and then, by seconds."""

_UUID7 = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SECOND = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")

_ENVELOPE = (
    rb'\{"specversion":"1\.0","id":"(.{36})","source":"%b","type":"([^"]+)","subject":"([^"]+)","time":"((.{19})\.([0-9]{3})[0-9]{3}Z)",'
    rb'"datacontenttype":"application/json","dataschema":"urn:tongxin:event:\2","streamversion":([1-9][0-9]{0,17}),'
    rb'"correlationid":"([^"]+","(?:actor|causationid":"[^"]+","actor)":"[^"]+","(?:org":"[^"]+","|))data":(\{.*\})\}\Z'
)

_MILLISECONDS = {b"%03d" % ms: ms for ms in range(1000)}

_LATE_MS = {0, 1}
"""How many milliseconds an id may be older than its record's time: both were made from one moment, and binary fractions may lose one."""

_ESCAPES = bytes(range(0x20)) + b"\\"
"""What a plain text in JSON has none of."""


class _Object(msgspec.Struct):
    """Any JSON object; what is in it is passed over, but it must be JSON."""


_check_object = msgspec.json.Decoder(_Object).decode


class _Fields(NamedTuple):
    """Of an envelope, as spelt in it."""

    id: bytes
    source: bytes
    stream: bytes
    time: bytes
    version: int


class _Plain(NamedTuple):
    """Of the envelopes of a bundle in which there is nothing to object to but perhaps a version."""

    times: tuple[bytes, ...]
    streams: tuple[bytes, ...]
    versions: tuple[bytes, ...]


class Envelopes:
    """Follows the records of one stretch of a log. `source`: the CloudEvents source that all must name (None: that of the first)."""

    def __init__(self, source: bytes | None, clock_back_seconds: float = CLOCK_BACK_SECONDS) -> None:
        self.source, self._clock_back = source, clock_back_seconds
        self._match = None if source is None else _matching(source)
        self.firsts: dict[bytes, tuple[int, int]] = {}
        """Of each stream: the position at which the stretch meets it first, and its version there."""
        self.lasts: dict[bytes, int] = {}
        """Of each stream: its last version."""
        self.lowest: tuple[bytes, int] = (b"", -1)
        """The earliest time, and its position."""
        self.highest = b""
        """The latest time."""

    def follow(self, where: str, first: int, records: Sequence[bytes]) -> None:
        """Take in the next records, from position `first` on; `where` is their file. Raises Damage."""
        plain = self._plain(records)
        if plain is not None:
            self._tell(first, plain.times)
            self._continue(where, first, plain.streams, map(int, plain.versions))
            return
        for position, record in enumerate(records, first):
            said = _read(where, position, record)
            if said.source != self.source:
                self._meet(where, position, said.source)
            if _time_ms(said.time) - _made_ms(said.id) not in _LATE_MS:
                raise Damage(Kind.record_retimed, where, f"position {position}: {_disagreement(said.id, said.time)}", position)
            if said.time < self.highest:
                check_clock(where, position, self.highest, said.time, self._clock_back)
            self._tell(position, (said.time,))
            self._continue(where, position, (said.stream,), (said.version,))

    def _plain(self, records: Sequence[bytes]) -> _Plain | None:
        """What envelopes say that are all in plain letters and right for themselves, after those before them; None where one is not."""
        if self._match is None:
            return None
        found = [match.groups() for match in map(self._match, records) if match is not None]
        if len(found) != len(records):
            return None
        ids, types, streams, times, seconds, milliseconds, versions, rests, data = zip(*found, strict=True)
        words = b"".join(chain(set(types), streams, rests))
        if not words.isascii() or len(words.translate(None, _ESCAPES)) != len(words):
            return None
        try:
            deque(map(_check_object, data), 0)
            starts = {second: _second_ms(second) for second in set(seconds)}
            heads = _all_heads(ids)
        except (ValueError, msgspec.MsgspecError):
            return None
        late = {starts[second] + _MILLISECONDS[ms] - (head >> 16) for second, ms, head in zip(seconds, milliseconds, heads, strict=True)}
        return _Plain(times, streams, versions) if late <= _LATE_MS and self._in_order(times) else None

    def _in_order(self, times: Sequence[bytes]) -> bool:
        if times[0] >= self.highest and sorted(times) == list(times):
            return True
        highest = accumulate(chain((self.highest,), times), max)
        return not any(time < high and _seconds_back(high, time) > self._clock_back for high, time in zip(highest, times, strict=False))

    def _tell(self, first: int, times: Sequence[bytes]) -> None:
        earliest = min(times)
        if self.lowest[1] < 0 or earliest < self.lowest[0]:
            self.lowest = earliest, first + times.index(earliest)
        self.highest = max(self.highest, *times)

    def _continue(self, where: str, first: int, streams: Iterable[bytes], versions: Iterable[int]) -> None:
        firsts, lasts = self.firsts, self.lasts
        for position, (stream, version) in enumerate(zip(streams, versions, strict=True), first):
            last = lasts.get(stream)
            if last is None:
                firsts[stream] = position, version
            elif version != last + 1:
                raise version_broken(where, position, stream, last + 1, version)
            lasts[stream] = version

    def _meet(self, where: str, position: int, source: bytes) -> None:
        if self.source is not None:
            what = f"position {position}: a record of {_text(source)} in the log of {_text(self.source)}"
            raise Damage(Kind.record_foreign, where, what, position)
        self.source, self._match = source, _matching(source)


def check_clock(where: str, position: int, highest: bytes, time: bytes, clock_back_seconds: float) -> None:
    """Raises Damage where a time lies further before an earlier record's than a clock is set back."""
    if _seconds_back(highest, time) > clock_back_seconds:
        what = f"position {position}: its time {_text(time)} lies before {_text(highest)}, the time of an earlier record"
        raise Damage(Kind.time_reversed, where, what, position)


def version_broken(where: str, position: int, stream: bytes, expected: int, version: int) -> Damage:
    """A stream that does not go on where it stood."""
    what = f"position {position}: {_text(stream)} goes on with version {version} where {expected} is next"
    return Damage(Kind.version_broken, where, what, position)


def retimed(record: bytes) -> str | None:
    """What speaks for a record's time having been changed; None where nothing does."""
    try:
        said = _read("", 0, record)
    except Damage:
        return None
    return _disagreement(said.id, said.time) if abs(_time_ms(said.time) - _made_ms(said.id)) > 1 else None


def _matching(source: bytes) -> Callable[[bytes], "re.Match[bytes] | None"]:
    return re.compile(_ENVELOPE % re.escape(source), re.DOTALL).match


def _all_heads(ids: Sequence[bytes]) -> Sequence[int]:
    """The first 64 bits of ids of 36 bytes each, 48 of them milliseconds. Raises ValueError where one is no UUIDv7 in small letters."""
    joined, count = b"".join(ids), len(ids)
    digits = joined.decode("ascii").replace("-", "")
    raw = bytes.fromhex(digits)
    dashes = b"".join(joined[at::36] for at in (8, 13, 18, 23))
    if raw.hex() != digits or dashes != b"-" * 4 * count or joined[14::36] != b"7" * count or joined[19::36].strip(b"89ab"):
        raise ValueError("not all are UUIDs of version 7")
    return struct.unpack(">" + "Q8x" * count, raw)


def _made_ms(id: bytes) -> int:
    """A UUIDv7 says when it was made (RFC 9562, 5.7)."""
    return int(id[:8] + id[9:13], 16)


def _moment(time: bytes) -> datetime:
    return datetime.fromisoformat(time.decode())


def _seconds_back(highest: bytes, time: bytes) -> float:
    return (_moment(highest) - _moment(time)).total_seconds()


def _time_ms(time: bytes) -> int:
    return _second_ms(time[:19]) + int(time[20:23])


def _second_ms(second: bytes) -> int:
    """POSIX milliseconds at the beginning of a second in UTC. Raises ValueError where that is none."""
    if _SECOND.fullmatch(second) is None:
        raise ValueError("not a second")
    return int(_moment(second + b"Z").timestamp()) * 1000


def _disagreement(id: bytes, time: bytes) -> str:
    made = datetime.fromtimestamp(_made_ms(id) / 1000, UTC)
    return f"its time says {_text(time)}, its id was made at {made:%Y-%m-%dT%H:%M:%S.%f}Z"


def _read(where: str, position: int, record: bytes) -> _Fields:
    """The fields of an envelope in whatever letters; it is one where writing it anew gives the same bytes. Raises Damage."""
    try:
        said = decode(record)
        names = ("id", "source", "type", "stream", "time", "version", "correlation", "causation", "actor", "org", "data")
        fields = {name: getattr(said, name) for name in names}
        again = encode(**fields)
    except (RecordMalformed, RecordTooLarge, ValueError, TypeError) as error:
        what = f"position {position} holds no record ({type(error).__name__})"
        raise Damage(Kind.record_malformed, where, what, position) from None
    if again != record or not isinstance(fields["data"], dict) or _UUID7.fullmatch(said.id.encode()) is None:
        raise Damage(Kind.record_malformed, where, f"position {position}: a record in another form than decision 0001 settles", position)
    time = said.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # The stream as it is spelt, so that none holds a line's end.
    return _Fields(said.id.encode(), said.source.encode(), orjson.dumps(said.stream)[1:-1], time.encode(), said.version)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
