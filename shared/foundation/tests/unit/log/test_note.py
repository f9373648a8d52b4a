"""Signed notes, verifier keys, cosignatures and checkpoints: what is accepted, what is ignored, what rejects a note."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from foundation.log.checkpoint import Checkpoint, CheckpointMalformed, OtherOrigin, open_checkpoint
from foundation.log.note import (
    COSIGNATURE,
    ML_DSA_44,
    NOTE_BYTES_MAX,
    PRIVATE,
    SIGNATURES_MAX,
    KeyMalformed,
    NoteMalformed,
    Signature,
    SignatureInvalid,
    SigningKey,
    Unsigned,
    VerifierKey,
    cosign,
    open_note,
    parse_note,
    sign,
    with_signatures,
)
from foundation.log.origin import Origin, OriginMalformed
from foundation.merkle import EMPTY_ROOT
from hypothesis import given
from hypothesis import strategies as st

ORIGIN = "union.example/370911/assistance"
LOG = SigningKey(ORIGIN, bytes(range(32)))
OTHER = SigningKey(ORIGIN, bytes(32))
WITNESS = SigningKey("见证.example/w1", b"w" * 32, COSIGNATURE)
CHECKPOINT = Checkpoint(ORIGIN, 70_000, b"r" * 32)
BODY = CHECKPOINT.body()
COSIGNED = sign(BODY, LOG) + cosign(BODY, WITNESS, 1_700_000_000).line()
KEYS = [LOG.verifier, WITNESS.verifier]

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], min_codepoint=32) | st.just("\n"), max_size=60).map(
    lambda text: text + "\n"
)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"), min_size=1, max_size=20)


def test_the_form_of_a_checkpoint() -> None:
    assert BODY == "union.example/370911/assistance\n70000\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n"
    text, first, second = COSIGNED.partition("\n\n")[0], *COSIGNED.splitlines()[-2:]
    assert text + "\n" == BODY
    assert first.startswith(f"— {ORIGIN} ")
    assert second.startswith(f"— {WITNESS.name} ")


@given(texts, names, st.binary(min_size=32, max_size=32))
def test_what_is_signed_opens(text: str, name: str, seed: bytes) -> None:
    key = SigningKey(name, seed)
    note = open_note(sign(text, key, LOG).encode(), [key.verifier])
    assert note.text == text
    assert note.signed_by(key.verifier)
    assert not note.signed_by(LOG.verifier)
    assert [signature.name for signature in note.unverified] == [ORIGIN]
    assert VerifierKey.parse(str(key.verifier)) == key.verifier


@given(texts, st.integers(0, 2**63 - 1))
def test_cosignatures_carry_their_time(text: str, at: int) -> None:
    signature = cosign(text, WITNESS, at)
    note = open_note(with_signatures(text, [signature]).encode(), [WITNESS.verifier])
    assert note.signatures == (signature,)
    assert note.signatures[0].at == at
    later = Signature(signature.name, signature.key_id, (at ^ 1).to_bytes(8, "big") + signature.payload[8:])
    with pytest.raises(SignatureInvalid):
        open_note(with_signatures(text, [later]).encode(), [WITNESS.verifier])


def test_a_time_beyond_the_largest() -> None:
    too_late = cosign(BODY, WITNESS, 2**63)
    with pytest.raises(SignatureInvalid):
        open_note(with_signatures(BODY, [too_late]).encode(), KEYS)


def test_a_known_key_with_a_wrong_signature_rejects_the_note() -> None:
    """Also where another known key's signature is right, and where the wrong one comes second."""
    wrong = Signature(WITNESS.name, WITNESS.verifier.id, b"\0" * 72)
    for note in (
        sign(BODY, LOG) + wrong.line(),
        COSIGNED + wrong.line(),
        with_signatures(BODY, [wrong]) + sign(BODY, LOG).splitlines()[-1] + "\n",
    ):
        with pytest.raises(SignatureInvalid, match="见证"):
            open_note(note.encode(), KEYS)
    short = Signature(ORIGIN, LOG.verifier.id, b"\0")
    with pytest.raises(SignatureInvalid):
        open_note(with_signatures(BODY, [short]).encode(), KEYS)


