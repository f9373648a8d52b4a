"""The order to erase a person: the published event, and the beginning of this service's own part, in one append. Pure."""

from dataclasses import dataclass
from datetime import datetime

from contracts.foundation import ErasureBasis
from contracts.kernel import Event, PersonId
from contracts.membership import ErasureOrdered
from foundation.decider import Decider
from foundation.erasure.rules import ERASURE, Begin, Erasing
from foundation.erasure.rules import decide as begin


@dataclass(frozen=True, slots=True)
class Order:
    """Erase a person everywhere on this node."""

    person: PersonId
    erasure: str
    basis: ErasureBasis
    note: str | None


def decide(command: Order, erasing: Erasing, now: datetime) -> list[Event]:
    """Ordered once; whoever has been ordered to be erased stays so."""
    own = begin(Begin(command.person, command.erasure, command.basis, now), erasing, now)
    if not own:
        return []
    ordered = ErasureOrdered(person=command.person, erasure=command.erasure, basis=command.basis, note=command.note, ordered_at=now)
    return [ordered, *own]


ORDER: Decider[Erasing, Order] = Decider(category=ERASURE.category, initial=ERASURE.initial, decide=decide, evolve=ERASURE.evolve)
"""On the same stream as foundation's rule: the order, then what came of it."""
