"""Names, identity numbers, credit codes, division codes and phones, as people and papers write them."""

from datetime import UTC, date, datetime

import pytest
from contracts.values import (
    Day,
    DocumentKind,
    ValueRefused,
    born_on,
    day_in_china,
    division,
    identity_document,
    identity_number,
    name,
    normalised,
    phone,
    resident_check,
    uscc,
    uscc_check,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

TODAY = date(2026, 3, 2)
SINCE_1900 = st.dates(date(1900, 1, 1), TODAY)
USCC_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def number(kind: DocumentKind, text: str) -> str:
    return identity_number(kind, text, today=TODAY)


class TestNames:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("张　三 ", "张三"),
            (" 李 四", "李四"),
            ("𠮷田", "𠮷田"),
            ("王𫍯", "王𫍯"),
            ("阿依古丽•买买提", "阿依古丽·买买提"),
            ("阿依古丽 ・ 买买提", "阿依古丽·买买提"),
            ("买合木提・肉孜", "买合木提·肉孜"),
            ("Müller  Anna", "Müller Anna"),
            ("Mu\u0308ller", "Müller"),
            ("O'Brien-Smith", "O'Brien-Smith"),
            ("\ue863", "\ue863"),
        ],
    )
    def test_are_kept_in_one_form(self, written: str, kept: str) -> None:
        assert name(written) == kept
        assert name(kept) == kept

    @pytest.mark.parametrize("written", ["", " 　", "·", "张\x00三", "张3三", "=cmd()", "<b>", "x" * 101, "\u202e张三"])
    def test_refused(self, written: str) -> None:
        with pytest.raises(ValueRefused):
            name(written)

    @given(st.text())
    def test_normalising_twice_is_normalising_once(self, text: str) -> None:
        assert normalised(normalised(text)) == normalised(text)
        try:
            kept = name(text)
        except ValueRefused:
            return
        assert name(kept) == kept


class TestResidentNumbers:
    def test_the_example_of_the_standard(self) -> None:
        """GB 11643-1999, annex A."""
        assert number(DocumentKind.resident, "11010519491231002X") == "11010519491231002X"
        assert resident_check("34052419800101001") == "X"

    @pytest.mark.parametrize(
        "written", ["11010519491231002x", " 110105 19491231 002X ", "１１０１０５１９４９１２３１００２Ｘ", "110105-19491231-002X"]
    )
    def test_are_kept_in_one_form(self, written: str) -> None:
        assert number(DocumentKind.resident, written) == "11010519491231002X"

    @given(st.integers(110000, 659999), SINCE_1900, st.integers(0, 999))
    def test_division_codes_of_any_time_are_good(self, code: int, born: date, order: int) -> None:
        first17 = f"{code}{born:%Y%m%d}{order:03d}"
        whole = first17 + resident_check(first17)
        assert number(DocumentKind.resident, whole) == whole
        assert born_on(whole, TODAY) == born

    @given(st.integers(0, 16), st.integers(1, 9), SINCE_1900)
    def test_one_wrong_digit_is_always_found(self, place: int, by: int, born: date) -> None:
        first17 = f"370902{born:%Y%m%d}123"
        whole = first17 + resident_check(first17)
        wrong = whole[:place] + str((int(whole[place]) + by) % 10) + whole[place + 1 :]
        with pytest.raises(ValueRefused):
            number(DocumentKind.resident, wrong)

    @given(st.integers(0, 15), SINCE_1900)
    def test_two_neighbours_swapped_are_always_found(self, place: int, born: date) -> None:
        first17 = f"370902{born:%Y%m%d}123"
        whole = first17 + resident_check(first17)
        swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
        if swapped != whole:
            with pytest.raises(ValueRefused):
                number(DocumentKind.resident, swapped)

    @pytest.mark.parametrize(
        "written",
        ["", "110105194912310", "11010519491231002Y", "11010519490231002X", "11010520991231002X", "1101051949123100２①", "0" * 18],
    )
    def test_refused(self, written: str) -> None:
        with pytest.raises(ValueRefused) as refused:
            number(DocumentKind.resident, written)
        assert not written or written not in str(refused.value), "a refusal repeats nothing personal"

    def test_a_number_of_somebody_yet_to_be_born(self) -> None:
        first17 = "37090220270101123"
        with pytest.raises(ValueRefused) as refused:
            number(DocumentKind.resident, first17 + resident_check(first17))
        assert refused.value.rule == "resident-birth"


def checked(first17: str) -> str:
    return first17 + resident_check(first17)