def test_unknown_keys_are_ignored() -> None:
    """Also where they share a name or an id, but not both, with a known one; and where their type is not known here."""
    same_name = Signature(ORIGIN, OTHER.verifier.id, b"\0" * 64)
    same_id = Signature("stranger.example", LOG.verifier.id, b"\0" * 64)
    sm2 = VerifierKey("sm2.example", b"\1\2\3\4", bytes([PRIVATE]) + b"gm/t 0003 sm2" + b"k" * 64)
    ecdsa = VerifierKey("ec.example", b"\4\3\2\1", b"\x02" + b"k" * 91)
    foreign = [Signature(key.name, key.id, b"anything") for key in (sm2, ecdsa)]
    keys = [VerifierKey.parse(str(key)) for key in (*KEYS, sm2, ecdsa)]
    note = open_note((COSIGNED + "".join(each.line() for each in (same_name, same_id, *foreign))).encode(), keys)
    assert [signature.name for signature in note.signatures] == [ORIGIN, WITNESS.name]
    assert note.unverified == (same_name, same_id, *foreign)
    with pytest.raises(Unsigned):
        open_note(with_signatures(BODY, foreign).encode(), keys)
    with pytest.raises(Unsigned):
        open_note(COSIGNED.encode(), [OTHER.verifier])
    with pytest.raises(Unsigned):
        open_note(COSIGNED.encode(), [])


def test_a_cosigning_key_is_no_other_key_of_its_bytes() -> None:
    """Types are kept apart by key id and message: a log's signature is never taken for a cosignature, nor the other way round."""
    plain = SigningKey(WITNESS.name, WITNESS.seed)
    assert plain.verifier.id != WITNESS.verifier.id
    with pytest.raises(Unsigned):
        open_note(sign(BODY, plain).encode(), [WITNESS.verifier])
    disguised = Signature(WITNESS.name, WITNESS.verifier.id, plain.sign(BODY.encode()))
    with pytest.raises(SignatureInvalid):
        open_note(with_signatures(BODY, [disguised]).encode(), [WITNESS.verifier])


def test_many_signatures() -> None:
    keys = [SigningKey(f"key{number}", bytes([number]) * 32) for number in range(SIGNATURES_MAX + 1)]
    assert len(open_note(sign(BODY, *keys[:SIGNATURES_MAX]).encode(), [key.verifier for key in keys]).signatures) == SIGNATURES_MAX >= 16
    with pytest.raises(NoteMalformed):
        open_note(sign(BODY, *keys).encode(), [keys[0].verifier])


LINE = COSIGNED.splitlines()[-1]


@pytest.mark.parametrize(
    "note",
    [
        *("", "\n", "\n\n", "text\n", "text\n\n", "text\n" + LINE + "\n", LINE + "\n", COSIGNED[:-1], COSIGNED + "\n", COSIGNED + "x\n"),
        *(
            COSIGNED.replace("\n", "\r\n"),
            COSIGNED.replace("70000", "70\t000"),
            COSIGNED.replace("\u2014 ", "- "),
            COSIGNED.replace("\u2014 ", "\u2014  "),
        ),
        *(
            COSIGNED + "— a+b AAAAAAAA\n",
            COSIGNED + "— a AAAA\n",
            COSIGNED + "— a AAAAAA==\n",
            COSIGNED + "— a AAAAAAA\n",
            COSIGNED + "— a AAAAAB==\n",
            COSIGNED + "— a  AAAAAAAA\n",
        ),
        *(
            COSIGNED + "— a\u2003b AAAAAAAA\n",
            COSIGNED + "— a AAAAAAAA \n",
            COSIGNED + "—\n",
            COSIGNED + "— \n",
            COSIGNED + "— a\n",
            COSIGNED + "— a \n",
        ),
        COSIGNED + "— a ____AAAA\n",
    ],
)
def test_what_is_no_note(note: str) -> None:
    with pytest.raises(NoteMalformed):
        open_note(note.encode(), KEYS)


def test_notes_that_are_too_long_or_no_text() -> None:
    for data in (b"\xff" + COSIGNED.encode(), b"x" * NOTE_BYTES_MAX + COSIGNED.encode()):
        with pytest.raises(NoteMalformed):
            open_note(data, KEYS)
    for text in ("", "no newline", "a\tb\n", "a\x00b\n", "\ud800\n"):
        with pytest.raises(NoteMalformed):
            sign(text, LOG)
    with pytest.raises(NoteMalformed):
        sign(BODY)


@given(st.data())
def test_a_changed_note_never_opens_as_another(data: st.DataObject) -> None:
    """One byte changed, taken away or put in: refused by name, or what is verified is the same text."""
    note = bytearray(COSIGNED.encode())
    at = data.draw(st.integers(0, len(note) - 1))
    new = data.draw(st.binary(max_size=3))
    note[at : at + data.draw(st.integers(0, 2))] = new
    with suppress(NoteMalformed, SignatureInvalid, Unsigned):
        assert open_note(bytes(note), KEYS).text == BODY


