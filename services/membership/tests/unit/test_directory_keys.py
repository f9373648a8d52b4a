"""What a member can be found by, and what questions find it: names, pinyin, initials, phones."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from membership.directory.keys import folded, keys_of, lookups
from membership.directory.readings import readings


def finds(question: str, name: str, phone: str | None = None) -> bool:
    """Whether a question's ranges hold one of the keys, as the search does it."""
    keys = keys_of(name, phone)
    return any(
        any(lookup.low <= key < lookup.high for key in keys) and (lookup.also is None or any(key.startswith(lookup.also) for key in keys))
        for lookup in lookups(question)
    )


@pytest.mark.parametrize(
    ("name", "questions"),
    [
        ("王伟", "王 王伟 wang wangwei ww w WANG wáng wángwěi 王w 王W 王wei wang|wei"),
        ("王伟明", "王伟 伟明 王伟明 wangweiming weiming wwm wangwm 王wm 王weiming 王伟ming"),
        ("单雄信", "单 shan danxiongxin shanxiongxin sxx 单xx"),
        ("仇英", "qiu qiuying chouying qy"),
        ("解晓东", "xie xiexiaodong jiexiaodong xxd"),
        ("曾国藩", "zeng zengguofan ceng zgf"),
        ("尉迟恭", "尉迟 yuchi yuchigong ycg 迟恭"),
        ("万俟卨", "moqi"),
        ("区少强", "oushaoqiang ou"),
        ("翟天临", "zhai di"),
        ("吕布", "lv lvbu lu lü lǚ lyu lyubu lb"),
        ("黄绿萍", "huanglvping huangluping"),
        ("欧阳娜娜", "欧阳 ouyang ouyangnana oynn 娜娜 nana"),
        ("阿依古丽·买买提", "阿依 买买 古丽 阿依古丽买买提 阿依古丽·买 阿依古丽•买买提 maimaiti ayiguli"),
        ("王𬱖", "𬱖 王𬱖 wangdi"),
        ("𠅤明", "𠅤 𠅤明 ximing"),
        ("MARIA GARCIA LOPEZ", "maria garcia lopez mgl MARIA|GARCIA"),
        ("O'CONNOR", "oconnor o'connor"),
        ("茜", "茜 qian xi"),
        ("陈行长", "chenxing chenhang chenxingzhang"),
    ],
)
def test_found(name: str, questions: str) -> None:
    for question in questions.split():
        if question.endswith("|"):
            continue
        assert finds(question.replace("|", " "), name), question


@pytest.mark.parametrize("question", ["李", "伟王", "wei wang", "wnag", "xw", "王m", "1", "12", ""])
def test_not_found(question: str) -> None:
    assert not finds(question, "王伟明")


def test_a_phone_is_found_whole_and_by_its_end_of_four_digits_or_more() -> None:
    for question in ("13800138000", "8000", "138000", "+13800138000", "138 0013 8000"):
        assert finds(question, "王伟", "13800138000"), question
    for question in ("000", "1380", "80001"):
        assert not finds(question, "王伟", "13800138000"), question


def test_keys_stay_few() -> None:
    assert len(keys_of("单乐行长", "13800138000")) <= 100
    assert len(keys_of("阿卜杜热合曼" * 3 + "·" + "吐尔逊" * 3, None)) <= 120
    assert len(keys_of("王伟明", "13800138000")) == 6


def test_readings_have_no_tones_and_no_letter_that_nobody_types() -> None:
    for character in "吕女绿略虐嗯":
        assert all(syllable.isascii() and syllable.islower() and "v" not in syllable for syllable in readings(character))


def test_plain_ideographs_are_compared_as_they_stand() -> None:
    """They need no normalizing, alone or beside others."""
    block = "".join(map(chr, range(0x4E00, 0xA000)))
    assert unicodedata.normalize("NFKC", block).casefold() == block == folded(block)
    assert not any(unicodedata.combining(character) or unicodedata.category(character) == "Mn" for character in block)
    assert folded("王·伟") == folded("王伟\ufe00") == "王伟"


@given(st.text(max_size=30))
def test_any_question_and_any_name_can_be_asked(text: str) -> None:
    lookups(text)
    keys_of(text or "王", None)


@given(st.text(alphabet="王李张伟明芳娜静𬱖𠅤欧阳单", min_size=2, max_size=5), st.data())
def test_any_two_characters_in_a_row_find_the_name(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 2))
    assert finds(name[at : at + 2], name)
