"""What every published event is made of: the `Event` base, sealed fields and the catalogue of event types.

Pure: pydantic only, no I/O. Events evolve additively; a breaking change is a new version with an upcaster
(DESIGN 3). The bytes they become are described in docs/decisions/0001-record-format.md.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType, UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, StringConstraints

PersonId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""A person, at random: 128 bits in lower-case hex. Given out by the vault, never derived from anything personal."""

OrgCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{2,18}(\.[0-9A-Z]{1,18}){0,4}$")]
"""An organisation: its GB/T 2260 or NBS division code, with dotted parts for the unions below a division."""

_TYPE = re.compile(r"^[a-z]+\.[A-Z][A-Za-z0-9]*$")


@dataclass(frozen=True)
class Ciphertext:
    """A sealed value as it stands in the record. All four are unpadded base64url; how they are made is checked where they are opened."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kid: str
    nonce: str
    ciphertext: str
    commitment: str


@dataclass(frozen=True, slots=True)
class Erased:
    """Stands where a value stood whose key was destroyed on purpose (a tombstone says so), or is withheld under a restriction."""


ERASED = Erased()


@dataclass(frozen=True, slots=True)
class Under:
    """Whose key seals a field: the event's fields that name the subjects, and the purpose the key serves.

    One subject: the key of (subject, purpose). Several: a key of this record alone, destroyed when any of them is erased.
    """

    subjects: tuple[str, ...]
    purpose: str

    def __init__(self, *subjects: str, purpose: str) -> None:
        if not subjects:
            raise TypeError("a sealed field names at least one subject")
        object.__setattr__(self, "subjects", subjects)
        object.__setattr__(self, "purpose", purpose)


@dataclass(frozen=True, slots=True)
class _Seal:
    """Marks a field as sealed under its event's own subject and purpose unless an `Under` says otherwise."""


T = TypeVar("T")

# InstanceOf: pydantic would otherwise read any malformed object as an Erased, which has no fields to miss.
# The ciphertext comes first and the first match wins: a value type that takes any object would else take it for plain content.
Personal = Annotated[Ciphertext | InstanceOf[Erased] | T, Field(union_mode="left_to_right"), _Seal()]
"""A value about a person: clear while deciding, sealed in the record, `Erased` when its key is gone on purpose."""

Sealed = Annotated[Ciphertext | InstanceOf[Erased] | T, Field(union_mode="left_to_right"), _Seal()]
"""Confidential content of a case or a body: the same, named for what it protects."""


class Event(BaseModel):
    """A past fact. Subclasses say `type`, `version` and, where they have sealed fields, `subject` and `purpose`.

    class MemberSuspended(Event, type="membership.MemberSuspended", version=1, subject="member", purpose="membership"): ...
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_bytes="base64", arbitrary_types_allowed=True, defer_build=False, hide_input_in_errors=True
    )

    TYPE: ClassVar[str] = ""
    """The stored type, with its version: `membership.MemberSuspended.v1`. Never a class path."""

    SEALED: ClassVar[Mapping[str, Under]] = MappingProxyType({})
    """The sealed fields, by name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The class arguments are read below, once pydantic knows the fields.
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, type: str | None = None, version: int = 1, subject: str | None = None, purpose: str | None = None, **kwargs: Any
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if type is None:
            raise TypeError(f"{cls.__name__} needs a type, as in type='membership.MemberAdmitted'")
        if not _TYPE.match(type) or version < 1:
            raise TypeError(f"{type!r} v{version} is not a stored event type: service.PastFact and a version from 1")
        cls.TYPE = f"{type}.v{version}"
        cls.SEALED = MappingProxyType(dict(_sealed_fields(cls, subject, purpose)))


def _sealed_fields(cls: type[Event], subject: str | None, purpose: str | None) -> Iterator[tuple[str, Under]]:
    for name, field in cls.model_fields.items():
        marks = [*field.metadata, *_marks(field.annotation)]
        if not any(isinstance(mark, _Seal) for mark in marks):
            if _holds_sealed(field.annotation):
                raise TypeError(f"{cls.__name__}.{name} holds sealed values inside others: seal the whole field")
            continue
        under = next((mark for mark in marks if isinstance(mark, Under)), None)
        if under is None:
            if subject is None or purpose is None:
                raise TypeError(f"{cls.__name__}.{name} is sealed: name its subject and purpose on the class or with Under(...)")
            under = Under(subject, purpose=purpose)
        for named in under.subjects:
            if named not in cls.model_fields:
                raise TypeError(f"{cls.__name__}.{name} is sealed under {named!r}, which is not a field of the event")
        yield name, under


def _marks(annotation: Any) -> Iterator[Any]:
    """What an annotation is marked with at any arm: an optional sealed field carries its mark inside."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        yield from marks
        yield from _marks(inner)
    elif get_origin(annotation) in (Union, UnionType):
        for arm in get_args(annotation):
            yield from _marks(arm)


def _holds_sealed(annotation: Any, seen: frozenset[type] = frozenset()) -> bool:
    """Whether a sealed field hides anywhere below, in a collection or in a model's fields."""
    if any(isinstance(mark, _Seal) for mark in _marks(annotation)):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation not in seen and any(
            any(isinstance(mark, _Seal) for mark in field.metadata) or _holds_sealed(field.annotation, seen | {annotation})
            for field in annotation.model_fields.values()
        )
    return any(_holds_sealed(arm, seen) for arm in get_args(annotation))


