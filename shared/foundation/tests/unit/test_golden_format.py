"""The golden files held against the decision's text, with nothing of foundation's own: what an outsider would write to check us.

docs/decisions/0001-record-format.md, sections "Sealed values" and "Record".
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FOLDER = Path(__file__).parent.parent / "golden"
SEALING = json.loads((FOLDER / "sealing.json").read_text(encoding="utf-8"))
RECORD = json.loads((FOLDER / "record.json").read_text(encoding="utf-8"))


def frames(*parts: str) -> bytes:
    return b"".join(len(part.encode()).to_bytes(2, "big") + part.encode() for part in parts)


def decoded(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


@pytest.mark.parametrize("case", SEALING["cases"], ids=lambda case: case["name"])
def test_sealed_values_are_what_the_decision_says(case: dict[str, Any]) -> None:
    sealed, random = case["sealed"], bytes.fromhex(case["random"])
    assert list(sealed) == ["kid", "nonce", "ciphertext", "commitment"]
    assert sealed["kid"] == case["kid"]
    nonce, ciphertext = decoded(sealed["nonce"]), decoded(sealed["ciphertext"])
    assert nonce == random[:12]
    opener = Cipher(algorithms.AES256(bytes.fromhex(case["key"])), modes.GCM(nonce, ciphertext[-16:])).decryptor()
    opener.authenticate_additional_data(frames(case["event"], case["stream"], case["type"], case["path"], case["kid"]))
    plain = opener.update(ciphertext[:-16]) + opener.finalize()
    salt, padded = plain[:16], plain[16:]
    assert salt == random[12:]
    value = json.dumps(case["value"], ensure_ascii=False, separators=(",", ":")).encode()
    assert len(padded) % 16 == 0
    assert len(padded) - len(value) in range(1, 17)
    assert padded == value + b"\x80" + b"\x00" * (len(padded) - len(value) - 1)
    assert decoded(sealed["commitment"]) == hmac.new(salt, frames(case["type"], case["path"]) + value, hashlib.sha256).digest()


def test_the_record_is_what_the_decision_says() -> None:
    record: str = RECORD["record"]
    attributes = json.loads(record)
    assert list(attributes) == [
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "streamversion"),
        *("correlationid", "causationid", "actor", "org", "data"),
    ]
    assert json.dumps(attributes, ensure_ascii=False, separators=(",", ":")) == record
    assert hashlib.sha256(b"\x00" + record.encode()).hexdigest() == RECORD["leaf"]
    assert attributes["dataschema"] == "urn:tongxin:event:" + attributes["type"]
    assert attributes["data"]["name"] == SEALING["cases"][0]["sealed"]
