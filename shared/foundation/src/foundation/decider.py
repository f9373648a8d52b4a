"""Deciders: the pure heart of every aggregate, and given/when/then to test it (DESIGN 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Generic, TypeVar

from contracts.kernel import Ciphertext, Event
from msgspec import Struct

S = TypeVar("S")
C = TypeVar("C")


class Refusal(Exception):
    """A rule says no. Subclasses are named by the broken rule; catalogues beside them say it in the caller's words (`refusals`).

    `status` is the HTTP status of the answer: 409 where the facts stand against it, 404 where the thing does not exist, 403 where the
    caller may not, 422 where the request itself cannot be meant. `TYPE` (kebab-case, stable for ever) ends the problem's type URI.
    `why` names the sentence where a rule has several. The other arguments are members of the problem document, and what the sentence
    may name: amounts in fen as `fen` or `…_fen`, days as dates, choices as enums; never personal data.
    """

    status: int = 409
    TYPE: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("TYPE"):
            cls.TYPE = "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("-")

    def __init__(self, why: str = "detail", /, **members: Any) -> None:
        super().__init__(why, members)
        self.why, self.members = why, members


@dataclass(frozen=True, slots=True)
class Decider(Generic[S, C]):
    """One kind of stream: `category-id`, its first state, the rule and the fold.

    `decide(command, state, now)` returns the events, `[]` for what is already so, or raises a Refusal; `evolve` never raises.
    Set `opens` to say which commands usually open a new stream: they are decided on the first state without a read, and decided again
    on the stream's events if it has any.
    """

    category: str
    initial: S
    decide: Callable[[C, S, datetime], Sequence[Event]]
    evolve: Callable[[S, Event], S]
    opens: Callable[[C], bool] = lambda _: False

    def stream(self, id: str) -> str:
        """The stream of one aggregate."""
        return f"{self.category}-{id}"

    def fold(self, events: Sequence[Event], state: S | None = None) -> S:
        """The state after the events."""
        return reduce(self.evolve, events, self.initial if state is None else state)


class Part(Struct, frozen=True):
    """One stream that a joint rule reads and may write."""

    decider: Decider[Any, Any]
    id: str

    @property
    def stream(self) -> str:
        return self.decider.stream(self.id)


@dataclass(frozen=True, slots=True)
class JointDecider(Generic[C]):
    """A rule over several streams, appended all or nothing; a part without events is still checked for its version.

    `parts(command)` names the streams; `decide(command, states, now)` gets their states in that order and returns events per part,
    in the same order. `opens` is as in Decider, for those of the streams that are not in memory.
    """

    parts: Callable[[C], Sequence[Part]]
    decide: Callable[[C, Sequence[Any], datetime], Sequence[Sequence[Event]]]
    opens: Callable[[C], bool] = lambda _: False


# ---------------------------------------------------------------------------------------------- given / when / then

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""The moment that specifications stand at unless they say another: Monday noon in Shanghai."""


HIDDEN = Ciphertext(kid="A" * 22, nonce="A" * 16, ciphertext="A" * 43, commitment="A" * 43)


def as_stored(event: Event) -> Event:
    """The event as its record shows it: every sealed field a ciphertext."""
    return event.model_copy(update={name: HIDDEN for name in event.SEALED if getattr(event, name) is not None})


@dataclass(frozen=True, slots=True)
class Given(Generic[S, C]):
    """A decider and what has happened so far."""

    decider: Decider[S, C]
    events: tuple[Event, ...]

    def when(self, command: C, *, now: datetime = NOON) -> "Outcome":
        """Decide a command on that history. Fails where the state keeps a sealed value: the store has only its ciphertext."""
        if self.decider.fold(self.events) != self.decider.fold([as_stored(event) for event in self.events]):
            raise AssertionError(f"the state of {self.decider.category} depends on a sealed field, which a stored event does not show")
        try:
            return Outcome(tuple(self.decider.decide(command, self.decider.fold(self.events), now)), None)
        except Refusal as refusal:
            return Outcome((), refusal)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; the `then…` methods assert."""

    events: tuple[Event, ...]
    refusal: Refusal | None

    def then(self, *expected: Event) -> None:
        """Exactly these events."""
        if self.refusal is not None:
            raise AssertionError(f"refused: {self.refusal!r}") from self.refusal
        if self.events != expected:
            raise AssertionError(f"expected {expected}\n     got {self.events}")

    def then_nothing(self) -> None:
        """Already so: no event and no refusal."""
        self.then()

    def rejects(self, refusal: type[Refusal]) -> Refusal:
        """Refused by this rule."""
        if not isinstance(self.refusal, refusal):
            raise AssertionError(f"expected {refusal.__name__}, got {self.refusal!r} and events {self.events}")
        return self.refusal


def given(decider: Decider[S, C], *events: Event) -> Given[S, C]:
    """Start a specification: `given(MEMBER, admitted).when(Suspend(...)).then(MemberSuspended(...))`."""
    return Given(decider, events)
