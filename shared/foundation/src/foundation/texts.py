"""Texts for people, Chinese first with English beside: Babel catalogues, read when first asked for, and values as people write them.

A catalogue is a .po file beside the code that speaks. The Chinese words for fields and choices stand with the contracts
(`contracts/sentences/words.zh.po`, as `field.reason` and `Sex.male`); the English ones are the names themselves.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Formatter
from typing import Any, Literal

from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from contracts.kernel import Ciphertext, Erased
from contracts.values import CHINA
from pydantic import BaseModel

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_SEALED = {"zh": "〔已密封〕", "en": "[sealed]"}
_ERASED = {"zh": "〔已删除〕", "en": "[erased]"}
_TRUTH = {"zh": ("否", "是"), "en": ("no", "yes")}
_YUAN = {"zh": "{} 元", "en": "{} yuan"}
AND = {"zh": "、", "en": ", "}
_NONE = {"zh": "无", "en": "none"}
_LOCALE = {"zh": "zh_CN", "en": "en_GB"}


@cache
def catalogue(package: str, path: str) -> Mapping[str, str]:
    """The texts of a catalogue in a package's folder, by their keys."""
    return read(files(package) / path)


def read(file: Traversable) -> Mapping[str, str]:
    """The texts of a file, by their keys; none where there is no such file."""
    if not file.is_file():
        return {}
    with file.open("rb") as content:
        return {str(message.id): str(message.string) for message in read_po(content) if message.id}


def published(name: str, language: Language) -> Mapping[str, str]:
    """The catalogue of that name among those that stand with the contracts."""
    return catalogue("contracts", f"sentences/{name}.{language}.po")


@cache
def named(template: str) -> frozenset[str]:
    """The fields that a text names."""
    return frozenset(field for _, field, _, _ in Formatter().parse(template) if field)


def label(name: str, language: Language) -> str:
    """What a field is called."""
    plain = name.removesuffix("_fen").replace("_", " ") or "amount"
    return published("words", "zh").get(f"field.{name}", plain) if language == "zh" else plain


def word(choice: Enum, language: Language) -> str:
    """What one of several choices is called."""
    plain = choice.name.replace("_", " ")
    return published("words", "zh").get(f"{type(choice).__name__}.{choice.name}", plain) if language == "zh" else plain


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
            return _YUAN[language].format(f"{Decimal(value) / 100:,.2f}")
        case datetime():
            return format_datetime(value, "yyyy-MM-dd HH:mm:ss", tzinfo=CHINA, locale=_LOCALE[language])
        case date():
            return _day(value, language)
        case BaseModel():
            said = {field: inner for field, inner in value.__dict__.items() if inner not in (None, (), "")}
            return AND[language].join(f"{label(field, language)} {written(inner, field, language)}" for field, inner in said.items())
        case tuple() | list():
            apart = "; " if value and isinstance(value[0], BaseModel) else AND[language]
            return apart.join(written(inner, name, language) for inner in value) or _NONE[language]
        case dict():
            return AND[language].join(f"{key} {written(inner, str(key), language)}" for key, inner in value.items())
        case _:
            return re.sub(r"\s+", " ", str(value))


@lru_cache(maxsize=1_000)
def _day(day: date, language: Language) -> str:
    return format_date(day, "long", locale=_LOCALE[language])  # a quarter of a millisecond; the days of refusals are few
