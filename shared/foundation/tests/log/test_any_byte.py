"""Any byte changed anywhere in an exported directory is found, or is provably none that anything rests on."""

import shutil
from pathlib import Path

import pytest
from foundation.log.damage import Damage
from foundation.log.export import export
from foundation.log.reader import FolderFiles, LogUnreadable
from foundation.log.trust import Trust, found, given
from foundation.log.verify import verify
from hypothesis import example, settings
from hypothesis import given as over
from hypothesis import strategies as st

from .sample import LOG, WITNESS, history, write

HISTORY = history(600)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("any")
    export(FolderFiles(write(folder / "log", HISTORY, [100, 256, 301])), folder / "copy", given([LOG.verifier]))
    shutil.copytree(folder / "copy/tile/0/002.p", folder / "copy/tile/0/001.p")  # a partial tile of an earlier size
    (folder / "copy/tile/0/001.p/88").unlink()
    (folder / "copy/tile/0/001.p/45").write_bytes((folder / "copy/tile/0/001").read_bytes()[: 45 * 32])
    return folder / "copy"


def whole(log: Path, trust: Trust | None = None) -> bool:
    files = FolderFiles(log)
    try:
        verify(files, trust or found(files))
    except (Damage, LogUnreadable):
        return False
    return True


def changed(log: Path, path: str, at: int, change: int, trust: Trust | None = None) -> bool:
    """Whether the log still counts as whole with that byte changed."""
    file = log / path
    before = file.read_bytes()
    content = bytearray(before)
    content[at % len(before)] ^= change
    file.write_bytes(content)
    try:
        return whole(log, trust)
    finally:
        file.write_bytes(before)


def test_it_is_whole(log: Path) -> None:
    assert whole(log)


@settings(max_examples=400)
@over(data=st.data(), at=st.integers(0, 2**40), change=st.integers(1, 255))
def test_any_byte(log: Path, data: st.DataObject, at: int, change: int) -> None:
    """Of every file but the policy. A witness's line in an older checkpoint may become a stranger's, which says nothing: then that
    checkpoint has one cosignature less, and whoever asks when it was witnessed is told so. The end of the last key's line may be any
    white space."""
    path = data.draw(st.sampled_from(sorted(set(FolderFiles(log).under("")) - {"policy"})))
    content = (log / path).read_bytes()
    strangers = path.startswith("checkpoints/") and at % len(content) > content.rindex("— ".encode())
    blank = path == "keys" and at % len(content) == len(content) - 1
    assert not changed(log, path, at, change) or strangers or blank


@settings(max_examples=200)
@over(data=st.data(), change=st.integers(1, 255))
def test_any_byte_of_a_file_that_counts_twice(log: Path, data: st.DataObject, change: int) -> None:
    path = data.draw(st.sampled_from(["checkpoint", "keys", "tile/1/000.p/2", "tile/0/001.p/45"]))
    at = data.draw(st.integers(0, (log / path).stat().st_size - 1))
    assert not changed(log, path, at, change)


@settings(max_examples=200)
@over(at=st.integers(0, 2**20), change=st.integers(1, 255))
@example(at=0, change=1)
def test_any_byte_of_the_policy(log: Path, at: int, change: int) -> None:
    """A changed policy is found, or it trusts the same log and asks for the same witness's key."""
    before = (log / "policy").read_bytes()
    if not changed(log, "policy", at, change):
        return
    content = bytearray(before)
    content[at % len(before)] ^= change
    (log / "policy").write_bytes(content)
    try:
        policy = found(FolderFiles(log)).policy
        assert [one.key for one in policy.logs] == [LOG.verifier]
        assert [one.key for one in policy.witnesses.values()] == [WITNESS.verifier] or policy.quorum == "none"
    finally:
        (log / "policy").write_bytes(before)


@settings(max_examples=100)
@over(at=st.integers(0, 2**20), change=st.integers(1, 255), path=st.sampled_from(["keys", "policy"]))
def test_whoever_brings_the_keys_needs_none_of_those_beside_the_log(log: Path, at: int, change: int, path: str) -> None:
    assert changed(log, path, at, change, given([LOG.verifier, WITNESS.verifier]))


@settings(max_examples=100)
@over(data=st.data())
def test_any_file_gone_or_cut(log: Path, data: st.DataObject) -> None:
    """A missing or shortened file is found, unless nothing needs what is gone: the policy, the newline behind the key, an older partial
    tile, an older checkpoint or its cosignature."""
    path = data.draw(st.sampled_from(sorted(FolderFiles(log).under(""))))
    file = log / path
    before = file.read_bytes()
    length = data.draw(st.integers(-1, len(before) - 1))
    if length < 0:
        file.unlink()
    else:
        file.write_bytes(before[:length])
    try:
        gone = length < 0 and (path in ("policy", "tile/0/001.p/45") or path.startswith("checkpoints/"))
        spare = {"keys": len(before) - 1}.get(path, before.rindex("— ".encode()) if path.startswith("checkpoints/") else None)
        assert gone or path == "policy" or length == spare or not whole(log)
    finally:
        file.write_bytes(before)
