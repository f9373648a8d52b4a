"""What a refusal says to people: a title for its type and a sentence for what has happened, in Chinese and in English.

The texts stand in the folder of the class, `refusals.zh.po` and `refusals.en.po`: the title under the type (`line-exhausted`), the sentence
under the type and the reason (`line-exhausted.detail`), and under `field.code` what a code is called that a sentence names.
"""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from foundation.decider import Refusal
from foundation.texts import AND, Language, named, read, written


class Said(NamedTuple):
    """A problem in words."""

    title: str
    detail: str


@cache
def texts(module: str, language: Language) -> Mapping[str, str]:
    """The catalogue that stands beside a module."""
    return read(Path(sys.modules[module].__file__ or "").with_name(f"refusals.{language}.po"))


def said(refusal: Refusal, language: Language) -> Said:
    """The refusal in words. Where a text is missing, its type and reason stand there as they are: no answer fails for want of words."""
    there = texts(type(refusal).__module__, language)
    sentence = there.get(f"{refusal.TYPE}.{refusal.why}")
    if sentence is None:
        return Said(title(type(refusal), language), refusal.why)
    values = {name: _value(refusal.members.get(name), name, language, there) for name in named(sentence)}
    return Said(title(type(refusal), language), sentence.format_map(values))


def title(refusal: type[Refusal], language: Language) -> str:
    """What this kind of problem is called; the type as words where the catalogue lacks it."""
    return texts(refusal.__module__, language).get(refusal.TYPE, refusal.TYPE.replace("-", " ").capitalize())


def _value(value: Any, name: str, language: Language, there: Mapping[str, str]) -> str:
    if isinstance(value, tuple | list):
        return AND[language].join(_value(one, name, language, there) for one in value)
    return there.get(f"{name}.{value}") or written(value, name, language)
