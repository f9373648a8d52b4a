"""Signed notes, verifier keys and cosignatures (C2SP signed-note, tlog-cosignature; AUDIT-LOG "Signed note, checkpoint").

A note is a text, an empty line, and signature lines. Times are POSIX seconds. Verified are Ed25519 (0x01) and the cosignatures of
Ed25519 (0x04) and ML-DSA-44 (0x06, FIPS 204) keys; signed is with the first two. Keys of any other type can be named in a policy and their
signatures stand in a note, but they prove nothing here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from foundation.log.text import NUMBER_MAX, from_base64, from_decimal, to_base64
from foundation.merkle import HASH_BYTES

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
ML_DSA_44: Final = 0x06
PRIVATE: Final = 0xFF
"""Types without an assigned byte: a longer identifier follows (where SM2 will stand)."""

NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100
"""What is read at the most. At least 16 signatures must be accepted; these are the limits of Go's sumdb/note."""

_KEY_BYTES = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}
_SEED_BYTES = 32
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")
_NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class NoteMalformed(ValueError):
    """Bytes that should be a signed note are not one."""


class KeyMalformed(ValueError):
    """A text that should be a verifier key is not one, or its key id is not that of its name and key."""


class SignatureInvalid(Exception):
    """A known key's signature does not fit the text: the whole note is rejected."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the signature of {name} is wrong")
        self.name = name


class Unsigned(Exception):
    """No known key has signed the note."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name under which it signs. `material` = type byte ‖ public key; `id` = four bytes that stand in signatures."""

    name: str
    id: bytes
    material: bytes

    @staticmethod
    def of(name: str, type: int, key: bytes) -> "VerifierKey":
        """Of a public key of a type that is verified here. Raises KeyMalformed where the name cannot be one."""
        if not is_name(name):
            raise KeyMalformed(f"{name!r} cannot be a key's name")
        material = bytes([type]) + key
        return VerifierKey(name, _key_id(name, material), material)

    @staticmethod
    def parse(text: str) -> "VerifierKey":
        """Reads `name+hex8(id)+base64(type ‖ key)`. Raises KeyMalformed."""
        parts = text.split("+", 2)
        if len(parts) != 3 or not is_name(parts[0]):
            raise KeyMalformed("a verifier key is name+id+key")
        name, digits, encoded = parts
        try:
            key_id, material = bytes.fromhex(digits), from_base64(encoded)
        except ValueError as error:
            raise KeyMalformed(f"the verifier key of {name} is not hexadecimal and base64") from error
        if key_id.hex() != digits or len(key_id) != 4 or not material:
            raise KeyMalformed(f"the verifier key of {name} has no four-byte id in lower case, or no key")
        key = VerifierKey(name, key_id, material)
        if key.supported and (len(material) != 1 + _KEY_BYTES[key.type] or _key_id(name, material) != key_id):
            raise KeyMalformed(f"the verifier key of {name} is not a {_KEY_BYTES[key.type]}-byte key with the id of its name and key")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(self.material)}"

    @property
    def type(self) -> int:
        """The signature type's byte."""
        return self.material[0]

    @property
    def supported(self) -> bool:
        """Whether this program can check the key's signatures; those of other keys are ignored."""
        return self.type in _KEY_BYTES

    def verify(self, text: str, payload: bytes) -> int | None:
        """Check a signature (what follows the key id) over a text; returns a cosignature's time, else None. Raises SignatureInvalid.

        An ML-DSA-44 cosignature may say no time (0): that the tree is consistent, but not that it was the largest then.
        """
        public = self.material[1:]
        try:
            if self.type == ED25519:
                Ed25519PublicKey.from_public_bytes(public).verify(payload, text.encode())
                return None
            at, signature = int.from_bytes(payload[:8], "big"), payload[8:]
            if at > NUMBER_MAX:
                raise SignatureInvalid(self.name)
            if self.type == COSIGNATURE:
                Ed25519PublicKey.from_public_bytes(public).verify(signature, _cosigned(text, at))
                return at
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, _cosigned_tree(self.name, text, at))
            return at or None
        except (InvalidSignature, ValueError) as error:
            raise SignatureInvalid(self.name) from error


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key (32-byte seed) with the name under which it signs: notes as ED25519, checkpoints of others as COSIGNATURE.

    A cosignature does not say its cosigner's name, so each name has a seed of its own (C2SP tlog-cosignature).
    """

    name: str
    seed: bytes = field(repr=False)
    type: int = ED25519

    def __post_init__(self) -> None:
        if not is_name(self.name) or len(self.seed) != _SEED_BYTES or self.type not in (ED25519, COSIGNATURE):
            raise KeyMalformed(f"the signing key of {self.name!r} has no name, 32-byte seed or type that can be")

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey.of(self.name, self.type, self._key().public_key().public_bytes_raw())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def sign(self, message: bytes) -> bytes:
        """64 bytes over exactly these bytes."""
        return self._key().sign(message)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `payload` is what follows the key id; `at` a verified cosignature's time."""

    name: str
    key_id: bytes
    payload: bytes
    at: int | None = None

    def line(self) -> str:
        """As it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.payload)}\n"

    @staticmethod
    def parse(line: str) -> "Signature":
        """Reads a line without its newline. Raises NoteMalformed."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            data = from_base64(encoded)
        except ValueError as error:
            raise NoteMalformed("a signature that is not base64") from error
        if not line.startswith(_DASH) or not is_name(name) or len(data) < 5:
            raise NoteMalformed("a line among the signatures is not one")
        return Signature(name, data[:4], data[4:])

    def by(self, key: VerifierKey) -> bool:
        """Whether it claims to be of this key: name and id are the same."""
        return self.name == key.name and self.key_id == key.id


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was opened. `signatures` were verified, in their order; `unverified` are those of unknown keys."""

    text: str
    signatures: tuple[Signature, ...]
    unverified: tuple[Signature, ...] = ()

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether this key's signature was verified."""
        return any(signature.by(key) for signature in self.signatures)


