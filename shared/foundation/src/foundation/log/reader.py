"""Reading a log's files, from an exported directory or over HTTP: one layout, one port (AUDIT-LOG, "Tiles").

Blocking on purpose: an auditor's programs read file after file, in processes of their own.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import httpx

from foundation.log.text import from_decimal
from foundation.transient import Backoff

CHECKPOINT = "checkpoint"
CHECKPOINTS = "checkpoints"
KEYS = "keys"
POLICY = "policy"
INCOMING = "incoming"
"""In a directory that an export is filling: the checkpoint that it is on its way to."""

NOTE_BYTES_MAX = 64 * 1024
"""A checkpoint, a list of keys or a policy is never larger."""

LIST_BYTES_MAX = 64 * 1024 * 1024
CHECKPOINTS_MAX = 10_000_000
"""More checkpoints than these are not read of any log: four months of one a second."""

ATTEMPTS_MAX = 5
ATTEMPT_SECONDS = 20.0
"""A request that has not been answered by then counts as unanswered."""

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class LogUnreadable(Exception):
    """The log cannot be read: a sentence for whoever asked."""


class FileMissing(LogUnreadable):
    """The log has no such file."""

    def __init__(self, place: str, path: str) -> None:
        super().__init__(f"{path} is missing from {place}")
        self.path = path


class FileTooLarge(LogUnreadable):
    """A file is larger than any of its kind can be."""

    def __init__(self, path: str, size_max: int) -> None:
        super().__init__(f"{path} is larger than the {size_max:,} bytes that such a file has at most")
        self.path = path


class NotAllowed(LogUnreadable):
    """The server does not give this file to the caller."""


class LogFiles(Protocol):
    """A log's files by their paths, wherever they lie."""

    @property
    def place(self) -> str:
        """Where that is, for messages and to open it again in another process."""
        ...

    def read(self, path: str, size_max: int) -> bytes:
        """A file's content. Raises FileMissing, FileTooLarge, LogUnreadable."""
        ...

    def checkpoints(self) -> list[str]:
        """The paths of all published checkpoints that are kept, the smallest size first."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class FolderFiles:
    """An exported directory, or a service's own log directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)

    def read(self, path: str, size_max: int) -> bytes:
        """See LogFiles.read."""
        try:
            with open(f"{self.place}/{path}", "rb", buffering=0) as file:
                # What it says of its size: room for the largest possible would be made, and cleared, for each file.
                content = file.read(min(os.fstat(file.fileno()).st_size, size_max) + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise FileMissing(self.place, path) from None
        except OSError as error:
            raise LogUnreadable(f"{path} in {self.place} cannot be read: {error.strerror}") from error
        if len(content) > size_max:
            raise FileTooLarge(path, size_max)
        return content

    def checkpoints(self) -> list[str]:
        """See LogFiles.checkpoints."""
        return in_order(path for path in self.under(CHECKPOINTS) if is_checkpoint(path))

    def under(self, prefix: str) -> Iterator[str]:
        """The paths of all files below a folder of the log, in no order."""
        for folder, _, names in os.walk(self.folder / prefix):
            below = Path(folder).relative_to(self.folder).as_posix()
            yield from names if below == "." else (f"{below}/{name}" for name in names)

    def close(self) -> None:
        """See LogFiles.close."""


class HttpFiles:
    """A log served under a prefix, as `https://node.example/assistance/log`. `token`: an auditor's, for entries."""

    def __init__(self, prefix: str, token: str | None = None, *, client: httpx.Client | None = None) -> None:
        self.place = prefix.rstrip("/")
        self._client = client or httpx.Client(timeout=ATTEMPT_SECONDS, follow_redirects=False)
        self._headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {token}"} if token else {})

    def read(self, path: str, size_max: int) -> bytes:
        """See LogFiles.read. What fails for a moment is asked for again, ATTEMPTS_MAX times in all."""
        backoff = Backoff(first=0.2, most=3)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                status, content = self._get(path, size_max)
                trouble = f"answers {status}"
            except httpx.HTTPError as error:
                status, content, trouble = 0, b"", f"does not answer ({type(error).__name__})"
            if status == httpx.codes.OK:
                return content
            if status == httpx.codes.NOT_FOUND:
                raise FileMissing(self.place, path)
            if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                raise NotAllowed(f"{self.place} does not give {path} to this caller ({status}): entries need an auditor's token")
            if status and status not in _AGAIN:
                break
            if attempt < ATTEMPTS_MAX:
                time.sleep(backoff.seconds())
        raise LogUnreadable(f"{self.place}/{path}: the server {trouble}")

    def checkpoints(self) -> list[str]:
        """See LogFiles.checkpoints: the server lists their sizes, page by page. A name that is no size is nobody's file, and not read."""
        found: list[str] = []
        while page := self._sizes_above(size_of(found[-1]) if found else -1):
            found += page
            if len(found) > CHECKPOINTS_MAX:
                raise LogUnreadable(f"{self.place} lists more than {CHECKPOINTS_MAX:,} checkpoints")
        return found

    def _sizes_above(self, after: int) -> list[str]:
        names = self.read(f"{CHECKPOINTS}?after={after}", LIST_BYTES_MAX).decode("ascii", "replace").split()
        return in_order(path for name in names if is_checkpoint(path := f"{CHECKPOINTS}/{name}") and size_of(path) > after)

    def close(self) -> None:
        """See LogFiles.close."""
        self._client.close()

    def _get(self, path: str, size_max: int) -> tuple[int, bytes]:
        with self._client.stream("GET", f"{self.place}/{path}", headers=self._headers) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":  # it might unpack to gigabytes
                raise LogUnreadable(f"{self.place}/{path}: the server packs what it was asked to give as it is")
            content = bytearray()
            for part in answer.iter_bytes():
                content += part
                if len(content) > size_max:
                    raise FileTooLarge(path, size_max)
            return answer.status_code, bytes(content)


def is_checkpoint(path: str) -> bool:
    """Whether a path is that of a published checkpoint: `checkpoints/<size>`, in its only spelling."""
    try:
        return path == f"{CHECKPOINTS}/{from_decimal(path.removeprefix(f'{CHECKPOINTS}/'))}"
    except ValueError:
        return False


def size_of(path: str) -> int:
    """The size that a checkpoint's path names."""
    return int(path.rpartition("/")[2])


def in_order(paths: "Iterator[str]") -> list[str]:
    """Paths of checkpoints by size."""
    return sorted(paths, key=lambda path: (len(path), path))


def open_log(place: str, token: str | None = None) -> FolderFiles | HttpFiles:
    """The log at a URL or in a directory. Raises LogUnreadable where there is none."""
    if place.startswith(("http://", "https://")):
        return HttpFiles(place, token)
    folder = Path(place)
    if not folder.is_dir():
        raise LogUnreadable(f"{place} is neither a directory nor an http(s) address")
    return FolderFiles(folder)
