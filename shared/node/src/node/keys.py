"""Secrets made at first start: random bytes in files that only the owner may read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def ensure(path: Path, make: Callable[[], bytes]) -> Path:
    """The secret's file, made durable under its name at the first call; never made anew. Returns the path."""
    if not path.exists():
        making = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, make())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        making.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return path


def password(path: Path) -> str:
    """A password that is made once."""
    return ensure(path, lambda: secrets.token_urlsafe(24).encode()).read_text()
