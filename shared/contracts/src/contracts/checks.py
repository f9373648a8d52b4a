"""Checks and normal forms of what people and papers carry: names, numbers of identity documents, codes, phones.

Pure, and of the standard library alone: the process that reads a roster is there for one file and starts in a fifth of the time without
pydantic. `values` makes types of requests and events of them.
"""

import re
import unicodedata
from datetime import date
from enum import StrEnum


class ValueRefused(ValueError):
    """A value cannot be what it claims to be. `rule` is stable and for programs; for people, it and the `arguments` are said in
    `sentences/values`. Neither repeats the value."""

    def __init__(self, rule: str, **arguments: int | str) -> None:
        super().__init__(rule)
        self.rule, self.arguments = rule, arguments


# --------------------------------------------------------------------------------------------------------- names 姓名

_DOTS = str.maketrans(dict.fromkeys("•‧∙⋅・･․", "·"))
"""What keyboards and older systems write where a name carries a middle dot (U+00B7), as in 阿依古丽·买买提."""

NAME_CHARACTERS_MAX = 100


def normalised(text: str) -> str:
    """NFC, with every run of white space (the ideographic one too) as one space and none around."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def line(text: str) -> str:
    """One line of text as it is kept: normalised, of characters that every database and every screen can hold. Raises ValueRefused."""
    kept = normalised(text)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in kept):
        raise ValueRefused("line-characters")
    return kept


def name(text: str) -> str:
    """A person's name as it is kept. Rare characters beyond the BMP stay what they are.

    A Chinese name loses inner spaces (张　三 is 张三); a Latin one keeps them. Raises ValueRefused.
    """
    kept = normalised(text).translate(_DOTS)
    if any(_is_han(character) for character in kept):
        kept = kept.replace(" ", "")
    kept = re.sub(r" *· *", "·", kept).strip("·")
    if not kept or len(kept) > NAME_CHARACTERS_MAX:
        raise ValueRefused("name-length", most=NAME_CHARACTERS_MAX)
    if any(unicodedata.category(character)[0] in "CNS" and unicodedata.category(character) != "Co" for character in kept):
        # Private-use characters (Co) are let through: older registers hold rare characters there, and the bearer cannot change it.
        raise ValueRefused("name-characters")
    return kept


def _is_han(character: str) -> bool:
    return "CJK" in unicodedata.name(character, "")


# ---------------------------------------------------------------------------------------- identity documents 身份证件


class DocumentKind(StrEnum):
    """What a person shows to prove who they are."""

    resident = "resident"  # 居民身份证 GB 11643
    hong_kong_macau_permit = "hong_kong_macau_permit"  # 港澳居民来往内地通行证
    taiwan_permit = "taiwan_permit"  # 台湾居民来往大陆通行证
    hong_kong_residence = "hong_kong_residence"  # 港澳台居民居住证, 81…
    macau_residence = "macau_residence"  # 82…
    taiwan_residence = "taiwan_residence"  # 83…
    permanent_residence = "permanent_residence"  # 外国人永久居留身份证
    passport = "passport"
    pending = "pending"  # 待补: the number is not known yet


_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_CHECKS = "10X98765432"
_RESIDENCE_PREFIX = {
    DocumentKind.hong_kong_residence: "810000",
    DocumentKind.macau_residence: "820000",
    DocumentKind.taiwan_residence: "830000",
}
_RESIDENT_FIRST_YEAR = 1880


def resident_check(first17: str) -> str:
    """The check character of a GB 11643 number (ISO 7064 MOD 11-2) from its first 17 digits."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first17, strict=True)) % 11]


def _resident(number: str, today: date) -> None:
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number, re.ASCII):
        raise ValueRefused("resident-form")
    born_on(number, today)
    if resident_check(number[:17]) != number[17]:
        raise ValueRefused("resident-checksum")


def born_on(number: str, today: date) -> date:
    """The date of birth in an 18-character number. Raises ValueRefused where there is no such day, or it is yet to come."""
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise ValueRefused("resident-birth") from None
    if not date(_RESIDENT_FIRST_YEAR, 1, 1) <= born <= today:
        raise ValueRefused("resident-birth")
    return born


