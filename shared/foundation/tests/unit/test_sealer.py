"""Sealing events and opening them: what goes in comes out, and nothing else does."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import orjson
import pytest
from contracts.kernel import ERASED, Catalogue, Ciphertext, Event, Personal, PersonId, Sealed, Under
from foundation.history import Happened
from foundation.record import decode, encode
from foundation.sealing import SealBroken
from foundation.vault.memory import MemoryVault
from foundation.vault.port import KeyDestroyed, KeyMissing, KeyOf, Opening
from foundation.vault.sealer import Sealer, ToSeal
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ANN, BEA = "a" * 32, "b" * 32


class Colour(StrEnum):
    red = "red"


class Address(BaseModel):
    street: str
    since: date | None = None


class Told(Event, type="toy.Told", version=1, subject="whom", purpose="toy"):
    whom: PersonId
    name: Personal[str]
    born: Personal[date] | None = None
    years: Personal[int] | None = None
    share: Personal[Decimal] | None = None
    colours: Personal[tuple[Colour, ...]] | None = None
    address: Personal[Address] | None = None
    labels: Personal[dict[str, str]] | None = None
    at: Personal[datetime] | None = None
    at_open: datetime = NOW
    colour: Colour = Colour.red
    amount: Decimal = Decimal("1.50")


class Quarrelled(Event, type="toy.Quarrelled", version=1):
    one: PersonId
    other: PersonId | None = None
    others: tuple[PersonId, ...] = ()
    note: Annotated[Sealed[str] | None, Under("one", "other", purpose="case")] = None
    minutes: Annotated[Sealed[str] | None, Under("others", purpose="case")] = None
    remark: Annotated[Sealed[str] | None, Under("one", purpose="case")] = None


CATALOGUE = Catalogue(Told, Quarrelled)


def record_of(event: Event, data: dict[str, Any], *, id: str = "e1", stream: str = "toy-1", type: str | None = None) -> Happened:
    """The event as it is read again: through JSON, with its sealed fields sealed."""
    record = encode(
        id=id, source="/nodes/1/toy", type=type or event.TYPE, stream=stream, time=NOW, version=1,
        correlation="c", causation=None, actor="a", org=None, data=data,
    )  # fmt: skip
    envelope = decode(record)
    return Happened(0, envelope, CATALOGUE.load(event.TYPE, envelope.data))


async def sealed(sealer: Sealer, event: Event) -> Happened:
    [data] = await sealer.seal([ToSeal(event, "e1", "toy-1")])
    return record_of(event, data)


FULL = Told(
    whom=ANN,
    name="王·𠮷明",
    born=date(1980, 1, 31),
    years=46,
    share=Decimal("0.10"),
    colours=(Colour.red,),
    address=Address(street="泰山大街", since=date(2001, 1, 1)),
    labels={"kid": "x"},
    at=NOW,
)


async def test_what_was_sealed_opens_to_the_same_event_with_its_types() -> None:
    sealer = Sealer(MemoryVault())
    happened = await sealed(sealer, FULL)
    assert all(isinstance(getattr(happened.event, name), Ciphertext) for name in Told.SEALED)
    [opened] = await sealer.open([happened])
    assert opened.event == FULL
    assert opened.envelope == happened.envelope


async def test_what_is_not_sealed_is_exactly_what_pydantic_writes_and_stands_in_the_declared_order() -> None:
    [data] = await Sealer(MemoryVault()).seal([ToSeal(FULL, "e1", "toy-1")])
    written = FULL.model_dump(mode="json")
    assert list(data) == list(written)
    assert {name: data[name] for name in data if name not in Told.SEALED} == {
        name: written[name] for name in written if name not in Told.SEALED
    }
    assert all(set(data[name]) == {"kid", "nonce", "ciphertext", "commitment"} for name in Told.SEALED)


async def test_a_value_that_is_not_there_stays_null() -> None:
    sealer = Sealer(MemoryVault())
    happened = await sealed(sealer, Told(whom=ANN, name="x"))
    assert happened.envelope.data["born"] is None
    assert (await sealer.open([happened]))[0].event == Told(whom=ANN, name="x")


async def test_plain_text_shows_nowhere() -> None:
    [data] = await Sealer(MemoryVault()).seal([ToSeal(FULL, "e1", "toy-1")])
    written = orjson.dumps(data).decode()
    assert not any(canary in written for canary in ("王", "1980", "泰山", "0.10"))


async def test_nothing_is_awaited_once_the_keys_are_there() -> None:
    sealer = Sealer(MemoryVault())
    batch = [ToSeal(FULL, "e1", "toy-1")]
    assert sealer.try_seal(batch) is None
    await sealer.prepare(batch)
    done = sealer.try_seal(batch)
    assert done is not None
    assert (await sealer.open([record_of(FULL, done[0])]))[0].event == FULL


async def test_text_about_several_people_has_a_key_per_record_and_goes_with_any_of_them() -> None:
    vault = MemoryVault()
    sealer = Sealer(vault)
    event = Quarrelled(one=ANN, other=BEA, note="n", remark="r")
    # A handler gives every attempt new event ids: the key made for one attempt serves the next.
    first = [ToSeal(event, "e1", "toy-1"), ToSeal(event, "e2", "toy-1")]
    assert sealer.try_seal(first) is None
    await sealer.prepare(first)
    done = sealer.try_seal([ToSeal(event, "e3", "toy-1"), ToSeal(event, "e4", "toy-1")])
    assert done is not None
    assert done[0]["note"]["kid"] != done[1]["note"]["kid"]
    assert done[0]["remark"]["kid"] == done[1]["remark"]["kid"]
    assert sealer.try_seal(first) is None  # the keys of single records are used up
    happened = record_of(event, done[0], id="e3")
    assert (await sealer.open([happened]))[0].event == event
    await vault.erase(BEA, purposes=None, basis="asked for", at=NOW)
    [opened] = await sealer.open([happened])
    assert opened.event == event.model_copy(update={"note": ERASED})


async def test_a_list_of_people_names_the_subjects_too() -> None:
    vault = MemoryVault()
    sealer = Sealer(vault)
    event = Quarrelled(one=ANN, others=(ANN, BEA), minutes="m")
    happened = await sealed(sealer, event)
    await vault.erase(BEA, purposes=["case"], basis="asked for", at=NOW)
    assert (await sealer.open([happened]))[0].event == event.model_copy(update={"minutes": ERASED})


async def test_a_field_whose_subject_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="not all of them are known"):
        await Sealer(MemoryVault()).seal([ToSeal(Quarrelled(one=ANN, note="n"), "e1", "toy-1")])


async def test_erased_and_withheld_values_open_as_erased() -> None:
    vault = MemoryVault()
    sealer = Sealer(vault)
    happened = await sealed(sealer, FULL)
    await vault.restrict(ANN, purposes=["toy"], basis="disputed", at=NOW)
    [withheld] = await sealer.open([happened])
    assert {getattr(withheld.event, name) for name in Told.SEALED} == {ERASED}
    await vault.lift(ANN, purposes=["toy"])
    assert (await sealer.open([happened]))[0].event == FULL
    await vault.erase(ANN, purposes=["toy"], basis="left", at=NOW)
    assert (await sealer.open([happened]))[0] == withheld
    with pytest.raises(KeyDestroyed):
        await sealer.prepare([ToSeal(FULL, "e2", "toy-1")])


async def test_a_key_that_is_gone_without_a_tombstone_is_an_alarm() -> None:
    happened = await sealed(Sealer(MemoryVault()), FULL)
    with pytest.raises(KeyMissing):
        await Sealer(MemoryVault()).open([happened])


@pytest.mark.parametrize("value", [Ciphertext(kid="A" * 22, nonce="A" * 16, ciphertext="A", commitment="A" * 43), ERASED])
async def test_only_clear_values_are_sealed(value: Any) -> None:
    with pytest.raises(ValueError, match="only clear values"):
        await Sealer(MemoryVault()).seal([ToSeal(Told(whom=ANN, name=value), "e1", "toy-1")])


async def test_errors_do_not_quote_values() -> None:
    sealer = Sealer(MemoryVault())
    with pytest.raises(ValueError, match="cannot be written as JSON") as caught:
        await sealer.seal([ToSeal(Told(whom=ANN, name="canary\ud800"), "e1", "toy-1")])
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    # The same place under the same key, but the field has become a number meanwhile.
    happened = await sealed(sealer, Told(whom=ANN, name="x", labels={"canary": "canary"}))
    broken = happened._replace(event=happened.event.model_copy(update={"address": happened.event.labels}))  # type: ignore[attr-defined]
    with pytest.raises(SealBroken) as moved:
        await sealer.open([broken])
    assert "canary" not in repr(moved.value)


async def test_confidential_openings_are_recorded_before_anything_is_given_out() -> None:
    vault = MemoryVault()
    await vault.flag_confidential("toy")
    sealer = Sealer(vault, principal="membership")
    happened = await sealed(sealer, FULL)
    await sealer.open([happened], principal="clerk-7")
    await sealer.open([happened])
    kid = happened.envelope.data["name"]["kid"]
    assert vault.openings == [Opening(principal, kid, "toy", "e1") for principal in ("clerk-7", "membership")]


async def test_an_upcasted_event_opens_by_the_place_it_was_sealed_for() -> None:
    class ToldOf(Event, type="toy.Told", version=2, subject="whom", purpose="toy"):
        whom: PersonId
        full_name: Personal[str]

    sealer = Sealer(MemoryVault())
    happened = await sealed(sealer, FULL)
    data = happened.envelope.data
    upcast = Happened(0, happened.envelope, ToldOf.model_validate({"whom": ANN, "full_name": data["name"]}))
    [opened] = await sealer.open([upcast])
    assert opened.event == ToldOf(whom=ANN, full_name="王·𠮷明")


async def test_a_sealed_value_is_never_taken_for_a_plain_one() -> None:
    """`labels` may be any map of texts, and so might a ciphertext."""
    happened = await sealed(Sealer(MemoryVault()), FULL)
    assert isinstance(happened.event, Told)
    assert isinstance(happened.event.labels, Ciphertext)


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    years=st.none() | st.integers(-(2**53), 2**53),
    born=st.none() | st.dates(),
    labels=st.none() | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.just("x"), max_size=3),
)
async def test_opening_undoes_sealing(name: str, years: int | None, born: date | None, labels: dict[str, str] | None) -> None:
    event = Told(whom=ANN, name=name, years=years, born=born, labels=labels)
    sealer = Sealer(MemoryVault())
    assert (await sealer.open([await sealed(sealer, event)]))[0].event == event


def test_a_key_is_of_its_owners_in_any_order() -> None:
    assert KeyOf((BEA, ANN), "p", "r").owner == KeyOf((ANN, BEA, ANN), "p", "r").owner
