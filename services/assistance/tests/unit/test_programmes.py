"""Programmes are data: what the language says yes to, what it refuses, what the shipped rules come to, and why somebody gets nothing."""

import ast
import inspect
from datetime import date
from importlib.resources import files
from types import ModuleType
from typing import Any

import pytest
from assistance.programmes import commands, errors, language
from assistance.programmes import definition as definitions
from assistance.programmes.assessment import (
    Failure,
    Live,
    assess,
    in_season,
    live_failures,
    misfits,
    payable,
    step_for,
    suffices,
)
from assistance.programmes.definition import LEVELS, definition, digest_of, parsed
from assistance.programmes.language import FactMissing, FigureTooLarge, RuleMalformed, rule
from assistance.programmes.programme import PROGRAMME
from contracts.assistance import ProgrammePublished
from contracts.assistance.programmes import DecidedBy, FactKind, ProgrammeDefinition
from contracts.membership import Level
from foundation.decider import given
from foundation.refusals import said, texts
from hypothesis import given as for_all
from hypothesis import strategies as some

SHIPPED = {path.name.removesuffix(".toml"): path.read_text("utf-8") for path in (files("assistance.programmes") / "shipped").iterdir()}
TUITION, WARMTH, MEDICAL, CHAIR, EMERGENCY = (
    parsed(SHIPPED[name]) for name in ("autumn-tuition", "winter-warmth", "medical-relief", "chair-protection", "emergency-relief")
)
CITY = "3709"


def changed(base: ProgrammeDefinition, **parts: Any) -> dict[str, Any]:
    return base.model_dump(mode="json") | parts


# ------------------------------------------------------------------------------------------------------------- language


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a + 2 * b", 50),
        ("min(a, b, 5) - 7", -2),
        ("a // 3", 3),
        ("-a", -10),
        ("a < b <= 20", True),
        ("level in ['deep', 'relative'] and not poor", True),
        ("level not in ['deep']", False),
        ("poor or a == 10", True),
        ("max(a)", 10),
    ],
)
def test_the_language_calculates_and_compares(source: str, value: object) -> None:
    assert rule(source).value({"a": 10, "b": 20, "level": "deep", "poor": False}) == value


@pytest.mark.parametrize(
    "source",
    [
        *("__import__('os')", "a.b", "a[0]", "[x for x in a]", "lambda: 1", "a ** 9", "a / 2", "a % 2", "a if b else c", "1.5", "None"),
        *("(a := 1)", "f'{a}'", "open('x')", "min(a, key=b)", "min()", "a is b", "b'x'", "a <", "", "a; b", "a" + " + a" * 200),
        *("(" * 60 + "a" + ")" * 60 + " + ", "not " * 25 + "a", str(10**16), "a << 3", "{'a': 1}", "*a", "max(*a)"),
    ],
)
def test_nothing_else_is_part_of_it(source: str) -> None:
    with pytest.raises(RuleMalformed):
        rule(source)


def test_figures_stay_within_bounds() -> None:
    with pytest.raises(FigureTooLarge):
        rule("a * a").value({"a": 10**12})
    with pytest.raises(FigureTooLarge):
        rule("a // b").value({"a": 1, "b": 0})


def test_a_fact_that_is_not_needed_need_not_be_known() -> None:
    assert rule("a == 1 or b == 2").holds({"a": 1})
    with pytest.raises(FactMissing, match="b"):
        rule("a == 1 and b == 2").holds({"a": 1})


KNOWN = {
    "a": (FactKind.money, ()),
    "n": (FactKind.number, ()),
    "yes": (FactKind.truth, ()),
    "level": (FactKind.choice, ("deep", "relative")),
}


@pytest.mark.parametrize(
    "source", ["a == 'x'", "yes < 3", "level < 'a'", "level == 'deeep'", "a and yes", "level in 'deep'", "not n", "zzz", "a in [yes]"]
)
def test_kinds_that_do_not_fit_are_refused_before_publication(source: str) -> None:
    with pytest.raises(RuleMalformed):
        rule(source).kind(KNOWN)


