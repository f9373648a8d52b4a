"""`tongxin explain`: the story of one stream in words, from a running node or from nothing but an exported log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from contracts.kernel import ERASED, Catalogue, Event, EventTypeUnknown
from contracts.registry import registry
from contracts.values import CHINA
from foundation.history import Happened, happened
from foundation.source import recorded
from foundation.texts import LANGUAGES, Language

from node.sentences import Particular, particulars, sentence


@dataclass(frozen=True, slots=True)
class Chapter:
    """One event of a story: where and when it stands, who acted, and by language what happened and what else it says."""

    position: int
    recorded_at: datetime
    actor: str
    acting_for: str | None
    type: str
    sentences: Mapping[Language, str]
    particulars: Mapping[Language, Sequence[Particular]]

    def __str__(self) -> str:
        at = f"{self.recorded_at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
        lines = [f"{at}  #{self.position}  {self.actor}" + (f" ({self.acting_for})" if self.acting_for else "")]
        lines += [f"  {self.sentences[language]}" for language in LANGUAGES]
        for zh, en in zip(self.particulars["zh"], self.particulars["en"], strict=True):
            both = zh.value if zh.value == en.value else f"{zh.value} / {en.value}"
            lines.append(f"    {zh.label} {en.label}: {both}")
        return "\n".join(lines)


def of_records(records: Iterable[bytes], stream: str) -> Iterator[Chapter]:
    """The story in a history: sealed values stay sealed, for there are no keys. Raises RecordMalformed, ValidationError."""
    known = registry()
    name = stream.encode()
    for position, record in enumerate(records):
        if name in record:  # most records are not parsed
            one = recorded(position, record)
            if one.stream == stream:
                yield _chapter(happened(one, known), stream) if one.type in known else _unknown(record, position)


def of_answer(told: Iterable[Mapping[str, Any]], stream: str) -> Iterator[Chapter]:
    """A page of the story as a service tells it (`GET /streams/{stream}/story`), with the values that the caller may read."""
    known = registry()
    for one in told:
        at = datetime.fromisoformat(one["recorded_at"])
        try:
            event = _loaded(known, one)
        except EventTypeUnknown:
            yield Chapter(one["position"], at, one["actor"], one["acting_for"], one["type"], *_plain(one["type"]))
            continue
        yield Chapter(one["position"], at, one["actor"], one["acting_for"], one["type"], *_words(event, stream))


def _loaded(known: Catalogue, one: Mapping[str, Any]) -> Event:
    event = known.load(one["type"], one["data"])
    # Read again with the values in the place of their ciphertexts, so that each gets the type that its field has.
    clear = type(event).model_validate(event.model_dump() | one["opened"]) if one["opened"] else event
    return clear.model_copy(update=dict.fromkeys(one["erased"], ERASED))


def _chapter(one: Happened, stream: str) -> Chapter:
    envelope = one.envelope
    return Chapter(one.position, envelope.time, envelope.actor, envelope.org, envelope.type, *_words(one.event, stream))


def _unknown(record: bytes, position: int) -> Chapter:
    attributes = orjson.loads(record)
    at = datetime.fromisoformat(attributes["time"])
    return Chapter(position, at, attributes["actor"], attributes.get("org"), attributes["type"], *_plain(attributes["type"]))


def _words(event: Event, stream: str) -> tuple[Mapping[Language, str], Mapping[Language, Sequence[Particular]]]:
    own = stream.partition("-")[2]
    return (
        {language: sentence(event, language) for language in LANGUAGES},
        {language: tuple(particulars(event, language, known=own)) for language in LANGUAGES},
    )


def _plain(type: str) -> tuple[Mapping[Language, str], Mapping[Language, Sequence[Particular]]]:
    """Of an event that this program does not know, its type is told."""
    return {"zh": f"本程序不认识的事件：{type}", "en": f"An event that this program does not know: {type}"}, {"zh": (), "en": ()}
