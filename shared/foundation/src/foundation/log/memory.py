"""What a service remembers of its log outside its database: the last checkpoint that it signed, in a file.

A database that was restored from an old backup finds here what it once signed, even where all its witnesses were restored with it.
"""

import os
from pathlib import Path
from threading import get_ident

from foundation.log.checkpoint import Checkpoint, CheckpointMalformed, OtherOrigin, open_checkpoint
from foundation.log.keys import LogKeys
from foundation.log.note import KeyMalformed, NoteMalformed, SignatureInvalid, Unsigned, parse_note


class MemoryUnreadable(Exception):
    """The file holds no checkpoint of this log: remove it once it is known why."""


class LastSigned:
    """The file `<service>.checkpoint`."""

    def __init__(self, folder: Path, service: str, keys: LogKeys) -> None:
        self._path, self._keys = folder / f"{service}.checkpoint", keys

    def read(self) -> Checkpoint | None:
        """The checkpoint; None where none was ever signed. Raises MemoryUnreadable."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            origin = Checkpoint.parse(parse_note(data)[0]).origin
            return open_checkpoint(data, self._keys.log_of(origin)).checkpoint
        except (NoteMalformed, CheckpointMalformed, KeyMalformed, OtherOrigin, SignatureInvalid, Unsigned) as error:
            raise MemoryUnreadable(f"{self._path.name}: {error}") from error

    def write(self, note: str) -> None:
        """Remember another checkpoint, durably."""
        making = self._path.with_name(f".{self._path.name}.{os.getpid()}.{get_ident()}")
        with making.open("w") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        making.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