class TestOtherDocuments:
    @pytest.mark.parametrize(
        ("kind", "written", "kept"),
        [
            (DocumentKind.hong_kong_macau_permit, "h01234567", "H01234567"),
            (DocumentKind.hong_kong_macau_permit, "M0123456702", "M0123456702"),
            (DocumentKind.taiwan_permit, "12345678", "12345678"),
            (DocumentKind.taiwan_permit, "1234567890(B)", "1234567890B"),
            (DocumentKind.hong_kong_residence, checked("81000019900101001"), checked("81000019900101001")),
            (DocumentKind.macau_residence, checked("82000019900101001"), checked("82000019900101001")),
            (DocumentKind.taiwan_residence, checked("83000019900101001"), checked("83000019900101001")),
            (DocumentKind.permanent_residence, "CAN110066010603", "CAN110066010603"),
            (DocumentKind.permanent_residence, checked("91112419700101001"), checked("91112419700101001")),
            (DocumentKind.passport, "e 12345678", "E12345678"),
            (DocumentKind.pending, "", ""),
        ],
    )
    def test_are_kept_in_one_form(self, kind: DocumentKind, written: str, kept: str) -> None:
        assert number(kind, written) == kept

    @pytest.mark.parametrize(
        ("kind", "written"),
        [
            (DocumentKind.hong_kong_macau_permit, "X01234567"),
            (DocumentKind.taiwan_permit, "1234567"),
            (DocumentKind.hong_kong_residence, checked("82000019900101001")),
            (DocumentKind.macau_residence, "820000199001010019"),
            (DocumentKind.permanent_residence, "CN110066010603"),
            (DocumentKind.permanent_residence, checked("91112419700101001")[:17] + "?"),
            (DocumentKind.passport, "护照123"),
            (DocumentKind.pending, "1"),
        ],
    )
    def test_refused(self, kind: DocumentKind, written: str) -> None:
        with pytest.raises(ValueRefused):
            number(kind, written)

    def test_an_issuer_is_a_country(self) -> None:
        assert identity_document(DocumentKind.passport, "E12345678", issuer=" kr", today=TODAY).issuer == "KR"
        with pytest.raises(ValueRefused):
            identity_document(DocumentKind.passport, "E12345678", issuer="Korea", today=TODAY)


class TestCreditCodes:
    def test_known_ones(self) -> None:
        """Two that are printed on public business licences."""
        assert uscc("91110000600007156J") == "91110000600007156J"
        assert uscc("9144030071526726xg") == "9144030071526726XG"

    @given(st.text(USCC_CHARACTERS, min_size=9, max_size=9), st.integers(0, 999_999), st.integers(2, 16), st.integers(1, 30))
    def test_one_wrong_character_is_always_found(self, body: str, division_code: int, place: int, by: int) -> None:
        first17 = f"81{division_code:06d}{body}"
        whole = first17 + uscc_check(first17)
        assert uscc(whole) == whole
        other = USCC_CHARACTERS[(USCC_CHARACTERS.index(whole[place]) + by) % 31]
        with pytest.raises(ValueRefused):
            uscc(whole[:place] + other + whole[place + 1 :])

    @pytest.mark.parametrize("written", ["", "91110000600007156I", "9111000060000715", "９１１"])
    def test_refused(self, written: str) -> None:
        with pytest.raises(ValueRefused):
            uscc(written)


class TestDivisionCodes:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("37", "37"),
            ("370000", "37"),
            ("3709", "3709"),
            ("370900", "3709"),
            ("370902", "370902"),
            ("370902001", "370902001"),
            ("370902001001", "370902001001"),
            (" ３７０９０２ ", "370902"),
        ],
    )
    def test_are_kept_in_one_form(self, written: str, kept: str) -> None:
        assert division(written) == kept

    @pytest.mark.parametrize("written", ["", "0709", "370", "37090", "37090A", "37090200", "3709020010011"])
    def test_refused(self, written: str) -> None:
        with pytest.raises(ValueRefused):
            division(written)


class TestPhones:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("138 0013 8000", "13800138000"),
            ("+86 138-0013-8000", "13800138000"),
            ("008613800138000", "13800138000"),
            ("１３８００１３８０００", "13800138000"),
            ("0538-8531234", "0538-8531234"),
            ("(0538)8531234", "0538-8531234"),
            ("010 62345678", "010-62345678"),
            ("021-62345678-802", "021-62345678-802"),
            ("+852 2345 6789", "+85223456789"),
        ],
    )
    def test_are_kept_in_one_form(self, written: str, kept: str) -> None:
        assert phone(written) == kept
        assert phone(kept) == kept

    @pytest.mark.parametrize("written", ["", "12345", "010 12345678", "12800138000", "1380013800", "138001380000", "电话"])
    def test_refused(self, written: str) -> None:
        with pytest.raises(ValueRefused):
            phone(written)


def test_the_day_in_china() -> None:
    assert day_in_china(datetime(2026, 3, 1, 15, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert day_in_china(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)


def test_a_day_in_a_request_is_written_as_one() -> None:
    day: TypeAdapter[date] = TypeAdapter(Day)
    assert day.validate_python("2026-03-02") == date(2026, 3, 2)
    assert day.validate_json('"2026-03-02"') == date(2026, 3, 2)
    for given_ in (0, 1.5, True, "0", "1772409600", "2026-03-02T00:00:00", "20260302", "2026-02-30"):
        with pytest.raises(ValueError, match="validation error"):
            day.validate_python(given_)
