"""Secrets made at first start: bytes in files that only the owner may read."""

import os
from collections.abc import Callable
from pathlib import Path


def ensure(path: Path, make: Callable[[], bytes]) -> Path:
    """The secret's file, made durable under its name where it is missing; never made anew, however many processes start at once."""
    if path.exists():
        return path
    making = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, make())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(making, path)  # unlike a rename, it does not replace what another process made meanwhile
    except FileExistsError:
        pass
    finally:
        making.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path
