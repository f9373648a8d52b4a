"""Sealing events into record `data` and opening what has happened (docs/decisions/0001-record-format.md)."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import islice
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeAlias, Union, get_args, get_origin

from contracts.kernel import ERASED, Ciphertext, Erased, Event, Under
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from foundation.decoding import with_values
from foundation.history import Happened
from foundation.ids import random_id
from foundation.sealing import RANDOM_BYTES, SealBroken, open_raw, seal
from foundation.vault.port import Key, KeyOf, Opening, Tombstone, Vault, Withheld

SPARE_KEYS_MAX = 10_000
"""Groups of subjects whose keys of single records may wait for their events; beyond, the oldest are let go unused."""


class ToSeal(NamedTuple):
    """An event on its way into a record, with the id and the stream it will have there."""

    event: Event
    event_id: str
    stream: str


@dataclass(frozen=True, slots=True)
class _Field:
    """How one sealed field is written and read. `to_json` is None where the value is its own JSON form."""

    name: str
    under: int
    to_json: Callable[..., Any] | None
    from_json: Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one event type is sealed: under what, its sealed fields, and all its fields in the order of the record."""

    unders: tuple[Under, ...]
    sealed: tuple[_Field, ...]
    names: tuple[str, ...]
    excluded: set[str]
    clear: Callable[..., dict[str, Any]]


_Ciphertexts: TypeAlias = list[tuple[_Field, Ciphertext]]
"""The sealed fields of one event, with what stands in them."""


class Sealer:
    """Seals under the vault's keys and opens with them. `principal`: whom confidential openings are recorded for unless a call says."""

    def __init__(self, vault: Vault, *, principal: str = "service") -> None:
        self._vault, self._principal = vault, principal
        self._spare: dict[tuple[str, str], list[KeyOf]] = {}

    # ------------------------------------------------------------------------------------------------ sealing

    async def prepare(self, batch: Sequence[ToSeal]) -> None:
        """Fetch or make the keys, so that `try_seal` finds them. A key of one record alone is used by the next such event.

        Raises KeyDestroyed, PurposeForbidden, VaultUnavailable.
        """
        distinct = dict.fromkeys(of for one in batch for of in _keys_of(one).values())
        wanted = [of if of.record is None else KeyOf(of.subjects, of.purpose, random_id()) for of in distinct]
        await self._vault.keys_for(wanted)
        for of in wanted:
            if of.record is not None:
                self._spare.setdefault((of.owner, of.purpose), []).append(of)
        while len(self._spare) > SPARE_KEYS_MAX:
            del self._spare[next(iter(self._spare))]

    def try_seal(self, batch: Sequence[ToSeal]) -> Sequence[dict[str, Any]] | None:
        """Each event's `data`, at once; None where a key has to be fetched or made first (`prepare`).

        Raises ValueError for an event whose values are sealed or erased already, or are not JSON.
        """
        keys: list[dict[int, Key]] = []
        for one in batch:
            keys.append({})
            for under, of in _keys_of(one).items():
                key = self._vault.held_for(of) if of.record is None else self._spare_key(of)
                if key is None:
                    return None
                keys[-1][under] = key
        return [_sealed(one, found) for one, found in zip(batch, keys, strict=True)]

    def _spare_key(self, of: KeyOf) -> Key | None:
        which = (of.owner, of.purpose)
        spare = self._spare.get(which)
        if spare is None:
            return None
        found = spare.pop()
        if not spare:
            del self._spare[which]
        return self._vault.held_for(found)

    async def seal(self, batch: Sequence[ToSeal]) -> Sequence[dict[str, Any]]:
        """Each event's `data`, whatever it takes. Raises what `prepare` and `try_seal` raise."""
        wanted = [_keys_of(one) for one in batch]
        keys = iter(await self._vault.keys_for([of for ofs in wanted for of in ofs.values()]))
        return [_sealed(one, dict(zip(ofs, islice(keys, len(ofs)), strict=True))) for one, ofs in zip(batch, wanted, strict=True)]

    # ------------------------------------------------------------------------------------------------ opening

    async def open(self, batch: Sequence[Happened], *, principal: str | None = None, only: Collection[str] | None = None) -> list[Happened]:
        """The same with their sealed fields opened; ERASED where a key was destroyed or is withheld.

        `only`: the names of the fields that are wanted; others stay sealed. Openings of confidential values are recorded before anything
        is returned. Raises KeyMissing (an alarm), SealBroken, PurposeForbidden, VaultUnavailable.
        """
        found = _all_ciphertexts(batch, only)
        kids = {value.kid for sealed in found for _, value in sealed}
        if not kids:
            return list(batch)
        keys = await self._vault.keys(list(kids))
        if any(isinstance(key, Key) and key.confidential for key in keys.values()):
            await self._vault.record_openings(list(_openings(batch, found, keys, principal or self._principal)))
        return [_opened(one, sealed, keys) if sealed else one for one, sealed in zip(batch, found, strict=True)]


# ---------------------------------------------------------------------------------------------------- one event


def _keys_of(one: ToSeal) -> dict[int, KeyOf]:
    """The keys that an event is sealed under, by the number of their `Under` in its plan; none for values that are not there."""
    plan, values = _plan(type(one.event)), one.event.__dict__
    needed = {field.under for field in plan.sealed if values[field.name] is not None}
    return {under: _key_of(one, plan.unders[under]) for under in sorted(needed)}