class EventTypeUnknown(LookupError):
    """A history holds an event type, or a version of one, that this program does not know. Consumers stop on it."""

    def __init__(self, type: str) -> None:
        super().__init__(f"unknown event type {type}")
        self.type = type


@dataclass(frozen=True, slots=True)
class Upcaster:
    """Reads the `data` of a superseded version of an event as a version that is still written; sealed values are carried over as they are.

    It stays for ever, with the golden file of what it reads: histories are never rewritten.
    """

    stored: str
    to: type[Event]
    change: Callable[[dict[str, Any]], dict[str, Any]]

    def __call__(self, data: dict[str, Any]) -> Event:
        """The event of today. Raises pydantic.ValidationError where what the change made of the data does not fit."""
        return self.to.__pydantic_validator__.validate_python(self.change(data))  # type: ignore[no-any-return]


def upcasts(stored: str, *, to: type[Event]) -> Callable[[Callable[[dict[str, Any]], dict[str, Any]]], Upcaster]:
    """Make an upcaster of a pure function from the old `data` to the new one.

    `@upcasts("membership.MemberAdmitted.v1", to=MemberAdmitted)`, beside the class of the newer version. Raises TypeError where
    `stored` is no stored type, or the one that `to` is written as.
    """
    name, _, version = stored.rpartition(".v")
    if not _TYPE.match(name) or not version.isdecimal() or stored == to.TYPE:
        raise TypeError(f"{stored!r} is no superseded version: service.PastFact.v1, and another than {to.TYPE}")
    return lambda change: Upcaster(stored, to, change)


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


class Catalogue:
    """The event types that a program knows, by stored type, with the upcasters from older versions.

    Built once in a composition root from the contract modules; nothing registers itself at import.
    """

    def __init__(self, *events: type[Event], upcasters: Iterable[Upcaster] = ()) -> None:
        """Raises ValueError where two classes, two upcasters, or one of each claim one stored type."""
        self._by_type: dict[str, type[Event]] = {}
        for event in events:
            if event.TYPE in self._by_type:
                raise ValueError(f"two classes are stored as {event.TYPE}")
            self._by_type[event.TYPE] = event
        self._upcasters: dict[str, Upcaster] = {}
        for upcaster in upcasters:
            if upcaster.stored in self._upcasters or upcaster.stored in self._by_type:
                raise ValueError(f"{upcaster.stored} is read in two ways")
            self._upcasters[upcaster.stored] = upcaster

    @classmethod
    def of(cls, *modules: Any) -> "Catalogue":
        """Every event class, and every upcaster to one, that the modules define themselves, or their own submodules for them."""
        things = [(module, thing) for module in modules for thing in vars(module).values()]
        events = [
            thing
            for module, thing in things
            if isinstance(thing, type) and issubclass(thing, Event) and thing.TYPE and _within(thing.__module__, module.__name__)
        ]
        return cls(*events, upcasters=[thing for _, thing in things if isinstance(thing, Upcaster) and thing.to in events])

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._by_type.values())

    @property
    def superseded(self) -> Mapping[str, Upcaster]:
        """The stored types that are read and no longer written."""
        return MappingProxyType(self._upcasters)

    def __contains__(self, type: str) -> bool:
        return type in self._by_type or type in self._upcasters

    def stored_as(self, type: str) -> type[Event] | None:
        """The class that a stored type is read as, where no upcaster stands between; None where one does, or the type is unknown."""
        return None if type in self._upcasters else self._by_type.get(type)

    def load(self, type: str, data: dict[str, Any]) -> Event:
        """The event of a stored type from its `data`. Raises EventTypeUnknown; pydantic.ValidationError where the data does not fit."""
        upcast = self._upcasters.get(type)
        if upcast is not None:
            return upcast(data)
        found = self._by_type.get(type)
        if found is None:
            raise EventTypeUnknown(type)
        return found.__pydantic_validator__.validate_python(data)  # type: ignore[no-any-return]


# ------------------------------------------------------------------ who may act: the language every service follows


@dataclass(frozen=True, slots=True)
class UnitPlaced:
    """A unit of the hierarchy stands below `parent` (None at the top) from `since` on."""

    unit: str
    parent: str | None
    since: date


@dataclass(frozen=True, slots=True)
class UnitEnded:
    """A unit was dissolved; `successor`, where there is one, answers for it from then on."""

    unit: str
    successor: str | None
    since: date


@dataclass(frozen=True, slots=True)
class Granted:
    """`principal` may act in `role` for `unit` and all below it, from `valid_from` until `valid_until` (exclusive; None: open)."""

    grant: str
    principal: str
    unit: str
    role: str
    valid_from: date
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class Revoked:
    """A grant ends on `valid_until` (exclusive)."""

    grant: str
    valid_until: date


AuthorityChange = UnitPlaced | UnitEnded | Granted | Revoked
"""What an event changes in who may act for what. Contract modules say it with a pure `authority_changes(event)`."""


def utc(moment: datetime) -> datetime:
    """The moment itself; raises ValueError where it carries no zone, because every stored time is UTC."""
    if moment.tzinfo is None:
        raise ValueError("a stored time carries its zone")
    return moment
