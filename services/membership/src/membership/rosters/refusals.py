"""Why a row or a file is refused, in Chinese and in English, from Babel catalogues keyed by the rule: of rows, of files, of values."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from foundation.refusals import texts
from foundation.texts import Language, catalogue, published

_OF_A_FILE = "roster-refused."


@cache
def _sentences(language: Language) -> Mapping[str, str]:
    of_files = {key.removeprefix(_OF_A_FILE): text for key, text in texts(__name__, language).items() if key.startswith(_OF_A_FILE)}
    return {**published("values", language), **of_files, **catalogue("membership.rosters", f"locale/{language}.po")}


def sentence(rule: str, language: Language, **arguments: Any) -> str:
    """The sentence of a rule; the rule's own name where a catalogue lacks it, as for a refusal by another part of the service."""
    return _sentences(language).get(rule, rule).format_map(arguments)


def known(language: Language) -> frozenset[str]:
    """The rules that a catalogue has a sentence for."""
    return frozenset(_sentences(language))