def _key_of(one: ToSeal, under: Under) -> KeyOf:
    named = [one.event.__dict__[subject] for subject in under.subjects]
    if len(named) == 1 and type(named[0]) is str:
        return KeyOf((named[0],), under.purpose)
    subjects = [subject for value in named for subject in (value if isinstance(value, list | tuple | set | frozenset) else [value])]
    if not all(isinstance(subject, str) for subject in subjects):
        raise ValueError(f"{one.event.TYPE} is sealed under {under.subjects}, and not all of them are known in clear")
    return KeyOf(tuple(sorted(set(subjects))), under.purpose, one.event_id)


def _sealed(one: ToSeal, keys: Mapping[int, Key]) -> dict[str, Any]:
    event, plan = one.event, _plan(type(one.event))
    data = plan.clear(event, mode="json", exclude=plan.excluded)
    if not plan.sealed:
        return data
    random = os.urandom(RANDOM_BYTES * len(plan.sealed))
    for index, field in enumerate(plan.sealed):
        value = event.__dict__[field.name]
        if value is None:
            data[field.name] = None
            continue
        if isinstance(value, Ciphertext | Erased):
            raise ValueError(f"{event.TYPE}.{field.name} is {type(value).__name__.lower()}: only clear values are sealed")
        key = keys[field.under]
        try:
            data[field.name] = seal(
                key=key.cipher,
                kid=key.kid,
                event=one.event_id,
                stream=one.stream,
                type=event.TYPE,
                path=field.name,
                value=value if field.to_json is None else field.to_json(value, mode="json"),
                random=random[index * RANDOM_BYTES : (index + 1) * RANDOM_BYTES],
            )
        except (TypeError, PydanticSerializationError):
            # The cause is not chained: it would carry the value into logs.
            raise ValueError(f"{event.TYPE}.{field.name} cannot be written as JSON") from None
    return {name: data[name] for name in plan.names}


def _all_ciphertexts(batch: Sequence[Happened], only: Collection[str] | None) -> list[_Ciphertexts]:
    """What is sealed in each event, of the fields that are wanted."""
    fields: dict[type[Event], list[_Field]] = {}
    found = []
    for one in batch:
        kind, values = type(one.event), one.event.__dict__
        chosen = fields.get(kind)
        if chosen is None:
            chosen = fields[kind] = [field for field in _plan(kind).sealed if only is None or field.name in only]
        # By their very type: this is asked for every value of a history.
        found.append([(field, value) for field in chosen if type(value := values[field.name]) is Ciphertext])
    return found


def _openings(
    batch: Sequence[Happened], found: Sequence[_Ciphertexts], keys: Mapping[str, Key | Tombstone | Withheld], principal: str
) -> Iterator[Opening]:
    for one, sealed in zip(batch, found, strict=True):
        for kid in {value.kid for _, value in sealed}:
            key = keys[kid]
            if isinstance(key, Key) and key.confidential:
                yield Opening(principal, kid, key.purpose, one.envelope.id)


def _opened(one: Happened, sealed: _Ciphertexts, keys: Mapping[str, Key | Tombstone | Withheld]) -> Happened:
    envelope = one.envelope
    values: dict[str, Any] = {}
    for field, value in sealed:
        key = keys[value.kid]
        if not isinstance(key, Key):
            values[field.name] = ERASED
            continue
        path = field.name if envelope.type == one.event.TYPE else _path(envelope.data, value)
        raw, _ = open_raw(key=key.cipher, sealed=value.__dict__, event=envelope.id, stream=envelope.stream, type=envelope.type, path=path)
        try:
            values[field.name] = field.from_json(raw)
        except ValidationError:
            # Not chained: pydantic's errors quote the value.
            raise SealBroken(f"{path} of event {envelope.id} is not of the type its field has") from None
    return Happened(one.position, envelope, with_values(one.event, values))


def _path(data: Mapping[str, Any], value: Ciphertext) -> str:
    """Where an older version of the event had the field: it was sealed for that place."""
    for name, found in data.items():
        if isinstance(found, Mapping) and found.get("ciphertext") == value.ciphertext:
            return name
    raise SealBroken("an upcaster made up a sealed value that is not in the record")


# ---------------------------------------------------------------------------------------------------- one event type


@cache
def _plan(event: type[Event]) -> _Plan:
    unders = tuple(dict.fromkeys(event.SEALED.values()))
    return _Plan(
        unders=unders,
        sealed=tuple(_field(event, name, unders.index(under)) for name, under in event.SEALED.items()),
        names=tuple(event.model_fields),
        excluded=set(event.SEALED),
        clear=event.__pydantic_serializer__.to_python,
    )


def _field(event: type[Event], name: str, under: int) -> _Field:
    clear = [arm for arm in _arms(event.model_fields[name].annotation) if arm is not NoneType]
    adapter: TypeAdapter[Any] = TypeAdapter(reduce(or_, clear))
    is_text = clear == [str]
    return _Field(name, under, None if is_text else adapter.serializer.to_python, adapter.validator.validate_json)


def _arms(annotation: Any) -> Iterator[Any]:
    """The types that a sealed field's clear value may have, and NoneType."""
    origin = get_origin(annotation)
    if origin is Union or origin is UnionType:
        for arm in get_args(annotation):
            yield from _arms(arm)
    elif origin is Annotated and get_origin(get_args(annotation)[0]) in (Union, UnionType):
        yield from _arms(get_args(annotation)[0])
    elif (get_args(annotation)[0] if origin is Annotated else annotation) not in (Ciphertext, Erased):
        yield annotation
