"""Reading over HTTP: tries again what passes, says clearly what does not, never reads without bound."""

import gzip
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from foundation.log import reader
from foundation.log.export import export
from foundation.log.reader import FileMissing, FileTooLarge, FolderFiles, HttpFiles, LogUnreadable, NotAllowed
from foundation.log.trust import given
from foundation.log.verify import verify

from .sample import LOG, history, write

TRUST = given([LOG.verifier])
PREFIX = "https://node.example/assistance/log"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def served(answer: Callable[[str], httpx.Response], token: str | None = None) -> HttpFiles:
    """A log whose files are what `answer` says to their paths."""

    def respond(request: httpx.Request) -> httpx.Response:
        assert str(request.url).startswith(PREFIX + "/")
        if (
            request.url.path.removeprefix("/assistance/log/").startswith("tile/entries")
            and request.headers.get("authorization") != "Bearer a"
        ):
            return httpx.Response(403)
        return answer(str(request.url).removeprefix(PREFIX + "/"))

    return HttpFiles(PREFIX + "/", token, client=httpx.Client(transport=httpx.MockTransport(respond)))


def from_folder(folder: Path) -> Callable[[str], httpx.Response]:
    def answer(path: str) -> httpx.Response:
        if path.startswith("checkpoints?after="):
            after = int(path.partition("=")[2])
            sizes = sorted(size for one in (folder / "checkpoints").iterdir() if (size := int(one.name)) > after)
            return httpx.Response(200, text="".join(f"{size}\n" for size in sizes[:2]))
        file = folder / path
        return httpx.Response(200, content=file.read_bytes()) if file.is_file() else httpx.Response(404)

    return answer


def test_a_served_log_is_verified_like_a_folder(tmp_path: Path) -> None:
    log = write(tmp_path / "log", history(700), [5, 256, 600])
    files = served(from_folder(log), "a")
    assert files.checkpoints() == FolderFiles(log).checkpoints()
    assert verify(files, TRUST) == verify(FolderFiles(log), TRUST)


def test_entries_need_an_auditors_token(tmp_path: Path) -> None:
    files = served(from_folder(write(tmp_path / "log", history(10))))
    with pytest.raises(NotAllowed, match="auditor's token"):
        verify(files, TRUST)


def test_what_passes_is_tried_again() -> None:
    troubles = [httpx.Response(503), httpx.Response(429), httpx.Response(502)]
    files = served(lambda _: troubles.pop() if troubles else httpx.Response(200, content=b"x"))
    assert files.read("checkpoint", 10) == b"x"


def test_but_not_for_ever() -> None:
    asked: list[str] = []

    def never(path: str) -> httpx.Response:
        asked.append(path)
        raise httpx.ConnectError("refused")

    with pytest.raises(LogUnreadable, match=r"does not answer \(ConnectError\)"):
        served(never).read("checkpoint", 10)
    assert len(asked) == reader.ATTEMPTS_MAX


def test_a_refusal_is_not_tried_again() -> None:
    asked: list[str] = []

    def refuses(path: str) -> httpx.Response:
        asked.append(path)
        return httpx.Response(400)

    with pytest.raises(LogUnreadable, match="answers 400"):
        served(refuses).read("checkpoint", 10)
    assert len(asked) == 1


def test_a_missing_file_and_one_without_end(tmp_path: Path) -> None:
    files = served(lambda path: httpx.Response(404) if path == "keys" else httpx.Response(200, content=b"x" * 100))
    with pytest.raises(FileMissing):
        files.read("keys", 10)
    with pytest.raises(FileTooLarge):
        files.read("checkpoint", 99)
    (tmp_path / "checkpoint").write_bytes(b"x" * 100)
    with pytest.raises(FileTooLarge):
        FolderFiles(tmp_path).read("checkpoint", 99)
    with pytest.raises(LogUnreadable):
        FolderFiles(tmp_path).read(".", 99)


def test_names_that_are_no_sizes_are_not_read(tmp_path: Path) -> None:
    """A server decides how its checkpoints are called: not where an export writes them."""
    log = write(tmp_path / "log", history(300), [5, 256])
    hostile = ["../../../5", "x/5", "05", "+5", "５", "-1", "5.0", "99999999999999999999"]

    def answer(path: str) -> httpx.Response:
        if path == "checkpoints?after=-1":
            return httpx.Response(200, text="\n".join([*hostile, "5", "256", *hostile]))
        return httpx.Response(200, text="5\n256\n") if path.startswith("checkpoints?") else from_folder(log)(path)

    files = served(answer, "a")
    assert files.checkpoints() == ["checkpoints/5", "checkpoints/256"]
    export(files, tmp_path / "out" / "copy", TRUST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["copy"]
    verify(FolderFiles(tmp_path / "out" / "copy"), TRUST)


def test_a_list_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHECKPOINTS_MAX", 10)
    with pytest.raises(LogUnreadable, match="more than 10 checkpoints"):
        served(lambda path: httpx.Response(200, text=f"{int(path.partition('=')[2]) + 1}\n")).checkpoints()


def test_what_is_packed_is_not_unpacked() -> None:
    bomb = httpx.Response(200, stream=httpx.ByteStream(gzip.compress(bytes(10_000_000))), headers={"content-encoding": "gzip"})
    with pytest.raises(LogUnreadable, match="packs"):
        served(lambda _: bomb).read("checkpoint", 1_000_000_000)
