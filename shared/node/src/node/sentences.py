"""Events in words, Chinese and English: a sentence for each event type, and what else the event says, value by value.

The sentences stand beside the contracts (`contracts/sentences/<service>.<language>.po`, by stored type), with the Chinese words for
fields and choices (`words.zh.po`, as `field.reason` and `Sex.male`); the English ones are the names themselves.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Literal

from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from contracts.kernel import Ciphertext, Erased, Event
from contracts.values import CHINA
from pydantic import BaseModel

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_SEALED = {"zh": "〔已密封〕", "en": "[sealed]"}
_ERASED = {"zh": "〔已删除〕", "en": "[erased]"}
_TRUTH = {"zh": ("否", "是"), "en": ("no", "yes")}
_YUAN = {"zh": "{} 元", "en": "{} yuan"}
_AND = {"zh": "、", "en": ", "}
_NONE = {"zh": "无", "en": "none"}
_LOCALE = {"zh": "zh_CN", "en": "en_GB"}


@dataclass(frozen=True, slots=True)
class Particular:
    """One more thing that an event says."""

    label: str
    value: str


@cache
def catalogue(name: str, language: Language) -> Mapping[str, str]:
    """The texts of a service, or `words`, by key; none where there is no such file."""
    file = files("contracts").joinpath("sentences", f"{name}.{language}.po")
    if not file.is_file():
        return {}
    with file.open("rb") as content:
        return {str(message.id): str(message.string) for message in read_po(content, locale=language) if message.id}


def sentence(event: Event, language: Language) -> str:
    """What happened, in one sentence; the event's type where nobody has written one."""
    template = catalogue(event.TYPE.partition(".")[0], language).get(event.TYPE)
    if template is None:
        return event.TYPE
    return template.format_map({name: written(value, name, language) for name, value in event.__dict__.items()})


def named(template: str) -> frozenset[str]:
    """The fields that a sentence names."""
    return frozenset(field for _, field, _, _ in Formatter().parse(template) if field)


def particulars(event: Event, language: Language, *, known: str = "") -> Iterator[Particular]:
    """What the sentence leaves out, and is there; not what is `known` already, as the id that the stream has in its name."""
    said = named(catalogue(event.TYPE.partition(".")[0], language).get(event.TYPE, ""))
    for name, value in event.__dict__.items():
        if name not in said and value not in (None, (), "", known):
            yield Particular(label(name, language), written(value, name, language))


def label(name: str, language: Language) -> str:
    """What a field is called."""
    plain = name.removesuffix("_fen").replace("_", " ") or "amount"
    return catalogue("words", "zh").get(f"field.{name}", plain) if language == "zh" else plain


def word(choice: Enum, language: Language) -> str:
    """What one of several choices is called."""
    plain = choice.name.replace("_", " ")
    return catalogue("words", "zh").get(f"{type(choice).__name__}.{choice.name}", plain) if language == "zh" else plain


def written(value: Any, name: str, language: Language) -> str:
    """A value as people write it. Sums, by their fields' names in fen, are written in yuan, moments in China's time."""
    match value:
        case None:
            return _NONE[language]
        case Ciphertext():
            return _SEALED[language]
        case Erased():
            return _ERASED[language]
        case bool():
            return _TRUTH[language][value]
        case Enum():
            return word(value, language)
        case int() if name == "fen" or name.endswith("_fen"):
            return _YUAN[language].format(format_decimal(Decimal(value) / 100, "#,##0.00", locale=_LOCALE[language]))
        case datetime():
            return format_datetime(value, "yyyy-MM-dd HH:mm:ss", tzinfo=CHINA, locale=_LOCALE[language])
        case date():
            return format_date(value, "long", locale=_LOCALE[language])
        case BaseModel():
            said = {field: inner for field, inner in value.__dict__.items() if inner not in (None, (), "")}
            return _AND[language].join(f"{label(field, language)} {written(inner, field, language)}" for field, inner in said.items())
        case tuple() | list():
            apart = "; " if value and isinstance(value[0], BaseModel) else _AND[language]
            return apart.join(written(inner, name, language) for inner in value) or _NONE[language]
        case dict():
            return _AND[language].join(f"{key} {written(inner, str(key), language)}" for key, inner in value.items())
        case _:
            return re.sub(r"\s+", " ", str(value))
