"""One unit's part of a log: its records alone, each proven, and nothing that can be changed unseen."""

from pathlib import Path

import pytest
from foundation.log.damage import Damage
from foundation.log.extract import Extracted, Placed, extract, framed, is_extract, record_at, records_in, verify_extract
from foundation.log.proving import check, prove
from foundation.log.reader import FolderFiles, LogUnreadable
from foundation.log.trust import found, given
from foundation.record import decode
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from .sample import LOG, WITNESS, history, record, write

SIZE = 1_700
HISTORY = history(SIZE)
UNIT = "370911"
PAGE = 400


class Answering(FolderFiles):
    """A log's server: tiles and checkpoints for everybody, entries for nobody, a unit's records page by page."""

    def read(self, path: str, size_max: int) -> bytes:
        assert not path.startswith("tile/entries")
        if not path.startswith("units/"):
            return super().read(path, size_max)
        _, unit, rest = path.split("/")
        first = int(rest.partition("?after=")[2]) + 1
        end = min(first + PAGE, SIZE)
        its = (Placed(at, HISTORY[at]) for at in range(first, end) if at % 7 == 0 and decode(HISTORY[at]).org == unit)
        return (end - 1).to_bytes(8, "big") + b"".join(map(framed, its))


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("extract")
    extract(Answering(write(folder / "log", HISTORY, [300])), folder / "part", given([LOG.verifier]), UNIT)
    return folder / "part"


def verified(part: Path) -> Extracted:
    files = FolderFiles(part)
    return verify_extract(files, found(files))


EXPECTED = [at for at in range(SIZE) if at % 7 == 0 and decode(HISTORY[at]).org == UNIT]


def test_it_holds_the_units_records_each_proven(part: Path) -> None:
    files = FolderFiles(part)
    assert is_extract(files)
    assert [one.position for one in records_in(files)] == EXPECTED
    said = verified(part)
    assert (said.unit, said.records, said.head.size) == (UNIT, len(EXPECTED), SIZE)
    assert b"370902" not in (part / "records").read_bytes()
    one = EXPECTED[-1]
    trust = given([LOG.verifier, WITNESS.verifier])
    assert check("a proof", prove(files, trust, one).encode(), record_at(files, one), trust)[0] == one
    with pytest.raises(LogUnreadable, match="position 1 is not among the records"):
        record_at(files, 1)


def test_it_says_of_which_streams_versions_are_missing(tmp_path: Path) -> None:
    """The server leaves a record of one stream out; in another stream there is one about another unit."""
    whole = [record(at, stream, version, org=org) for at, (stream, version, org) in enumerate(MIXED)]

    class Partly(FolderFiles):
        def read(self, path: str, size_max: int) -> bytes:
            if not path.startswith("units/"):
                return super().read(path, size_max)
            kept = (Placed(at, one) for at, one in enumerate(whole) if MIXED[at][2] == UNIT and at != 4)
            return (len(whole) - 1).to_bytes(8, "big") + b"".join(map(framed, kept))

    files = Partly(write(tmp_path / "log", whole))
    said = extract(files, tmp_path / "part", given([LOG.verifier]), UNIT)
    assert (said.records, said.streams, said.gaps) == (5, 3, {"thing-a": 1, "thing-b": 1})
    assert verified(tmp_path / "part") == said


MIXED = [
    ("thing-a", 1, UNIT),
    ("thing-b", 1, UNIT),
    ("thing-b", 2, "370902"),
    ("thing-b", 3, UNIT),
    ("thing-a", 2, UNIT),
    ("thing-a", 3, UNIT),
    ("thing-c", 1, UNIT),
]


def test_versions_that_run_back_are_damage(tmp_path: Path) -> None:
    whole = [record(0, "thing-a", 2, org=UNIT), record(1, "thing-a", 1, org=UNIT)]

    class All(FolderFiles):
        def read(self, path: str, size_max: int) -> bytes:
            if not path.startswith("units/"):
                return super().read(path, size_max)
            return (1).to_bytes(8, "big") + b"".join(framed(Placed(at, one)) for at, one in enumerate(whole))

    with pytest.raises(Damage, match="thing-a goes on with version 1 where 3 is next"):
        extract(All(write(tmp_path / "log", whole)), tmp_path / "part", given([LOG.verifier]), UNIT)


@settings(max_examples=300)
@over(data=st.data(), at=st.integers(0, 2**40), change=st.integers(1, 255))
def test_any_byte(part: Path, data: st.DataObject, at: int, change: int) -> None:
    """The scope is the server's word and the policy says whom one trusts; any other byte is proven."""
    path = data.draw(st.sampled_from(sorted(set(FolderFiles(part).under("")) - {"policy", "scope"})))
    before = (part / path).read_bytes()
    content = bytearray(before)
    content[at % len(before)] ^= change
    (part / path).write_bytes(content)
    try:
        with pytest.raises(Damage):
            verified(part)
    finally:
        (part / path).write_bytes(before)


def test_a_server_that_does_not_go_on(tmp_path: Path) -> None:
    class Stuck(Answering):
        def read(self, path: str, size_max: int) -> bytes:
            return bytes(8) if path.startswith("units/") else super().read(path, size_max)

    with pytest.raises(LogUnreadable, match="behind position 0"):
        extract(Stuck(write(tmp_path / "log", HISTORY)), tmp_path / "part", given([LOG.verifier]), UNIT)


def test_a_server_that_says_the_same_again(tmp_path: Path) -> None:
    class Repeating(Answering):
        def read(self, path: str, size_max: int) -> bytes:
            said = super().read(path, size_max)
            return said + said[8:] if path.startswith("units/") else said

    with pytest.raises(Damage, match="does not follow"):
        extract(Repeating(write(tmp_path / "log", HISTORY)), tmp_path / "part", given([LOG.verifier]), UNIT)
