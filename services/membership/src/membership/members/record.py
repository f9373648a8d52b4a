"""What a member's events say about the person, day by day. Pure; the events come with their sealed values opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from contracts.kernel import Erased, Event
from contracts.membership import Category, MemberAdmitted, MemberCorrected, MemberKind, MembershipApplied, PersonDetails, Sex
from contracts.values import IdentityDocument

from membership.timeline import Timeline

_NOTHING: Timeline[Any] = Timeline()

PERSONAL = ("name", "document", "phone", "details")


@dataclass(frozen=True, slots=True)
class Record:
    """The personal values of a member as they were told, and what stands beside them in clear."""

    kind: MemberKind = MemberKind.regular
    sex: Sex = Sex.unknown
    categories: tuple[Category, ...] = ()
    joined_on: date | None = None
    personal: dict[str, Timeline[Any]] = field(default_factory=dict)

    def on(self, name: str, day: date) -> str | IdentityDocument | PersonDetails | Erased | None:
        """A personal value on a day: `Erased` where it is gone, None where it was never told."""
        try:
            value: str | IdentityDocument | PersonDetails | Erased | None = self.personal.get(name, _NOTHING).at(day)
        except LookupError:
            return None
        return value


def record(events: Sequence[Event]) -> Record:
    """The record after these events."""
    found = Record()
    for event in events:
        match event:
            case MembershipApplied():
                found = _told(replace(found, kind=event.kind, sex=event.sex, categories=event.categories), event, event.applied_on)
            case MemberAdmitted(name=None, document=None):
                # The application told who it is; an admission on it says the day and the footing only.
                found = replace(found, kind=event.kind, joined_on=event.joined_on)
            case MemberAdmitted():
                found = replace(found, kind=event.kind, sex=event.sex, categories=event.categories, joined_on=event.joined_on)
                found = _told(found, event, event.joined_on)
            case MemberCorrected():
                found = replace(
                    found,
                    sex=found.sex if event.sex is None else event.sex,
                    categories=found.categories if event.categories is None else event.categories,
                )
                found = _told(found, event, event.effective_on)
            case _:
                pass
    return found


def _told(found: Record, event: MembershipApplied | MemberAdmitted | MemberCorrected, day: date) -> Record:
    told = {name: value for name in PERSONAL if (value := getattr(event, name)) is not None}
    return replace(
        found,
        personal={**found.personal, **{name: found.personal.get(name, _NOTHING).set(day, value) for name, value in told.items()}},
    )
