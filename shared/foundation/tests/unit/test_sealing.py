"""The format of sealed values: what opens, what must not, and bytes that never change."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from foundation.sealing import RANDOM_BYTES, SealBroken, b64, framed, open_raw, open_sealed, seal, unb64
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "sealing.json").read_text(encoding="utf-8"))

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
keys = st.binary(min_size=32, max_size=32)
randoms = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
PLACE = {"event": "e", "stream": "s", "type": "t", "path": "p"}
KID = b64(bytes(16))


@given(value=values, key=keys, random=randoms, place=st.fixed_dictionaries(dict.fromkeys(PLACE, text)))
def test_opening_undoes_sealing(value: Any, key: bytes, random: bytes, place: dict[str, str]) -> None:
    sealed = seal(key=AESGCM(key), kid=KID, value=value, random=random, **place)
    assert open_sealed(key=AESGCM(key), sealed=sealed, **place) == value
    raw, salt = open_raw(key=AESGCM(key), sealed=sealed, **place)
    assert (raw, salt) == (orjson.dumps(value), random[12:])


@given(value=values, random=randoms, where=st.sampled_from(sorted(PLACE)), other=text)
def test_a_value_opens_in_its_place_only(value: Any, random: bytes, where: str, other: str) -> None:
    key = AESGCM(bytes(32))
    sealed = seal(key=key, kid=KID, value=value, random=random, **PLACE)
    if other != PLACE[where]:
        with pytest.raises(SealBroken):
            open_sealed(key=key, sealed=sealed, **{**PLACE, where: other})


def test_letters_cannot_move_from_one_part_of_the_place_to_the_next() -> None:
    key = AESGCM(bytes(32))
    sealed = seal(key=key, kid=KID, value="x", random=bytes(RANDOM_BYTES), event="ab", stream="c", type="t", path="p")
    with pytest.raises(SealBroken):
        open_sealed(key=key, sealed=sealed, event="a", stream="bc", type="t", path="p")
    assert framed("ab", "c") != framed("a", "bc")


@given(key=keys.filter(lambda raw: raw != bytes(32)))
def test_another_key_does_not_open(key: bytes) -> None:
    sealed = seal(key=AESGCM(bytes(32)), kid=KID, value="x", random=bytes(RANDOM_BYTES), **PLACE)
    with pytest.raises(SealBroken):
        open_sealed(key=AESGCM(key), sealed=sealed, **PLACE)


@given(part=st.sampled_from(["kid", "nonce", "ciphertext", "commitment"]), at=st.integers(0, 200), letter=st.sampled_from("AQgw_-9!=\n é"))
def test_no_letter_of_a_sealed_value_can_be_changed(part: str, at: int, letter: str) -> None:
    """Not even those whose bits decoders skip: one value has one spelling."""
    key = AESGCM(bytes(32))
    sealed = seal(key=key, kid=KID, value="王小明", random=bytes(RANDOM_BYTES), **PLACE)
    at %= len(sealed[part])
    changed = sealed[part][:at] + letter + sealed[part][at + 1 :]
    for other in {changed, sealed[part] + letter, sealed[part][:-1]} - {sealed[part]}:
        with pytest.raises(SealBroken):
            open_sealed(key=key, sealed={**sealed, part: other}, **PLACE)


@given(raw=st.binary(max_size=100))
def test_base64url_has_one_spelling(raw: bytes) -> None:
    assert unb64(b64(raw)) == raw
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=":
        other = b64(raw)[:-1] + letter
        try:
            assert b64(unb64(other)) == other
        except ValueError:
            continue


def test_a_commitment_to_another_value_is_seen() -> None:
    key = AESGCM(bytes(32))
    sealed = seal(key=key, kid=KID, value="x", random=bytes(RANDOM_BYTES), **PLACE)
    other = seal(key=key, kid=KID, value="y", random=bytes(RANDOM_BYTES), **PLACE)
    with pytest.raises(SealBroken, match="commitment"):
        open_sealed(key=key, sealed={**sealed, "commitment": other["commitment"]}, **PLACE)


@pytest.mark.parametrize(
    "plain", [b"", b"short", bytes(16) + b'"x"\x80', bytes(16) + b'"x"\x80' + bytes(28), bytes(32), bytes(16) + b"\x80" * 16]
)
def test_padding_is_exact(plain: bytes) -> None:
    key = AESGCM(bytes(32))
    associated = framed("e", "s", "t", "p", KID)
    sealed = {"kid": KID, "nonce": b64(bytes(12)), "ciphertext": b64(key.encrypt(bytes(12), plain, associated)), "commitment": "A" * 43}
    with pytest.raises(SealBroken):
        open_sealed(key=key, sealed=sealed, **PLACE)


def test_names_of_usual_length_are_equally_long() -> None:
    lengths = {
        len(seal(key=AESGCM(bytes(32)), kid=KID, value=name, random=bytes(RANDOM_BYTES), **PLACE)["ciphertext"])
        for name in ("王五", "王小明", "欧阳小明")
    }
    assert len(lengths) == 1


def test_randomness_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="28"):
        seal(key=AESGCM(bytes(32)), kid=KID, value="x", random=bytes(16), **PLACE)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_golden_bytes(case: dict[str, Any]) -> None:
    key = AESGCM(bytes.fromhex(case["key"]))
    place = {name: case[name] for name in PLACE}
    assert seal(key=key, kid=case["kid"], value=case["value"], random=bytes.fromhex(case["random"]), **place) == case["sealed"]
    assert open_sealed(key=key, sealed=case["sealed"], **place) == case["value"]
