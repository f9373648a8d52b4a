"""Rows of rosters: every usual way of writing, and every way to be wrong, with its reason (DOMAIN 1.5)."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from contracts.values import resident_check
from foundation.texts import LANGUAGES
from membership.rosters.refusals import known, sentence
from membership.rosters.rows import Person, Refused, columns_of, people
from membership.rosters.sample import HEADINGS, sample_rows, write_sample
from membership.rosters.sheet import FileRefused, decoded, tables

TODAY = date(2026, 3, 2)
FIRST17 = "37090219900101123"
NUMBER = FIRST17 + resident_check(FIRST17)


def read(*rows: Sequence[Any], heading: Sequence[str] = ("姓名", "身份证号")) -> list[Person | Refused]:
    return list(people([iter(list(enumerate([heading, *rows], 1)))], TODAY))


def one(**cells: Any) -> Person | Refused:
    columns = {"姓名": "王伟", "身份证号": NUMBER, **cells}
    [row] = read(list(columns.values()), heading=list(columns))
    return row


def person(**cells: Any) -> Person:
    row = one(**cells)
    assert isinstance(row, Person), row
    return row


def rule(**cells: Any) -> str:
    row = one(**cells)
    assert isinstance(row, Refused), row
    return row.rule


def test_headings_are_known_by_many_names() -> None:
    heading = ["序号", "姓 名*", "性别（必填）", "身份证件\n号码", "联系电话", "用人单位", "加入工会时间", "户口性质"]
    assert set(columns_of(heading)) == {"name", "sex", "number", "phone", "employer", "joined_on", "household_registration"}


def test_a_title_above_the_headings_is_passed_over_and_rows_keep_their_numbers() -> None:
    rows = [["泰安市某公司会员花名册", ""], ["填表日期", "2026-03-01"], ["姓名", "身份证号"], ["王伟", NUMBER], ["", " "], ["李芳", ""]]
    found = list(people([iter(list(enumerate(rows, 1)))], TODAY))
    assert [row.row for row in found] == [4, 6]


def test_a_row_says_who_it_is() -> None:
    row = person(
        手机号码=13800138000.0,
        性别="男",
        出生日期=datetime(1990, 1, 1, tzinfo=UTC),
        是否农民工="是",
        入会日期="2019年5月4日",
        部门="装配 车间",
        岗位="焊工",
    )
    assert (row.document, row.phone, row.sex, row.categories) == (("resident", NUMBER, "CN"), "13800138000", "1", ("migrant",))
    assert row.details == {"birth": "1990-01-01", "post": "装配 车间 焊工"}
    assert row.joined_on == "2019-05-04"


@pytest.mark.parametrize("way", ["2019-05-04", "2019/5/4", "2019.5.4", "20190504", "2019年5月4日", "2019-05-04 00:00:00", 43589.0])
def test_days_are_written_in_many_ways(way: Any) -> None:
    assert person(入会日期=way).joined_on == "2019-05-04"


@pytest.mark.parametrize(
    ("cells", "broken"),
    [
        ({"姓名": ""}, "name-missing"),
        ({"姓名": "王<script>"}, "name-characters"),
        ({"身份证号": ""}, "number-missing"),
        ({"身份证号": FIRST17 + ("0" if NUMBER[-1] != "0" else "1")}, "resident-checksum"),
        ({"身份证号": "12345"}, "resident-form"),
        ({"身份证号": 3.7090219900101123e17}, "number-rounded"),
        ({"证件类型": "驾驶证"}, "document-kind-unknown"),
        ({"性别": "女"}, "sex-differs"),
        ({"性别": "不详"}, "sex-unknown"),
        ({"出生日期": "1991-02-03"}, "birth-differs"),
        ({"出生日期": "很久以前"}, "birth-unreadable"),
        ({"手机号": "1380013800"}, "phone-form"),
        ({"入会日期": "2027-01-01"}, "joined-to-come"),
        ({"入会日期": "2019-02-30"}, "joined-unreadable"),
        ({"是否农民工": "也许"}, "yes-or-no"),
        ({"会员状态": "已退会"}, "not-current"),
        ({"住址": "长" * 3_000}, "cell-too-long"),
    ],
)
def test_what_is_wrong_is_said(cells: dict[str, Any], broken: str) -> None:
    assert rule(**cells) == broken
    for language in LANGUAGES:
        assert broken in known(language)


def test_the_second_row_of_a_person_is_refused_and_names_the_first() -> None:
    first, second = read(["王伟", NUMBER], ["王伟", NUMBER.lower()])
    assert isinstance(first, Person)
    assert isinstance(second, Refused)
    assert (second.rule, second.arguments, second.document) == ("twice", {"first": 2}, first.document)
    assert sentence("twice", "zh", **second.arguments) == "与第 2 行是同一证件。"


def test_other_documents() -> None:
    assert person(证件类型="护照", 身份证号="e 1234 5678").document == ("passport", "E12345678", "ZZ")
    assert person(证件类型="护照", 身份证号="E12345678", 签发国="fr").document[2] == "FR"
    assert person(证件类型="港澳居民来往内地通行证", 身份证号="H12345678").document[0] == "hong_kong_macau_permit"
    residence = "83000019900101123"
    assert person(证件类型="港澳台居民居住证", 身份证号=residence + resident_check(residence)).document[0] == "taiwan_residence"


def test_both_catalogues_have_the_same_rules() -> None:
    assert known("zh") == known("en")


def test_encodings() -> None:
    text = "姓名,身份证号\n王𬱖䶮,1\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "gb18030"):
        assert decoded(text.encode(encoding)) == text, encoding
    assert decoded("张\ue863".encode()) == "张䶮", "a private character of older systems"
    with pytest.raises(FileRefused, match="file-encoding"):
        decoded(b"\xff\xff\xff\x80\x80")


def test_the_same_sample_every_time_and_only_planted_rows_are_refused(tmp_path: Path) -> None:
    rows, planted = sample_rows(3_000, "370911", seed=5, bad_share=0.01)
    assert sample_rows(3_000, "370911", seed=5, bad_share=0.01) == (rows, planted)
    assert sample_rows(3_000, "370911", seed=6, bad_share=0.01)[0] != rows
    assert any(ord(character) > 0xFFFF for row in rows for character in row[1])
    assert any("·" in row[1] for row in rows)
    sheet = [(number, row) for number, row in enumerate([list(HEADINGS), *rows], 1)]
    refused = [row for row in people([iter(sheet)], TODAY) if isinstance(row, Refused)]
    assert len(refused) == planted.total() == 30
    for suffix in (".csv", ".xlsx"):
        file = tmp_path / f"roster{suffix}"
        write_sample(file, 300, "370911", seed=5)
        [table] = tables(file.read_bytes())
        assert [list(map(str, row)) for _, row in table][1:] == sample_rows(300, "370911", seed=5)[0]
    with pytest.raises(ValueError, match=r"is \.csv or \.xlsx"):
        write_sample(tmp_path / "roster.xls", 1, "370911")


def test_csv_with_quotes_and_semicolons() -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";").writerows([["姓名", "身份证号", "工作单位"], ["王伟", NUMBER, '某"厂";分厂\n二车间']])
    [row] = people(tables(buffer.getvalue().encode()), TODAY)
    assert isinstance(row, Person)
    assert row.details["employer"] == '某"厂";分厂 二车间'