@given(st.binary(max_size=300) | st.text("— a\n+/=AZ\u2003", max_size=60).map(lambda text: ("t\n\n" + text).encode()))
def test_any_bytes_are_a_note_in_its_only_spelling_or_none(data: bytes) -> None:
    with suppress(NoteMalformed):
        assert with_signatures(*parse_note(data)).encode() == data


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "a+b",
            "+00000000+AA==",
            "a b+00000000+AA==",
            "a+0000000+AA==",
            "a+000000000+AA==",
            "a+0000000g+AA==",
            "a+00000000+",
            "a+00000000+A",
        ),
        *(
            "a+00000000+AQ==",
            "a+00000000+" + "AQ" + "A" * 42,
            "a+ABCDEF00+AA==",
            "a+00 00 00+AA==",
            str(LOG.verifier) + "+",
            str(LOG.verifier)[1:],
        ),
        *(str(LOG.verifier).replace("/", "|"), str(LOG.verifier)[:-4], str(LOG.verifier) + "\n", "a\x00+00000000+/w=="),
    ],
)
def test_what_is_no_verifier_key(text: str) -> None:
    with pytest.raises(KeyMalformed):
        VerifierKey.parse(text)


@given(st.text("ab+0f/=A \n\ud800", max_size=80) | st.text(max_size=80))
def test_any_text_is_the_only_spelling_of_a_key_or_none(text: str) -> None:
    with suppress(KeyMalformed):
        assert str(VerifierKey.parse(text)) == text


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80))
def test_any_public_key_and_payload_give_a_verdict(public: bytes, payload: bytes) -> None:
    for kind in (1, COSIGNATURE):
        with suppress(SignatureInvalid):  # of a point of small order anything is a signature
            VerifierKey.of("a", kind, public).verify(BODY, payload)
    with pytest.raises(SignatureInvalid):
        VerifierKey.of("a", ML_DSA_44, public * 41).verify(BODY, payload)


QUANTUM = MLDSA44PrivateKey.from_seed_bytes(b"q" * 32)
QUANTUM_KEY = VerifierKey.of("量子.example", ML_DSA_44, QUANTUM.public_key().public_bytes_raw())


def quantum(at: int, **other: bytes) -> Signature:
    """An ML-DSA-44 cosignature of BODY, put together from tlog-cosignature; `other` says what is signed in a field's stead."""
    name, origin = QUANTUM_KEY.name.encode(), ORIGIN.encode()
    fields = {
        "label": b"subtree/v1\n\0",
        "name": bytes([len(name)]) + name,
        "time": at.to_bytes(8, "big"),
        "origin": bytes([len(origin)]) + origin,
        "start": bytes(8),
        "end": CHECKPOINT.size.to_bytes(8, "big"),
        "hash": CHECKPOINT.root,
    }
    return Signature(
        QUANTUM_KEY.name, QUANTUM_KEY.id, at.to_bytes(8, "big") + QUANTUM.sign(b"".join((fields | other).values())), at or None
    )


@pytest.mark.parametrize("at", [0, 1, 1_700_000_000, 2**63 - 1])
def test_a_cosignature_that_outlasts_quantum_computers(at: int) -> None:
    signature = quantum(at)
    opened = open_checkpoint((sign(BODY, LOG) + signature.line()).encode(), LOG.verifier, [VerifierKey.parse(str(QUANTUM_KEY))])
    assert opened.note.signatures[-1] == signature
    assert opened.note.signed_by(QUANTUM_KEY)


@pytest.mark.parametrize(
    "signature",
    [
        *(quantum(2**63), quantum(5, time=bytes(8)), quantum(5, start=(1).to_bytes(8, "big")), quantum(5, end=bytes(8))),
        *(quantum(5, hash=b"s" * 32), quantum(5, origin=b"\x01a"), quantum(5, name=b"\x01a"), quantum(5, label=b"subtree/v2\n\0")),
        Signature(QUANTUM_KEY.name, QUANTUM_KEY.id, quantum(5).payload[:-1]),
        Signature(QUANTUM_KEY.name, QUANTUM_KEY.id, quantum(5).payload[8:]),
        Signature(QUANTUM_KEY.name, QUANTUM_KEY.id, b"\0"),
    ],
)
def test_a_quantum_cosignature_of_anything_else(signature: Signature) -> None:
    with pytest.raises(SignatureInvalid, match="量子"):
        open_note((sign(BODY, LOG) + signature.line()).encode(), [LOG.verifier, QUANTUM_KEY])


