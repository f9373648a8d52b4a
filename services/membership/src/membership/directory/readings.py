"""How characters are read: toneless pinyin, `u` for ü, every reading of a surname and the usual ones elsewhere.

Readings come from pypinyin's table of single characters (41,900, of which 15,100 beyond the BMP), each looked up once. Asking pypinyin
for a whole name costs far more and chooses one reading by the phrase, where a search needs all of them.
"""

import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product
from math import prod

from pypinyin.pinyin_dict import pinyin_dict

INITIALS = frozenset("abcdefghjklmnopqrstwxyz")
"""The letters that a syllable can begin with: all but i, u and v."""


_INTERJECTIONS = frozenset({"m", "n", "ng", "hm", "hng"})
_GIVEN_READINGS_MAX = 2
_SPELLINGS_MAX = 24


def plain(pinyin: str) -> str:
    """Pinyin without tones, in lower case, with `u` for ü however it was written: lǚ, lü, lv and lyu all become lu."""
    letters = unicodedata.normalize("NFD", pinyin).casefold().replace("v", "u")
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return bare.replace("lyu", "lu").replace("nyu", "nu")


@cache
def _data() -> Mapping[str, list[str]]:
    data = tomllib.loads(files("membership.directory").joinpath("readings.toml").read_text("utf-8"))
    return {name: text.split() for name, text in data.items()}


@cache
def _as_names() -> Mapping[str, tuple[str, ...]]:
    return {entry[0]: tuple(entry[1:].split("/")) for entry in _data()["as_names"]}


@cache
def _compound_surnames() -> frozenset[str]:
    return frozenset(_data()["compound_surnames"])


@cache
def readings(character: str) -> tuple[str, ...]:
    """A character's readings, the commonest first; none where nobody has recorded one."""
    known = _as_names().get(character)
    if known is not None:
        return known
    found = pinyin_dict.get(ord(character))
    if found is None:
        return ()
    return tuple(syllable for syllable in dict.fromkeys(plain(one) for one in found.split(",")) if syllable not in _INTERJECTIONS)


@cache
def syllables() -> frozenset[str]:
    """Every syllable that some character has."""
    return frozenset(syllable for code in pinyin_dict for syllable in readings(chr(code)))


def surname_length(name: str) -> int:
    """How many characters the surname takes: two where a compound surname is followed by something."""
    return 2 if len(name) > 2 and name[:2] in _compound_surnames() else 1


def _spelled(options: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    read = [each for each in options if each]
    if prod(len(each) for each in read) <= _SPELLINGS_MAX:
        return tuple(product(*read))
    # A long name with many heteronyms: the usual reading, and every reading that differs from it in one character.
    usual = tuple(each[0] for each in read)
    one_off = [(*usual[:at], other, *usual[at + 1 :]) for at, each in enumerate(read) for other in each[1:]]
    return (usual, *one_off)


@lru_cache(maxsize=20_000)
def surname_spellings(surname: str) -> tuple[tuple[str, ...], ...]:
    """A surname's spellings, syllable by syllable: 单 is dan, chan and shan."""
    return _spelled([readings(character) for character in surname])


@lru_cache(maxsize=200_000)
def given_spellings(given: str) -> tuple[tuple[str, ...], ...]:
    """The spellings of a given name, or of a name that has no surname: rare readings of its characters are left out."""
    return _spelled([readings(character)[:_GIVEN_READINGS_MAX] for character in given])
