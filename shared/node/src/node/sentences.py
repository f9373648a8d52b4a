"""Events in words, Chinese and English: a sentence for each event type, and what else the event says, value by value.

The sentences stand beside the contracts (`contracts/sentences/<service>.<language>.po`), by stored type.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.kernel import Event
from foundation.texts import Language, label, named, published, written


@dataclass(frozen=True, slots=True)
class Particular:
    """One more thing that an event says."""

    label: str
    value: str


def sentence(event: Event, language: Language) -> str:
    """What happened, in one sentence; the event's type where nobody has written one."""
    template = published(event.TYPE.partition(".")[0], language).get(event.TYPE)
    if template is None:
        return event.TYPE
    return template.format_map({name: written(value, name, language) for name, value in event.__dict__.items()})


def particulars(event: Event, language: Language, *, known: str = "") -> Iterator[Particular]:
    """What the sentence leaves out, and is there; not what is `known` already, as the id that the stream has in its name."""
    said = named(published(event.TYPE.partition(".")[0], language).get(event.TYPE, ""))
    for name, value in event.__dict__.items():
        if name not in said and value not in (None, (), "", known):
            yield Particular(label(name, language), written(value, name, language))
