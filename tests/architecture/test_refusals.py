"""What people are told of a refusal stands in Chinese and in English, says what the refusal tells, and nothing of it is left over."""

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from assistance.funds.errors import LineExhausted, PeriodIsClosed
from foundation.http import faults
from foundation.refusals import said, texts, title
from foundation.texts import LANGUAGES, named, published, read
from pydantic_core._pydantic_core import list_all_errors

from .refusals import ANY, ROOT, Kind, catalogues, kinds, spoken, table

PERSONAL = frozenset({"member", "person", "people", "principal", "account", "same_as", "household", "name"})
"""Ids of people, and of what is theirs: programs get them as members, no sentence repeats them."""

PYTHON_ONLY = frozenset(
    """
    no_such_attribute get_attribute_error needs_python_object recursion_loop recursion_depth_exceeded frozen_field frozen_instance
    default_factory_not_called iterable_type iteration_error json_type json_invalid mapping_type dataclass_exact_type
    named_tuple_type frozen_dict_type ordered_dict_type counter_type deque_type arguments_type set_item_not_hashable
    bytes_invalid_encoding missing_sentinel_error ellipsis_error is_instance_of is_subclass_of callable_type missing_argument
    unexpected_keyword_argument missing_keyword_only_argument multiple_argument_values unexpected_positional_argument
    missing_positional_only_argument fraction_type fraction_parsing complex_type complex_str_parsing value_error assertion_error
    """.split()  # noqa: SIM905 - forty quoted names are no easier to read
)
"""Faults that no JSON value can have, and those of a rule in code, which says itself what is wrong."""


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: f"{kind.package}.{kind.refusal.__name__}")
def test_every_refusal_has_its_texts(kind: Kind) -> None:
    reasons = kind.reasons()
    assert reasons, f"{kind.type} has a reason that is only known when it happens: add `{kind.type}.<reason>` for each"
    for why, members in reasons.items():
        key = f"{kind.type}.{why}"
        zh, en = (texts(kind.refusal.__module__, language) for language in LANGUAGES)
        folder = kind.package.replace(".", "/")
        for there, language in ((zh, "zh"), (en, "en")):
            assert there.get(kind.type), f"add the title `{kind.type}` to {folder}/refusals.{language}.po"
            assert there.get(key), f"add the sentence `{key}` to {folder}/refusals.{language}.po"
        assert named(zh[key]) == named(en[key]), f"{key} says more in one language than in the other"
        assert ANY in members or named(zh[key]) <= members, f"{key} names what is not always told"
        assert not named(zh[key]) & PERSONAL, f"{key} repeats whom it is about"


def test_every_catalogue_says_only_what_is_raised() -> None:
    raised: dict[Path, set[str]] = defaultdict(set)
    for kind in kinds():
        raised[Path(*kind.package.split("."))] |= {kind.type, *(f"{kind.type}.{why}" for why in kind.reasons())}
    unused = {}
    for path, _ in catalogues():
        there = read(path)
        package = path.parent.relative_to(next(parent for parent in path.parents if parent.name == "src"))
        codes = {key for key in there if key.partition(".")[0] in spoken(dict(there)) and "." in key}
        if left := there.keys() - raised[package] - codes:
            unused[str(path.relative_to(ROOT))] = sorted(left)
    assert unused == {}


def test_one_type_has_one_title() -> None:
    titles: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for one in kinds():
        titles[one.type].add(tuple(title(one.refusal, language) for language in LANGUAGES))
    assert {kind: found for kind, found in titles.items() if len(found) > 1} == {}


def test_every_fault_of_a_request_is_told_in_chinese() -> None:
    zh, en = (faults.texts(language) for language in LANGUAGES)
    pydantics: dict[str, Any] = {one["type"]: one for one in list_all_errors()}
    ours = {"invalid", "position", "text"}
    assert zh.keys() == (pydantics.keys() - PYTHON_ONLY) | ours
    assert ours <= en.keys() <= zh.keys()
    for kind, sentence in [*zh.items(), *en.items()]:
        assert named(sentence) <= (pydantics.get(kind, {}).get("example_context") or {}).keys() - {"error", "tag", "actual_length"}, kind


def test_every_rule_of_a_value_is_told_in_both_languages() -> None:
    zh, en = (published("values", language) for language in LANGUAGES)
    source = "".join((ROOT / f"shared/contracts/src/contracts/{module}.py").read_text() for module in ("checks", "values"))
    assert {key: named(text) for key, text in zh.items()} == {key: named(text) for key, text in en.items()}
    built = {"hong-kong-macau-permit-form", "taiwan-permit-form", "passport-form"}  # of the kind of document
    assert {rule for rule in zh if f'ValueRefused("{rule}"' not in source} == built
    assert source.count("raise ValueRefused(") - 1 == sum(source.count(f'ValueRefused("{rule}"') for rule in zh)


def test_amounts_are_told_in_yuan_and_days_as_people_write_them() -> None:
    short = LineExhausted("a" * 32, available_fen=1_000, asked_fen=123_456_789)
    assert said(short, "zh") == ("预算余额不足", "本预算项目可用余额 10.00 元，需要 1,234,567.89 元。")
    assert said(short, "en").detail == "The line has 10.00 yuan available, 1,234,567.89 yuan are asked for."
    closed = PeriodIsClosed("a" * 32, date(2026, 2, 28), date(2026, 3, 1))
    assert said(closed, "zh").detail == "账目已结至2026年3月1日，不能再记入2026年2月28日。"
    assert said(closed, "en").detail == "The books are closed through 1 March 2026, and 28 February 2026 lies before."


def test_the_table_of_problem_types_is_what_the_sources_say() -> None:
    assert (ROOT / "docs/errors.md").read_text() == table(), "run `make errors`"
