"""Why a row or a file is refused, in Chinese and in English, from a Babel catalogue keyed by the rule."""

from functools import cache
from importlib.resources import files
from typing import Any

from babel.messages.pofile import read_po

LANGUAGES = ("zh", "en")


@cache
def _sentences(language: str) -> dict[str, str]:
    with files("membership.rosters").joinpath("locale", f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalogue if message.id}


def sentence(rule: str, language: str, **arguments: Any) -> str:
    """The sentence of a rule; the rule's own name where a catalogue lacks it, as for a refusal by another part of the service."""
    return _sentences(language).get(rule, rule).format_map(arguments)


def known(language: str) -> frozenset[str]:
    """The rules that a catalogue has a sentence for."""
    return frozenset(_sentences(language))