_FORMS = {
    DocumentKind.hong_kong_macau_permit: r"[HM][0-9]{8}([0-9]{2})?",
    DocumentKind.taiwan_permit: r"[0-9]{8}|[0-9]{10}[A-Z]?",
    DocumentKind.passport: r"[A-Z0-9]{5,17}",
}


def identity_number(kind: DocumentKind, number: str, *, today: date) -> str:
    """The number in its one normal form: NFKC (full-width digits become plain), upper case, without spaces and separators.

    Raises ValueRefused. Division codes are not checked: numbers were given under codes that have since been split, merged and
    abolished, and they stay valid for life.
    """
    kept = re.sub(r"[\s\-‐-―_.·/()]", "", unicodedata.normalize("NFKC", number)).upper()
    match kind:
        case DocumentKind.resident:
            _resident(kept, today)
        case DocumentKind.hong_kong_residence | DocumentKind.macau_residence | DocumentKind.taiwan_residence:
            if not kept.startswith(_RESIDENCE_PREFIX[kind]):
                raise ValueRefused("residence-prefix", prefix=_RESIDENCE_PREFIX[kind])
            _resident(kept, today)
        case DocumentKind.permanent_residence:
            # The card of 2023 has 18 characters in the form of GB 11643, beginning with 9; the one before has three letters and 12 digits.
            if kept.startswith("9"):
                _resident(kept, today)
            elif not re.fullmatch(r"[A-Z]{3}[0-9]{12}", kept, re.ASCII):
                raise ValueRefused("permanent-residence-form")
        case DocumentKind.pending:
            if kept:
                raise ValueRefused("pending-number")
        case _:
            if not re.fullmatch(_FORMS[kind], kept, re.ASCII):
                raise ValueRefused(f"{kind.value.replace('_', '-')}-form")
    return kept


# ---------------------------------------------------------------------------------- organisations' and divisions' codes

_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


def uscc_check(first17: str) -> str:
    """The check character of a unified social credit code (GB 32100) from its first 17; ValueError on other characters."""
    return _USCC[-sum(weight * _USCC.index(character) for weight, character in zip(_USCC_WEIGHTS, first17, strict=True)) % 31]


def uscc(code: str) -> str:
    """A unified social credit code (GB 32100: no I, O, S, V, Z) in normal form. Raises ValueRefused."""
    kept = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", code)).upper()
    if not re.fullmatch(rf"[{_USCC}]{{2}}[0-9]{{6}}[{_USCC}]{{10}}", kept, re.ASCII):
        raise ValueRefused("uscc-form")
    if uscc_check(kept[:17]) != kept[17]:
        raise ValueRefused("uscc-checksum")
    return kept


def division(code: str) -> str:
    """A division's code: GB/T 2260 (2, 4 or 6 digits) or NBS (9 or 12). Six digits ending in zeros are the city or province.

    Raises ValueRefused.
    """
    kept = unicodedata.normalize("NFKC", code).strip()
    if not re.fullmatch(r"[1-9][0-9](?:[0-9]{2}|[0-9]{4}|[0-9]{7}|[0-9]{10})?", kept, re.ASCII):
        raise ValueRefused("division-form")
    if len(kept) == 6 and kept.endswith("00"):
        return kept[:2] if kept.endswith("0000") else kept[:4]
    return kept


# ------------------------------------------------------------------------------------------------------------ phones


def phone(number: str) -> str:
    """A phone number: a mainland one as its national digits (13800138000, 0538-8531234), another as + and its digits (E.164).

    Raises ValueRefused.
    """
    kept = re.sub(r"[\s()‐-―./]", "", unicodedata.normalize("NFKC", number)).replace("--", "-")
    kept = re.sub(r"^(?:\+|00)86-?", "", kept)
    mobile = kept.replace("-", "")
    if re.fullmatch(r"1[3-9][0-9]{9}", mobile, re.ASCII):
        return mobile
    landline = re.fullmatch(r"(010|02[0-9]|0[3-9][0-9]{2})-?([2-9][0-9]{6,7})(?:-([0-9]{1,6}))?", kept, re.ASCII)
    if landline:
        return "-".join(part for part in landline.groups() if part)
    if re.fullmatch(r"\+[1-9][0-9-]{5,18}", kept, re.ASCII):
        return "+" + kept[1:].replace("-", "")
    raise ValueRefused("phone-form")