def is_name(name: str) -> bool:
    """Whether a text can be a key's name: not empty, no Unicode space, no plus, no control characters, encodable."""
    return _NAME.fullmatch(name) is not None


def sign(text: str, *keys: SigningKey) -> str:
    """The whole note: the text and a signature of each ED25519 key. Raises NoteMalformed where the text cannot be a note's."""
    message = text.encode("utf-8", "surrogatepass")  # a text that has surrogates is refused below
    return with_signatures(text, [Signature(key.name, key.verifier.id, key.sign(message)) for key in keys])


def cosign(text: str, key: SigningKey, at: int) -> Signature:
    """A COSIGNATURE key's signature over a checkpoint's body at a time; the caller has checked what it attests (C2SP tlog-witness)."""
    return Signature(key.name, key.verifier.id, at.to_bytes(8, "big") + key.sign(_cosigned(text, at)), at)


def with_signatures(text: str, signatures: Iterable[Signature]) -> str:
    """The note of a text and its signature lines. Raises NoteMalformed where the text cannot be a note's, or there is no signature."""
    if not text.endswith("\n") or _NOT_TEXT.search(text):
        raise NoteMalformed("a note's text ends in a newline and has no other control character")
    lines = "".join(signature.line() for signature in signatures)
    if not lines:
        raise NoteMalformed("a note without a signature")
    return f"{text}\n{lines}"


def parse_note(data: bytes) -> tuple[str, tuple[Signature, ...]]:
    """Text and signature lines, nothing verified: nobody may trust the text yet. Raises NoteMalformed."""
    if len(data) > NOTE_BYTES_MAX:
        raise NoteMalformed(f"a note of over {NOTE_BYTES_MAX:,} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise NoteMalformed("a note that is not UTF-8") from error
    text, separator, tail = whole.rpartition("\n\n")
    if not separator or not tail.endswith("\n") or _NOT_TEXT.search(whole):
        raise NoteMalformed("a note is a text, an empty line and signature lines, without control characters")
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteMalformed(f"a note with over {SIGNATURES_MAX} signatures")
    return text + "\n", tuple(Signature.parse(line) for line in lines)


def open_note(data: bytes, verifiers: Sequence[VerifierKey]) -> Note:
    """Verify a note by the known keys. Raises NoteMalformed, SignatureInvalid, Unsigned.

    A known name and id with a wrong signature rejects the note; signatures of unknown keys, and of types not supported, are left aside.
    """
    text, signatures = parse_note(data)
    known = {(key.name, key.id): key for key in verifiers if key.supported}
    verified: list[Signature] = []
    unverified: list[Signature] = []
    for signature in signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            unverified.append(signature)
        else:
            verified.append(Signature(signature.name, signature.key_id, signature.payload, key.verify(text, signature.payload)))
    if not verified:
        raise Unsigned("no known key has signed this note")
    return Note(text, tuple(verified), tuple(unverified))


def _key_id(name: str, material: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + material).digest()[:4]


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _cosigned_tree(name: str, text: str, at: int) -> bytes:
    """`cosigned_message` of tlog-cosignature for the whole tree of a checkpoint. Raises ValueError where the text is not one's."""
    origin, size, encoded, *_ = text.split("\n")
    root = from_base64(encoded)
    if len(root) != HASH_BYTES:
        raise ValueError(f"a root has {HASH_BYTES} bytes")
    start, end = bytes(8), from_decimal(size).to_bytes(8, "big")
    return b"".join((b"subtree/v1\n\0", _counted(name), at.to_bytes(8, "big"), _counted(origin), start, end, root))


def _counted(text: str) -> bytes:
    """`opaque<1..2^8-1>` of RFC 8446, section 3.4."""
    raw = text.encode()
    if not 1 <= len(raw) <= 255:
        raise ValueError("1 to 255 bytes")
    return bytes([len(raw)]) + raw
