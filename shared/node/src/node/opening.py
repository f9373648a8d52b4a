"""Opening one sealed field to somebody without its key: what the node hands out, and what anybody can hold against the record.

An opening is a JSON file: the field, the value's JSON text and the salt of its commitment (docs/decisions/0001-record-format.md).
"""

import json
from hmac import compare_digest
from typing import Any

from foundation.log.damage import Damage, Kind
from foundation.record import Envelope, RecordMalformed, decode
from foundation.sealing import SALT_BYTES, b64, commitment, open_raw, unb64
from foundation.vault.port import Key, Opening, Tombstone, Vault

from node.access import NODE
from node.errors import Refused, UsageError


def is_sealed(value: object) -> bool:
    """Whether a value of a record's data is a sealed one."""
    return isinstance(value, dict) and {"kid", "nonce", "ciphertext", "commitment"} <= value.keys()


def sealed_field(record: bytes, field: str) -> tuple[Envelope, dict[str, str]]:
    """The envelope and a sealed field of a record. Raises UsageError."""
    try:
        said = decode(record)
        data: Any = said.data
    except (RecordMalformed, ValueError) as error:
        raise UsageError("this is no record", "take it with `tongxin log prove … --record FILE`") from error
    value = data.get(field)
    if not is_sealed(value):
        sealed = [name for name, other in data.items() if is_sealed(other)]
        raise UsageError(f"{said.type} has no sealed field {field}", f"sealed are: {', '.join(sealed) or 'none'}")
    return said, value


async def disclose(record: bytes, field: str, vault: Vault) -> bytes:
    """The opening of one field, by the vault's key; of a confidential one only after that has been written down.

    Raises UsageError, Refused (the key was destroyed or is withheld), KeyMissing, SealBroken, VaultUnavailable.
    """
    said, sealed = sealed_field(record, field)
    key = (await vault.keys([sealed["kid"]]))[sealed["kid"]]
    if not isinstance(key, Key):
        raise Refused(f"{field} does not open: its key was {'destroyed' if isinstance(key, Tombstone) else 'withheld'} ({key.basis})")
    if key.confidential:
        await vault.record_openings([Opening(NODE, key.kid, key.purpose, said.id)])
    value, salt = open_raw(key=key.cipher, sealed=sealed, event=said.id, stream=said.stream, type=said.type, path=field)
    return json.dumps({"event": said.id, "field": field, "value": value.decode(), "salt": b64(salt)}, ensure_ascii=False).encode()


def check(where: str, record: bytes, opening: bytes) -> tuple[str, str]:
    """The field and the value (JSON text) that an opening shows to be in a record. Raises Damage, UsageError."""
    try:
        shown = json.loads(opening)
        event, field, value, salt = (str(shown[name]) for name in ("event", "field", "value", "salt"))
        raw = unb64(salt)
    except (KeyError, TypeError, ValueError) as error:
        raise Damage(Kind.opening_wrong, where, f"is no opening ({type(error).__name__})") from None
    said, sealed = sealed_field(record, field)
    if said.id != event:
        raise Damage(Kind.opening_wrong, where, f"is of event {event}, not of {said.id}")
    held = b64(commitment(raw, said.type, field, value.encode()))
    if len(raw) != SALT_BYTES or not compare_digest(held, sealed["commitment"]):
        raise Damage(Kind.opening_wrong, where, f"the record holds another value in {field} than this one")
    return field, value
