"""Several streams under one decision: each is named once, however many cases touch it, and each case is decided on those before. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from contracts.kernel import Event
from foundation.decider import Decider, JointDecider, Part

S = TypeVar("S")
C = TypeVar("C")


def once(parts: Sequence[Part]) -> list[Part]:
    """The parts, each stream once, in order of first mention."""
    return list({part.stream: part for part in parts}.values())


class Desk:
    """The states of a joint rule's parts, with what has been decided on each so far."""

    def __init__(self, parts: Sequence[Part], states: Sequence[Any], now: datetime) -> None:
        self._parts, self._now = parts, now
        self._states = {part.stream: state for part, state in zip(parts, states, strict=True)}
        self._events: dict[str, list[Event]] = {part.stream: [] for part in parts}

    def state(self, decider: Decider[S, Any], id: str) -> S:
        """A stream as it stands after what was decided here."""
        found: S = self._states[decider.stream(id)]
        return found

    def add(self, decider: Decider[Any, Any], id: str, *events: Event) -> None:
        """These events happen to a stream."""
        stream = decider.stream(id)
        self._events[stream] += events
        self._states[stream] = decider.fold(events, self._states[stream])

    def ask(self, decider: Decider[Any, C], id: str, command: C) -> None:
        """Let a stream's own rule decide. Raises its Refusal."""
        self.add(decider, id, *decider.decide(command, self.state(decider, id), self._now))

    def ask_joint(self, joint: JointDecider[C], command: C) -> None:
        """Let a rule over several of these streams decide. Raises its Refusal."""
        parts = joint.parts(command)
        decided = joint.decide(command, [self._states[part.stream] for part in parts], self._now)
        for part, events in zip(parts, decided, strict=True):
            self.add(part.decider, part.id, *events)

    def decided(self) -> list[list[Event]]:
        """The events of each part, in the order of the parts."""
        return [self._events[part.stream] for part in self._parts]
