"""Records: their bytes, for ever."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from foundation.record import RECORD_BYTES_MAX, RecordMalformed, RecordTooLarge, decode, encode, leaf_hash

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "record.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def arguments(**changes: Any) -> dict[str, Any]:
    given = {**GOLDEN["envelope"], "time": datetime.fromisoformat(GOLDEN["envelope"]["time"])}
    return {**given, **changes}


def test_golden_bytes() -> None:
    record = encode(**arguments())
    assert record.decode() == GOLDEN["record"]
    assert leaf_hash(record).hex() == GOLDEN["leaf"]
    envelope = decode(record)
    assert encode(**{name: getattr(envelope, name) for name in arguments()}) == record


def test_attributes_that_are_not_there_are_left_out() -> None:
    attributes = json.loads(encode(**arguments(causation=None, org=None)))
    assert "causationid" not in attributes
    assert "org" not in attributes
    assert decode(encode(**arguments(causation=None, org=None))).org is None


def test_a_time_is_written_in_utc_with_six_digits() -> None:
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    assert json.loads(encode(**arguments(time=shanghai)))["time"] == "2026-03-02T04:00:00.000000Z"


def test_a_record_has_a_largest_size() -> None:
    room = RECORD_BYTES_MAX - len(encode(**arguments(data={"x": ""})))
    assert len(encode(**arguments(data={"x": "x" * room}))) == RECORD_BYTES_MAX
    with pytest.raises(RecordTooLarge):
        encode(**arguments(data={"x": "x" * (room + 1)}))


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b"\xff", b'{"id":"x"}', GOLDEN["record"].encode()[:-1]])
def test_what_is_not_a_record_is_refused(record: bytes) -> None:
    with pytest.raises(RecordMalformed):
        decode(record)
