"""What envelopes must say together: each stream's versions without a gap, times that do not run back, one source (decision 0001). Pure.

The bytes of an envelope are settled to the last one, so it is matched rather than parsed: this runs for every record of a history. Whether
the data behind it is what its event type asks for is found by whoever replays it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from foundation.log.damage import Damage, Kind
from foundation.record import RecordMalformed, RecordTooLarge, decode, encode

CLOCK_BACK_SECONDS = 60.0
"""How far a record's time may lie before an earlier record's: clocks are set back now and then, by seconds."""

_ENVELOPE = re.compile(
    rb'\{"specversion":"1\.0","id":"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})","source":"([^"]+)","type":"([^"]+)",'
    rb'"subject":"([^"\\\x00-\x1f]+)","time":"([0-9T:-]{19}\.[0-9]{6}Z)","datacontenttype":"application/json",'
    rb'"dataschema":"urn:tongxin:event:\3","streamversion":([1-9][0-9]*),"correlationid":"[^"]+",(?:"causationid":"[^"]+",)?'
    rb'"actor":"[^"]+",(?:"org":"[^"]+",)?"data":\{'
)

_UUID7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class _Object(msgspec.Struct):
    """Any JSON object; what is in it is passed over, but it must be JSON."""


_CLOSING_BRACE = ord("}")
_check_object = msgspec.json.Decoder(_Object).decode

_Fields = tuple[bytes, ...]
"""Of an envelope: id, source, type, stream, time, version."""


class Envelopes:
    """Follows the records of one stretch of a log. `source`: the CloudEvents source that all must name (None: that of the first)."""

    def __init__(self, source: bytes | None, clock_back_seconds: float = CLOCK_BACK_SECONDS) -> None:
        self.source, self._clock_back = source, clock_back_seconds
        self.streams: dict[bytes, list[int]] = {}
        """Of each stream: the position at which the stretch meets it first, its version there, and its last version."""
        self.lowest: tuple[bytes, int] = (b"", -1)
        """The earliest time, and its position."""
        self.highest = b""
        """The latest time."""

    def follow(self, where: str, first: int, records: Sequence[bytes]) -> None:
        """Take in the next records, from position `first` on; `where` is their file. Raises Damage."""
        streams, match, highest, last_second, second_ms = self.streams, _ENVELOPE.match, self.highest, b"", 0
        for position, record in enumerate(records, first):
            found = match(record)
            fields = found.groups() if found is not None and _ends_well(record, found.end()) else _read(where, position, record)
            event, source, _, stream, time, version_text = fields
            if source != self.source:
                self._meet(where, position, source)
            if time[:19] != last_second:
                last_second, second_ms = time[:19], _second_ms(where, position, time)
            # Both were made from one moment; binary fractions may lose the last millisecond on the way into an id.
            if not 0 <= second_ms + int(time[20:23]) - int(event[:8] + event[9:13], 16) <= 1:
                raise Damage(Kind.record_retimed, where, f"position {position}: {_disagreement(event, time)}", position)
            if time < highest:
                check_clock(where, position, highest, time, self._clock_back)
                self.lowest = min(self.lowest, (time, position))
            else:
                highest = time
                if self.lowest[1] < 0:
                    self.lowest = (time, position)
            version, known = int(version_text), streams.get(stream)
            if known is None:
                streams[stream] = [position, version, version]
            elif version == known[2] + 1:
                known[2] = version
            else:
                raise version_broken(where, position, stream, known[2] + 1, version)
        self.highest = highest

    def _meet(self, where: str, position: int, source: bytes) -> None:
        if self.source is not None:
            what = f"position {position}: a record of {_text(source)} in the log of {_text(self.source)}"
            raise Damage(Kind.record_foreign, where, what, position)
        self.source = source


def check_clock(where: str, position: int, highest: bytes, time: bytes, clock_back_seconds: float) -> None:
    """Raises Damage where a time lies further before an earlier record's than a clock is set back."""
    if (_moment(highest) - _moment(time)).total_seconds() > clock_back_seconds:
        what = f"position {position}: its time {_text(time)} lies before {_text(highest)}, the time of an earlier record"
        raise Damage(Kind.time_reversed, where, what, position)


def version_broken(where: str, position: int, stream: bytes, expected: int, version: int) -> Damage:
    """A stream that does not go on where it stood."""
    what = f"position {position}: {_text(stream)} goes on with version {version} where {expected} is next"
    return Damage(Kind.version_broken, where, what, position)


def retimed(record: bytes) -> str | None:
    """What speaks for a record's time having been changed; None where nothing does."""
    found = _ENVELOPE.match(record)
    try:
        if found is None or abs(int(_moment(found[5]).timestamp() * 1000) - _made_ms(found[1])) <= 1:
            return None
    except ValueError:
        return None
    return _disagreement(found[1], found[5])


def _ends_well(record: bytes, after: int) -> bool:
    """Whether nothing but the rest of one JSON object and the envelope's end follows the data's opening brace."""
    try:
        _check_object(record[after - 1 : -1])
    except msgspec.MsgspecError:
        return False
    return record[-1] == _CLOSING_BRACE


def _made_ms(id: bytes) -> int:
    """A UUIDv7 says when it was made (RFC 9562, 5.7)."""
    return int(id[:8] + id[9:13], 16)


def _moment(time: bytes) -> datetime:
    return datetime.fromisoformat(time.decode())


def _second_ms(where: str, position: int, time: bytes) -> int:
    try:
        return int(_moment(time).replace(microsecond=0).timestamp()) * 1000
    except ValueError:
        raise Damage(Kind.record_malformed, where, f"position {position}: {_text(time)} is no time", position) from None


def _disagreement(id: bytes, time: bytes) -> str:
    made = datetime.fromtimestamp(_made_ms(id) / 1000, UTC)
    return f"its time says {_text(time)}, its id was made at {made:%Y-%m-%dT%H:%M:%S.%f}Z"


def _read(where: str, position: int, record: bytes) -> _Fields:
    """The fields of an envelope in whatever letters; it is one where writing it anew gives the same bytes. Raises Damage."""
    try:
        said = decode(record)
        names = ("id", "source", "type", "stream", "time", "version", "correlation", "causation", "actor", "org", "data")
        again = encode(**{name: getattr(said, name) for name in names})
    except (RecordMalformed, RecordTooLarge, ValueError, TypeError) as error:
        what = f"position {position} holds no record ({type(error).__name__})"
        raise Damage(Kind.record_malformed, where, what, position) from None
    if again != record or _UUID7.fullmatch(said.id) is None:
        raise Damage(Kind.record_malformed, where, f"position {position}: a record in another form than decision 0001 settles", position)
    time = said.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return tuple(part.encode() for part in (said.id, said.source, said.type, said.stream, time, str(said.version)))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