@for_all(
    some.recursive(
        some.sampled_from(["a", "n", "3", "0"]),
        lambda inner: some.tuples(inner, some.sampled_from(["+", "-", "*", "//"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=12,
    ),
    some.integers(0, 10**9),
    some.integers(0, 50),
)
def test_every_calculation_ends_in_a_bounded_figure(source: str, a: int, n: int) -> None:
    assert rule(source).kind(KNOWN) in (FactKind.money, FactKind.number)
    try:
        value = rule(source).value({"a": a, "n": n})
    except FigureTooLarge:
        return
    assert isinstance(value, int)
    assert abs(value) <= 10**15


# ---------------------------------------------------------------------------------------------------------- definitions


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_programmes_are_sound_and_say_where_they_come_from(name: str) -> None:
    found = parsed(SHIPPED[name])
    assert found.sources
    assert definition(found.model_dump(mode="json")) == found
    assert PROGRAMME.decide(commands.Publish(name, CITY, found), PROGRAMME.initial, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"surprise": 1}, "surprise"),
        ({"route": [{"up_to_fen": 5, "level": "county"}]}, "route"),
        ({"route": [{"up_to_fen": 5, "level": "city"}, {"level": "county"}]}, "route"),
        ({"route": [{"up_to_fen": 5, "level": "county", "by": "meeting"}, {"level": "county"}]}, "route"),
        ({"route": [{"level": "county"}, {"level": "city"}]}, "route"),
        ({"entitlement": {"kind": "computed", "amount": "serious_illness", "cap_fen": 5}}, "entitlement.amount"),
        ({"entitlement": {"kind": "computed", "amount": "year_fen", "cap_fen": 5}}, "entitlement.amount"),
        ({"conditions": [{"name": "x", "when": "is_member and serious_illness", "text": {"zh": "一", "en": "x"}}]}, "conditions.x"),
        ({"conditions": [{"name": "x", "when": "__import__('os')", "text": {"zh": "一", "en": "x"}}]}, "conditions.x"),
        ({"valid_until": "2020-01-01"}, "valid_until"),
        ({"facts": [{"name": "heads", "kind": "number", "title": {"zh": "一", "en": "x"}}]}, "facts"),
        ({"pay_first": {"max_fen": 9, "papers_days": 3, "exposure_max_fen": 5}}, "pay_first"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused_with_the_place(wrong: dict[str, Any], where: str) -> None:
    with pytest.raises(errors.DefinitionMalformed) as refused:
        definition(changed(MEDICAL, **wrong))
    assert str(refused.value.members["where"]).startswith(where)


def test_what_is_wrong_with_a_rule_is_told_with_its_place_in_both_languages() -> None:
    unfit = {"conditions": [{"name": "x", "when": "is_member < 3", "text": {"zh": "一", "en": "x"}}]}
    with pytest.raises(errors.DefinitionMalformed) as refused:
        definition(changed(MEDICAL, **unfit))
    assert said(refused.value, "zh").detail == "conditions.x：是非不能与数字比较。"
    assert said(refused.value, "en").detail == "conditions.x: truth is not compared with number."


def named_in(module: ModuleType, error: str, place: int) -> set[str]:
    """The reasons that a module's sources give to an error, as the argument at that place."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    given_to = [node.args[place] for node in calls if isinstance(node.func, ast.Name) and node.func.id == error]
    return {str(given.value) for given in given_to if isinstance(given, ast.Constant)}


def test_every_fault_of_a_definition_is_told() -> None:
    reasons = named_in(language, "RuleMalformed", 0) | named_in(definitions, "DefinitionMalformed", 1)
    told = {key.removeprefix("definition-malformed.") for key in texts(errors.__name__, "zh") if key.startswith("definition-malformed.")}
    assert told == reasons


def test_a_new_version_is_published_without_a_deployment_and_the_same_one_only_once() -> None:
    first = ProgrammePublished(programme="medical-relief", organisation=CITY, number=1, definition=MEDICAL, digest=digest_of(MEDICAL))
    publish = commands.Publish("medical-relief", CITY, MEDICAL)
    given(PROGRAMME).when(publish).then(first)
    given(PROGRAMME, first).when(publish).then_nothing()
    new = definition(changed(MEDICAL, caps={"year_fen": 4000000}))
    second = ProgrammePublished(programme="medical-relief", organisation=CITY, number=2, definition=new, digest=digest_of(new))
    given(PROGRAMME, first).when(commands.Publish("medical-relief", CITY, new)).then(second)
    given(PROGRAMME, first).when(commands.Publish("medical-relief", "3710", new)).rejects(errors.ProgrammeOfAnother)
    given(PROGRAMME).when(commands.End("medical-relief", CITY, date(2026, 5, 1))).rejects(errors.ProgrammeUnknown)


# ----------------------------------------------------------------------------------------------------------- assessment

ILL: dict[str, int | bool | str] = {"serious_illness": True, "third_party_pays": False, "self_paid_fen": 6000000}


def test_bands_of_what_an_illness_costs() -> None:
    # 20 % of 15,000 + 30 % of 30,000 + 40 % of 10,000 yuan
    assert assess(MEDICAL, ILL).entitled_fen == 300000 + 900000 + 400000
    assert assess(MEDICAL, ILL | {"self_paid_fen": 10**9}).entitled_fen == 3000000
    poor = assess(MEDICAL, ILL | {"self_paid_fen": 500000})
    assert (poor.entitled_fen, poor.failed) == (0, ("entitlement",))


@for_all(some.integers(0, 10**9), some.integers(0, 10**9))
def test_who_paid_more_never_gets_less_and_nobody_more_than_the_cap(one: int, other: int) -> None:
    low, high = (assess(MEDICAL, ILL | {"self_paid_fen": paid}).entitled_fen for paid in sorted((one, other)))
    assert 0 <= low <= high <= 3000000


def test_the_explanation_names_what_failed_and_what_is_not_known() -> None:
    assert assess(MEDICAL, ILL | {"third_party_pays": True}).failed == ("third-party",)
    unknown = assess(MEDICAL, {"self_paid_fen": 6000000, "serious_illness": True})
    assert unknown.failures == (Failure("third-party", ("third_party_pays",)),)
    assert assess(TUITION, {"stage": "college", "full_time": True, "other_grant_fen": 0}).failed == ("hardship",)
    assert assess(MEDICAL, ILL).documents_needed == ("diagnosis", "settlement", "invoices")


def test_facts_of_the_day_are_asked_on_the_day() -> None:
    day = date(2026, 3, 2)
    assert live_failures(MEDICAL, Live("active", day)) == ()
    assert live_failures(MEDICAL, Live(None, day)) == (Failure("member"),)
    assert live_failures(EMERGENCY, Live("active", day, year_times=2)) == (Failure("year-times"),)
    assert payable(MEDICAL, 500000, 2800000) == 200000
    assert payable(MEDICAL, 500000, 3000000) == 0


def test_829_grants_of_tuition_come_to_the_published_total() -> None:
    pupils = {"college": 202, "senior": 331, "compulsory": 296}
    facts: dict[str, int | bool | str] = {"file_level": "deep", "full_time": True, "other_grant_fen": 0}
    total = sum(assess(TUITION, {**facts, "stage": stage}).entitled_fen * count for stage, count in pupils.items())
    assert (sum(pupils.values()), total) == (829, 65_624_000)


def test_a_chair_gets_half_a_year_at_most() -> None:
    assert assess(CHAIR, {"monthly_living_fen": 210000, "months": 6}).entitled_fen == 1_260_000
    assert assess(CHAIR, {"monthly_living_fen": 210000, "months": 9}).entitled_fen == 1_260_000


def test_a_season_may_run_over_new_year() -> None:
    assert [in_season(WARMTH, date(2026, month, 20)) for month in (1, 3, 10, 11, 12)] == [True, False, False, True, True]
    assert in_season(MEDICAL, date(2026, 6, 1))


def test_just_over_a_threshold_goes_one_step_up() -> None:
    steps = [step_for(MEDICAL, fen) for fen in (300000, 300001, 1000000, 1000001)]
    assert [(step.level, step.by) for step in steps] == [
        (Level.county, DecidedBy.person),
        (Level.county, DecidedBy.meeting),
        (Level.county, DecidedBy.meeting),
        (Level.city, DecidedBy.meeting),
    ]
    assert step_for(MEDICAL, 1, floor=Level.city).level is Level.city


@for_all(
    some.sampled_from([TUITION, WARMTH, MEDICAL, CHAIR, EMERGENCY]),
    some.integers(1, 10**8),
    some.sampled_from(LEVELS),
    some.sampled_from(DecidedBy),
)
def test_who_may_decide_an_amount_may_decide_a_smaller_one(programme: ProgrammeDefinition, fen: int, level: Level, by: DecidedBy) -> None:
    if suffices(step_for(programme, fen), level, by):
        assert suffices(step_for(programme, max(1, fen // 2)), level, by)
        assert suffices(step_for(programme, fen), LEVELS[0], by)


def test_told_facts_are_the_programmes_own_and_of_their_kind() -> None:
    assert misfits(MEDICAL, ILL) == []
    assert misfits(MEDICAL, {"self_paid_fen": True, "serious_illness": 1, "heads": 3, "zzz": 1}) == [
        "self_paid_fen",
        "serious_illness",
        "heads",
        "zzz",
    ]
    assert misfits(MEDICAL, {"self_paid_fen": -1}) == ["self_paid_fen"]