@pytest.mark.parametrize("text", ["text\n", "\n1\nAAAA\n", f"{'a' * 256}\n1\n{'A' * 43}=\n", "a\n1\nAAAA\n", f"a\n-1\n{'A' * 43}=\n"])
def test_a_quantum_cosignature_is_of_a_checkpoint(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        QUANTUM_KEY.verify(text, quantum(5).payload)


def test_what_is_no_signing_key() -> None:
    for name, seed, kind in [("a b", bytes(32), 1), ("", bytes(32), 1), ("a", bytes(31), 1), ("a", bytes(32), PRIVATE)]:
        with pytest.raises(KeyMalformed):
            SigningKey(name, seed, kind)
    assert "seed" not in repr(LOG)


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), texts.map(lambda text: text.replace("\n", "")).filter(bool))
def test_checkpoints_read_as_written(size: int, root: bytes, origin: str) -> None:
    checkpoint = Checkpoint(origin, size, root if size else EMPTY_ROOT)
    assert Checkpoint.parse(checkpoint.body()) == checkpoint


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            "\n\n\n",
            "a\n",
            "a\n1\n",
            BODY[:-1],
            BODY + "extension\n",
            BODY + "\n",
            "\n" + BODY,
            BODY.replace("70000", "070000"),
            BODY.replace("70000", "-1"),
        ),
        *(
            BODY.replace("70000", "7_000"),
            BODY.replace("70000", " 7"),
            BODY.replace("70000", "٧"),
            BODY.replace("70000", str(2**63)),
            BODY.replace("70000", "9" * 5000),
        ),
        *(
            BODY.replace("70000", "0"),
            BODY.replace("cnJy", "", 1),
            BODY.replace("cnJy", "cn-y", 1),
            BODY.replace("I=", "J="),
            BODY.replace("I=", "I"),
        ),
        BODY.replace("\n", "\r\n"),
    ],
)
def test_what_is_no_checkpoint(body: str) -> None:
    with pytest.raises(CheckpointMalformed):
        Checkpoint.parse(body)


@given(st.text("ab01\n=A\ud800", max_size=80) | st.text(max_size=80))
def test_any_text_is_the_only_spelling_of_a_checkpoint_or_none(text: str) -> None:
    with suppress(CheckpointMalformed):
        assert Checkpoint.parse(text).body() == text


def test_a_checkpoint_is_its_logs_own() -> None:
    opened = open_checkpoint(COSIGNED.encode(), LOG.verifier, [WITNESS.verifier])
    assert opened.checkpoint == CHECKPOINT
    assert [signature.at for signature in opened.note.signatures] == [None, 1_700_000_000]
    stranger = SigningKey("union.example/370911/rights", b"s" * 32)
    with pytest.raises(OtherOrigin):
        open_checkpoint(sign(BODY, stranger).encode(), stranger.verifier)
    only_cosigned = with_signatures(BODY, [cosign(BODY, WITNESS, 1)]).encode()
    with pytest.raises(Unsigned):
        open_checkpoint(only_cosigned, LOG.verifier, [WITNESS.verifier])
    with pytest.raises(CheckpointMalformed):
        open_checkpoint(sign("just text\n", LOG).encode(), LOG.verifier)


def test_origins() -> None:
    assert str(Origin("370911", "assistance")) == ORIGIN
    assert str(Origin("370911", "assistance", 2, "gh.example.cn")) == "gh.example.cn/370911/assistance/epoch-2"
    for org, service, epoch in [
        ("", "a", 0),
        ("1/2", "a", 0),
        ("1", "A", 0),
        ("1", "a b", 0),
        ("1", "a", -1),
        ("1+", "a", 0),
        ("1", "a\n", 0),
    ]:
        with pytest.raises(OriginMalformed):
            Origin(org, service, epoch)
    for text in (
        "",
        ORIGIN + "/",
        ORIGIN + "/epoch-0",
        ORIGIN + "/epoch-01",
        ORIGIN + "/epoch-1/",
        "https://" + ORIGIN,
        ORIGIN + "\n",
        ORIGIN + "/1",
    ):
        with pytest.raises(OriginMalformed):
            Origin.parse(text)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True), st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), st.integers(0, 2**31))
def test_origins_read_as_written(org: str, service: str, epoch: int) -> None:
    origin = Origin(org, service, epoch)
    assert Origin.parse(str(origin)) == origin
    assert SigningKey(str(origin), bytes(32)).verifier.name == str(origin)
