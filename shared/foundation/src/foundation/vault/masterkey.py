"""The master key: what wraps everything in the vault, kept outside it (docs/decisions/0003-vault.md says how to escrow and rotate it)."""

import os
import stat
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.sealing import KEY_BYTES, NONCE_BYTES, b64, framed, unb64


class MasterKeyUnusable(Exception):
    """There is no usable master key where one should be, or it is not the one this vault was made with."""


class MasterKey:
    """AES-256-GCM under 32 bytes from a file or the environment. `id` names the key without giving anything of it away."""

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise MasterKeyUnusable(f"a master key has {KEY_BYTES} bytes, not {len(raw)}")
        self._cipher = AESGCM(raw)
        self.id = b64(sha256(b"tongxin master key\x00" + raw).digest()[:12])

    @classmethod
    def from_text(cls, text: str) -> "MasterKey":
        """From 43 letters of unpadded base64url, as an environment variable holds it."""
        try:
            return cls(unb64(text.strip()))
        except ValueError as error:
            raise MasterKeyUnusable("a master key is 43 letters of unpadded base64url") from error

    @classmethod
    def from_file(cls, path: Path) -> "MasterKey":
        """From a file that only its owner may read."""
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise MasterKeyUnusable(f"{path}: {error}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise MasterKeyUnusable(f"{path} can be read by others: chmod 600 it, and rotate the key if they may have done so")
        return cls.from_text(text)

    @classmethod
    def create(cls, path: Path) -> "MasterKey":
        """A new key in a new file (0600), durable before this returns. Raises FileExistsError: a key is never written over."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b64(os.urandom(KEY_BYTES)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return cls.from_file(path)

    def wrap(self, raw: bytes, *context: str) -> bytes:
        """The bytes wrapped for one use, which `context` names: nonce ‖ ciphertext."""
        return wrap(self._cipher, raw, *context)

    def unwrap(self, wrapped: bytes, *context: str) -> bytes:
        """What `wrap` was given. Raises MasterKeyUnusable."""
        try:
            return unwrap(self._cipher, wrapped, *context)
        except InvalidTag:
            raise MasterKeyUnusable(f"master key {self.id} does not open {' '.join(context)}") from None


def wrap(cipher: AESGCM, raw: bytes, *context: str) -> bytes:
    """AES-256-GCM of key bytes, bound to their context: nonce ‖ ciphertext and tag."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, raw, framed(*context))


def unwrap(cipher: AESGCM, wrapped: bytes, *context: str) -> bytes:
    """What `wrap` was given. Raises cryptography.exceptions.InvalidTag."""
    return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], framed(*context))
