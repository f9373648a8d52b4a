"""The fast decoder reads what pydantic reads: event by event, field by field."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import orjson
import pytest
from contracts import membership
from contracts.kernel import Catalogue, Ciphertext, Event, EventTypeUnknown, OrgCode, Personal, PersonId, upcasts
from foundation.decoding import decoder
from foundation.history import Reading, happened
from foundation.record import RecordMalformed, decode, encode, leaf_hash
from foundation.store.port import Recorded
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator


class Kind(StrEnum):
    one = "one"
    two = "two"


class Place(BaseModel):
    street: str
    number: int = 1


class Wide(Event, type="toy.Wide", subject="member", purpose="membership"):
    """A field of every kind that contracts use."""

    member: PersonId
    organisation: OrgCode | None
    name: Personal[str]
    phone: Personal[str] | None = None
    details: Personal[Place] | None = None
    kind: Kind = Kind.one
    kinds: tuple[Kind, ...] = ()
    day: date
    at: datetime | None = None
    count: int = 0
    share: float = 0
    done: bool = False
    relation: Literal["a", "b"] = "a"
    place: Place | None = None
    places: tuple[Place, ...] = Field(default_factory=tuple)
    shouted: Annotated[str, AfterValidator(str.upper)] = "X"
    anything: dict[str, int] = Field(default_factory=dict)


texts = st.text(st.characters(codec="utf-8"), max_size=5)
ciphertexts = st.builds(Ciphertext, kid=texts, nonce=texts, ciphertext=texts, commitment=texts)
places = st.builds(Place, street=texts, number=st.integers(-(2**60), 2**60))
wide = st.builds(
    Wide,
    member=st.just("0" * 32),
    organisation=st.sampled_from(["37", "370902.1", None]),
    name=ciphertexts,
    phone=ciphertexts | st.none(),
    details=ciphertexts | st.none(),
    kind=st.sampled_from(Kind),
    kinds=st.lists(st.sampled_from(Kind), max_size=3).map(tuple),
    day=st.dates(min_value=date(1900, 1, 1)),
    at=st.none() | st.datetimes(timezones=st.just(UTC)),
    count=st.integers(-(2**60), 2**60),
    share=st.floats(allow_nan=False, allow_infinity=False),
    done=st.booleans(),
    relation=st.sampled_from(["a", "b"]),
    place=places | st.none(),
    places=st.lists(places, max_size=2).map(tuple),
    shouted=texts,
    anything=st.dictionaries(texts, st.integers(0, 9), max_size=2),
)


def same(event: type[Event], data: dict[str, Any]) -> None:
    slow, fast = event.model_validate(data), decoder(event)(orjson.dumps(data))
    assert fast == slow
    assert type(fast) is type(slow)
    assert [type(value) for value in vars(fast).values()] == [type(value) for value in vars(slow).values()]
    assert fast.model_dump_json() == slow.model_dump_json()
    assert fast.model_copy(update={}) == slow


@settings(max_examples=50)
@given(wide)
def test_the_same_events_come_out(event: Wide) -> None:
    data = event.model_dump(mode="json")
    same(Wide, data)
    same(Wide, {**data, "of_a_later_version": {"nested": [1]}})


def test_what_is_missing_has_its_default() -> None:
    sealed = {"kid": "k", "nonce": "n", "ciphertext": "c", "commitment": "m"}
    least = {"member": "0" * 32, "organisation": None, "name": sealed, "day": "2026-03-02"}
    same(Wide, least)
    same(Wide, {**least, "name": "in clear, as no record has it", "kind": "two"})


@pytest.mark.parametrize(
    "change", [{"member": 7}, {"day": "2026-02-30"}, {"kind": "three"}, {"name": {"kid": "k"}}, {"place": {"number": 1}}, {"count": "many"}]
)
def test_what_does_not_fit_is_refused_as_by_pydantic(change: dict[str, Any]) -> None:
    sealed = {"kid": "k", "nonce": "n", "ciphertext": "c", "commitment": "m"}
    data = {"member": "0" * 32, "organisation": None, "name": sealed, "day": "2026-03-02", **change}
    with pytest.raises(ValidationError):
        Wide.model_validate(data)
    with pytest.raises(ValidationError):
        decoder(Wide)(orjson.dumps(data))


def test_an_event_with_validators_is_left_to_them() -> None:
    class Checked(Event, type="toy.Checked"):
        text: str

        @field_validator("text")
        @classmethod
        def stripped(cls, text: str) -> str:
            return text.strip()

    assert decoder(Checked)(b'{"text":" a "}') == Checked(text="a")


@pytest.mark.parametrize("event", list(Catalogue.of(membership)), ids=lambda event: event.TYPE)
def test_every_published_event_has_a_decoder(event: type[Event]) -> None:
    with pytest.raises(ValidationError):
        decoder(event)(b"{}")


# ------------------------------------------------------------------------------------------------------------- Reading


class Renamed(Event, type="toy.Renamed", version=2):
    name: str


@upcasts("toy.Renamed.v1", to=Renamed)
def renamed(data: dict[str, Any]) -> dict[str, Any]:
    return {"name": data["old_name"]}


CATALOGUE = Catalogue(Renamed, Wide, upcasters=[renamed])


def recorded(type: str, data: dict[str, Any]) -> Recorded:
    record = encode(
        id="i", source="s", type=type, stream="toy-1", time=datetime(2026, 3, 2, 4, 5, 6, 789, UTC), version=1,
        correlation="c", causation=None, actor="a", org="37", data=data,
    )  # fmt: skip
    return Recorded(0, "toy-1", 1, type, record, leaf_hash(record))


def test_reading_upcasts_passes_over_strangers_and_stops_at_unknown_versions() -> None:
    reading = Reading(CATALOGUE, [Renamed])
    batch = [
        recorded("toy.Renamed.v1", {"old_name": "a"}),
        recorded("toy.Renamed.v2", {"name": "b"}),
        recorded("toy.Wide.v1", {"not": "read at all"}),
        recorded("elsewhere.Happened.v1", {}),
    ]
    assert [one.event for one in reading.all(batch)] == [Renamed(name="a"), Renamed(name="b")]
    assert happened(batch[0], CATALOGUE).event == Renamed(name="a")
    with pytest.raises(EventTypeUnknown):
        reading.all([recorded("toy.Renamed.v3", {})])
    with pytest.raises(EventTypeUnknown):
        happened(batch[3], CATALOGUE)


def test_an_envelope_says_what_was_recorded() -> None:
    envelope = decode(recorded("toy.Renamed.v2", {"name": "b"}).record)
    assert (envelope.id, envelope.source, envelope.type, envelope.stream, envelope.version) == ("i", "s", "toy.Renamed.v2", "toy-1", 1)
    assert (envelope.correlation, envelope.causation, envelope.actor, envelope.org) == ("c", None, "a", "37")
    assert envelope.time == datetime(2026, 3, 2, 4, 5, 6, 789, UTC)
    assert envelope.data == {"name": "b"}


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b"\xff", b'{"id":"\xff\xfe"}', b'{"id":1}', b"null", b'{"id":"a"'])
def test_bytes_that_are_no_record_are_refused(record: bytes) -> None:
    with pytest.raises(RecordMalformed):
        decode(record)
