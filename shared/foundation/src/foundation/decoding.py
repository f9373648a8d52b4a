"""Fast decoding of stored events: the JSON of their data goes straight into typed fields, in one pass of msgspec.

The result is that of `Catalogue.load`, at a third of the time (docs/decisions/0005-projections.md). Types are checked. Patterns, lengths
and ranges are not looked at again: the event had them when it was made, and its leaf hash says that these are the bytes. A field that
msgspec has no exact type for is read by pydantic, and so is a whole event that does not fit.
"""

from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
import orjson
from contracts.kernel import Ciphertext, Event
from pydantic import BaseModel, TypeAdapter

Json: TypeAlias = bytes | msgspec.Raw

_SCALARS = frozenset({str, int, float, bool, date, datetime, NoneType, Ciphertext})
_COLLECTIONS = frozenset({list, tuple, set, frozenset})

# What pydantic sets on a validated instance, past the guard that keeps it frozen. The slots' own setters: this runs once per event read.
_set_values = vars(BaseModel)["__dict__"].__set__
_set_names = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private = vars(BaseModel)["__pydantic_private__"].__set__
_as_dict = msgspec.structs.asdict


class _NoType(Exception):
    """msgspec has no type that reads the same as pydantic's."""


@cache
def decoder(event: type[Event]) -> Callable[[Json], Event]:
    """Reads the JSON of one event type's data. The function raises pydantic.ValidationError where it does not fit."""

    def slowly(data: Json) -> Event:
        return event.__pydantic_validator__.validate_python(orjson.loads(bytes(data)))  # type: ignore[no-any-return]

    validators = event.__pydantic_decorators__
    if validators.validators or validators.field_validators or validators.root_validators or validators.model_validators:
        return slowly
    fields: list[Any] = []
    by_pydantic: list[tuple[str, Callable[[Json], Any]]] = []
    for name, field in event.model_fields.items():
        try:
            kind = _type_of(field.annotation, field.metadata)
        except _NoType:
            kind = msgspec.Raw
            annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            by_pydantic.append((name, adapter.validator.validate_json))
        if field.is_required():
            fields.append((name, kind))
        else:
            fields.append((name, kind, msgspec.field(default_factory=partial(field.get_default, call_default_factory=True))))
    return _decoder(event, msgspec.json.Decoder(msgspec.defstruct(event.__name__, fields, kw_only=True)).decode, by_pydantic, slowly)


def _decoder(
    event: type[Event],
    decode: Callable[[Json], msgspec.Struct],
    by_pydantic: list[tuple[str, Callable[[Json], Any]]],
    slowly: Callable[[Json], Event],
) -> Callable[[Json], Event]:
    new = event.__new__
    names = set(event.model_fields)  # one for all: pydantic copies it before it changes it

    def fast(data: Json) -> Event:
        try:
            values = _as_dict(decode(data))
        except msgspec.MsgspecError:
            return slowly(data)
        for name, read in by_pydantic:
            value = values[name]
            if type(value) is msgspec.Raw:
                values[name] = read(bytes(value))
        return _made(new(event), values, names)

    return fast


def with_values(event: Event, values: dict[str, Any]) -> Event:
    """The event with other values of some fields, which are not validated: pydantic's model_copy at a third of its cost."""
    kind = type(event)
    return _made(kind.__new__(kind), {**event.__dict__, **values}, event.__pydantic_fields_set__)


def _made(event: Event, values: dict[str, Any], names: set[str]) -> Event:
    _set_values(event, values)
    _set_names(event, names)
    _set_extra(event, None)
    _set_private(event, None)
    return event


def _type_of(annotation: Any, metadata: Any = ()) -> Any:
    """msgspec's type for a field. Raises _NoType."""
    if any(hasattr(mark, "__get_pydantic_core_schema__") for mark in metadata):
        raise _NoType  # a validator: it may change what it is given
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_of(arguments[0], arguments[1:])
    if origin in (Union, UnionType):
        # What is sealed stands in a record as a ciphertext and as nothing else.
        arms = [Ciphertext, *(arm for arm in arguments if arm is NoneType)] if Ciphertext in arguments else arguments
        return Union[tuple(_type_of(arm) for arm in arms)]  # noqa: UP007 - made at run time
    if origin in _COLLECTIONS and arguments:
        return origin[tuple(arm if arm is Ellipsis else _type_of(arm) for arm in arguments)]
    if origin is Literal and all(isinstance(value, str) for value in arguments):
        return annotation
    if annotation in _SCALARS or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return annotation
    raise _NoType
