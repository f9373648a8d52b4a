"""Every published event can be told in Chinese and in English, with everything that it says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from contracts import foundation, membership, rights
from contracts.kernel import ERASED, Event
from contracts.registry import registry
from contracts.values import IdentityDocument
from foundation.texts import LANGUAGES, named, published, written
from node.sentences import particulars, sentence
from pydantic import BaseModel

GOLDEN = Path(__file__).parent.parent / "golden"
EVENTS = list(registry())
TOO_DEEP = frozenset({"ProgrammePublished"})
"""Its rules are data of their own, with their own Chinese texts inside."""


def choices(annotation: Any) -> Iterator[type[Enum]]:
    """The choices that a field may hold, also within values."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield annotation
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from choices(field.annotation)
    else:
        for arm in get_args(annotation):
            yield from choices(arm)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_every_event_has_its_sentence(event: type[Event], language: Any) -> None:
    service = event.TYPE.partition(".")[0]
    template = published(service, language).get(event.TYPE)
    assert template, f"add a sentence for {event.TYPE} to contracts/sentences/{service}.{language}.po: `tongxin explain` tells it"
    assert named(template) <= event.model_fields.keys()
    for name in named(template):
        assert event.model_fields[name].is_required() or event.model_fields[name].default not in (None, ()), (
            f"{name} may be missing: leave it out of the sentence, and it is told after it where it is there"
        )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_what_a_sentence_leaves_out_has_a_chinese_name(event: type[Event]) -> None:
    words = published("words", "zh")
    said = named(published(event.TYPE.partition(".")[0], "zh").get(event.TYPE, ""))
    missing = [f"field.{name}" for name in event.model_fields if name not in said and f"field.{name}" not in words]
    if event.__name__ not in TOO_DEEP:
        kinds = {kind for field in event.model_fields.values() for kind in choices(field.annotation)}
        missing += [f"{kind.__name__}.{one.name}" for kind in kinds for one in kind if f"{kind.__name__}.{one.name}" not in words]
    assert missing == [], f"add their Chinese words to contracts/sentences/words.zh.po (told of {event.TYPE})"


def test_no_sentence_is_left_of_an_event_that_is_gone() -> None:
    known = {event.TYPE for event in EVENTS}
    for language in LANGUAGES:
        for service in sorted({event.TYPE.partition(".")[0] for event in EVENTS}):
            assert published(service, language).keys() <= known


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_event_can_be_told(path: Path) -> None:
    event = registry().load(path.stem, orjson.loads(path.read_bytes()))
    for language in LANGUAGES:
        assert "{" not in sentence(event, language).replace("{}", "")
        assert all(one.label and one.value for one in particulars(event, language))


def test_an_admission_in_words() -> None:
    admitted = membership.MemberAdmitted(
        member="a" * 32,
        organisation="370902001001",
        kind=membership.MemberKind.direct,
        sex=membership.Sex.female,
        categories=(membership.Category.migrant, membership.Category.new_employment),
        name="阿依古丽·买买提",
        document=IdentityDocument(kind="passport", number="E12345678", issuer="KZ"),
        phone=ERASED,
        joined_on=date(2026, 3, 2),
        provenance=membership.Provenance(roster="9" * 32, row=17),
    )
    assert sentence(admitted, "zh") == "自2026年3月2日起成为370902001001的会员（直接入会会员）。"
    assert sentence(admitted, "en") == "A member (direct) of 370902001001 from 2 March 2026 on."
    assert [(one.label, one.value) for one in particulars(admitted, "zh", known="a" * 32)] == [
        ("性别", "女"),
        ("职工类别", "农民工、新就业形态劳动者"),
        ("姓名或名称", "阿依古丽·买买提"),
        ("证件或文件", "类型 护照、号码 E12345678、签发国家 KZ"),
        ("电话", "〔已删除〕"),
        ("出处", f"花名册 {'9' * 32}、行号 17"),
    ]
    told = {one.label: one.value for one in particulars(admitted, "en", known="a" * 32)}
    assert told["phone"] == "[erased]"
    assert told["categories"] == "migrant, new employment"


def test_a_sealed_value_says_so_and_nothing_else() -> None:
    event = registry().load("membership.MemberLeft.v1", orjson.loads((GOLDEN / "membership.MemberLeft.v1.json").read_bytes()))
    told = {one.label: one.value for one in particulars(event, "zh")}
    assert told["原因"] == "〔已密封〕"


def test_sums_are_written_in_yuan_and_moments_in_chinas_time() -> None:
    dismissed = rights.ChairDismissalConfirmed(
        case="c" * 32, chair="d" * 32, organisation="3709", dismissed_on=date(2026, 1, 31), monthly_living_fen=123_456_78, months=6
    )
    assert "每月生活费123,456.78 元，共6个月" in sentence(dismissed, "zh")
    assert "123,456.78 yuan a month" in sentence(dismissed, "en")
    begun = foundation.ErasureBegun(
        subject="a" * 32, erasure="e" * 32, basis=foundation.ErasureBasis.consent_withdrawn, ordered_at=datetime(2026, 3, 1, 17, tzinfo=UTC)
    )
    assert "2026-03-02 01:00:00" in sentence(begun, "zh")
    assert "撤回同意" in sentence(begun, "zh")
    assert written(-5, "fen", "zh") == "-0.05 元"
    assert written((), "items", "en") == "none"
