"""What a member can be found by: the keys of the search table, and what a question asks of them.

Every question is a range of keys. A key begins with a letter that says its kind:

    n  a name from some character on     王伟明 → n王伟明, n伟明 (two characters or more, so any two in a row are found)
    p  pinyin, whole and without surname          pwangweiming, pweiming; words of Latin names: pmariagarcia, pgarcia
    i  initials                                   iwwm
    t  phone number, last digit first             t21436587931: whole, or its last four or more digits

Names are compared without case, spaces, middle dots, hyphens and apostrophes.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from membership.directory.readings import INITIALS, given_spellings, plain, surname_length, surname_spellings, syllables

PHONE_DIGITS_MIN = 4
QUESTION_CHARACTERS_MAX = 100
_END = "\U0010ffff"
"""Sorts after everything that can follow a prefix."""

_ACCENTED_END = "\u2000"
"""Latin, Greek and Cyrillic letters with their accents stand before it."""

_plain_ideographs = re.compile("[\u4e00-\u9fff]+").fullmatch
"""Characters that are themselves however they are normalized."""

_JOINERS = dict.fromkeys(map(ord, " ·•‧・･．.-‐'’`"))


@dataclass(frozen=True, slots=True)
class Lookup:
    """A range of keys `low ≤ key < high`; the person must also have a key that begins with `also`, where it is given."""

    low: str
    high: str
    also: str | None = None


def folded(text: str) -> str:
    """A name or a question as it is compared: also without accents and tone marks, and without variation selectors, which are how a
    character is drawn and not which one it is."""
    if _plain_ideographs(text):
        return text
    text = unicodedata.normalize("NFKC", text).casefold().translate(_JOINERS)
    if text.isascii():
        return text
    bare = [unicodedata.normalize("NFD", character)[0] if character < _ACCENTED_END else character for character in text]
    return "".join(character for character in bare if unicodedata.category(character) != "Mn")


def keys_of(name: str, phone: str | None) -> list[str]:
    """Every key of one member."""
    keys = list(_name_keys(name))
    if phone:
        digits = phone if phone.isdigit() else "".join(digit for digit in phone if digit.isdigit())
        keys.append("t" + digits[::-1])
    return keys


@lru_cache(maxsize=50_000)
def _name_keys(name: str) -> tuple[str, ...]:
    bare = folded(name)
    if bare.isascii():
        return tuple(_latin_keys(name))
    # A seldom last character is asked for alone, because its name's others find too many.
    keys = ["n" + bare[at:] for at in range(max(1, len(bare) - (not _is_seldom(bare[-1]))))]
    if "·" in name:
        # The parts of such a name are all its bearer's own: there is no surname to leave out, and each part is asked for alone.
        parts = [given_spellings(folded(part)) for part in name.split("·")]
        firsts = ["".join(part[0]) for part in parts if part]
        whole = given_spellings(bare)
        keys += ["p" + "".join(firsts[at:]) for at in range(1, len(firsts))]
    else:
        cut = surname_length(bare)
        surnames, givens = surname_spellings(bare[:cut]), given_spellings(bare[cut:])
        whole = tuple(surname + given for surname in surnames for given in givens)
        keys += ["p" + "".join(given) for given in givens if len(given) > 1]
    keys += ["p" + "".join(spelling) for spelling in whole]
    keys += ["i" + "".join(syllable[0] for syllable in spelling) for spelling in whole]
    return tuple(dict.fromkeys(key for key in keys if len(key) > 1))


def _is_seldom(character: str) -> bool:
    """Outside the 20,992 characters of Unicode's first block."""
    return not "\u4e00" <= character <= "\u9fff"


def _latin_keys(name: str) -> Iterator[str]:
    words = [folded(word) for word in name.replace("·", " ").split()]
    for at in range(len(words)):
        yield "p" + plain("".join(words[at:]))
    yield "i" + plain("".join(word[0] for word in words if word))


def lookups(question: str) -> list[Lookup]:
    """What a question asks for; nothing where it can be no name and no phone number.

    王 · 王伟 · 伟明 · wang · wangwei · wang wei · wangwm · ww · 王w · 王wei · 13800138000 · 8000
    """
    bare = folded(question[:QUESTION_CHARACTERS_MAX])
    if not bare:
        return []
    if bare.lstrip("+").isdigit():
        digits = bare.lstrip("+")
        return [_prefix("t" + digits[::-1])] if len(digits) >= PHONE_DIGITS_MIN else []
    letters = len(bare) - len(bare.rstrip("abcdefghijklmnopqrstuvwxyz"))
    written, spelled = bare[: len(bare) - letters], plain(bare[len(bare) - letters :])
    if not written:
        return list(dict.fromkeys(_by_letters(spelled)))
    if not spelled:
        return [_prefix("n" + written)]
    return list(dict.fromkeys(_by_both(written, spelled)))


def _prefix(prefix: str, also: str | None = None) -> Lookup:
    return Lookup(prefix, prefix + _END, also)


def _by_letters(letters: str) -> Iterator[Lookup]:
    initials = INITIALS.issuperset(letters)
    if initials:
        yield _prefix("i" + letters)
    if len(letters) > 1 or not initials:
        yield _prefix("p" + letters)
    # A surname in full and the rest by initials: wangwm.
    for cut in range(2, len(letters) - 1):
        head, rest = letters[:cut], letters[cut:]
        if head in syllables() and INITIALS.issuperset(rest):
            yield _prefix("i" + head[0] + rest, also="p" + head + rest[0])


def _by_both(written: str, letters: str) -> Iterator[Lookup]:
    for spelling in surname_spellings(written[:4]):
        if INITIALS.issuperset(letters):
            yield _prefix("i" + "".join(syllable[0] for syllable in spelling) + letters, also="n" + written)
        if len(letters) > 1:
            yield _prefix("p" + "".join(spelling) + letters, also="n" + written)
