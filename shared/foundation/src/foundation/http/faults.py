"""The faults of one request, one by one: where, and what in Chinese and English. Never the value itself: it may be personal.

The Chinese sentences stand in `faults.zh.po` under pydantic's name for the kind of fault. The English ones are pydantic's own, but for
those in `faults.en.po`. What a value's own rule says (`ValueRefused`) stands with the contracts, in `sentences/values`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.values import ValueRefused
from pydantic import BaseModel, ConfigDict, Field

from foundation.texts import LANGUAGES, Language, catalogue, published

_NAME = re.compile(r"[A-Za-z_-]{1,40}")


class FieldError(BaseModel):
    """One fault of a request: where (`in`, and a JSON pointer below it), what, and pydantic's name for the kind of fault."""

    model_config = ConfigDict(populate_by_name=True)

    in_: str = Field(alias="in", examples=["body", "query", "path", "header"])
    pointer: str = Field(examples=["/name"])
    message: str = Field(description="In Chinese.", examples=["缺少此项。"])
    en: str = Field(description="The same in English.", examples=["Field required"])
    type: str


def fault(where: str, pointer: str, kind: str) -> dict[str, str]:
    """A fault of a kind of our own."""
    zh, en = (texts(language)[kind] for language in LANGUAGES)
    return {"in": where, "pointer": pointer, "message": zh, "en": en, "type": kind}


def field_error(found: Mapping[str, Any]) -> dict[str, str]:
    """One of pydantic's faults as a member of the problem document."""
    where, *path = found["loc"] or ("body",)
    zh, en = _sentences(found)
    return {"in": str(where), "pointer": pointer(path), "message": zh, "en": en, "type": str(found["type"])}


def pointer(path: Iterable[object]) -> str:
    """A JSON pointer (RFC 6901). Names that no route could have declared are the caller's own and may be personal: they become `…`."""
    return "".join(f"/{part if isinstance(part, int) or _NAME.fullmatch(str(part)) else '…'}" for part in path)[:300]


def texts(language: Language) -> Mapping[str, str]:
    """What a catalogue has a sentence for."""
    return catalogue("foundation.http", f"faults.{language}.po")


def _sentences(found: Mapping[str, Any]) -> tuple[str, str]:
    kind, context = str(found["type"]), found.get("ctx") or {}
    broken = context.get("error")
    if isinstance(broken, ValueRefused):
        zh, en = (published("values", language)[broken.rule].format_map(broken.arguments) for language in LANGUAGES)
        return zh, en
    chinese, english = (texts(language) for language in LANGUAGES)
    own = english.get(kind)
    said = own.format_map(context) if own else _pydantics(found, english["invalid"])
    return chinese.get(kind, chinese["invalid"]).format_map(context), said


def _pydantics(found: Mapping[str, Any], invalid: str) -> str:
    """Pydantic's own sentence; a bare one where it quotes what was given, as a validator's message may."""
    sentence, value = str(found["msg"]), found.get("input")
    return invalid if isinstance(value, str | int | float) and str(value) and str(value) in sentence else sentence
