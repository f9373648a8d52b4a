"""Envelopes followed a bundle at a time say what they say record by record."""

from datetime import UTC, datetime, timedelta

import pytest
from foundation.ids import uuid7
from foundation.log.damage import Damage, Kind
from foundation.log.envelopes import Envelopes
from foundation.record import encode
from hypothesis import example, given
from hypothesis import strategies as st

SOURCE = "/nodes/3709/sample"
START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def record(number: int, stream: str = "thing-1", version: int = 1, *, time: datetime | None = None, causation: str | None = None) -> bytes:
    made = time or START + timedelta(milliseconds=400 * number)
    return encode(
        id=uuid7(made, b"%010d" % number),
        source=SOURCE,
        type="sample.Happened.v1",
        stream=stream,
        time=made,
        version=version,
        correlation="c" * 32,
        causation=causation,
        actor="1" * 32,
        org="370911" if number % 2 else None,
        data={"number": number},
    )


BUNDLE = [record(number, f"thing-{number % 3}", number // 3 + 1, causation="e" * 32 if number % 5 == 0 else None) for number in range(12)]


class OneByOne(Envelopes):
    """Never looks at a bundle as a whole."""

    def _plain(self, _: object) -> None:
        return None


def followed(envelopes: Envelopes, records: list[bytes]) -> object:
    """What it comes to: what is wrong, or all that was taken in."""
    try:
        envelopes.follow("here", 0, records)
    except Damage as damage:
        return damage.kind, damage.position, damage.what
    return envelopes.source, envelopes.firsts, envelopes.lasts, envelopes.lowest, envelopes.highest


def alike(records: list[bytes]) -> object:
    """Both ways agree."""
    said = followed(Envelopes(SOURCE.encode()), records)
    assert said == followed(OneByOne(SOURCE.encode()), records)
    return said


def test_a_bundle_is_followed_as_a_whole() -> None:
    envelopes = Envelopes(SOURCE.encode())
    assert envelopes._plain(BUNDLE) is not None
    assert alike(BUNDLE) == followed(Envelopes(None), BUNDLE)


MARKS = [bytes([one]) for one in b'"\\,:{}[] \n\x00\x7f\xe4-.Z019afAFTt']


@given(at=st.integers(0, len(BUNDLE) - 1), before=st.integers(0, 499), gone=st.integers(0, 2), put=st.sampled_from([b"", *MARKS]))
@example(at=3, before=BUNDLE[3].index(b'"actor":"') + 12, gone=1, put=b"\n")
@example(at=3, before=BUNDLE[3].index(b'"actor":"') + 12, gone=2, put=b"\\n")
@example(at=3, before=BUNDLE[3].index(b'"id":"') + 40, gone=1, put=b"A")
@example(at=3, before=BUNDLE[3].index(b'"actor":"') + 12, gone=1, put=b"\xe4")
@example(at=3, before=BUNDLE[3].index(b"Z") - 8, gone=1, put=b"0")
@example(at=3, before=BUNDLE[3].index(b"T08") + 0, gone=1, put=b"-")
def test_any_change_of_an_envelope(at: int, before: int, gone: int, put: bytes) -> None:
    whole = BUNDLE[at]
    where = before % whole.index(b'"data":')
    records = [*BUNDLE[:at], whole[:where] + put + whole[where + gone :], *BUNDLE[at + 1 :]]
    alike(records)


@pytest.mark.parametrize(
    "end", [b'{"number":1}', b'{"number":1} }', b'{"number":1},"data":{}}', b"5}", b'{"number":1}}}', b"[1}}", b'{"number":}}']
)
def test_any_change_behind_an_envelope(end: bytes) -> None:
    whole = BUNDLE[1]
    records = [BUNDLE[0], whole[: whole.index(b'"data":') + 7] + end, *BUNDLE[2:]]
    said = alike(records)
    assert isinstance(said, tuple)
    assert said[:2] == (Kind.record_malformed, 1)


@given(st.permutations(range(12)))
def test_any_order(order: list[int]) -> None:
    alike([BUNDLE[at] for at in order])


@given(st.lists(st.integers(0, 120), min_size=1, max_size=12))
def test_clocks_that_run_back(seconds: list[int]) -> None:
    alike([record(at, f"thing-{at}", time=START + timedelta(seconds=later)) for at, later in enumerate(seconds)])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=6))
def test_ids_of_other_moments(apart: list[int]) -> None:
    made = [record(at, f"thing-{at}") for at in range(len(apart))]
    others = [record(at, f"thing-{at}", time=START + timedelta(milliseconds=400 * at + ms)) for at, ms in enumerate(apart)]
    cut = made[0].index(b'"id":"') + 42
    alike([other[:cut] + one[cut:] for one, other in zip(made, others, strict=True)])


def test_a_stream_with_a_lines_end_in_its_name() -> None:
    envelopes = Envelopes(SOURCE.encode())
    envelopes.follow("here", 0, [record(0, "thing-a\nb")])
    assert envelopes.lasts == {rb"thing-a\nb": 1}
